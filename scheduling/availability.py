"""When a practitioner can be booked: pure functions over intervals, with the time handed in.

Opening hours are wall time in the practitioner's own zone; everything that leaves this file is UTC. An instant is
open when its wall time lies within the hours of its local day. So in a night when clocks go forward the missing
hour yields no slots, and when they go back the repeated hour yields slots twice: nothing is lost, nothing lies
outside the hours, and no slot is shorter or longer in real time than it says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60
# Zones change their offset at most a few times a year; this finds changes that last longer than six hours.
_PROBE = timedelta(hours=6)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open stretch of time, start included, end not; aware datetimes in UTC."""

    start: datetime
    end: datetime

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, order=True)
class Slot(Interval):
    """A stretch that can be booked, and where the practitioner is then; "" unless the hours say so."""

    location: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """Wall time of one day in minutes after midnight, half-open; 1440 is the end of the day."""

    start: int
    end: int
    location: str = ""


@dataclass(frozen=True, slots=True)
class WeeklyRule:
    """Open every week on this day; Monday is 0."""

    weekday: int
    hours: Hours


@dataclass(frozen=True, slots=True)
class DayException:
    """A change to one date. Closed takes its hours (or the whole day) out of the weekly rules; open adds hours.

    Closures come first, so a closed day with added hours is open in those hours alone.
    """

    day: date
    closed: bool
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A practitioner's opening hours and how they are cut into slots."""

    time_zone: str
    slot_minutes: int
    buffer_minutes: int  # kept free after each appointment
    notice_minutes: int  # a slot nearer than this is not offered
    horizon_days: int  # the last local day offered is this many days from today
    rules: tuple[WeeklyRule, ...]
    exceptions: tuple[DayException, ...] = ()
    buffer_before_minutes: int = 0  # kept free before each appointment

    @property
    def slot(self) -> timedelta:
        return timedelta(minutes=self.slot_minutes)

    @property
    def buffer(self) -> timedelta:
        return timedelta(minutes=self.buffer_minutes)

    @property
    def buffer_before(self) -> timedelta:
        return timedelta(minutes=self.buffer_before_minutes)

    def blocked(self, slot: Interval) -> Interval:
        """The time an appointment takes up: the slot with its buffers."""
        return Interval(slot.start - self.buffer_before, slot.end + self.buffer)


def local_day(schedule_zone: str, moment: datetime) -> date:
    """The calendar date at ``moment`` in a zone."""
    return moment.astimezone(ZoneInfo(schedule_zone)).date()


def hours_on(schedule: Schedule, day: date) -> list[Hours]:
    """The day's opening hours in wall time: sorted, apart from each other."""
    weekday = day.weekday()
    of_day = [each for each in schedule.exceptions if each.day == day]
    hours = _union(rule.hours for rule in schedule.rules if rule.weekday == weekday)
    for closure in of_day:
        if closure.closed:
            hours = _without(hours, closure.hours or Hours(0, DAY_MINUTES))
    return _union([*hours, *(each.hours for each in of_day if not each.closed and each.hours)])


def windows_on(schedule: Schedule, day: date) -> list[Slot]:
    """The day's opening hours as real time, correct across changes of the zone's offset."""
    found: list[Slot] = []
    segments = _segments_of_day(schedule.time_zone, day)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for hours in hours_on(schedule, day):
        for segment, offset in segments:
            start = max(midnight + timedelta(minutes=hours.start) - offset, segment.start)
            end = min(midnight + timedelta(minutes=hours.end) - offset, segment.end)
            if start >= end:
                continue
            if found and found[-1].end == start and found[-1].location == hours.location:
                found[-1] = Slot(found[-1].start, end, hours.location)
            else:
                found.append(Slot(start, end, hours.location))
    return sorted(found)


def grid_on(schedule: Schedule, day: date) -> Iterator[Slot]:
    """Every slot of the day, free or not, in order. The grid restarts with each window."""
    step = schedule.buffer_before + schedule.slot + schedule.buffer
    for window in windows_on(schedule, day):
        start = window.start
        while start + schedule.slot <= window.end:
            yield Slot(start, start + schedule.slot, window.location)
            start += step


def offered(schedule: Schedule, start: datetime, now: datetime) -> Slot | None:
    """The slot that begins at ``start`` if the rules, notice and horizon offer it; who holds it is not asked here."""
    if not bookable(schedule, start, now):
        return None
    day = local_day(schedule.time_zone, start)
    return next((slot for slot in grid_on(schedule, day) if slot.start == start), None)


def slots(
    schedule: Schedule, busy: Sequence[Interval], now: datetime, first: date, last: date | None = None
) -> Iterator[Slot]:
    """Free slots from local day ``first`` to ``last`` (both included; the horizon by default), lazily and in order.

    ``busy`` intervals include buffers; they need not be sorted.
    """
    today = local_day(schedule.time_zone, now)
    horizon = today + timedelta(days=schedule.horizon_days)
    day, end = max(first, today), min(last or horizon, horizon)
    taken = _Busy(busy)
    while day <= end:
        for slot in grid_on(schedule, day):
            if bookable(schedule, slot.start, now) and not taken.overlaps(schedule.blocked(slot)):
                yield slot
        day += timedelta(days=1)


def bookable(schedule: Schedule, start: datetime, now: datetime) -> bool:
    """Whether notice and horizon leave this start open; the rules are not asked."""
    if start <= now or start < now + timedelta(minutes=schedule.notice_minutes):
        return False
    if start > now + timedelta(days=schedule.horizon_days + 2):  # far dates can't be told in every zone
        return False
    today = local_day(schedule.time_zone, now)
    return local_day(schedule.time_zone, start) <= today + timedelta(days=schedule.horizon_days)


class _Busy:
    """Merged busy times, searched in logarithmic time."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        merged: list[Interval] = []
        for each in sorted(intervals):
            if merged and each.start <= merged[-1].end:
                merged[-1] = Interval(merged[-1].start, max(merged[-1].end, each.end))
            else:
                merged.append(each)
        self._merged = merged
        self._starts = [each.start for each in merged]

    def overlaps(self, interval: Interval) -> bool:
        # Only the last busy time that begins before the interval ends can reach into it.
        index = bisect_right(self._starts, interval.end) - 1
        while index >= 0 and self._merged[index].start >= interval.end:
            index -= 1
        return index >= 0 and self._merged[index].overlaps(interval)


def _union(hours: Iterable[Hours]) -> list[Hours]:
    """Apart from each other. Where two locations overlap, the hours that began first go on: nobody is in two places."""
    merged: list[Hours] = []
    for each in sorted(hours):
        last = merged[-1] if merged else None
        if last is None or each.start > last.end:
            merged.append(each)
        elif each.location == last.location:
            merged[-1] = Hours(last.start, max(last.end, each.end), last.location)
        elif each.end > last.end:
            merged.append(Hours(last.end, each.end, each.location))
    return merged


def _without(hours: Iterable[Hours], closed: Hours) -> list[Hours]:
    left: list[Hours] = []
    for each in hours:
        for start, end in ((each.start, min(each.end, closed.start)), (max(each.start, closed.end), each.end)):
            if start < end:
                left.append(Hours(start, end, each.location))
    return left


def _segments_of_day(zone: str, day: date) -> list[tuple[Interval, timedelta]]:
    """Stretches of constant offset that touch the local day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    # Offsets reach from -12 to +14 hours, so these bounds hold the whole local day.
    around = Interval(midnight - timedelta(hours=15), midnight + timedelta(hours=39))
    near = {around.start.year, around.end.year}
    return [
        (segment, offset)
        for year in sorted(near)
        for segment, offset in _segments_of_year(zone, year)
        if segment.overlaps(around)
    ]


@lru_cache(maxsize=2048)
def _segments_of_year(zone: str, year: int) -> tuple[tuple[Interval, timedelta], ...]:
    info = ZoneInfo(zone)
    moment, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    start, offset = moment, _offset(info, moment)
    found: list[tuple[Interval, timedelta]] = []
    while moment < end:
        following = min(moment + _PROBE, end)
        changed = _offset(info, following)
        if changed != offset and following < end:
            change = _change_between(info, moment, following)
            found.append((Interval(start, change), offset))
            start, offset = change, changed
        moment = following
    found.append((Interval(start, end), offset))
    return tuple(found)


def _change_between(info: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first whole second after ``before`` with another offset, by bisection."""
    old = _offset(info, before)
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, before + timedelta(seconds=middle)) == old:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def _offset(info: ZoneInfo, moment: datetime) -> timedelta:
    offset = moment.astimezone(info).utcoffset()
    assert offset is not None
    return offset
