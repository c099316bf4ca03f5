"""What consultations need of other modules; the composition root gives the adapters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from core.security.principal import Principal


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
    kind: str = "video"  # or drop_in


class Appointments(Protocol):
    async def get(self, appointment_id: UUID) -> AppointmentInfo | None: ...

    async def transfer(self, principal: Principal, appointment_id: UUID, to: UUID) -> None:
        """Make it a colleague's. Raises NotFound, Forbidden, and what says that they can't take it."""
        ...


@dataclass(frozen=True, slots=True)
class PersonInfo:
    id: UUID
    name: str
    title: str  # "Dr", "Dr Awa Diop, general medicine" …; empty for patients
    verified: bool  # the email address


class People(Protocol):
    async def get(self, person_id: UUID) -> PersonInfo | None: ...

    async def birth_date(self, person_id: UUID) -> date | None: ...


class Prescriptions(Protocol):
    async def for_appointment(self, appointment_id: UUID) -> list[dict[str, Any]]:
        """In the wire shape of ``Prescription``; the caller has checked access."""
        ...


class Invoices(Protocol):
    async def for_appointment(self, appointment_id: UUID) -> dict[str, Any] | None:
        """In the wire shape of ``Invoice``; the caller has checked access."""
        ...


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What somebody is asked to agree to, word by word."""

    version: int
    language: str
    title: str
    body: str


class Consents(Protocol):
    """The patient's consent to care by video."""

    async def stands(self, patient_id: UUID) -> bool: ...

    def text(self, language: str) -> ConsentText:
        """The text in force, in the language nearest to a BCP 47 tag."""
        ...

    async def give(self, principal: Principal, patient_id: UUID, version: int, language: str) -> None:
        """Raises ConsentTextChanged, InvalidInput. Who may has been decided by the caller."""
        ...


class Visits(Protocol):
    """The live visit. All is best effort: what is durable has been committed before."""

    async def completed(self, appointment_id: UUID) -> None:
        """End the call for everybody; nobody comes in again."""
        ...

    async def invitation_revoked(self, appointment_id: UUID, participant_id: UUID) -> None: ...

    async def checked_in(self, appointment_id: UUID, participant_id: UUID) -> None:
        """The patient has confirmed who and where they are; the practice's list shows it."""
        ...

    async def consent_changed(self, appointment_id: UUID, participant_id: UUID, *, stands: bool) -> None:
        """The patient agreed to care by video, or took it back: then they are no longer let in."""
        ...

    async def interpreter(self, appointment_id: UUID, state: dict[str, Any]) -> None:
        """What has become of the search for an interpreter, in the wire shape of ``InterpreterState``."""
        ...
