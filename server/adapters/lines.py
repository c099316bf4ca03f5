"""The shared lines of drop-ins, for those who show them live."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from core.security.principal import Principal
from signaling.ports import Line

if TYPE_CHECKING:
    from server.services import Modules


class DropInLines:
    """Port ``signaling.ports.DropInLines``."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def authenticate(self, token: str) -> Principal:
        return await self._modules.identity.sign_in.authenticate(token)

    async def place(self, principal: Principal, drop_in_id: UUID) -> tuple[str, UUID]:
        found = (await self._modules.scheduling.drop_ins.show(principal, drop_in_id)).drop_in
        return found.specialty, found.patient_id

    async def line(self, specialty: str) -> Line:
        waiting, takes = await self._modules.scheduling.drop_ins.whole_line(specialty)
        return Line(waiting, takes)

    async def fate(self, drop_in_id: UUID) -> tuple[str, UUID | None]:
        return await self._modules.scheduling.drop_ins.fate(drop_in_id)
