"""What compliance needs of its neighbours."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from server.adapters.people import Names


class People(Names):
    """Port ``compliance.ports.People``."""

    async def is_patient(self, person_id: UUID) -> bool:
        person = (await self._modules.identity.directory.people([person_id])).get(person_id)
        return person is not None and "patient" in person.roles


class ResearchVisits(Names):
    """Port ``compliance.research.Visits``."""

    async def facts(self, patients: list[UUID], after: UUID | None, limit: int) -> list[dict[str, Any]]:
        return await self._modules.scheduling.personal.facts(patients, after, limit)
