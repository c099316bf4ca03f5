"""Who people are: profiles, practitioners, and who cares for whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Forbidden, NotFound
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.proxies import Authority, to_patient
from core.security.vault import Vault
from identity import repository
from identity.people import Contact, Person, Practitioner, PractitionerProfile
from identity.ports import Emergencies
from identity.search import Search, read_cursor
from identity.search import cursor as next_cursor
from identity.specialties import name_of

UNCHANGED: Any = object()  # tells "leave as it is" from None, which clears


@dataclass(frozen=True, slots=True)
class SpecialtyCount:
    code: str
    name: str
    providers: int


class Directory:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        policy: Policy,
        clock: Clock,
        emergencies: Emergencies,
        authority: Authority,
    ) -> None:
        self._database = database
        self._vault = vault
        self._policy = policy
        self._clock = clock
        self._emergencies = emergencies
        self._authority = authority

    # -- for other modules

    async def people(self, ids: Iterable[UUID]) -> dict[UUID, Person]:
        """By id; unknown ones are left out."""
        wanted = list(set(ids))
        if not wanted:
            return {}
        async with self._database.reading() as tx:
            return {person.id: person for person in await repository.people(tx, wanted)}

    async def names(self, ids: Iterable[UUID]) -> dict[UUID, str]:
        return {person.id: person.name for person in (await self.people(ids)).values()}

    async def email_verified(self, person_id: UUID) -> bool:
        person = (await self.people([person_id])).get(person_id)
        return person is not None and person.email_verified

    async def birth_date(self, person_id: UUID) -> date | None:
        try:
            async with self._database.reading() as tx:
                return (await self._profile(tx, person_id))[1].birth_date
        except NotFound:
            return None

    async def practitioners(self, ids: Sequence[UUID]) -> dict[UUID, Practitioner]:
        """By id, published or not; unknown ones are left out."""
        async with self._database.reading() as tx:
            return {each.id: each for each in await repository.practitioners(tx, ids)}

    async def search(
        self, wanted: Search, *, cursor: str | None = None, limit: int = 20
    ) -> tuple[list[Practitioner], str | None]:
        """Published practitioners by name or nearest first, and the next page's cursor.

        Raises InvalidInput for a bad cursor.
        """
        after = read_cursor(wanted, cursor)
        async with self._database.reading() as tx:
            found = await repository.search_practitioners(tx, wanted, after, limit + 1)
        following = None
        if len(found) > limit:
            last, distance = found[limit - 1]
            following = next_cursor(wanted, last.person.name, distance, last.id)
        return [each for each, _ in found[:limit]], following

    async def licences_until(self, last: date) -> list[Practitioner]:
        """Published practitioners whose licence ends on that day or before."""
        async with self._database.reading() as tx:
            return await repository.licences_until(tx, last)

    async def specialties(self) -> list[SpecialtyCount]:
        """Those that published practitioners have, by name."""
        async with self._database.reading() as tx:
            counts = await repository.specialty_counts(tx)
        return sorted((SpecialtyCount(code, name_of(code), n) for code, n in counts), key=lambda each: each.name)

    async def search_choices(self) -> tuple[list[str], list[str]]:
        """The insurers and currencies that a search can be narrowed to."""
        async with self._database.reading() as tx:
            return await repository.search_choices(tx)

    async def put_practitioner(self, person_id: UUID, profile: PractitionerProfile) -> None:
        async with self._database.transaction() as tx:
            await repository.put_practitioner(tx, person_id, profile, self._clock.now())

    async def care_relation(self, practitioner_id: UUID, patient_id: UUID) -> bool:
        """True while an appointment of the two stands or has been held."""
        async with self._database.reading() as tx:
            return await repository.cares(tx, practitioner_id, patient_id)

    async def relations(self, principal: Principal, patient_id: UUID) -> set[Relation]:
        """How the acting person stands to a patient."""
        if principal.person_id == patient_id:
            return {"self"}
        if principal.role == "practitioner" and await self.care_relation(principal.id, patient_id):
            return {"care"}
        return set(await to_patient(principal, patient_id, self._authority))

    # -- own profile

    async def me(self, principal: Principal) -> tuple[Person, Contact]:
        async with self._database.reading() as tx:
            return await self._profile(tx, principal.id)

    async def change_me(
        self,
        principal: Principal,
        *,
        name: str = UNCHANGED,
        language: str = UNCHANGED,
        time_zone: str = UNCHANGED,
        phone: str | None = UNCHANGED,
        birth_date: date | None = UNCHANGED,
    ) -> tuple[Person, Contact]:
        changes: dict[str, str | bytes | None] = {}
        for field, value in (("name", name), ("language", language), ("time_zone", time_zone)):
            if value is not UNCHANGED:
                changes[field] = value
        if phone is not UNCHANGED:
            changes["phone"] = await self._encrypt(principal.id, "phone", phone)
        if birth_date is not UNCHANGED:
            text = None if birth_date is None else birth_date.isoformat()
            changes["birth_date"] = await self._encrypt(principal.id, "birth_date", text)
        async with self._database.transaction() as tx:
            await repository.update_person(tx, principal.id, changes)
            await tx.audit(
                "person.updated",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="person",
                resource_id=principal.id,
                patient_id=principal.id,
                details={"fields": sorted(changes)},
            )
            return await self._profile(tx, principal.id)

    # -- for staff and those who care

    async def patient(self, principal: Principal, patient_id: UUID) -> tuple[Person, Contact]:
        """A patient's profile; the reading is audited. Raises Forbidden, NotFound."""
        relations = await self.relations(principal, patient_id)
        emergency: UUID | None = None
        if principal.role == "practitioner" and not relations:
            emergency = await self._emergencies.stands(principal.id, patient_id)
            relations = set() if emergency is None else {"break_glass"}
        self._policy.require(principal, "patient.read", relations, error=Forbidden)
        async with self._database.transaction() as tx:
            found = await self._profile(tx, patient_id)
            if "patient" not in found[0].roles:
                raise NotFound()
            await tx.audit(
                "patient.read",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="patient",
                resource_id=patient_id,
                patient_id=patient_id,
                details=None if emergency is None else {"break_glass": str(emergency)},
            )
        return found

    async def _profile(self, tx: Transaction, person_id: UUID) -> tuple[Person, Contact]:
        person = await repository.person(tx, person_id)
        if person is None:
            raise NotFound()
        phone, birth_date = await repository.contact(tx, person_id)
        born = await self._decrypt(person_id, "birth_date", birth_date)
        contact = Contact(
            phone=await self._decrypt(person_id, "phone", phone),
            birth_date=None if born is None else date.fromisoformat(born),
        )
        return person, contact

    async def _encrypt(self, person_id: UUID, field: str, text: str | None) -> bytes | None:
        return None if text is None else await self._vault.encrypt_text(person_id, f"person/{person_id}/{field}", text)

    async def _decrypt(self, person_id: UUID, field: str, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        return await self._vault.decrypt_text(person_id, f"person/{person_id}/{field}", sealed)
