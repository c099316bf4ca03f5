"""Calendar entries as iCalendar text (RFC 5545) and as invitations (iTIP, RFC 5546), by the ``icalendar`` library.

All times are written in UTC, so no calendar program has to know our zones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress, vText, vUri

Method = Literal["REQUEST", "CANCEL"]

PRODUCT = "-//Bedside//Calendar//EN"
# What our entries' UIDs end with; a calendar that is read in leaves out those that are our own.
UID_SUFFIX = "@visits.bedside"


@dataclass(frozen=True, slots=True)
class Entry:
    """One appointment. ``sequence`` grows with every change; the same ``id`` replaces what a calendar has of it."""

    id: UUID
    start: datetime
    end: datetime
    title: str
    link: str
    sequence: int
    changed_at: datetime

    @property
    def uid(self) -> str:
        return f"{self.id}{UID_SUFFIX}"


def invitation(entry: Entry, method: Method, *, organizer: str, attendee: str) -> bytes:
    """The entry as a message from ``organizer`` to ``attendee`` (email addresses): enter or replace it, or take it out.

    The attendee has agreed already (by booking), so that no program asks for an answer nobody reads.
    """
    calendar = _calendar()
    calendar.add("method", method)
    event = _event(entry)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("organizer", vCalAddress(f"mailto:{organizer}"))
    guest = vCalAddress(f"mailto:{attendee}")
    guest.params.update({"PARTSTAT": vText("ACCEPTED"), "ROLE": vText("REQ-PARTICIPANT"), "RSVP": vText("FALSE")})
    event.add("attendee", guest, encode=False)
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def feed(entries: Iterable[Entry], *, name: str, refresh: timedelta) -> bytes:
    """All of somebody's entries, for a calendar program that asks again by itself (RFC 7986)."""
    calendar = _calendar()
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)  # what older programs read
    calendar.add("refresh-interval", refresh, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", f"PT{int(refresh.total_seconds()) // 60}M")
    for entry in entries:
        event = _event(entry)
        event.add("status", "CONFIRMED")
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _calendar() -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    return calendar


def _event(entry: Entry) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", entry.changed_at)
    event.add("last-modified", entry.changed_at)
    event.add("dtstart", entry.start)
    event.add("dtend", entry.end)
    event.add("summary", entry.title)
    event.add("location", entry.link)
    event.add("url", vUri(entry.link))
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    return event
