"""When somebody is busy, by a calendar of theirs: a program of its own, since what it reads comes from strangers.

Run as a child process: iCalendar text (RFC 5545) on standard input, ``[[start, end], ...]`` in seconds since 1970
(UTC, sorted, apart from each other) on standard output. It bounds its own processor time and memory, so a calendar
made to take for ever, or to fill the machine, ends this process alone. Only times leave it: no titles, no places.

Arguments: the zone for times that name none, since and until in seconds. It imports nothing of ours.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Calendar
from icalendar.prop import vRecur

NOT_A_CALENDAR, TOO_COMPLEX = 2, 3
CPU_SECONDS = 6
MEMORY_BYTES = 768 * 2**20
MOST_OCCURRENCES = 200_000  # looked at in all, before the window too
OWN_UID_SUFFIX = "@visits.bedside"  # our own visits, come back through somebody's calendar
BUSY_KINDS = frozenset({"BUSY", "BUSY-UNAVAILABLE", "BUSY-TENTATIVE"})

Span = tuple[datetime, datetime]
Entry = Any  # a component of a calendar; the library types each property as any of thirty


class TooComplex(Exception):
    """More occurrences than a person can have."""


def busy_times(content: bytes, zone: ZoneInfo, since: datetime, until: datetime) -> list[Span]:
    """Busy stretches in UTC that touch the window, cut to it. Raises ValueError for what is no calendar, TooComplex."""
    calendars = Calendar.from_ical(content, multiple=True)
    if not calendars:
        raise ValueError("no calendar")
    found: list[Span] = []
    budget = _Budget()
    for calendar in calendars:
        if calendar.name != "VCALENDAR":
            raise ValueError("no calendar")
        found += _of_events(calendar.walk("VEVENT"), zone, since, until, budget)
        for each in calendar.walk("VFREEBUSY"):
            found += _of_freebusy(each, zone)
    return _merged((max(start, since), min(end, until)) for start, end in found if start < until and end > since)


class _Budget:
    def __init__(self) -> None:
        self._left = MOST_OCCURRENCES

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooComplex


def _of_events(
    events: Iterable[Entry], zone: ZoneInfo, since: datetime, until: datetime, budget: _Budget
) -> Iterator[Span]:
    masters: list[Entry] = []
    changed: dict[str, set[datetime]] = {}  # by UID: occurrences that have an event of their own
    for event in events:
        budget.take()
        uid = str(event.get("UID", ""))
        if uid.endswith(OWN_UID_SUFFIX) or "DTSTART" not in event:
            continue
        masters.append(event)
        if "RECURRENCE-ID" in event:
            changed.setdefault(uid, set()).add(_instant(event["RECURRENCE-ID"].dt, zone))
    for event in masters:
        if not _is_busy(event):
            continue
        own = "RECURRENCE-ID" in event
        leave_out = set() if own else changed.get(str(event.get("UID", "")), set()) | _excluded(event, zone)
        for start, end in _occurrences(event, zone, since, until, budget):
            if start not in leave_out and start < end:
                yield start, end


def _is_busy(event: Entry) -> bool:
    free = str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
    free = free or str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper() == "FREE"
    return not free and str(event.get("STATUS", "")).upper() != "CANCELLED"


def _occurrences(event: Entry, zone: ZoneInfo, since: datetime, until: datetime, budget: _Budget) -> Iterator[Span]:
    first = event["DTSTART"].dt
    yield _span(event, first, zone)
    for extra in _values(event, "RDATE"):
        budget.take()
        if isinstance(extra, tuple):
            begin = _instant(extra[0], zone)
            yield begin, begin + extra[1] if isinstance(extra[1], timedelta) else _instant(extra[1], zone)
        else:
            yield _span(event, extra, zone)
    if "RECURRENCE-ID" in event or "RRULE" not in event:
        return
    rules = event["RRULE"]
    for rule in rules if isinstance(rules, list) else [rules]:
        for start in _repeated(rule, first, zone, until, budget):
            span = _span(event, start, zone)
            if span[1] > since:
                yield span


def _repeated(
    rule: vRecur, first: date | datetime, zone: ZoneInfo, until: datetime, budget: _Budget
) -> Iterator[date | datetime]:
    """Starts by a rule, counted in the wall time of the event's own zone, as people mean them."""
    whole_day = not isinstance(first, datetime)
    home = (first.tzinfo or zone) if isinstance(first, datetime) else zone
    wall = first.replace(tzinfo=None) if isinstance(first, datetime) else datetime.combine(first, time())
    copy: Any = vRecur(rule)
    if "UNTIL" in copy:
        copy["UNTIL"] = [_wall(each, home) for each in copy["UNTIL"]]
    last = until.astimezone(home).replace(tzinfo=None)
    for each in rrulestr(copy.to_ical().decode(), dtstart=wall):
        budget.take()
        if each > last:
            return
        yield each.date() if whole_day else each.replace(tzinfo=home)


def _wall(moment: date | datetime, home: Any) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time.max).replace(microsecond=0)
    return moment.astimezone(home).replace(tzinfo=None) if moment.tzinfo else moment


def _span(event: Entry, start: date | datetime, zone: ZoneInfo) -> Span:
    """The occurrence that begins at ``start``: as long as the event's first one."""
    first = event["DTSTART"].dt
    if "DTEND" in event:
        end = event["DTEND"].dt
        if isinstance(first, datetime) and isinstance(end, datetime):
            length = _instant(end, zone) - _instant(first, zone)
        else:
            length = _day(end) - _day(first)
    elif "DURATION" in event:
        length = event["DURATION"].dt
    else:
        length = timedelta() if isinstance(first, datetime) else timedelta(days=1)
    if isinstance(start, datetime):
        begin = _instant(start, zone)
        return begin, begin + length
    return _instant(start, zone), _instant(start + length, zone)  # whole days, however long they are


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _excluded(event: Entry, zone: ZoneInfo) -> set[datetime]:
    return {_instant(each, zone) for each in _values(event, "EXDATE")}


def _values(event: Entry, name: str) -> list[Any]:
    """All values of a property that may stand several times, each with several values."""
    found = event.get(name, [])
    return [each.dt for line in (found if isinstance(found, list) else [found]) for each in line.dts]


def _of_freebusy(component: Entry, zone: ZoneInfo) -> Iterator[Span]:
    found = component.get("FREEBUSY", [])
    for line in found if isinstance(found, list) else [found]:
        if str(line.params.get("FBTYPE", "BUSY")).upper() in BUSY_KINDS:
            yield _instant(line.start, zone), _instant(line.end, zone)


def _instant(moment: date | datetime, zone: ZoneInfo) -> datetime:
    """To UTC; a time without a zone, and a whole day, are meant in ``zone``."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    zone, since, until = sys.argv[1:4]
    content = sys.stdin.buffer.read()
    try:
        spans = busy_times(
            content,
            ZoneInfo(zone),
            datetime.fromtimestamp(int(since), UTC),
            datetime.fromtimestamp(int(until), UTC),
        )
    except (TooComplex, MemoryError, RecursionError, OverflowError):
        return TOO_COMPLEX
    except Exception:  # whatever a stranger's text makes a parser say
        return NOT_A_CALENDAR
    sys.stdout.write(json.dumps([[int(start.timestamp()), int(end.timestamp())] for start, end in spans]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
