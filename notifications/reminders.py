"""When to remind whom. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

PATIENT_MINUTES = (24 * 60, 60, 10)
PRACTITIONER_MINUTES = (10,)


@dataclass(frozen=True, slots=True)
class Reminder:
    appointment_id: UUID
    person_id: UUID
    minutes_before: int
    start: datetime

    @property
    def due_at(self) -> datetime:
        return self.start - timedelta(minutes=self.minutes_before)


def plan(
    appointment_id: UUID, patient_id: UUID, practitioner_id: UUID, start: datetime, now: datetime
) -> list[Reminder]:
    """The reminders still ahead; a visit booked for in half an hour gets the ten-minute ones alone."""
    wanted = [(patient_id, minutes) for minutes in PATIENT_MINUTES]
    wanted += [(practitioner_id, minutes) for minutes in PRACTITIONER_MINUTES]
    planned = [Reminder(appointment_id, person_id, minutes, start) for person_id, minutes in wanted]
    return [each for each in planned if each.due_at > now]


def choose(due: Iterable[Reminder], now: datetime) -> set[Reminder]:
    """Which of the due ones to send: after an outage the nearest of each person and visit, and none once it began."""
    nearest: dict[tuple[UUID, UUID], Reminder] = {}
    for each in due:
        key = (each.appointment_id, each.person_id)
        if each.start > now and (key not in nearest or each.minutes_before < nearest[key].minutes_before):
            nearest[key] = each
    return set(nearest.values())
