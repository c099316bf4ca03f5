"""Facts about appointments."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from core.events import Fact


class AppointmentFact(Fact):
    """What every fact about an appointment names."""

    order_by: ClassVar[str] = "appointment_id"

    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    start: datetime
    end: datetime


class AppointmentBooked(AppointmentFact):
    name: ClassVar[str] = "appointment.booked"

    specialty: str
    fee_minor: int
    currency: str
    kind: str = "video"  # or drop_in


class AppointmentRescheduled(AppointmentFact):
    name: ClassVar[str] = "appointment.rescheduled"

    previous_start: datetime


class AppointmentTransferred(AppointmentFact):
    """A colleague took the visit over: ``practitioner_id`` is theirs."""

    name: ClassVar[str] = "appointment.transferred"

    previous_practitioner_id: UUID


class AppointmentCancelled(AppointmentFact):
    """``in_time``: nothing is owed, by the policy in force when it was cancelled. ``free_until``: what it said."""

    name: ClassVar[str] = "appointment.cancelled"

    by: str  # patient, practitioner, desk, admin, system
    in_time: bool
    free_until: datetime | None = None


class AppointmentCompleted(AppointmentFact):
    name: ClassVar[str] = "appointment.completed"


class AppointmentNoShow(AppointmentFact):
    name: ClassVar[str] = "appointment.no_show"


class WaitlistOffered(Fact):
    """A freed time is kept for somebody of the waitlist until ``expires_at``."""

    name: ClassVar[str] = "waitlist.offered"
    order_by: ClassVar[str] = "entry_id"

    entry_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    start: datetime
    end: datetime
    expires_at: datetime


class LicenceEnding(Fact):
    """A practitioner's licence ends: no slots are offered after ``expires_on``, their last day.

    Told 30, 7 and 0 days before. ``appointments_after`` counts those already booked for later.
    """

    name: ClassVar[str] = "practitioner.licence_ending"
    order_by: ClassVar[str] = "practitioner_id"

    practitioner_id: UUID
    expires_on: date
    days_before: int
    appointments_after: int
