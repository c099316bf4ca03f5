"""What scheduling needs of its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from core.security.principal import Principal
from scheduling.ports import Practitioner, Specialty

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
    )


class Practitioners:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def get(self, ids: Sequence[UUID]) -> Mapping[UUID, Practitioner]:
        found = await self._modules.identity.directory.practitioners(ids)
        return {person_id: _practitioner(each) for person_id, each in found.items()}

    async def search(
        self, *, specialty: str | None, language: str | None, name: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Practitioner], str | None]:
        found, after = await self._modules.identity.directory.search(
            specialty=specialty, language=language, name=name, cursor=cursor, limit=limit
        )
        return [_practitioner(each) for each in found], after

    async def specialties(self) -> list[Specialty]:
        counts = await self._modules.identity.directory.specialties()
        return [Specialty(each.code, each.name, each.providers) for each in counts]


class Consultations:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def complete(self, principal: Principal, appointment_id: UUID, summary: str) -> None:
        await self._modules.consultations.complete(principal, appointment_id, summary, None)
