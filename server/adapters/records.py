"""What records need of their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from records.ports import AppointmentInfo
from server.adapters.people import Authority

if TYPE_CHECKING:
    from server.services import Modules


class Care(Authority):
    """Port ``records.ports.Care``."""

    async def care_relation(self, practitioner_id: UUID, patient_id: UUID) -> bool:
        return await self._modules.identity.directory.care_relation(practitioner_id, patient_id)

    async def emergency(self, practitioner_id: UUID, patient_id: UUID) -> UUID | None:
        return await self._modules.compliance.break_glass.stands(practitioner_id, patient_id)


class Appointments:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def get(self, appointment_id: UUID) -> AppointmentInfo | None:
        found = await self._modules.scheduling.appointments.get(appointment_id)
        if found is None:
            return None
        return AppointmentInfo(found.id, found.patient_id, found.practitioner_id, found.status)


class Consultations:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def summary(self, appointment_id: UUID) -> tuple[str | None, str | None]:
        return await self._modules.consultations.summary_of(appointment_id)
