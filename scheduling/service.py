"""Appointments that are there: reading, changing, and what other modules' facts do to them.

One transaction each. Policy: see ``allow`` in ``scheduling/access.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidTransition, NotFound, VersionConflict
from core.security.policy import Policy
from core.security.principal import SYSTEM, Principal
from core.settings import Visit
from scheduling import lifecycle
from scheduling.access import ACTION_OF_STATUS, relations
from scheduling.availability import local_day, offered
from scheduling.errors import SlotNotOffered
from scheduling.events import (
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentNoShow,
    AppointmentRescheduled,
)
from scheduling.lifecycle import STATUS_OF_WORD, Status, Word
from scheduling.models import (
    Appointment,
    AppointmentView,
    Filter,
    VisitWindow,
)
from scheduling.ports import Consultations
from scheduling.reader import Reader
from scheduling.repository import Repository
from scheduling.trail import about, audit

# How many outdated appointments one transaction closes.
CLEANUP_BATCH = 100


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
        clock: Clock,
        policy: Policy,
        visit: Visit,
        reader: Reader,
        consultations: Consultations,
    ) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy
        self._visit = visit
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
        if wanted.status == "completed":
            await self._complete(principal, appointment_id, wanted)
        sealed: bytes | None = None
        if wanted.reason is not None and wanted.status is None:
            before = await self.get(appointment_id)
            if before is None:
                raise NotFound()
            self._policy.require(principal, "appointment.edit_reason", relations(principal, before))
            sealed = await self._reader.seal(before.patient_id, appointment_id, wanted.reason)
        async with self._database.transaction() as tx:
            now = self._clock.now()
            found = await self._locked(tx, appointment_id)
            self._policy.require(principal, "appointment.read", relations(principal, found))
            if wanted.status != "completed" and wanted.version not in (None, found.version):
                raise VersionConflict()
            if sealed is not None:
                found = await self._repository.set_reason(tx, appointment_id, sealed, now)
                await audit(tx, principal, "appointment.reason_changed", found)
            if wanted.start is not None:
                found = await self._reschedule(tx, principal, found, wanted.start, now)
            elif wanted.status == "completed":
                found = await self._fulfil(tx, principal, found, now)
            elif wanted.status is not None:
                found = await self._to_status(tx, principal, found, STATUS_OF_WORD[wanted.status], now)

        return await self._reader.show(principal, found)

    async def cancel(self, principal: Principal, appointment_id: UUID) -> AppointmentView:
        """Raises NotFound, Forbidden, InvalidTransition."""
        return await self.change(principal, appointment_id, Change(status="cancelled"))

    # Reactions and jobs

    async def arrived(self, tx: Transaction, appointment_id: UUID) -> None:
        """The patient entered the waiting room; later states stay as they are."""
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is not None and found.status == "booked":
            await self._record(tx, SYSTEM, found, "arrived", self._clock.now())

    async def checked_in(self, tx: Transaction, appointment_id: UUID) -> None:
        """Patient and practitioner are in the call."""
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is not None and found.status in ("booked", "arrived"):
            await self._record(tx, SYSTEM, found, "checked-in", self._clock.now())

    async def consultation_completed(self, tx: Transaction, appointment_id: UUID) -> None:
        """The practitioner completed the consultation: fulfilled, told once."""
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is not None and found.status in lifecycle.OPEN:
            await self._fulfil(tx, SYSTEM, found, self._clock.now())

    async def fulfil(self, appointment_id: UUID) -> None:
        """Record a visit that took place elsewhere as fulfilled (demonstrations, imports)."""
        async with self._database.transaction() as tx:
            await self.consultation_completed(tx, appointment_id)

    async def close_outdated(self) -> int:
        """Booked, past its visit's window, and nobody came: no-show. Safe to run twice and at once."""
        closed = 0
        while True:
            async with self._database.transaction() as tx:
                now = self._clock.now()
                before = now - timedelta(seconds=self._visit.closes_after_s)
                rows = await self._repository.unarrived(tx, before, CLEANUP_BATCH)
                for each in rows:
                    await self._record(tx, SYSTEM, each, "noshow", now)
            closed += len(rows)
            if len(rows) < CLEANUP_BATCH:
                return closed

    # Parts

    async def _complete(self, principal: Principal, appointment_id: UUID, wanted: Change) -> None:
        """Completing is the practitioner's act and goes through the consultation."""
        async with self._database.reading() as tx:
            found = await self._require(tx, principal, "appointment.complete", appointment_id)
        if wanted.version not in (None, found.version):
            raise VersionConflict()
        lifecycle.move(found.status, "fulfilled")
        await self._consultations.complete(principal, appointment_id, wanted.reason or "")

    async def _fulfil(self, tx: Transaction, principal: Principal, found: Appointment, now: datetime) -> Appointment:
        if found.status == "fulfilled":  # the fact and the call race; whoever is second finds it done
            return found
        return await self._record(tx, principal, found, "fulfilled", now)

    async def _to_status(
        self, tx: Transaction, principal: Principal, found: Appointment, to: Status, now: datetime
    ) -> Appointment:
        self._policy.require(principal, ACTION_OF_STATUS[to], relations(principal, found))
        lifecycle.move(found.status, to)
        lifecycle.require_time_for(to, start=found.start, end=found.end, opens_at=self.window(found).opens_at, now=now)
        if to == "cancelled" and principal.role == "patient" and now >= found.end:
            raise InvalidTransition("The appointment is over")
        return await self._record(tx, principal, found, to, now)

    async def _record(
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
            case "cancelled" | "entered-in-error":
                in_time = to == "entered-in-error" or lifecycle.cancelled_in_time(
                    by=principal.role, start=found.start, booked_at=found.created_at, now=now
                )
                if found.status in lifecycle.OPEN:
                    await tx.publish(AppointmentCancelled(**about(changed), by=principal.role, in_time=in_time))
            case _:
                pass
        await audit(tx, principal, f"appointment.{to}", changed)
        return changed

    async def _reschedule(
        self, tx: Transaction, principal: Principal, found: Appointment, start: datetime, now: datetime
    ) -> Appointment:
        self._policy.require(principal, "appointment.reschedule", relations(principal, found))
        lifecycle.require_reschedulable(found.status)
        stored = await self._repository.schedule(tx, found.practitioner_id)
        slot = offered(stored.schedule, start, now) if stored else None
        if stored is None or slot is None:
            raise SlotNotOffered()
        await self._repository.queue_for_time_of(tx, found.practitioner_id)
        moved = await self._repository.move(
            tx,
            found.id,
            slot,
            slot.end + stored.schedule.buffer,
            local_day(found.time_zone, slot.start),
            now,
        )
        await tx.publish(AppointmentRescheduled(**about(moved), previous_start=found.start))
        await audit(tx, principal, "appointment.rescheduled", moved)
        return moved

    async def _locked(self, tx: Transaction, appointment_id: UUID) -> Appointment:
        found = await self._repository.get(tx, appointment_id, lock=True)
        if found is None:
            raise NotFound()
        return found

    async def _require(self, tx: Transaction, principal: Principal, action: str, appointment_id: UUID) -> Appointment:
        found = await self._repository.get(tx, appointment_id)
        if found is None:
            raise NotFound()
        self._policy.require(principal, action, relations(principal, found))
        return found
