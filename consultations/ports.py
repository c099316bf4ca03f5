"""What consultations need of other modules; the composition root gives the adapters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AppointmentInfo:
    """``status`` is the appointment's FHIR word (booked, arrived, checked-in, fulfilled, cancelled, noshow, …)."""

    id: UUID
    patient_id: UUID
    practitioner_id: UUID
    start: datetime
    end: datetime
    status: str
    opens_at: datetime
    closes_at: datetime


class Appointments(Protocol):
    async def get(self, appointment_id: UUID) -> AppointmentInfo | None: ...


@dataclass(frozen=True, slots=True)
class PersonInfo:
    id: UUID
    name: str
    title: str  # "Dr", "Dr Awa Diop, general medicine" …; empty for patients
    verified: bool  # the email address


class People(Protocol):
    async def get(self, person_id: UUID) -> PersonInfo | None: ...


class Prescriptions(Protocol):
    async def for_appointment(self, appointment_id: UUID) -> list[dict[str, Any]]:
        """In the wire shape of ``Prescription``; the caller has checked access."""
        ...


class Invoices(Protocol):
    async def for_appointment(self, appointment_id: UUID) -> dict[str, Any] | None:
        """In the wire shape of ``Invoice``; the caller has checked access."""
        ...


class Visits(Protocol):
    """The live visit. Both are best effort: what is durable has been committed before."""

    async def completed(self, appointment_id: UUID) -> None:
        """End the call for everybody; nobody comes in again."""
        ...

    async def invitation_revoked(self, appointment_id: UUID, participant_id: UUID) -> None: ...
