"""What notifications need of their neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from core.security.principal import Principal
from identity import letters
from notifications.ports import AccountLetter, Actor, Appointment, Person

if TYPE_CHECKING:
    from server.services import Modules


class People:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def get(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        found = await self._modules.identity.directory.people(ids)
        return {
            each.id: Person(each.id, each.name, each.email, each.language, each.time_zone, each.has_account)
            for each in found.values()
        }


class Actors:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def acting(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Actor]]:
        found = await self._modules.identity.proxies.acting(patient_ids)
        return {patient_id: [Actor(*each) for each in actors] for patient_id, actors in found.items()}


class Appointments:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def get(self, appointment_id: UUID) -> Appointment | None:
        found = await self._modules.scheduling.appointments.get(appointment_id)
        if found is None:
            return None
        return Appointment(
            found.id, found.patient_id, found.practitioner_id, found.start, found.end, found.status, found.version
        )


class Verifications:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def letter(self, kind: str, letter_id: UUID) -> AccountLetter | None:
        identity = self._modules.identity
        if kind == "account.email_change_requested":
            return _letter(await identity.email_changes.letter(letter_id))
        if kind == "account.email_changed":
            return _letter(await identity.email_changes.undo_letter(letter_id))
        if kind == "staff.invited":
            return _letter(await identity.staff_invitations.letter(letter_id))
        if kind == "account.verification_requested":
            link = await identity.accounts.verification_link(letter_id)
        elif kind == "account.password_reset_requested":
            link = await identity.resetting.link(letter_id)
        else:
            link = identity.accounts.page_for(kind)
        return None if link is None else AccountLetter(link)


class Sessions:
    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def authenticate(self, token: str) -> Principal:
        return await self._modules.identity.sign_in.authenticate(token)


def _letter(found: letters.AccountLetter | None) -> AccountLetter | None:
    return None if found is None else AccountLetter(found.link, found.email, found.name, found.language)
