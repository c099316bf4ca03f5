"""What identity needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


class Emergencies(Protocol):
    async def stands(self, person_id: UUID, patient_id: UUID) -> UUID | None:
        """The open emergency access (break-glass) of the two, if there is one."""
        ...


class NoEmergencies:
    """Where identity runs alone."""

    async def stands(self, person_id: UUID, patient_id: UUID) -> UUID | None:
        return None
