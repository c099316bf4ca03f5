"""What scheduling needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    async def search(
        self, *, specialty: str | None, language: str | None, name: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Practitioner], str | None]:
        """Published profiles only, in a stable order, with the next page's cursor."""
        ...

    async def specialties(self) -> list[Specialty]: ...


class People(Protocol):
    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Display names by person id; unknown ids are left out."""
        ...


class Consultations(Protocol):
    async def complete(self, principal: Principal, appointment_id: UUID, summary: str) -> None:
        """Complete the consultation as this practitioner; it publishes ``consultation.completed``.

        Raises InvalidTransition, Forbidden.
        """
        ...
