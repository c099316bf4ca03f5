"""Appointments that are there: reading, changing, and what other modules' facts do to them.

One transaction each. Policy: see ``allow`` in ``scheduling/access.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidTransition, NotFound, VersionConflict
from core.security.policy import Policy
from core.security.principal import SYSTEM, Principal
from core.settings import Settings
from scheduling import lifecycle
from scheduling.access import ACTION_OF_STATUS, Standing, relations
from scheduling.availability import local_day, offered
from scheduling.errors import SlotNotOffered
from scheduling.events import (
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentNoShow,
    AppointmentRescheduled,
)
from scheduling.free_times import FreeTimes
from scheduling.lifecycle import STATUS_OF_WORD, CancelPolicy, Status, Word
from scheduling.models import (
    Appointment,
    AppointmentView,
    Filter,
    VisitWindow,
)
from scheduling.ports import Consultations, Practitioners
from scheduling.reader import Reader
from scheduling.repository import Repository
from scheduling.time_repository import TimeRepository
from scheduling.trail import about, audit


@dataclass(frozen=True, slots=True)
class Change:
    """What to change; None leaves it. ``start`` and ``status`` exclude each other."""

    start: datetime | None = None
    status: Word | None = None
    reason: str | None = None
    version: int | None = None


class Appointments:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        times: TimeRepository,
        clock: Clock,
        policy: Policy,
        settings: Settings,
        reader: Reader,
        standing: Standing,
        free_times: FreeTimes,
        practitioners: Practitioners,
        consultations: Consultations,
    ) -> None:
        self._database = database
        self._repository = repository
        self._times = times
        self._clock = clock
        self._policy = policy
        self._standing = standing
        self._free_times = free_times
        self._practitioners = practitioners
        self._cancelling = CancelPolicy(
            timedelta(seconds=settings.scheduling.cancel_free_s), timedelta(seconds=settings.scheduling.cancel_regret_s)
        )
        self._reader = reader
        self._consultations = consultations

    # Reading

    async def view(self, principal: Principal, appointment_id: UUID) -> AppointmentView:
        """Raises NotFound, Forbidden."""
        return await self._reader.view(principal, appointment_id)

    async def search(
        self, principal: Principal, wanted: Filter, *, today: bool = False
    ) -> tuple[list[AppointmentView], tuple[datetime, UUID] | None]:
        """A page by start, and where the next begins. Raises Forbidden."""
        return await self._reader.search(principal, wanted, today=today)

    async def get(self, appointment_id: UUID) -> Appointment | None:
        """For other modules: no access check, nothing decrypted."""
        async with self._database.reading() as tx:
            return await self._repository.get(tx, appointment_id)

    async def open_window(self, appointment_id: UUID) -> VisitWindow | None:
        """When the visit can be entered; for other modules."""
        found = await self.get(appointment_id)
        return None if found is None else self.window(found)

    async def related(self, practitioner_id: UUID, patient_id: UUID) -> bool:
        """True when an appointment gives this practitioner a care relation to the patient; for other modules."""
        async with self._database.reading() as tx:
            return await self._repository.related(tx, practitioner_id, patient_id)

    def window(self, appointment: Appointment) -> VisitWindow:
        """When this appointment's visit can be entered."""
        return self._reader.window(appointment)

    # Changing

    async def change(self, principal: Principal, appointment_id: UUID, wanted: Change) -> AppointmentView:
        """Move it, change its status or its reason, in one transaction.

        Raises NotFound, Forbidden, InvalidTransition, VersionConflict, SlotTaken, SlotNotOffered.
        """
        before = await self.get(appointment_id)
        if before is None:
            raise NotFound()
        standing = await self._standing.to(principal, before)
        self._policy.require(principal, "appointment.read", standing)
        if wanted.status == "completed":
            await self._complete(principal, before, wanted)
        sealed: bytes | None = None
        if wanted.reason is not None and wanted.status is None:
            self._policy.require(principal, "appointment.edit_reason", standing)
            sealed = await self._reader.seal(before.patient_id, appointment_id, wanted.reason)
        ends = await self._licence_of(before.practitioner_id) if wanted.start is not None else None
        async with self._free_times.changing(before.practitioner_id), self._database.transaction() as tx:
            now = self._clock.now()
            found = await self._locked(tx, appointment_id)
            if wanted.status != "completed" and wanted.version not in (None, found.version):
                raise VersionConflict()
            if sealed is not None:
                found = await self._repository.set_reason(tx, appointment_id, sealed, now)
                await audit(tx, principal, "appointment.reason_changed", found)
            if wanted.start is not None:
                self._policy.require(principal, "appointment.reschedule", standing)
                found = await self._reschedule(tx, principal, found, wanted.start, ends, now)
            elif wanted.status == "completed":
                found = await self._fulfil(tx, principal, found, now)
            elif wanted.status is not None:
                to = STATUS_OF_WORD[wanted.status]
                self._policy.require(principal, ACTION_OF_STATUS[to], standing)
                found = await self._to_status(tx, principal, found, to, now)
        return await self._reader.show(principal, found)

    async def cancel(self, principal: Principal, appointment_id: UUID) -> AppointmentView:
        """Raises NotFound, Forbidden, InvalidTransition."""
        return await self.change(principal, appointment_id, Change(status="cancelled"))

    # Reactions and jobs

    async def arrived(self, tx: Transaction, appointment_id: UUID) -> None:
        """The patient entered the waiting room; later states stay as they are."""
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is not None and found.status == "booked":
            await self.record(tx, SYSTEM, found, "arrived", self._clock.now())

    async def checked_in(self, tx: Transaction, appointment_id: UUID) -> None:
        """Patient and practitioner are in the call."""
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is not None and found.status in ("booked", "arrived"):
            await self.record(tx, SYSTEM, found, "checked-in", self._clock.now())

    async def consultation_completed(self, tx: Transaction, appointment_id: UUID) -> None:
        """The practitioner completed the consultation: fulfilled, told once."""
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is not None and found.status in lifecycle.OPEN:
            await self._fulfil(tx, SYSTEM, found, self._clock.now())
            tx.after_commit(partial(self._free_times.changed, found.practitioner_id))

    async def fulfil(self, appointment_id: UUID) -> None:
        """Record a visit that took place elsewhere as fulfilled (demonstrations, imports)."""
        found = await self.get(appointment_id)
        if found is None:
            return
        async with self._free_times.changing(found.practitioner_id), self._database.transaction() as tx:
            await self.consultation_completed(tx, appointment_id)

    # Parts

    async def _complete(self, principal: Principal, found: Appointment, wanted: Change) -> None:
        """Completing is the practitioner's act and goes through the consultation."""
        self._policy.require(principal, "appointment.complete", relations(principal, found))
        if wanted.version not in (None, found.version):
            raise VersionConflict()
        lifecycle.move(found.status, "fulfilled")
        await self._consultations.complete(principal, found.id, wanted.reason or "")

    async def _licence_of(self, practitioner_id: UUID) -> date | None:
        """The last day on which the practitioner may work. Raises SlotNotOffered when nobody can book them."""
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        if profile is None or not profile.licence_verified:
            raise SlotNotOffered("This practitioner can't be booked")
        return profile.licence_expires_on

    async def _fulfil(self, tx: Transaction, principal: Principal, found: Appointment, now: datetime) -> Appointment:
        if found.status == "fulfilled":  # the fact and the call race; whoever is second finds it done
            return found
        return await self.record(tx, principal, found, "fulfilled", now)

    async def _to_status(
        self, tx: Transaction, principal: Principal, found: Appointment, to: Status, now: datetime
    ) -> Appointment:
        lifecycle.move(found.status, to)
        lifecycle.require_time_for(to, start=found.start, end=found.end, opens_at=self.window(found).opens_at, now=now)
        if to == "cancelled" and principal.role == "patient" and now >= found.end:
            raise InvalidTransition("The appointment is over")
        return await self.record(tx, principal, found, to, now)

    async def record(
        self, tx: Transaction, principal: Principal, found: Appointment, to: Status, now: datetime
    ) -> Appointment:
        """Change the status, with the fact and the audit row that belong to it."""
        lifecycle.move(found.status, to)
        changed = await self._repository.set_status(tx, found.id, to, now)
        match to:
            case "fulfilled":
                await tx.publish(AppointmentCompleted(**about(changed)))
            case "noshow":
                await tx.publish(AppointmentNoShow(**about(changed)))
            case "cancelled" | "entered-in-error" if found.status in lifecycle.OPEN:
                in_time = to == "entered-in-error" or self._cancelling.in_time(
                    by=principal.role, start=found.start, booked_at=found.created_at, now=now
                )
                free_until = self._cancelling.free_until(start=found.start, booked_at=found.created_at)
                await tx.publish(
                    AppointmentCancelled(**about(changed), by=principal.role, in_time=in_time, free_until=free_until)
                )
            case _:
                pass
        await audit(tx, principal, f"appointment.{to}", changed)
        return changed

    async def _reschedule(
        self,
        tx: Transaction,
        principal: Principal,
        found: Appointment,
        start: datetime,
        licence_ends: date | None,
        now: datetime,
    ) -> Appointment:
        lifecycle.require_reschedulable(found.status)
        stored = await self._times.schedule(tx, found.practitioner_id)
        slot = offered(stored.schedule, start, now) if stored else None
        if stored is None or slot is None:
            raise SlotNotOffered("This time has passed" if start <= now else None)
        day = local_day(stored.schedule.time_zone, slot.start)
        if licence_ends is not None and day > licence_ends:
            raise SlotNotOffered()
        moved = await self._repository.move(tx, found, slot, stored.schedule.blocked(slot), day, now)
        await tx.publish(AppointmentRescheduled(**about(moved), previous_start=found.start))
        await audit(tx, principal, "appointment.rescheduled", moved)
        return moved

    async def _locked(self, tx: Transaction, appointment_id: UUID) -> Appointment:
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is None:
            raise NotFound()
        return found
