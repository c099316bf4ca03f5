"""Appointments at any free time, offered or not: demonstrations, load tests, imports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database
from core.errors import NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import SYSTEM, Principal
from scheduling.availability import Interval, Schedule, Slot
from scheduling.booking import Booking, place_in
from scheduling.errors import SlotTaken
from scheduling.free_times import FreeTimes
from scheduling.models import Appointment
from scheduling.ports import Practitioners
from scheduling.reader import Reader
from scheduling.repository import Repository
from scheduling.time_repository import TimeRepository

# A visit found open for a demonstration must stay open this long, or another is made.
DEMO_MARGIN = timedelta(minutes=20)
DEMO_LENGTH_MINUTES = 20
DEMO_REACH = timedelta(days=1)


class Arranging:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        times: TimeRepository,
        free_times: FreeTimes,
        clock: Clock,
        policy: Policy,
        reader: Reader,
        practitioners: Practitioners,
    ) -> None:
        self._database = database
        self._repository = repository
        self._times = times
        self._free_times = free_times
        self._clock = clock
        self._policy = policy
        self._reader = reader
        self._practitioners = practitioners

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
        """Book any free time, offered or not, past or coming. Raises SlotTaken."""
        self._policy.require(principal, "appointment.arrange")
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        if profile is None:
            raise NotFound("There is no such practitioner")
        made_id = uuid7()
        secret = await self._reader.seal(patient_id, made_id, reason)
        stored = await self._free_times.schedule(practitioner_id, fresh=True)
        schedule = stored.schedule if stored else Schedule(profile.time_zone, 30, 0, 0, 365, ())
        slot = Slot(start, start + (timedelta(minutes=minutes) if minutes else schedule.slot))
        made = Booking.draft(principal, profile, patient_id, made_id, slot, schedule, secret, self._clock.now())
        async with self._free_times.changing(practitioner_id), self._database.at_once() as tx:
            await place_in(tx, self._repository, made)
        return made

    async def ensure_open_visit(self, practitioner_id: UUID, patient_id: UUID, reason: str) -> Appointment:
        """An appointment of the two whose visit is open now: the present one, or one made at the nearest free time."""
        now = self._clock.now()
        async with self._database.reading() as tx:
            known = await self._repository.open_between(tx, patient_id, practitioner_id)
        for each in known:
            window = self._reader.window(each)
            if each.start <= now + timedelta(minutes=15) and window.is_open(now + DEMO_MARGIN):
                return each
        async with self._database.reading() as tx:
            taken = await self._times.busy(tx, [practitioner_id], now - DEMO_REACH, now + DEMO_REACH, now)
        start = _nearest_free([each.interval for each in taken.get(practitioner_id, [])], now)
        try:
            return await self.arrange(
                SYSTEM, practitioner_id, patient_id, start, reason=reason, minutes=DEMO_LENGTH_MINUTES
            )
        except SlotTaken:  # taken between the look and the booking: look again
            return await self.ensure_open_visit(practitioner_id, patient_id, reason)


def _nearest_free(busy: Sequence[Interval], now: datetime) -> datetime:
    """The start nearest to now, on a multiple of five minutes, of a visit that touches nothing busy."""
    around = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    length, step = timedelta(minutes=DEMO_LENGTH_MINUTES), timedelta(minutes=5)
    for distance in range(DEMO_REACH // step):
        for start in (around + distance * step, around - distance * step):
            if not any(Interval(start, start + length + step).overlaps(each) for each in busy):
                return start
    return around
