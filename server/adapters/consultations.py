"""What consultations need of their neighbours."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from compliance.consent_texts import known_language, newest, text_of
from consultations.ports import AppointmentInfo, ConsentText, PersonInfo
from core.security.principal import Principal

if TYPE_CHECKING:
    from server.services import Modules


class Appointments:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def get(self, appointment_id: UUID) -> AppointmentInfo | None:
        appointments = self._modules.scheduling.appointments
        found = await appointments.get(appointment_id)
        if found is None:
            return None
        window = appointments.window(found)
        return AppointmentInfo(
            id=found.id,
            patient_id=found.patient_id,
            practitioner_id=found.practitioner_id,
            start=found.start,
            end=found.end,
            status=found.status,
            opens_at=window.opens_at,
            closes_at=window.closes_at,
            kind=found.kind,
        )

    async def transfer(self, principal: Principal, appointment_id: UUID, to: UUID) -> None:
        await self._modules.scheduling.handing_over.transfer(principal, appointment_id, to)


class People:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def get(self, person_id: UUID) -> PersonInfo | None:
        directory = self._modules.identity.directory
        person = (await directory.people([person_id])).get(person_id)
        if person is None:
            return None
        profile = (await directory.practitioners([person_id])).get(person_id)
        title = "" if profile is None else profile.profile.title
        return PersonInfo(id=person_id, name=person.name, title=title, verified=person.email_verified)

    async def birth_date(self, person_id: UUID) -> date | None:
        return await self._modules.identity.directory.birth_date(person_id)


class Prescriptions:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def for_appointment(self, appointment_id: UUID) -> list[dict[str, Any]]:
        return await self._modules.records.prescriptions_for(appointment_id)


class Invoices:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def for_appointment(self, appointment_id: UUID) -> dict[str, Any] | None:
        return await self._modules.billing.invoice_for(appointment_id)


class Consents:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def stands(self, patient_id: UUID) -> bool:
        return await self._modules.compliance.consents.holds(patient_id, "telehealth")

    def text(self, language: str) -> ConsentText:
        found = text_of("telehealth", newest("telehealth"), known_language(language))
        assert found is not None, "the newest text is there in every known language"
        return ConsentText(found.version, found.language, found.title, found.body)

    async def give(self, principal: Principal, patient_id: UUID, version: int, language: str) -> None:
        await self._modules.compliance.consents.given_at_visit(
            principal, patient_id, "telehealth", version=version, language=language
        )


class Visits:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def completed(self, appointment_id: UUID) -> None:
        await self._modules.signaling.completed(appointment_id)

    async def invitation_revoked(self, appointment_id: UUID, participant_id: UUID) -> None:
        await self._modules.signaling.invitation_revoked(appointment_id, participant_id)

    async def checked_in(self, appointment_id: UUID, participant_id: UUID) -> None:
        await self._modules.signaling.checked_in(appointment_id, participant_id)

    async def consent_changed(self, appointment_id: UUID, participant_id: UUID, *, stands: bool) -> None:
        await self._modules.signaling.consent_changed(appointment_id, participant_id, stands=stands)

    async def interpreter(self, appointment_id: UUID, state: dict[str, Any]) -> None:
        await self._modules.signaling.interpreter_state(appointment_id, state)
