"""What scheduling needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from core.security.principal import Principal


@dataclass(frozen=True, slots=True)
class Practitioner:
    """A practitioner's public profile. ``specialties`` are codes, the main one first; ``languages`` BCP 47 tags."""

    id: UUID
    name: str
    title: str
    specialties: tuple[str, ...]
    languages: tuple[str, ...]
    fee_minor: int
    currency: str
    location: str
    time_zone: str
    about: str
    licence_verified: bool
    published: bool
    licence_expires_on: date | None = None  # the last day on which the practitioner may work
    insurers: tuple[str, ...] = ()
    distance_m: int | None = None  # from where the search asked


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; None leaves it open. Fees are in minor units of ``currency``; ``near`` is (lat, lon)."""

    specialty: str | None = None
    language: str | None = None
    name: str | None = None
    fee_min: int | None = None
    fee_max: int | None = None
    currency: str | None = None
    insurer: str | None = None
    near: tuple[float, float] | None = None
    within_m: int | None = None


@dataclass(frozen=True, slots=True)
class Specialty:
    """``providers`` counts the published practitioners who have it."""

    code: str
    name: str
    providers: int


class Practitioners(Protocol):
    async def get(self, ids: Sequence[UUID]) -> Mapping[UUID, Practitioner]:
        """Profiles by id, published or not; unknown ids are left out."""
        ...

    async def search(self, wanted: Wanted, cursor: str | None, limit: int) -> tuple[list[Practitioner], str | None]:
        """Published profiles only, by name or nearest first, with the next page's cursor."""
        ...

    async def licences_until(self, last: date) -> list[Practitioner]:
        """Published ones whose licence ends on that day or before."""
        ...

    async def specialties(self) -> list[Specialty]: ...

    async def choices(self) -> tuple[list[str], list[str]]:
        """The insurers and currencies of published practitioners."""
        ...


class People(Protocol):
    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Display names by person id; unknown ids are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who was there, as the visit recorded it."""

    patient_waited: bool  # came to the waiting room or into the call
    practitioner_joined: bool
    met: bool  # both were in the call together


class Consultations(Protocol):
    async def attendance(self, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Attendance]:
        """Visits that nobody came near are left out."""
        ...

    async def complete(self, principal: Principal, appointment_id: UUID, summary: str) -> None:
        """Complete the consultation as this practitioner; it publishes ``consultation.completed``.

        Raises InvalidTransition, Forbidden.
        """
        ...
