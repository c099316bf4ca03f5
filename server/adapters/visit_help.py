"""What signaling asks of the durable visit and of sign-ins, and waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.security.policy import Relation
from core.security.principal import Principal
from signaling.ports import Colleague

if TYPE_CHECKING:
    from server.services import Modules


class VisitHelp:
    """Port ``signaling.ports.Help``."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def transfer(self, by: Principal, appointment_id: UUID, to: UUID, note: str | None) -> Colleague:
        name, title, message = await self._modules.consultations.transfer(by, appointment_id, to, note)
        return Colleague(name, title, None if message is None else message.model_dump(mode="json"))

    async def callback_phone(self, appointment_id: UUID) -> str | None:
        return await self._modules.consultations.check_ins.phone(appointment_id)

    async def request_interpreter(self, appointment_id: UUID, by: UUID, role: str, language: str) -> dict[str, Any]:
        return await self._modules.consultations.interpreters.request(appointment_id, by, role, language)

    async def cancel_interpreter(self, appointment_id: UUID) -> None:
        await self._modules.consultations.interpreters.cancel(appointment_id)

    async def interpreter(self, appointment_id: UUID) -> dict[str, Any] | None:
        return await self._modules.consultations.interpreters.latest(appointment_id)

    async def signed_in(self, session_id: str) -> bool:
        return await self._modules.identity.sign_in.session_stands(UUID(session_id))

    async def may_act(self, person_id: UUID, patient_id: UUID, relation: Relation) -> bool:
        return relation in await self._modules.identity.proxies.over(person_id, patient_id)
