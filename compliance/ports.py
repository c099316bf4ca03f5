"""What compliance needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID


class People(Protocol):
    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Display names by person id; unknown ids are left out."""
        ...

    async def is_patient(self, person_id: UUID) -> bool: ...
