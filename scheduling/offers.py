"""Use cases around what is offered: finding practitioners, their free slots, and their schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from uuid import UUID

from core.clock import Clock
from core.database import Database
from core.errors import NotFound, VersionConflict
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from scheduling.availability import Schedule, Slot, local_day
from scheduling.free_times import FreeTimes
from scheduling.models import StoredSchedule
from scheduling.ports import Practitioner, Practitioners, Specialty, Wanted
from scheduling.time_repository import TimeRepository
from scheduling.timetable import DayGrids, Timetable

NEXT_SLOTS = 3
# With a date, profiles without a slot on it are passed over; at most this many pages are looked through for one.
PAGES_LOOKED_THROUGH = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A practitioner with the first free slots; ``time_zone`` is the schedule's, or the profile's without one."""

    profile: Practitioner
    time_zone: str
    next_slots: list[Slot]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule would give: its slots, and those among them that are taken."""

    slots: list[Slot]
    taken: list[Slot]


class Offers:
    def __init__(
        self,
        database: Database,
        times: TimeRepository,
        free_times: FreeTimes,
        clock: Clock,
        policy: Policy,
        practitioners: Practitioners,
    ) -> None:
        self._database = database
        self._times = times
        self._free_times = free_times
        self._clock = clock
        self._policy = policy
        self._practitioners = practitioners

    async def specialties(self) -> list[Specialty]:
        return await self._practitioners.specialties()

    async def choices(self) -> tuple[list[str], list[str]]:
        """The insurers and currencies that a search can be narrowed to."""
        return await self._practitioners.choices()

    async def search(
        self, wanted: Wanted, *, day: date | None = None, cursor: str | None = None, limit: int = 20
    ) -> tuple[list[Found], str | None]:
        """Published practitioners with their next slots. With ``day``, only those who have a slot on that day.

        A page may then be short though there is a next one.
        """
        found: list[Found] = []
        for _ in range(PAGES_LOOKED_THROUGH if day is not None else 1):
            profiles, cursor = await self._practitioners.search(wanted, cursor, limit - len(found))
            with_slots = await self._with_slots(profiles, day)
            found += [each for each in with_slots if day is None or each.next_slots]
            if cursor is None or len(found) >= limit:
                break
        return found, cursor

    async def provider(self, practitioner_id: UUID) -> Found:
        """One published practitioner. Raises NotFound."""
        return (await self._with_slots([await self._published(practitioner_id)], None))[0]

    async def available(self, practitioner_id: UUID, day: date, days: int = 1) -> tuple[list[Slot], str]:
        """Free slots of some days in the practitioner's zone, and that zone. Raises NotFound."""
        profile = await self._published(practitioner_id)
        timetable = (await self._free_times.of([practitioner_id])).get(practitioner_id)
        if timetable is None:
            return [], profile.time_zone
        last = _last_of(day, days)
        free = _free(profile, timetable, self._clock, day, last)
        return free, timetable.schedule.time_zone

    async def schedule(self, principal: Principal, practitioner_id: UUID) -> StoredSchedule:
        """Raises Forbidden, NotFound."""
        self._policy.require(principal, "schedule.read", _relations(principal, practitioner_id))
        stored = await self._free_times.schedule(practitioner_id, fresh=True)
        if stored is None:
            raise NotFound("There is no schedule yet")
        return stored

    async def save_schedule(
        self, principal: Principal, practitioner_id: UUID, schedule: Schedule, version: int
    ) -> StoredSchedule:
        """Replace version ``version`` (0 for the first). Appointments already made stay. Raises VersionConflict."""
        self._policy.require(principal, "schedule.write", _relations(principal, practitioner_id))
        if practitioner_id not in await self._practitioners.get([practitioner_id]):
            raise NotFound("There is no such practitioner")
        async with self._free_times.changing(practitioner_id), self._database.transaction() as tx:
            saved = await self._times.save_schedule(
                tx, practitioner_id, schedule, version, self._clock.now(), principal.person_id
            )
            if saved is None:
                raise VersionConflict()
            await tx.audit(
                "schedule.changed",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="schedule",
                resource_id=practitioner_id,
                details={"version": saved},
            )
        return StoredSchedule(practitioner_id, schedule, saved)

    async def preview(
        self, principal: Principal, practitioner_id: UUID, schedule: Schedule, first: date, days: int
    ) -> Preview:
        """The slots a schedule would give from ``first`` on, notice and horizon applied. Saves nothing."""
        self._policy.require(principal, "schedule.write", _relations(principal, practitioner_id))
        if practitioner_id not in await self._practitioners.get([practitioner_id]):
            raise NotFound("There is no such practitioner")
        now = self._clock.now()
        async with self._database.reading() as tx:
            busy = await self._times.busy(
                tx, [practitioner_id], now, now + timedelta(days=schedule.horizon_days + 2), now
            )
        grids = DayGrids(schedule)
        last = _last_of(first, days)
        slots = list(Timetable(grids, ()).free(now, first, last))
        free = set(Timetable(grids, busy.get(practitioner_id, [])).free(now, first, last))
        return Preview(slots, [slot for slot in slots if slot not in free])

    async def _published(self, practitioner_id: UUID) -> Practitioner:
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        if profile is None or not profile.published:
            raise NotFound()
        return profile

    async def _with_slots(self, profiles: Sequence[Practitioner], day: date | None) -> list[Found]:
        timetables = await self._free_times.of([each.id for each in profiles])
        found: list[Found] = []
        for each in profiles:
            timetable = timetables.get(each.id)
            if timetable is None:
                found.append(Found(each, each.time_zone, []))
            else:
                first = day or local_day(timetable.schedule.time_zone, self._clock.now())
                free = _free(each, timetable, self._clock, first, day, NEXT_SLOTS)
                found.append(Found(each, timetable.schedule.time_zone, free))
        return found


def _free(
    profile: Practitioner, timetable: Timetable, clock: Clock, first: date, last: date | None, most: int | None = None
) -> list[Slot]:
    if not profile.licence_verified:
        return []
    return list(islice(timetable.free(clock.now(), first, last, profile.licence_expires_on), most))


def _last_of(first: date, days: int) -> date:
    """The last of some days; the calendar's own end bounds it."""
    return date.max if date.max - first < timedelta(days=days - 1) else first + timedelta(days=days - 1)


def _relations(principal: Principal, practitioner_id: UUID) -> list[Relation]:
    return ["own"] if principal.person_id == practitioner_id else []
