"""What scheduling needs of its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from core.security.principal import Principal
from identity.search import Search
from scheduling.ports import Attendance, Practitioner, Specialty, Wanted

if TYPE_CHECKING:
    from identity.people import Practitioner as Profile
    from server.services import Modules


def _practitioner(found: Profile) -> Practitioner:
    profile, person = found.profile, found.person
    return Practitioner(
        id=found.id,
        name=person.name,
        title=profile.title,
        specialties=profile.specialties,
        languages=profile.languages,
        fee_minor=profile.fee_minor,
        currency=profile.currency,
        location=profile.location,
        time_zone=person.time_zone,
        about=profile.about,
        licence_verified=profile.licence_verified,
        published=profile.published,
        licence_expires_on=profile.licence_expires_on,
        insurers=profile.insurers,
        distance_m=found.distance_m,
    )


class Practitioners:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def get(self, ids: Sequence[UUID]) -> Mapping[UUID, Practitioner]:
        found = await self._modules.identity.directory.practitioners(ids)
        return {person_id: _practitioner(each) for person_id, each in found.items()}

    async def search(self, wanted: Wanted, cursor: str | None, limit: int) -> tuple[list[Practitioner], str | None]:
        search = Search(
            specialty=wanted.specialty,
            language=wanted.language,
            name=wanted.name,
            fee_min=wanted.fee_min,
            fee_max=wanted.fee_max,
            currency=wanted.currency,
            insurer=wanted.insurer,
            near=wanted.near,
            within_m=wanted.within_m,
        )
        found, after = await self._modules.identity.directory.search(search, cursor=cursor, limit=limit)
        return [_practitioner(each) for each in found], after

    async def licences_until(self, last: date) -> list[Practitioner]:
        return [_practitioner(each) for each in await self._modules.identity.directory.licences_until(last)]

    async def specialties(self) -> list[Specialty]:
        counts = await self._modules.identity.directory.specialties()
        return [Specialty(each.code, each.name, each.providers) for each in counts]

    async def choices(self) -> tuple[list[str], list[str]]:
        return await self._modules.identity.directory.search_choices()


class Consultations:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def complete(self, principal: Principal, appointment_id: UUID, summary: str) -> None:
        await self._modules.consultations.complete(principal, appointment_id, summary, None)

    async def attendance(self, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Attendance]:
        found = await self._modules.consultations.course.attendance(appointment_ids)
        return {
            appointment_id: Attendance(each.patient_waited, each.practitioner_joined, each.met)
            for appointment_id, each in found.items()
        }
