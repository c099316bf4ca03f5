"""Appointments as their readers see them: names, the reason in clear for those who may read it, the audit of it.

Nothing here asks a neighbour while a transaction is open, so that two modules' pools never wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database
from core.errors import Forbidden, NotFound
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.vault import KeyDestroyed, Vault
from core.settings import Settings
from scheduling.access import Standing, relations
from scheduling.availability import local_day
from scheduling.lifecycle import CancelPolicy
from scheduling.models import Appointment, AppointmentView, Filter, VisitWindow, reason_place, visit_window
from scheduling.ports import People
from scheduling.repository import Repository
from scheduling.time_repository import TimeRepository


class Reader:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        times: TimeRepository,
        clock: Clock,
        policy: Policy,
        vault: Vault,
        settings: Settings,
        people: People,
        standing: Standing,
    ) -> None:
        self._database = database
        self._repository = repository
        self._times = times
        self._clock = clock
        self._policy = policy
        self._vault = vault
        self._visit = settings.visit
        self._standing = standing
        self._cancelling = CancelPolicy(
            timedelta(seconds=settings.scheduling.cancel_free_s), timedelta(seconds=settings.scheduling.cancel_regret_s)
        )
        self._people = people

    async def view(self, principal: Principal, appointment_id: UUID) -> AppointmentView:
        """Raises NotFound, Forbidden."""
        async with self._database.reading() as tx:
            found = await self._repository.get(tx, appointment_id)
        if found is None:
            raise NotFound()
        self._policy.require(principal, "appointment.read", await self._standing.to(principal, found))
        view = await self.show(principal, found)
        await self._audit_reading(principal, [view])
        return view

    async def search(
        self, principal: Principal, wanted: Filter, *, today: bool = False
    ) -> tuple[list[AppointmentView], tuple[datetime, UUID] | None]:
        """A page by start, and where the next begins. Patients see their own, or those of one
        they act for; practitioners their own alone.

        ``today`` is the present date in each practitioner's own zone.
        """
        scope = await self._scope(principal, wanted)
        async with self._database.reading() as tx:
            if today:
                now = self._clock.now()
                zones = await self._times.time_zones(tx)
                scope = replace(scope, days=tuple((zone, local_day(zone, now)) for zone in {*zones, "UTC"}))
            rows = await self._repository.search(tx, replace(scope, limit=wanted.limit + 1))
        page = rows[: wanted.limit]
        views = await self._show_all(principal, page)
        await self._audit_reading(principal, views)
        return views, (page[-1].start, page[-1].id) if len(rows) > wanted.limit else None

    async def show(self, principal: Principal, found: Appointment) -> AppointmentView:
        """The view after one's own change, which has its own audit row."""
        return (await self._show_all(principal, [found]))[0]

    def present(
        self,
        principal: Principal,
        each: Appointment,
        names: dict[UUID, str],
        reason: str | None,
        standing: Sequence[Relation],
    ) -> AppointmentView:
        """``standing``: of the principal to the appointment's patient."""
        return AppointmentView(
            appointment=each,
            practitioner_name=names.get(each.practitioner_id, ""),
            patient_name=names.get(each.patient_id, ""),
            reason=reason if self._may_read_reason(principal, each, standing) else None,
            window=self.window(each),
            free_cancel_until=self._cancelling.free_until(start=each.start, booked_at=each.created_at),
        )

    def window(self, appointment: Appointment) -> VisitWindow:
        return visit_window(
            appointment.start,
            appointment.end,
            opens_before_s=self._visit.opens_before_s,
            closes_after_s=self._visit.closes_after_s,
        )

    async def names(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        return dict(await self._people.names(ids)) if ids else {}

    async def seal(self, patient_id: UUID, appointment_id: UUID, reason: str | None) -> bytes | None:
        """Encrypt a reason under the patient's key; nothing for an empty one."""
        text = (reason or "").strip()
        return await self._vault.encrypt_text(patient_id, reason_place(appointment_id), text) if text else None

    async def _show_all(self, principal: Principal, rows: Sequence[Appointment]) -> list[AppointmentView]:
        names = await self.names(sorted({each.practitioner_id for each in rows} | {each.patient_id for each in rows}))
        views: list[AppointmentView] = []
        held: dict[UUID, list[Relation]] = {}
        for each in rows:
            if each.patient_id not in held:
                held[each.patient_id] = await self._standing.to_patient(principal, each.patient_id)
            standing, reason = held[each.patient_id], None
            if each.reason is not None and self._may_read_reason(principal, each, standing):
                try:
                    reason = await self._vault.decrypt_text(each.patient_id, each.reason_place, each.reason)
                except KeyDestroyed:
                    reason = None
            views.append(self.present(principal, each, names, reason, standing))
        return views

    async def _audit_reading(self, principal: Principal, views: Sequence[AppointmentView]) -> None:
        """One row per patient whose reasons were read."""
        read: dict[UUID, list[str]] = {}
        for view in views:
            if view.reason is not None:
                read.setdefault(view.appointment.patient_id, []).append(str(view.appointment.id))
        if not read:
            return
        async with self._database.transaction() as tx:
            for patient_id, ids in read.items():
                await tx.audit(
                    "appointment.read",
                    actor_id=principal.person_id,
                    actor_role=principal.role,
                    resource="appointment",
                    resource_id=ids[0] if len(ids) == 1 else None,
                    patient_id=patient_id,
                    details={"ids": ids},
                )

    def _may_read_reason(self, principal: Principal, each: Appointment, standing: Sequence[Relation]) -> bool:
        held = relations(principal, each) or standing
        return self._policy.allows(principal, "appointment.read_reason", held)

    async def _scope(self, principal: Principal, wanted: Filter) -> Filter:
        """Narrow the filter to what the principal may list. Raises Forbidden."""
        if self._policy.allows(principal, "appointment.list"):
            return wanted
        if principal.role == "patient" and wanted.patient_id in (None, principal.id):
            return replace(wanted, patient_id=principal.id)
        if principal.role == "patient" and wanted.patient_id is not None:
            held = await self._standing.to_patient(principal, wanted.patient_id)
            self._policy.require(principal, "appointment.read", held)
            return wanted
        if principal.role == "practitioner" and wanted.practitioner_id in (None, principal.id):
            return replace(wanted, practitioner_id=principal.id)
        raise Forbidden("You may list your own appointments")
