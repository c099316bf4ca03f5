"""People's names, which several modules ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from server.services import Modules


class Names:
    """Port ``People`` of scheduling, billing, records and compliance."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        return await self._modules.identity.directory.names(ids)
