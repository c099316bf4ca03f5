"""Each module's share of what is known about a person, for compliance: their copy, and forgetting them.

A copy is collected through the modules' own services, as the person themselves: it holds what they may see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from billing.models import InvoiceFilter
from billing.schemas import CoverageBody, InvoiceBody
from compliance.ports import Held, PersonData
from core.clock import Clock, rfc3339
from core.context import Context
from core.errors import NotFound
from core.security.principal import Principal
from identity.family_schemas import FamilyBody
from records.schemas import PatientRecord, Prescription, RecordEntry
from scheduling.schemas import AppointmentBody

if TYPE_CHECKING:
    from server.services import Modules

PAGE = 100


def themselves(person_id: UUID) -> Principal:
    """The person as a patient, reading their own data."""
    return Principal(person_id, "patient", frozenset({"patient"}))


class Part:
    """What most parts have in common: no files, nothing the law keeps, nothing in the way."""

    name = ""

    def __init__(self, modules: Modules, context: Context) -> None:
        self._modules = modules
        self._context = context
        self._clock: Clock = context.clock

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        return {}

    async def files(self, person_id: UUID) -> AsyncIterator[tuple[str, bytes]]:
        nothing: tuple[tuple[str, bytes], ...] = ()
        for each in nothing:
            yield each

    async def held(self, person_id: UUID) -> Sequence[Held]:
        return []

    async def hinders(self, person_id: UUID) -> str | None:
        return None

    async def erase(self, person_id: UUID, keep: frozenset[str]) -> Mapping[str, int]:
        return {}


class Account(Part):
    name = "account"

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        identity = self._modules.identity
        person, contact = await identity.directory.me(themselves(person_id))
        family = await identity.family.mine(themselves(person_id))
        return {
            "id": person.id,
            "name": person.name,
            "email": person.email,
            "email_verified": person.email_verified,
            "roles": list(person.roles),
            "language": person.language,
            "time_zone": person.time_zone,
            "phone": contact.phone,
            "birth_date": contact.birth_date,
            "created_at": person.created_at,
            "family": FamilyBody.of(family).model_dump(mode="json"),
        }

    async def hinders(self, person_id: UUID) -> str | None:
        person = (await self._modules.identity.directory.people([person_id])).get(person_id)
        return None if person is None or set(person.roles) <= {"patient"} else "works_here"

    async def erase(self, person_id: UUID, keep: frozenset[str]) -> Mapping[str, int]:
        return await self._modules.identity.personal.erase(person_id)


class Appointments(Part):
    name = "appointments"

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        service, found = self._modules.scheduling, []
        for appointment_id in await service.personal.appointments(person_id):
            view = await service.appointments.view(themselves(person_id), appointment_id)
            found.append(AppointmentBody.of(view).model_dump(mode="json"))
        return {"appointments": found}

    async def hinders(self, person_id: UUID) -> str | None:
        ahead = await self._modules.scheduling.personal.visits_ahead(person_id, self._clock.now())
        return "visits_ahead" if ahead else None

    async def erase(self, person_id: UUID, keep: frozenset[str]) -> Mapping[str, int]:
        return await self._modules.scheduling.personal.erase(person_id, "records" in keep)


class Visits(Part):
    name = "visits"

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        found = []
        for appointment_id in await self._modules.scheduling.personal.appointments(person_id):
            view = await self._modules.consultations.view(themselves(person_id), appointment_id)
            found.append(view.model_dump(mode="json"))
        return {"visits": found}

    async def files(self, person_id: UUID) -> AsyncIterator[tuple[str, bytes]]:
        for each in await self._modules.consultations.personal.files(person_id):
            try:
                name, _, content = await self._modules.consultations.open_file(
                    themselves(person_id), each.consultation_id, each.id
                )
            except NotFound:
                continue  # sent to clinicians alone, or never
            yield f"{each.id}-{name}", content

    async def erase(self, person_id: UUID, keep: frozenset[str]) -> Mapping[str, int]:
        return await self._modules.consultations.personal.erase(person_id, "records" in keep)


class Records(Part):
    name = "records"

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        service, who = self._modules.records, themselves(person_id)
        record = PatientRecord.of(await service.record.read(who, person_id)).model_dump(mode="json")
        entries: list[Any] = []
        cursor: str | None = None
        while True:
            page, cursor = await service.record.entries(who, person_id, kind=None, cursor=cursor, limit=PAGE)
            entries += [RecordEntry.of(each).model_dump(mode="json") for each in page]
            if cursor is None:
                break
        prescriptions: list[Any] = []
        while True:
            issued, cursor = await service.prescriptions.list(who, person_id, cursor=cursor, limit=PAGE)
            prescriptions += [Prescription.of(each).model_dump(mode="json") for each in issued]
            if cursor is None:
                break
        return {"record": {**record, "entries": entries}, "prescriptions": prescriptions}

    async def held(self, person_id: UUID) -> Sequence[Held]:
        return _held("records", *await self._modules.records.personal.held(person_id))


class Invoices(Part):
    name = "invoices"

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        service, who = self._modules.billing, themselves(person_id)
        found: list[Any] = []
        before: UUID | None = None
        while True:
            page, before = await service.invoices.search(who, InvoiceFilter(before=before, limit=PAGE))
            found += [InvoiceBody.of(each).model_dump(mode="json") for each in page]
            if before is None:
                break
        coverages = await service.claims.coverages(who, person_id)
        shown = [CoverageBody.of(each).model_dump(mode="json") for each in coverages]
        return {"invoices": found, "coverages": shown}

    async def held(self, person_id: UUID) -> Sequence[Held]:
        return _held("invoices", *await self._modules.billing.personal.held(person_id))


class Notices(Part):
    name = "notices"

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        found: list[Any] = []
        before: UUID | None = None
        while True:
            page, before = await self._modules.notifications.notices(themselves(person_id), before, PAGE)
            found += [each.wire() for each in page]
            if before is None:
                break
        return {"notices": found}

    async def erase(self, person_id: UUID, keep: frozenset[str]) -> Mapping[str, int]:
        return await self._modules.notifications.personal.erase(person_id)


class Privacy(Part):
    name = "privacy"

    async def collect(self, person_id: UUID) -> Mapping[str, Any]:
        compliance, who = self._modules.compliance, themselves(person_id)
        consents = [
            {"kind": each.kind, "given": each.given, "version": each.version, "said_at": rfc3339(each.said_at)}
            for each in await compliance.consents.of(who)
        ]
        seen: list[Any] = []
        cursor: str | None = None
        while True:
            page, cursor = await compliance.audit.record_accesses(who, cursor=cursor, limit=PAGE)
            seen += [
                {
                    "at": rfc3339(each.row.at),
                    "action": each.row.action,
                    "by": each.actor_name,
                    "as": each.row.actor_role,
                    "reason": each.reason,
                }
                for each in page
            ]
            if cursor is None:
                break
        return {"consents": consents, "record_accesses": seen}

    async def erase(self, person_id: UUID, keep: frozenset[str]) -> Mapping[str, int]:
        # Answers kept for repeated calls are sealed under the system's key, not the person's.
        async with self._context.database("core").transaction() as tx:
            done = await tx.execute("DELETE FROM core.idempotency_keys WHERE person_id = $1", person_id)
        return {"stored_answers": int(done.rpartition(" ")[2])}


def parts_of(modules: Modules, context: Context) -> list[PersonData]:
    """All of them, the account last: as long as something is left to do, it can be told whose it is."""
    kinds: tuple[type[Part], ...] = (Appointments, Visits, Records, Invoices, Notices, Privacy, Account)
    return [kind(modules, context) for kind in kinds]


def _held(kind: str, number: int, newest: datetime | None) -> list[Held]:
    return [] if newest is None else [Held(kind, number, newest)]
