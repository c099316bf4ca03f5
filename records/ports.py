"""What records needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from core.security.proxies import Authority


class Care(Authority, Protocol):
    """Who cares for a patient, and who acts for one."""

    async def care_relation(self, practitioner_id: UUID, patient_id: UUID) -> bool:
        """True while the practitioner has an appointment with the patient, or has had one."""
        ...

    async def emergency(self, practitioner_id: UUID, patient_id: UUID) -> UUID | None:
        """The practitioner's open emergency access to the patient's record (break-glass), if there is one."""
        ...


class People(Protocol):
    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Display names by person id; unknown ids are left out."""
        ...


@dataclass(frozen=True, slots=True)
class AppointmentInfo:
    """``status`` is the appointment's FHIR word."""

    id: UUID
    patient_id: UUID
    practitioner_id: UUID
    status: str


class Appointments(Protocol):
    async def get(self, appointment_id: UUID) -> AppointmentInfo | None: ...


class Consultations(Protocol):
    async def summary(self, appointment_id: UUID) -> tuple[str | None, str | None]:
        """Summary and outcome of a completed consultation, in clear."""
        ...
