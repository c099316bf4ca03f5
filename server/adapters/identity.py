"""What identity needs of its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from server.services import Modules


class Emergencies:
    """Port ``identity.ports.Emergencies``."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def stands(self, person_id: UUID, patient_id: UUID) -> UUID | None:
        return await self._modules.compliance.break_glass.stands(person_id, patient_id)
