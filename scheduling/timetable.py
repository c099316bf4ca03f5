"""One practitioner's free slots, quickly: the schedule's days are cut once, what is busy is looked up by bisection.

Pure: the same answers as ``availability.slots``, which is the plain form of the rule. Times here are whole seconds
since 1970 in UTC.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from scheduling.availability import Schedule, Slot, bookable, grid_on, local_day
from scheduling.models import Busy

# More days than this are not kept cut: an hour's work on a year of dates must not fill the memory.
_MOST_DAYS = 400


class DayGrids:
    """The slots of each day of a schedule, busy or not, cut when first asked for."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._days: dict[date, tuple[array[int], tuple[str, ...]]] = {}

    def of(self, day: date) -> tuple[array[int], tuple[str, ...]]:
        """Starts in order, and the location of each; no locations when none is named."""
        found = self._days.get(day)
        if found is None:
            grid = list(grid_on(self.schedule, day))
            places = tuple(slot.location for slot in grid) if any(slot.location for slot in grid) else ()
            found = array("q", [int(slot.start.timestamp()) for slot in grid]), places
            if len(self._days) >= _MOST_DAYS:
                self._days.clear()
            self._days[day] = found
        return found

    def offered(self, start: datetime, now: datetime) -> Slot | None:
        """As ``availability.offered``."""
        schedule = self.schedule
        if start.microsecond or not bookable(schedule, start, now):
            return None
        grid, places = self.of(local_day(schedule.time_zone, start))
        began = int(start.timestamp())
        index = bisect_left(grid, began)
        if index == len(grid) or grid[index] != began:
            return None
        return Slot(start, start + schedule.slot, places[index] if places else "")


class Timetable:
    """A schedule with what is busy in it, as known at one moment."""

    def __init__(self, grids: DayGrids, busy: Iterable[Busy]) -> None:
        self.grids = grids
        spans = sorted((int(each.start.timestamp()), -int(-each.end.timestamp() // 1)) for each in busy)
        self._starts, self._ends = array("q"), array("q")
        for start, end in spans:
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    @property
    def schedule(self) -> Schedule:
        return self.grids.schedule

    def free(self, now: datetime, first: date, last: date | None = None, until: date | None = None) -> Iterator[Slot]:
        """Free slots from local day ``first`` to ``last``, both included and within the horizon.

        ``until`` is the last local day on which the practitioner may work at all.
        """
        schedule = self.schedule
        today = local_day(schedule.time_zone, now)
        end = today + timedelta(days=schedule.horizon_days)
        for bound in (last, until):
            if bound is not None and bound < end:
                end = bound
        day = max(first, today)
        earliest = now + timedelta(minutes=schedule.notice_minutes)
        # Offered: not before the notice is over, and later than now.
        soonest = max(-int(-earliest.timestamp() // 1), int(now.timestamp()) + 1)
        length, before = schedule.slot_minutes * 60, schedule.buffer_before_minutes * 60
        after = schedule.buffer_minutes * 60
        starts, ends = self._starts, self._ends
        while day <= end:
            grid, places = self.grids.of(day)
            for index in range(bisect_left(grid, soonest), len(grid)):
                start = grid[index]
                # Only the last busy time that begins before the slot's end can reach into it.
                near = bisect_right(starts, start + length + after - 1) - 1
                if near < 0 or ends[near] <= start - before:
                    began = datetime.fromtimestamp(start, UTC)
                    place = places[index] if places else ""
                    yield Slot(began, began + schedule.slot, place)
            day += timedelta(days=1)
