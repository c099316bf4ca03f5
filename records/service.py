"""A patient's record: reading, changing, and the entry a visit leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Forbidden, InvalidInput, VersionConflict
from core.ids import uuid7
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.proxies import to_patient
from core.security.vault import Vault
from records import repository
from records.documents import Blob, DocumentStore
from records.errors import NoCareRelation
from records.events import RecordUpdated
from records.ports import Appointments, Care, Consultations, People
from records.repository import EntryRow, RecordRow

log = structlog.get_logger()

ENTRIES_SHOWN = 100  # in a whole record; older ones come page by page from the list
# No transaction runs for an hour, so a blob of that age without a pointer will never get one.
ORPHAN_AFTER = timedelta(hours=1)
SWEEP_BACK = timedelta(days=7)  # looked at again each time, in case the sweeper was away
SWEEP_BATCH = 500


@dataclass(frozen=True, slots=True)
class Summary:
    history: str = ""
    allergies: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    medications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewEntry:
    kind: str
    content: Mapping[str, Any]
    appointment_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    row: EntryRow
    author_name: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PatientRecord:
    patient_id: UUID
    version: int  # 0: nothing has been written yet
    summary: Summary
    entries: list[Entry]
    updated_at: datetime


async def standing(care: Care, principal: Principal, patient_id: UUID) -> tuple[set[Relation], UUID | None]:
    """How the acting person stands to a patient, and the emergency access if that is all there is."""
    found: set[Relation] = set()
    if principal.person_id == patient_id:
        found.add("self")
    if principal.role != "practitioner":
        return found | set(await to_patient(principal, patient_id, care)), None
    if await care.care_relation(principal.id, patient_id):
        found.add("care")
        return found, None
    emergency = await care.emergency(principal.id, patient_id)
    if emergency is not None:
        found.add("break_glass")
    return found, emergency


def why(emergency: UUID | None) -> dict[str, str]:
    """For the audit row's details: what was done under an emergency access says so."""
    return {} if emergency is None else {"break_glass": str(emergency)}


def refusal(principal: Principal) -> type[Forbidden]:
    """Practitioners learn that the relation is what is missing."""
    return NoCareRelation if principal.role == "practitioner" else Forbidden


class RecordService:
    def __init__(
        self,
        database: Database,
        store: DocumentStore,
        vault: Vault,
        policy: Policy,
        clock: Clock,
        *,
        care: Care,
        people: People,
        appointments: Appointments,
        consultations: Consultations,
    ) -> None:
        self._database = database
        self._store = store
        self._vault = vault
        self._policy = policy
        self._clock = clock
        self._care = care
        self._people = people
        self._appointments = appointments
        self._consultations = consultations

    # -- reading

    async def read(self, principal: Principal, patient_id: UUID) -> PatientRecord:
        """The whole record; the reading is audited. Raises NoCareRelation, Forbidden."""
        emergency = await self._require(principal, "record.read", patient_id)
        async with self._database.transaction() as tx:
            row = await repository.record(tx, patient_id)
            entries = await repository.entries(tx, patient_id, kind=None, before=None, limit=ENTRIES_SHOWN)
            await self._audit(tx, principal, "record.read", patient_id, **why(emergency))
        return await self._whole(row or RecordRow(patient_id, 0, None, self._clock.now()), entries)

    async def entries(
        self, principal: Principal, patient_id: UUID, *, kind: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Entry], str | None]:
        """Newest first; the reading is audited. Raises NoCareRelation, Forbidden, InvalidInput."""
        emergency = await self._require(principal, "record.read", patient_id)
        before = read_cursor(cursor)
        async with self._database.transaction() as tx:
            rows = await repository.entries(tx, patient_id, kind=kind, before=before, limit=limit + 1)
            await self._audit(tx, principal, "record.read", patient_id, **why(emergency))
        more, rows = len(rows) > limit, rows[:limit]
        return await self._entries(rows), str(rows[-1].id) if more else None

    # -- changing

    async def change(
        self,
        principal: Principal,
        patient_id: UUID,
        version: int,
        summary: Mapping[str, Any] | None,
        add: Sequence[NewEntry],
    ) -> PatientRecord:
        """Change the named parts of the summary and add entries, on top of ``version``.

        Raises NoCareRelation, Forbidden, VersionConflict, InvalidInput.
        """
        await self._require(principal, "record.update", patient_id)
        for entry in add:
            await self._require_own_appointment(entry, patient_id)
        async with self._database.reading() as tx:
            present = await repository.record(tx, patient_id) or RecordRow(patient_id, 0, None, self._clock.now())
        if present.version != version:
            raise VersionConflict()
        summary_blob = present.summary_blob
        if summary is not None:
            merged = replace(await self._summary(present), **summary)
            summary_blob = await self._store_json(patient_id, _summary_json(merged))
        blobs = [await self._store_json(patient_id, dict(entry.content)) for entry in add]
        async with self._database.transaction() as tx:
            now = self._clock.now()
            locked = await repository.lock_record(tx, patient_id, now)
            if locked.version != version:
                raise VersionConflict()
            changed = RecordRow(patient_id, version + 1, summary_blob, now)
            await repository.put_version(tx, changed, principal.person_id, principal.role)
            for entry, blob in zip(add, blobs, strict=True):
                author, number = principal.id, changed.version
                row = EntryRow(uuid7(), patient_id, entry.kind, now, author, entry.appointment_id, number, blob)
                await repository.insert_entry(tx, row)
            await tx.publish(RecordUpdated(patient_id=patient_id, version=changed.version))
            await self._audit(tx, principal, "record.updated", patient_id, version=changed.version)
            rows = await repository.entries(tx, patient_id, kind=None, before=None, limit=ENTRIES_SHOWN)
        return await self._whole(changed, rows)

    async def visit_completed(
        self, tx: Transaction, appointment_id: UUID, patient_id: UUID, practitioner_id: UUID
    ) -> None:
        """Write the visit's entry, once, in the transaction of the handled fact."""
        summary, outcome = await self._consultations.summary(appointment_id)
        content = {"summary": summary or "", "outcome": outcome}
        now = self._clock.now()
        # The record first: two visits of one patient that end together wait for each other here.
        locked = await repository.lock_record(tx, patient_id, now)
        blob = await self._store_json(patient_id, content, tx)
        changed = RecordRow(patient_id, locked.version + 1, locked.summary_blob, now)
        row = EntryRow(uuid7(), patient_id, "visit", now, practitioner_id, appointment_id, changed.version, blob)
        if not await repository.insert_entry(tx, row):
            return  # it has its entry; the blob just written is an orphan
        await repository.put_version(tx, changed, practitioner_id, "practitioner")
        await tx.publish(RecordUpdated(patient_id=patient_id, version=changed.version))
        await tx.audit(
            "record.updated",
            actor_id=practitioner_id,
            actor_role="system",
            resource="record",
            resource_id=patient_id,
            patient_id=patient_id,
            details={"appointment_id": str(appointment_id), "version": changed.version},
        )

    # -- orphans

    async def sweep(self) -> int:
        """Remove blobs that nothing points to; returns how many."""
        now = self._clock.now()
        after, before = _id_at(now - SWEEP_BACK), _id_at(now - ORPHAN_AFTER)
        removed = 0
        while True:
            ids = await self._store.list(after, before, SWEEP_BATCH)
            if not ids:
                break
            async with self._database.reading() as tx:
                orphans = sorted(set(ids) - await repository.pointed_to(tx, ids))
            if orphans:
                await self._store.delete(orphans)
                removed += len(orphans)
            after = ids[-1]
        if removed:
            log.info("orphaned documents removed", number=removed)
        return removed

    # -- the inside

    async def _require(self, principal: Principal, action: str, patient_id: UUID) -> UUID | None:
        """The emergency access under which it is done, if it is."""
        held, emergency = await standing(self._care, principal, patient_id)
        self._policy.require(principal, action, held, error=refusal(principal))
        return emergency

    async def _require_own_appointment(self, entry: NewEntry, patient_id: UUID) -> None:
        if entry.appointment_id is not None:
            appointment = await self._appointments.get(entry.appointment_id)
            if appointment is None or appointment.patient_id != patient_id:
                raise InvalidInput.of("appointment_id", "is not an appointment of this patient")

    async def _store_json(self, patient_id: UUID, value: dict[str, Any], tx: Transaction | None = None) -> UUID:
        blob_id = uuid7()
        sealed = await self._vault.encrypt(patient_id, f"record/{blob_id}", json.dumps(value).encode())
        await self._store.put(Blob(blob_id, patient_id, sealed), tx)
        return blob_id

    async def _open_json(self, patient_id: UUID, blob_id: UUID, blobs: Mapping[UUID, bytes]) -> dict[str, Any]:
        # A pointer is committed after its blob is durable: a missing one is a damaged store, told as a failure.
        opened = await self._vault.decrypt(patient_id, f"record/{blob_id}", blobs[blob_id])
        value: dict[str, Any] = json.loads(opened)
        return value

    async def _summary(self, row: RecordRow) -> Summary:
        if row.summary_blob is None:
            return Summary()
        value = await self._open_json(row.patient_id, row.summary_blob, await self._store.get([row.summary_blob]))
        lists = {name: tuple(value[name]) for name in ("allergies", "conditions", "medications")}
        return Summary(history=value["history"], **lists)

    async def _entries(self, rows: Sequence[EntryRow]) -> list[Entry]:
        blobs = await self._store.get([row.blob_id for row in rows]) if rows else {}
        names = await self._people.names(sorted({row.author_id for row in rows})) if rows else {}
        return [
            Entry(row, names.get(row.author_id, ""), await self._open_json(row.patient_id, row.blob_id, blobs))
            for row in rows
        ]

    async def _whole(self, row: RecordRow, entries: Sequence[EntryRow]) -> PatientRecord:
        return PatientRecord(
            row.patient_id, row.version, await self._summary(row), await self._entries(entries), row.updated_at
        )

    async def _audit(
        self, tx: Transaction, principal: Principal, action: str, patient_id: UUID, **details: Any
    ) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="record",
            resource_id=patient_id,
            patient_id=patient_id,
            details=details,
        )


def _summary_json(summary: Summary) -> dict[str, Any]:
    return {
        "history": summary.history,
        "allergies": list(summary.allergies),
        "conditions": list(summary.conditions),
        "medications": list(summary.medications),
    }


def _id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond, as a bound."""
    return UUID(int=uuid7(int(moment.timestamp() * 1000)).int >> 80 << 80)


def read_cursor(cursor: str | None) -> UUID | None:
    """Raises InvalidInput for what is not one of ours."""
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError:
        raise InvalidInput.of("cursor", "is not one of ours") from None
