"""Use cases of booking; one transaction each. Policy: see ``allow`` in ``scheduling/access.py``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import SYSTEM, Principal
from scheduling.availability import Interval, Schedule, local_day, offered
from scheduling.errors import SlotNotOffered, SlotTaken
from scheduling.events import AppointmentBooked
from scheduling.models import Appointment, AppointmentView
from scheduling.ports import Practitioner, Practitioners
from scheduling.reader import Reader
from scheduling.repository import Repository
from scheduling.trail import about, audit

# A visit found open for a demonstration must stay open this long, or another is made.
DEMO_MARGIN = timedelta(minutes=20)
DEMO_LENGTH_MINUTES = 20
DEMO_REACH = timedelta(days=1)


class Booking:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        clock: Clock,
        policy: Policy,
        reader: Reader,
        practitioners: Practitioners,
    ) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy
        self._reader = reader
        self._practitioners = practitioners

    async def book(
        self, principal: Principal, practitioner_id: UUID, patient_id: UUID, start: datetime, reason: str | None
    ) -> AppointmentView:
        """Book an offered slot. Raises Forbidden, SlotNotOffered, SlotTaken, InvalidInput.

        What is offered is a pure question; who gets it is decided by the exclusion constraint alone.
        """
        self._policy.require(principal, "appointment.book", ["self"] if principal.person_id == patient_id else [])
        profile = await self._bookable(practitioner_id)
        names = await self._people_of(practitioner_id, patient_id)
        made_id = uuid7()
        secret = await self._reader.seal(patient_id, made_id, reason)
        now = self._clock.now()
        async with self._database.transaction() as tx:
            stored = await self._repository.schedule(tx, practitioner_id)
            slot = offered(stored.schedule, start, now) if stored else None
            if stored is None or slot is None:
                raise SlotNotOffered()
            made = await self._insert(tx, principal, profile, patient_id, made_id, slot, stored.schedule, secret, now)
        return self._reader.present(principal, made, names, reason)

    async def arrange(
        self,
        principal: Principal,
        practitioner_id: UUID,
        patient_id: UUID,
        start: datetime,
        *,
        reason: str | None = None,
        minutes: int | None = None,
    ) -> Appointment:
        """Book any free time, offered or not, past or coming (demonstrations, imports). Raises SlotTaken."""
        self._policy.require(principal, "appointment.arrange")
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        if profile is None:
            raise NotFound("There is no such practitioner")
        made_id = uuid7()
        secret = await self._reader.seal(patient_id, made_id, reason)
        async with self._database.transaction() as tx:
            stored = await self._repository.schedule(tx, practitioner_id)
            schedule = stored.schedule if stored else Schedule(profile.time_zone, 30, 0, 0, 365, ())
            length = timedelta(minutes=minutes) if minutes else schedule.slot
            slot = Interval(start, start + length)
            return await self._insert(
                tx, principal, profile, patient_id, made_id, slot, schedule, secret, self._clock.now()
            )

    async def ensure_open_visit(self, practitioner_id: UUID, patient_id: UUID, reason: str) -> Appointment:
        """An appointment of the two whose visit is open now: the present one, or one made at the nearest free time."""
        now = self._clock.now()
        async with self._database.reading() as tx:
            known = await self._repository.open_between(tx, patient_id, practitioner_id)
        for each in known:
            if each.start <= now + timedelta(minutes=15) and self._reader.window(each).is_open(now + DEMO_MARGIN):
                return each
        async with self._database.reading() as tx:
            taken = await self._repository.busy(tx, [practitioner_id], now - DEMO_REACH, now + DEMO_REACH)
        start = _nearest_free(taken.get(practitioner_id, []), now)
        try:
            return await self.arrange(
                SYSTEM, practitioner_id, patient_id, start, reason=reason, minutes=DEMO_LENGTH_MINUTES
            )
        except SlotTaken:  # taken between the look and the booking: look again
            return await self.ensure_open_visit(practitioner_id, patient_id, reason)

    async def _bookable(self, practitioner_id: UUID) -> Practitioner:
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        if profile is None or not profile.published or not profile.licence_verified:
            raise SlotNotOffered("This practitioner can't be booked")
        return profile

    async def _people_of(self, practitioner_id: UUID, patient_id: UUID) -> dict[UUID, str]:
        if practitioner_id == patient_id:
            raise InvalidInput.of("practitioner_id", "Nobody is their own patient")
        names = await self._reader.names([practitioner_id, patient_id])
        if patient_id not in names:
            raise InvalidInput.of("patient_id", "There is no such person")
        return names

    async def _insert(
        self,
        tx: Transaction,
        principal: Principal,
        profile: Practitioner,
        patient_id: UUID,
        made_id: UUID,
        slot: Interval,
        schedule: Schedule,
        secret: bytes | None,
        now: datetime,
    ) -> Appointment:
        made = Appointment(
            id=made_id,
            practitioner_id=profile.id,
            patient_id=patient_id,
            status="booked",
            kind="video",
            specialty=profile.specialties[0] if profile.specialties else "",
            start=slot.start,
            end=slot.end,
            blocked_until=slot.end + schedule.buffer,
            time_zone=schedule.time_zone,
            local_date=local_day(schedule.time_zone, slot.start),
            reason=secret,
            fee_minor=profile.fee_minor,
            currency=profile.currency,
            booked_by=principal.person_id,
            booked_role=principal.role,
            created_at=now,
            version=1,
        )
        await self._repository.queue_for_time_of(tx, profile.id)
        await self._repository.insert(tx, made)
        await tx.publish(
            AppointmentBooked(**about(made), specialty=made.specialty, fee_minor=made.fee_minor, currency=made.currency)
        )
        await audit(tx, principal, "appointment.booked", made)
        return made


def _nearest_free(busy: Sequence[Interval], now: datetime) -> datetime:
    """The start nearest to now, on a multiple of five minutes, of a visit that touches nothing busy."""
    around = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    length, step = timedelta(minutes=DEMO_LENGTH_MINUTES), timedelta(minutes=5)
    for distance in range(DEMO_REACH // step):
        for start in (around + distance * step, around - distance * step):
            if not any(Interval(start, start + length + step).overlaps(each) for each in busy):
                return start
    return around
