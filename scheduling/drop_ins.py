"""Drop-ins: patients who want to be seen now wait in line by specialty; the next free clinician takes the next.

Taking one makes an appointment of kind ``drop_in`` that begins now. From there on it is a visit like any other: its
window is open, the patient enters its waiting room and the clinician admits them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database
from core.errors import Forbidden, InvalidInput, InvalidTransition, NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import Principal
from core.security.vault import KeyDestroyed, Vault
from scheduling.access import Standing
from scheduling.availability import Interval, Schedule, Slot
from scheduling.booking import Booking, place_in
from scheduling.errors import SlotNotOffered, SlotTaken
from scheduling.free_times import FreeTimes
from scheduling.models import AppointmentView, DropIn
from scheduling.ports import Practitioners
from scheduling.queue_repository import QueueRepository
from scheduling.reader import Reader
from scheduling.repository import Repository
from scheduling.time_repository import TimeRepository

# A visit shorter than this is not begun: the next appointment is too near.
SHORTEST = timedelta(minutes=5)
MOST_LISTED = 100
PACE_OF = timedelta(hours=2)  # how fast a line moves is taken from this long ago


@dataclass(frozen=True, slots=True)
class DropInView:
    drop_in: DropIn
    patient_name: str
    position: int | None  # 1 is next; None when not waiting


class DropIns:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        queues: QueueRepository,
        times: TimeRepository,
        free_times: FreeTimes,
        clock: Clock,
        policy: Policy,
        vault: Vault,
        reader: Reader,
        standing: Standing,
        practitioners: Practitioners,
    ) -> None:
        self._database = database
        self._repository = repository
        self._queues = queues
        self._times = times
        self._free_times = free_times
        self._clock = clock
        self._policy = policy
        self._vault = vault
        self._reader = reader
        self._standing = standing
        self._practitioners = practitioners

    async def join(self, principal: Principal, patient_id: UUID, specialty: str, reason: str | None) -> DropInView:
        """Raises Forbidden, InvalidInput, AlreadyWaiting."""
        await self._may(principal, patient_id)
        if specialty not in {each.code for each in await self._practitioners.specialties()}:
            raise InvalidInput.of("specialty", "Nobody here has this specialty")
        names = await self._reader.names([patient_id])
        if patient_id not in names:
            raise InvalidInput.of("patient_id", "There is no such person")
        made = DropIn(uuid7(), patient_id, specialty, None, "waiting", None, self._clock.now())
        text = (reason or "").strip()
        if text:
            made = replace(made, reason=await self._vault.encrypt_text(patient_id, made.reason_place, text))
        async with self._database.transaction() as tx:
            await self._queues.add_drop_in(tx, made, principal.person_id)
            position = await self._queues.position(tx, made)
            await tx.audit(
                "drop_in.joined",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="drop_in",
                resource_id=made.id,
                patient_id=patient_id,
            )
        return DropInView(made, names[patient_id], position)

    async def show(self, principal: Principal, drop_in_id: UUID) -> DropInView:
        """Raises NotFound, Forbidden."""
        async with self._database.reading() as tx:
            found = await self._queues.drop_in(tx, drop_in_id)
            position = await self._queues.position(tx, found) if found and found.status == "waiting" else None
        if found is None:
            raise NotFound()
        await self._may(principal, found.patient_id)
        names = await self._reader.names([found.patient_id])
        return DropInView(found, names.get(found.patient_id, ""), position)

    async def line(
        self, principal: Principal, specialty: str | None, patient_id: UUID | None = None
    ) -> list[DropInView]:
        """Who waits: the patient's own, or of one they act for; a practitioner's specialties; everybody to staff.

        Raises Forbidden.
        """
        specialties: Sequence[str] | None = [specialty] if specialty else None
        if principal.role == "patient":
            patient_id = patient_id or principal.id
            self._policy.require(principal, "queue.see", await self._standing.to_patient(principal, patient_id))
        elif principal.role == "practitioner":
            own = await self._specialties(principal)
            specialties = [each for each in own if specialty in (None, each)]
        else:
            self._policy.require(principal, "queue.read")
        async with self._database.reading() as tx:
            found = await self._queues.drop_ins(tx, patient_id=patient_id, specialties=specialties, limit=MOST_LISTED)
            positions = [await self._queues.position(tx, each) for each in found]
        names = await self._reader.names(sorted({each.patient_id for each in found}))
        return [
            DropInView(each, names.get(each.patient_id, ""), position)
            for each, position in zip(found, positions, strict=True)
        ]

    async def whole_line(self, specialty: str) -> tuple[list[UUID], list[float]]:
        """For other modules: who waits, the next one first, and when the last were taken (newest first)."""
        since = self._clock.now() - PACE_OF
        async with self._database.reading() as tx:
            return await self._queues.line(tx, specialty), await self._queues.takes(tx, specialty, since)

    async def fate(self, drop_in_id: UUID) -> tuple[str, UUID | None]:
        """For other modules: status and appointment. Raises NotFound."""
        async with self._database.reading() as tx:
            found = await self._queues.drop_in(tx, drop_in_id)
        if found is None:
            raise NotFound()
        return found.status, found.appointment_id

    async def leave(self, principal: Principal, drop_in_id: UUID) -> DropInView:
        """Raises NotFound, Forbidden, InvalidTransition."""
        view = await self.show(principal, drop_in_id)
        async with self._database.transaction() as tx:
            found = await self._queues.drop_in(tx, drop_in_id, lock=True)
            assert found is not None, "drop-ins are kept"
            if found.status != "waiting":
                raise InvalidTransition("You do not wait any more")
            left = await self._queues.set_drop_in(tx, drop_in_id, "left", None, self._clock.now())
        return DropInView(left, view.patient_name, None)

    async def take_next(self, principal: Principal) -> AppointmentView:
        """The clinician takes whoever has waited longest for one of their specialties, from now on.

        The visit ends before the clinician's next appointment. Raises Forbidden, NotFound (nobody waits),
        SlotNotOffered (may not work), SlotTaken (the next appointment is about to begin).
        """
        self._policy.require(principal, "drop_in.take")
        profile = (await self._practitioners.get([principal.id])).get(principal.id)
        if profile is None or not profile.licence_verified:
            raise SlotNotOffered("Your licence has not been verified")
        stored = await self._free_times.schedule(principal.id, fresh=True)
        schedule = stored.schedule if stored else Schedule(profile.time_zone, 30, 0, 0, 365, ())
        now = self._clock.now()
        if profile.licence_expires_on is not None and now.date() > profile.licence_expires_on:
            raise SlotNotOffered("Your licence has ended")
        async with self._free_times.changing(principal.id), self._database.transaction() as tx:
            taken = await self._queues.next_drop_in(tx, profile.specialties, principal.id)
            if taken is None:
                raise NotFound("Nobody waits")
            busy = await self._times.busy(tx, [principal.id], now, now + schedule.slot, now)
            slot = _until_next(now, schedule, [each.interval for each in busy.get(principal.id, [])])
            made_id = uuid7()
            text = await self._reason(taken)
            secret = await self._reader.seal(taken.patient_id, made_id, text)
            drafted = Booking.draft(principal, profile, taken.patient_id, made_id, slot, schedule, secret, now)
            made = replace(
                drafted,
                kind="drop_in",
                specialty=taken.specialty,
                blocked_from=slot.start,
                blocked_until=slot.end,
            )
            await place_in(tx, self._repository, made)
            await self._queues.set_drop_in(tx, taken.id, "taken", made.id, now)
        return await self._reader.show(principal, made)

    async def _reason(self, taken: DropIn) -> str | None:
        if taken.reason is None:
            return None
        try:
            return await self._vault.decrypt_text(taken.patient_id, taken.reason_place, taken.reason)
        except KeyDestroyed:
            return None

    async def _specialties(self, principal: Principal) -> Sequence[str]:
        profile = (await self._practitioners.get([principal.id])).get(principal.id)
        if profile is None:
            raise Forbidden()
        return profile.specialties

    async def _may(self, principal: Principal, patient_id: UUID) -> None:
        self._policy.require(principal, "appointment.book", await self._standing.to_patient(principal, patient_id))


def _until_next(now: datetime, schedule: Schedule, busy: Sequence[Interval]) -> Slot:
    """A slot's length from now, cut at the next busy time. Raises SlotTaken."""
    end = min([now + schedule.slot, *(each.start for each in busy)])
    if end - now < SHORTEST:
        raise SlotTaken("Your next appointment is about to begin")
    return Slot(now, end)
