"""Opening hours to slots: examples at the edges, and properties that hold in every zone and night."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.availability import (
    DayException,
    Hours,
    Interval,
    Schedule,
    WeeklyRule,
    grid_on,
    hours_on,
    offered,
    slots,
    windows_on,
)

# Half-hour steps (Lord Howe), quarter-hour offsets, half a day off, a zone that dropped a whole date, and none at all.
ZONES = [
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Abidjan",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Pacific/Kiritimati",
]


def weekly(zone: str = "Europe/Paris", *spans: tuple[int, int], slot: int = 30, **more: int) -> Schedule:
    rules = tuple(WeeklyRule(day, Hours(*span)) for day in range(7) for span in spans)
    return Schedule(zone, slot, more.get("buffer", 0), more.get("notice", 0), more.get("horizon", 60), rules)


def wall(slot: Interval, zone: str = "Europe/Paris") -> str:
    return f"{slot.start.astimezone(ZoneInfo(zone)):%H:%M%z}"


def test_a_plain_day_is_cut_into_slots() -> None:
    found = [wall(each) for each in grid_on(weekly("Europe/Paris", (540, 630)), date(2026, 6, 1))]
    assert found == ["09:00+0200", "09:30+0200", "10:00+0200"]


def test_the_buffer_stands_between_slots_and_needs_no_room_at_the_end() -> None:
    found = [wall(each)[:5] for each in grid_on(weekly("Europe/Paris", (540, 620), buffer=10), date(2026, 6, 1))]
    assert found == ["09:00", "09:40"]


def test_the_missing_hour_of_spring_has_no_slots() -> None:
    found = [wall(each) for each in grid_on(weekly("Europe/Paris", (60, 240)), date(2026, 3, 29))]
    assert found == ["01:00+0100", "01:30+0100", "03:00+0200", "03:30+0200"]


def test_hours_wholly_in_the_gap_are_empty() -> None:
    assert windows_on(weekly("Europe/Paris", (120, 180)), date(2026, 3, 29)) == []


def test_the_repeated_hour_of_autumn_has_slots_twice() -> None:
    found = [wall(each) for each in grid_on(weekly("Europe/Paris", (120, 180)), date(2026, 10, 25))]
    assert found == ["02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100"]


def test_a_day_that_a_zone_skipped_is_empty() -> None:
    assert list(grid_on(weekly("Pacific/Apia", (540, 1020)), date(2011, 12, 30))) == []


def test_leap_day_and_new_year_are_days_like_others() -> None:
    for day in (date(2028, 2, 29), date(2026, 12, 31), date(2027, 1, 1)):
        assert len(list(grid_on(weekly("Pacific/Kiritimati", (0, 1440)), day))) == 48


def test_exceptions_close_then_open() -> None:
    day = date(2026, 6, 1)
    base = weekly("Europe/Paris", (540, 720))
    closed = Schedule(**{**_fields(base), "exceptions": (DayException(day, True),)})
    assert hours_on(closed, day) == []
    lunch = Schedule(**{**_fields(base), "exceptions": (DayException(day, True, Hours(600, 630)),)})
    assert hours_on(lunch, day) == [Hours(540, 600), Hours(630, 720)]
    instead = (DayException(day, True), DayException(day, False, Hours(840, 900)))
    moved = Schedule(**{**_fields(base), "exceptions": instead})
    assert hours_on(moved, day) == [Hours(840, 900)]
    assert hours_on(moved, day + timedelta(days=1)) == [Hours(540, 720)]


def test_notice_and_horizon_bound_what_is_offered() -> None:
    schedule = weekly("Europe/Paris", (540, 1020), notice=120, horizon=2)
    now = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)  # 10:00 in Paris
    found = list(slots(schedule, [], now, date(2026, 6, 1)))
    assert found[0].start == datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
    assert found[-1].start == datetime(2026, 6, 3, 14, 30, tzinfo=UTC)
    assert offered(schedule, datetime(2026, 6, 1, 9, 30, tzinfo=UTC), now) is None
    assert offered(schedule, datetime(2026, 6, 4, 9, 30, tzinfo=UTC), now) is None
    assert offered(schedule, datetime(2026, 6, 2, 9, 40, tzinfo=UTC), now) is None
    assert offered(schedule, datetime(2026, 6, 2, 9, 30, tzinfo=UTC), now) is not None


def test_busy_time_takes_out_exactly_the_slots_it_touches() -> None:
    schedule = weekly("Africa/Abidjan", (540, 660))
    now = datetime(2026, 6, 1, tzinfo=UTC)
    busy = [Interval(now.replace(hour=9, minute=45), now.replace(hour=10, minute=15))]
    found = [wall(each, "UTC")[:5] for each in slots(schedule, busy, now, date(2026, 6, 1), date(2026, 6, 1))]
    assert found == ["09:00", "10:30"]


def test_hours_name_their_place_and_nobody_is_in_two() -> None:
    rules = (WeeklyRule(0, Hours(540, 660, "North")), WeeklyRule(0, Hours(600, 720, "South")))
    schedule = Schedule("Africa/Abidjan", 60, 0, 0, 60, rules)
    found = [(wall(each, "UTC")[:5], each.location) for each in grid_on(schedule, date(2026, 6, 1))]
    assert found == [("09:00", "North"), ("10:00", "North"), ("11:00", "South")]


def test_buffers_before_and_after_stand_between_two_visits() -> None:
    schedule = Schedule(**{**_fields(weekly("Europe/Paris", (540, 660), buffer=10)), "buffer_before_minutes": 5})
    found = list(grid_on(schedule, date(2026, 6, 1)))
    assert [wall(each)[:5] for each in found] == ["09:00", "09:45", "10:30"]
    assert schedule.blocked(found[1]) == Interval(
        found[1].start - timedelta(minutes=5), found[1].end + timedelta(minutes=10)
    )


def test_a_zone_that_gave_up_its_summer_time_is_right_before_and_after() -> None:
    schedule = weekly("America/Sao_Paulo", (540, 600))
    assert [wall(each, "UTC") for each in grid_on(schedule, date(2018, 12, 3))] == ["11:00+0000", "11:30+0000"]
    assert [wall(each, "UTC") for each in grid_on(schedule, date(2026, 12, 7))] == ["12:00+0000", "12:30+0000"]


def _fields(schedule: Schedule) -> dict[str, object]:
    return {name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}


minutes = st.integers(0, 96).map(lambda quarter: quarter * 15)
spans = st.builds(
    lambda pair, location: Hours(*sorted(pair), location),
    st.tuples(minutes, minutes).filter(lambda pair: pair[0] != pair[1]),
    st.sampled_from(["", "", "North", "South"]),
)
days = st.one_of(
    st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    st.sampled_from(
        [
            date(2026, 3, 29),
            date(2026, 10, 25),
            date(2026, 3, 8),
            date(2026, 11, 1),
            date(2026, 4, 5),
            date(2026, 10, 4),
        ]
    ),
)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, date]:
    day = draw(days)
    near = st.integers(-1, 2).map(lambda step: day + timedelta(days=step))
    rules = st.builds(WeeklyRule, st.integers(0, 6), spans)
    changes = st.one_of(
        st.builds(DayException, near, st.just(True), st.one_of(st.none(), spans)),
        st.builds(DayException, near, st.just(False), spans),
    )
    schedule = Schedule(
        time_zone=draw(st.sampled_from(ZONES)),
        slot_minutes=draw(st.sampled_from([10, 15, 20, 30, 45, 60])),
        buffer_minutes=draw(st.sampled_from([0, 5, 10])),
        notice_minutes=draw(st.sampled_from([0, 60, 1440])),
        horizon_days=draw(st.integers(1, 10)),
        rules=tuple(draw(st.lists(rules, min_size=1, max_size=12))),
        exceptions=tuple(draw(st.lists(changes, max_size=4))),
        buffer_before_minutes=draw(st.sampled_from([0, 0, 5, 15])),
    )
    return schedule, day


def _inside(schedule: Schedule, moment: datetime) -> bool:
    """The rule itself, from the other side: is this instant's wall time within its day's hours?"""
    local = moment.astimezone(ZoneInfo(schedule.time_zone))
    minute = local.hour * 60 + local.minute
    return any(each.start <= minute < each.end for each in hours_on(schedule, local.date()))


@settings(max_examples=150, deadline=None)
@given(schedules())
def test_no_slot_overlaps_another_and_none_lies_outside_the_hours(made: tuple[Schedule, date]) -> None:
    schedule, day = made
    found = [slot for step in range(3) for slot in grid_on(schedule, day + timedelta(days=step))]
    for one, two in pairwise(found):
        assert one.end <= two.start
    for slot in found:
        moment = slot.start
        while moment < slot.end:
            assert _inside(schedule, moment)
            moment += timedelta(minutes=5)


@settings(max_examples=150, deadline=None)
@given(schedules())
def test_no_open_instant_is_lost(made: tuple[Schedule, date]) -> None:
    schedule, day = made
    windows = [each for step in range(-1, 3) for each in windows_on(schedule, day + timedelta(days=step))]
    # Every quarter of an hour of two real days: open by the rule exactly when a window holds it.
    moment = datetime.combine(day, time(), UTC) - timedelta(hours=10)
    for step in range(4 * 36):
        at = moment + timedelta(minutes=15 * step)
        assert _inside(schedule, at) == any(each.start <= at < each.end for each in windows)
    # And every window is cut into as many slots as fit.
    between = schedule.buffer + schedule.buffer_before
    fitting = sum((each.end - each.start + between) // (schedule.slot + between) for each in windows_on(schedule, day))
    assert len(list(grid_on(schedule, day))) == fitting


@settings(max_examples=150, deadline=None)
@given(schedules(), st.lists(st.tuples(st.integers(-600, 4000), st.integers(5, 200)), max_size=6))
def test_free_slots_are_the_grid_without_what_is_busy(
    made: tuple[Schedule, date], stretches: list[tuple[int, int]]
) -> None:
    schedule, day = made
    now = datetime.combine(day, time(5), UTC)
    busy = [
        Interval(now + timedelta(minutes=start), now + timedelta(minutes=start + length)) for start, length in stretches
    ]
    free = list(slots(schedule, busy, now, day, day + timedelta(days=2)))
    for slot in free:
        blocked = schedule.blocked(slot)
        assert not any(blocked.overlaps(each) for each in busy)
        assert offered(schedule, slot.start, now) == slot
    for step in range(3):
        for slot in grid_on(schedule, day + timedelta(days=step)):
            blocked = schedule.blocked(slot)
            if offered(schedule, slot.start, now) and not any(blocked.overlaps(each) for each in busy):
                assert slot in free or slot.start < now
