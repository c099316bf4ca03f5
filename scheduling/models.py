"""The rows of scheduling as typed values, and the window in which a visit is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from scheduling.availability import Interval, Schedule
from scheduling.lifecycle import Status


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    practitioner_id: UUID
    schedule: Schedule
    version: int


@dataclass(frozen=True, slots=True)
class Appointment:
    id: UUID
    practitioner_id: UUID
    patient_id: UUID
    status: Status
    kind: str
    specialty: str
    start: datetime
    end: datetime
    blocked_from: datetime  # with the buffers
    blocked_until: datetime
    time_zone: str
    local_date: date
    reason: bytes | None  # encrypted
    fee_minor: int
    currency: str
    booked_by: UUID | None
    booked_role: str
    created_at: datetime
    version: int
    location: str = ""
    overlap: bool = False  # staff put it on top of other visits, on purpose
    series_id: UUID | None = None

    @property
    def reason_place(self) -> str:
        """Where the reason's ciphertext belongs."""
        return reason_place(self.id)


def reason_place(appointment_id: UUID) -> str:
    return f"appointment/{appointment_id}/reason"


@dataclass(frozen=True, slots=True)
class VisitWindow:
    """When people may enter the visit."""

    opens_at: datetime
    closes_at: datetime

    def is_open(self, now: datetime) -> bool:
        return self.opens_at <= now < self.closes_at


def visit_window(start: datetime, end: datetime, *, opens_before_s: int, closes_after_s: int) -> VisitWindow:
    return VisitWindow(start - timedelta(seconds=opens_before_s), end + timedelta(seconds=closes_after_s))


@dataclass(frozen=True, slots=True)
class AppointmentView:
    """An appointment as one reader sees it. ``reason`` is None for those who may not read it."""

    appointment: Appointment
    practitioner_name: str
    patient_name: str
    reason: str | None
    window: VisitWindow
    free_cancel_until: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list. ``days`` pairs a zone with a date in it (a day differs from zone to zone)."""

    practitioner_id: UUID | None = None
    patient_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    day: date | None = None
    days: tuple[tuple[str, date], ...] = ()
    statuses: tuple[Status, ...] = ()
    after: tuple[datetime, UUID] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot kept for a patient until ``expires_at``: on their own wish (hold) or from the waitlist (offer)."""

    id: UUID
    practitioner_id: UUID
    patient_id: UUID
    start: datetime
    end: datetime
    expires_at: datetime
    kind: Literal["hold", "offer"] = "hold"


@dataclass(frozen=True, slots=True)
class Busy:
    """Time that is spoken for; ``until`` is when it lapses by itself, if it does."""

    start: datetime
    end: datetime
    until: datetime | None

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)


BusyTimes = dict[UUID, list[Busy]]


WaitStatus = Literal["waiting", "offered", "booked", "left", "over"]


@dataclass(frozen=True, slots=True)
class WaitlistEntry:
    """Somebody who wants a time that is not free: with one practitioner, or with anybody of a specialty."""

    id: UUID
    patient_id: UUID
    practitioner_id: UUID | None
    specialty: str | None
    first_day: date  # in the practitioner's zone
    last_day: date
    status: WaitStatus
    offer_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DropIn:
    """Somebody who wants to see the next free clinician now."""

    id: UUID
    patient_id: UUID
    specialty: str
    reason: bytes | None  # encrypted
    status: Literal["waiting", "taken", "left", "over"]
    appointment_id: UUID | None
    created_at: datetime

    @property
    def reason_place(self) -> str:
        return f"drop-in/{self.id}/reason"
