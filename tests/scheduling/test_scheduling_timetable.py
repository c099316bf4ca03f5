"""The quick form of free slots against the plain rule, and the cache that keeps it."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest
from harness import MakeContext
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling_clinic import NOON, Clinic, FixedClock, at, clinic_over
from test_scheduling_availability import schedules

from core.realtime import connect_redis
from core.security.principal import Principal
from scheduling.availability import Interval, Schedule, offered, slots
from scheduling.booking import Request
from scheduling.errors import SlotTaken
from scheduling.free_times import FreeTimes
from scheduling.models import Busy
from scheduling.time_repository import TimeRepository
from scheduling.timetable import DayGrids, Timetable


@settings(max_examples=200, deadline=None)
@given(
    schedules(),
    st.lists(st.tuples(st.integers(-600, 8000), st.integers(5, 200)), max_size=12),
    st.integers(0, 1439),
    st.integers(-2, 12),
    st.one_of(st.none(), st.integers(0, 12)),
)
def test_the_timetable_says_what_the_rule_says(
    made: tuple[Schedule, date],
    stretches: list[tuple[int, int]],
    minute: int,
    ahead: int,
    licensed_days: int | None,
) -> None:
    schedule, day = made
    now = datetime.combine(day, time(minute // 60, minute % 60, 17), UTC)
    midnight = datetime.combine(day, time(), UTC)
    busy = [
        Interval(midnight + timedelta(minutes=start), midnight + timedelta(minutes=start + length))
        for start, length in stretches
    ]
    first = day + timedelta(days=ahead)
    last = day + timedelta(days=ahead + 3)
    until = None if licensed_days is None else day + timedelta(days=licensed_days)
    timetable = Timetable(DayGrids(schedule), [Busy(each.start, each.end, None) for each in busy])
    plain = list(slots(schedule, busy, now, first, last if until is None else min(last, until)))
    assert list(timetable.free(now, first, last, until)) == plain
    near = [slot.start for slot in plain] + [each.start for each in busy] + [now, midnight + timedelta(seconds=1)]
    for start in near:
        assert timetable.grids.offered(start, now) == offered(schedule, start, now)


@pytest.fixture
async def clinic(make_context: MakeContext) -> Clinic:
    clock = FixedClock()
    return clinic_over(await make_context(clock=clock), clock)


async def starts(clinic: Clinic, doctor: Principal) -> set[datetime]:
    free, _ = await clinic.module.offers.available(doctor.id, at(9).date())
    return {slot.start for slot in free}


@pytest.mark.integration
async def test_a_taken_slot_is_gone_at_once_for_other_processes_too(clinic: Clinic, make_context: MakeContext) -> None:
    doctor = await clinic.doctor()
    elsewhere = clinic_over(await make_context(clock=clinic.clock), clinic.clock)
    elsewhere.directory.profiles, elsewhere.directory.people = clinic.directory.profiles, clinic.directory.people
    for hour in range(9, 17):
        patient = clinic.person("patient")
        before = await asyncio.gather(starts(clinic, doctor), starts(elsewhere, doctor))
        assert at(hour) in before[0] & before[1]
        reading = asyncio.create_task(starts(elsewhere, doctor))  # at the very moment of the booking
        await clinic.module.booking.book(patient, Request(doctor.id, patient.id, at(hour)))
        await reading
        after = await asyncio.gather(starts(clinic, doctor), starts(elsewhere, doctor))
        assert at(hour) not in after[0] | after[1]


@pytest.mark.integration
async def test_without_redis_everything_is_as_it_is(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    nobody = connect_redis("redis://127.0.0.1:1")
    alone = FreeTimes(clinic.context.database("scheduling"), TimeRepository(), clinic.clock, nobody)
    today = at(9).date()
    free = {slot.start for slot in (await alone.of([doctor.id]))[doctor.id].free(NOON, today, today)}
    assert at(10) in free
    async with alone.changing(doctor.id):
        await clinic.module.booking.book(patient, Request(doctor.id, patient.id, at(10)))
    free = {slot.start for slot in (await alone.of([doctor.id]))[doctor.id].free(NOON, today, today)}
    assert at(10) not in free
    await alone.stop()
    await nobody.aclose()


@pytest.mark.integration
async def test_a_change_that_died_half_way_is_not_trusted(clinic: Clinic) -> None:
    """The process that doubted is gone before it could say what became of it: nobody relies on what was kept."""
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    assert at(10) in await starts(clinic, doctor)
    await clinic.module.free_times.doubt(doctor.id)
    async with clinic.context.database("scheduling").transaction() as tx:
        await tx.execute(
            "INSERT INTO occupied (id, practitioner_id, starts_at, ends_at, kind, exclusive) "
            "VALUES ($1, $2, $3, $4, 'appointment', true)",
            patient.id,
            doctor.id,
            at(10),
            at(10, 30),
        )
    assert at(10) not in await starts(clinic, doctor)
    with pytest.raises(SlotTaken):
        await clinic.module.booking.book(patient, Request(doctor.id, patient.id, at(10)))
