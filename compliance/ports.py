"""What compliance needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


class People(Protocol):
    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Display names by person id; unknown ids are left out."""
        ...

    async def is_patient(self, person_id: UUID) -> bool: ...


@dataclass(frozen=True, slots=True)
class Held:
    """Something the law may keep: ``kind`` as in ``privacy.retention_years``, and the newest one's moment."""

    kind: str
    number: int
    newest: datetime


class PersonData(Protocol):
    """One module's share of what is known about a person. Every method can be repeated."""

    name: str

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        """Everything, in clear, as JSON values: for the person's own copy."""
        ...

    def files(self, person_id: UUID) -> AsyncIterator[tuple[str, bytes]]:
        """Name and content of each file that belongs to the copy."""
        ...

    async def held(self, person_id: UUID) -> Sequence[Held]:
        """What there is that has a legal retention."""
        ...

    async def hinders(self, person_id: UUID) -> str | None:
        """Why the person can't be forgotten yet, as a code; None when nothing hinders."""
        ...

    async def erase(self, person_id: UUID, keep: frozenset[str]) -> Mapping[str, int]:
        """Remove or replace what is in clear, and what no kept kind needs; how many of what."""
        ...
