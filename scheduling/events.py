"""Facts about appointments."""

from __future__ import annotations

from datetime import datetime
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


class AppointmentRescheduled(AppointmentFact):
    name: ClassVar[str] = "appointment.rescheduled"

    previous_start: datetime


class AppointmentCancelled(AppointmentFact):
    """``in_time``: early enough that nothing is owed."""

    name: ClassVar[str] = "appointment.cancelled"

    by: str  # patient, practitioner, desk, admin, system
    in_time: bool


class AppointmentCompleted(AppointmentFact):
    name: ClassVar[str] = "appointment.completed"


class AppointmentNoShow(AppointmentFact):
    name: ClassVar[str] = "appointment.no_show"
