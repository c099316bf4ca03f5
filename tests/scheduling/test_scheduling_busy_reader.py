"""Busy times out of calendars as programs write them, and out of calendars made to do harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.outside import Outside, Reach
from scheduling.busy_reader import TooComplex, busy_times
from scheduling.outside_reading import NoCalendar, OutsideReading

PARIS = ZoneInfo("Europe/Paris")
SINCE, UNTIL = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def calendar(*components: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN", *components, "END:VCALENDAR", ""]
    return "\r\n".join(line for each in lines for line in each.split("\n")).encode()


def event(*lines: str, uid: str = "1") -> str:
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"])


def read(*components: str, zone: ZoneInfo = PARIS) -> list[str]:
    """``10-19 07:00 60``: start in UTC and minutes, of each busy stretch."""
    found = busy_times(calendar(*components), zone, SINCE, UNTIL)
    return [f"{start:%m-%d %H:%M} {int((end - start).total_seconds()) // 60}" for start, end in found]


def test_times_in_utc_with_a_zone_floating_and_whole_days() -> None:
    assert read(event("DTSTART:20261019T070000Z", "DTEND:20261019T080000Z")) == ["10-19 07:00 60"]
    assert read(event("DTSTART;TZID=Asia/Tokyo:20261019T070000", "DURATION:PT45M")) == ["10-18 22:00 45"]
    assert read(event("DTSTART:20261019T070000", "DTEND:20261019T080000")) == ["10-19 05:00 60"]
    assert read(event("DTSTART;VALUE=DATE:20261019")) == ["10-18 22:00 1440"]
    # A day with 25 hours is busy for 25 hours.
    assert read(event("DTSTART;VALUE=DATE:20261025", "DTEND;VALUE=DATE:20261026")) == ["10-24 22:00 1500"]
    assert read(event("DTSTART:20261019T070000Z")) == [], "a moment takes no time"


def test_a_zone_by_its_windows_name_and_by_its_own_definition() -> None:
    assert read(event("DTSTART;TZID=W. Europe Standard Time:20261019T090000", "DURATION:PT1H")) == ["10-19 07:00 60"]
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0400\n"
        "TZOFFSETTO:+0400\nEND:STANDARD\nEND:VTIMEZONE"
    )
    assert read(zone, event("DTSTART;TZID=Ours:20261019T090000", "DURATION:PT1H")) == ["10-19 05:00 60"]


def test_what_is_free_cancelled_or_our_own_is_not_busy() -> None:
    when = ("DTSTART:20261019T070000Z", "DTEND:20261019T080000Z")
    for line in ("TRANSP:TRANSPARENT", "STATUS:CANCELLED", "X-MICROSOFT-CDO-BUSYSTATUS:FREE"):
        assert read(event(*when, line)) == []
    assert read(event(*when, uid="01a1fd2d-c0c5-7be8-a420-e96b79154f60@visits.bedside")) == []
    assert read(event(*when, "STATUS:TENTATIVE")) == ["10-19 07:00 60"]


def test_repeating_entries_keep_their_wall_time_through_a_clock_change() -> None:
    weekly = ("DTSTART;TZID=Europe/Paris:20260601T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;UNTIL=20261109T080000Z")
    assert read(event(*weekly)) == [
        *("10-05 07:00 60", "10-12 07:00 60", "10-19 07:00 60", "10-26 08:00 60", "11-02 08:00 60", "11-09 08:00 60"),
    ]


def test_exceptions_moves_and_added_dates() -> None:
    master = event(
        "DTSTART;TZID=Europe/Paris:20261005T090000",
        "DURATION:PT1H",
        "RRULE:FREQ=WEEKLY;COUNT=4",
        "EXDATE;TZID=Europe/Paris:20261012T090000",
        "RDATE;TZID=Europe/Paris:20261110T090000,20261111T090000",
    )
    moved = event(
        *("RECURRENCE-ID;TZID=Europe/Paris:20261019T090000", "DTSTART:20261020T150000Z", "DTEND:20261020T153000Z")
    )
    dropped = event("RECURRENCE-ID:20261026T080000Z", "DTSTART:20261026T080000Z", "DURATION:PT1H", "STATUS:CANCELLED")
    assert read(master, moved, dropped) == ["10-05 07:00 60", "10-20 15:00 30", "11-10 08:00 60", "11-11 08:00 60"]


def test_free_busy_components_and_merging() -> None:
    free_busy = (
        "BEGIN:VFREEBUSY\nUID:2\nDTSTAMP:20260101T000000Z\n"
        "FREEBUSY;FBTYPE=BUSY:20261110T080000Z/PT2H,20261111T080000Z/20261111T090000Z\n"
        "FREEBUSY;FBTYPE=FREE:20261112T080000Z/PT2H\nEND:VFREEBUSY"
    )
    assert read(free_busy, event("DTSTART:20261110T093000Z", "DTEND:20261110T110000Z")) == [
        *("11-10 08:00 180", "11-11 08:00 60"),
    ]


def test_long_entries_are_cut_to_the_window() -> None:
    [(start, end)] = busy_times(
        calendar(event("DTSTART:20200101T000000Z", "DTEND:20300101T000000Z")), PARIS, SINCE, UNTIL
    )
    assert (start, end) == (SINCE, UNTIL)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"<html></html>", b"\x00\xff", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n"]
)
def test_what_is_no_calendar(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - in many words of the library's
        busy_times(content, PARIS, SINCE, UNTIL)


def test_more_occurrences_than_a_life_has() -> None:
    with pytest.raises(TooComplex):
        read(event("DTSTART:19700101T000000Z", "DURATION:PT1S", "RRULE:FREQ=MINUTELY"))


async def test_the_reader_is_a_process_of_its_own_and_ends_bombs() -> None:
    reading = OutsideReading(Outside(Reach()))
    window = ("Europe/Paris", SINCE, UNTIL)
    [one] = await reading.unfold(calendar(event("DTSTART:20261019T070000Z", "DURATION:PT1H")), *window)
    assert one.end - one.start == timedelta(hours=1)
    with pytest.raises(NoCalendar, match="not_a_calendar"):
        await reading.unfold(b"nonsense", *window)
    for rule in ("FREQ=SECONDLY", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"):
        bomb = calendar(event("DTSTART:19700101T000000Z", "DURATION:PT1S", f"RRULE:{rule}"))
        with pytest.raises(NoCalendar, match="too_complex"):
            await reading.unfold(bomb, *window)
