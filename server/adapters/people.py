"""People's names and who acts for whom, which several modules ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from core.security.policy import Relation

if TYPE_CHECKING:
    from server.services import Modules


class Names:
    """Port ``People`` of scheduling, billing, records and compliance."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        return await self._modules.identity.directory.names(ids)


class Authority:
    """Port ``core.security.proxies.Authority``."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def over(self, person_id: UUID, patient_id: UUID) -> frozenset[Relation]:
        return await self._modules.identity.proxies.over(person_id, patient_id)
