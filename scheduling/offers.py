"""Use cases around what is offered: finding practitioners, their free slots, and their schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import NotFound, VersionConflict
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from scheduling.availability import Interval, Schedule, local_day, slots
from scheduling.models import StoredSchedule
from scheduling.ports import Practitioner, Practitioners, Specialty
from scheduling.repository import Repository

NEXT_SLOTS = 3
# Most people have three free slots within this time; only for the others the whole horizon is read.
NEAR = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Found:
    """A practitioner with the first free slots; ``time_zone`` is the schedule's, or the profile's without one."""

    profile: Practitioner
    time_zone: str
    next_slots: list[Interval]


class Offers:
    def __init__(
        self, database: Database, repository: Repository, clock: Clock, policy: Policy, practitioners: Practitioners
    ) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy
        self._practitioners = practitioners

    async def specialties(self) -> list[Specialty]:
        return await self._practitioners.specialties()

    async def search(
        self,
        *,
        specialty: str | None = None,
        day: date | None = None,
        language: str | None = None,
        name: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> tuple[list[Found], str | None]:
        """Published practitioners with their next slots. With ``day``, only those who have a slot on that day."""
        profiles, following = await self._practitioners.search(
            specialty=specialty, language=language, name=name, cursor=cursor, limit=limit
        )
        found = await self._with_slots(profiles, day)
        return [each for each in found if day is None or each.next_slots], following

    async def provider(self, practitioner_id: UUID) -> Found:
        """One published practitioner. Raises NotFound."""
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        if profile is None or not profile.published:
            raise NotFound()
        return (await self._with_slots([profile], None))[0]

    async def available(self, practitioner_id: UUID, day: date) -> tuple[list[Interval], str]:
        """Free slots of a day in the practitioner's zone, and that zone. Raises NotFound."""
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        if profile is None or not profile.published:
            raise NotFound()
        now = self._clock.now()
        async with self._database.reading() as tx:
            stored = await self._repository.schedule(tx, practitioner_id)
            if stored is None or not profile.licence_verified or not _within(stored.schedule, now, day):
                return [], stored.schedule.time_zone if stored else profile.time_zone
            busy = await self._repository.busy(tx, [practitioner_id], *_around(day, day))
        free = list(slots(stored.schedule, busy.get(practitioner_id, []), now, day, day))
        return free, stored.schedule.time_zone

    async def schedule(self, principal: Principal, practitioner_id: UUID) -> StoredSchedule:
        """Raises Forbidden, NotFound."""
        self._policy.require(principal, "schedule.read", _relations(principal, practitioner_id))
        async with self._database.reading() as tx:
            stored = await self._repository.schedule(tx, practitioner_id)
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
        async with self._database.transaction() as tx:
            saved = await self._repository.save_schedule(
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

    async def _with_slots(self, profiles: Sequence[Practitioner], day: date | None) -> list[Found]:
        """Two queries for all of them, one for schedules and one for busy times; a third for the heavily booked."""
        now = self._clock.now()
        ids = [each.id for each in profiles if each.licence_verified]
        async with self._database.reading() as tx:
            schedules = await self._repository.schedules(tx, [each.id for each in profiles])
            wanted = [each for each in ids if each in schedules]
            if day is not None:
                wanted = [each for each in wanted if _within(schedules[each].schedule, now, day)]
                busy = await self._repository.busy(tx, wanted, *_around(day, day)) if wanted else {}
                free = {
                    each: list(islice(slots(schedules[each].schedule, busy.get(each, []), now, day, day), NEXT_SLOTS))
                    for each in wanted
                }
            else:
                free = await self._first_slots(tx, wanted, schedules, now)
        return [
            Found(
                each,
                schedules[each.id].schedule.time_zone if each.id in schedules else each.time_zone,
                free.get(each.id, []),
            )
            for each in profiles
        ]

    async def _first_slots(
        self, tx: Transaction, wanted: list[UUID], schedules: dict[UUID, StoredSchedule], now: datetime
    ) -> dict[UUID, list[Interval]]:
        free: dict[UUID, list[Interval]] = {}
        near = (now + NEAR).date()
        furthest = max((schedules[each].schedule.horizon_days for each in wanted), default=0)
        for last in (near, (now + timedelta(days=furthest + 1)).date()):
            missing = [each for each in wanted if len(free.get(each, [])) < NEXT_SLOTS]
            if not missing:
                break
            busy = await self._repository.busy(tx, missing, *_around(now.date(), last))
            for each in missing:
                schedule = schedules[each].schedule
                first = local_day(schedule.time_zone, now)
                free[each] = list(islice(slots(schedule, busy.get(each, []), now, first, last), NEXT_SLOTS))
        return free


def _relations(principal: Principal, practitioner_id: UUID) -> list[Relation]:
    return ["own"] if principal.person_id == practitioner_id else []


def _within(schedule: Schedule, now: datetime, day: date) -> bool:
    today = local_day(schedule.time_zone, now)
    return today <= day <= today + timedelta(days=schedule.horizon_days)


def _around(first: date, last: date) -> tuple[datetime, datetime]:
    """Bounds in UTC that hold these local days in every zone."""
    return (
        datetime.combine(first, time(), UTC) - timedelta(days=1),
        datetime.combine(last, time(), UTC) + timedelta(days=2),
    )
