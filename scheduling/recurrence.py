"""Repeated visits: which dates, and which slot of each date has the wall time of the first. Pure."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from scheduling.availability import Schedule, Slot, grid_on

Every = Literal["day", "week", "two_weeks", "four_weeks", "month"]
EVERY: tuple[Every, ...] = get_args(Every)
MOST_VISITS = 26

_DAYS: dict[Every, int] = {"day": 1, "week": 7, "two_weeks": 14, "four_weeks": 28}


@dataclass(frozen=True, slots=True)
class Repeated:
    """One visit of a series. ``exists`` is False for a 31st in a month of 30; ``day`` is then the month's last."""

    day: date
    exists: bool = True


def repeated(first: date, every: Every, count: int) -> list[Repeated]:
    """``count`` dates, the first included. A month's step keeps the day of the month."""
    if every != "month":
        return [Repeated(first + timedelta(days=_DAYS[every] * step)) for step in range(count)]
    found: list[Repeated] = []
    for step in range(count):
        month = first.month - 1 + step
        year, number = first.year + month // 12, month % 12 + 1
        longest = calendar.monthrange(year, number)[1]
        found.append(Repeated(date(year, number, min(first.day, longest)), first.day <= longest))
    return found


def slot_at(schedule: Schedule, day: date, wall: datetime) -> Slot | None:
    """The slot of the day that begins at this wall time; of an hour that comes twice, the first.

    None outside the hours, and when clocks skip that time.
    """
    zone = ZoneInfo(schedule.time_zone)
    for slot in grid_on(schedule, day):
        local = slot.start.astimezone(zone)
        if (local.hour, local.minute) == (wall.hour, wall.minute):
            return slot
    return None
