"""All SQL of records, but for the blobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class RecordRow:
    patient_id: UUID
    version: int
    summary_blob: UUID | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class EntryRow:
    id: UUID
    patient_id: UUID
    kind: str
    recorded_at: datetime
    author_id: UUID
    appointment_id: UUID | None
    version: int
    blob_id: UUID


@dataclass(frozen=True, slots=True)
class PrescriptionRow:
    id: UUID
    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    status: str
    content: bytes
    code_digest: bytes
    pharmacy_id: UUID | None
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Pharmacy:
    """``distance_m`` is along the earth's surface."""

    id: UUID
    name: str
    address: str
    lat: float
    lon: float
    phone: str
    hours: str
    distance_m: float


async def record(tx: Transaction, patient_id: UUID) -> RecordRow | None:
    row = await tx.fetchrow(
        "SELECT patient_id, version, summary_blob, updated_at FROM records WHERE patient_id = $1", patient_id
    )
    return None if row is None else RecordRow(*row.values())


async def lock_record(tx: Transaction, patient_id: UUID, now: datetime) -> RecordRow:
    """The record, made if there is none (version 0), held until the transaction ends."""
    await tx.execute(
        "INSERT INTO records (patient_id, version, updated_at) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING",
        patient_id,
        now,
    )
    row = await tx.fetchrow(
        "SELECT patient_id, version, summary_blob, updated_at FROM records WHERE patient_id = $1 FOR UPDATE", patient_id
    )
    assert row is not None
    return RecordRow(*row.values())


async def put_version(tx: Transaction, record: RecordRow, author_id: UUID | None, author_role: str) -> None:
    await tx.execute(
        "UPDATE records SET version = $2, summary_blob = $3, updated_at = $4 WHERE patient_id = $1",
        record.patient_id,
        record.version,
        record.summary_blob,
        record.updated_at,
    )
    await tx.execute(
        "INSERT INTO record_versions (patient_id, version, author_id, author_role, made_at, summary_blob)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        record.patient_id,
        record.version,
        author_id,
        author_role,
        record.updated_at,
        record.summary_blob,
    )


async def insert_entry(tx: Transaction, entry: EntryRow) -> bool:
    """False when the appointment's visit has its entry already."""
    done = await tx.execute(
        "INSERT INTO entries (id, patient_id, kind, recorded_at, author_id, appointment_id, version, blob_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (appointment_id) WHERE kind = 'visit' DO NOTHING",
        entry.id,
        entry.patient_id,
        entry.kind,
        entry.recorded_at,
        entry.author_id,
        entry.appointment_id,
        entry.version,
        entry.blob_id,
    )
    return done == "INSERT 0 1"


async def entries(
    tx: Transaction, patient_id: UUID, *, kind: str | None, before: UUID | None, limit: int
) -> list[EntryRow]:
    """Newest first."""
    rows = await tx.fetch(
        "SELECT id, patient_id, kind, recorded_at, author_id, appointment_id, version, blob_id FROM entries"
        " WHERE patient_id = $1 AND ($2::text IS NULL OR kind = $2) AND ($3::uuid IS NULL OR id < $3)"
        " ORDER BY id DESC LIMIT $4",
        patient_id,
        kind,
        before,
        limit,
    )
    return [EntryRow(*row.values()) for row in rows]


async def pointed_to(tx: Transaction, blob_ids: Sequence[UUID]) -> set[UUID]:
    """Those blobs that something points to."""
    rows = await tx.fetch(
        "SELECT blob_id AS id FROM entries WHERE blob_id = ANY($1)"
        " UNION SELECT summary_blob FROM record_versions WHERE summary_blob = ANY($1)",
        list(blob_ids),
    )
    return {row["id"] for row in rows}


# -- prescriptions and pharmacies


async def insert_prescription(tx: Transaction, row: PrescriptionRow) -> None:
    await tx.execute(
        "INSERT INTO prescriptions (id, appointment_id, patient_id, practitioner_id, status, content, code_digest,"
        " pharmacy_id, issued_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        row.id,
        row.appointment_id,
        row.patient_id,
        row.practitioner_id,
        row.status,
        row.content,
        row.code_digest,
        row.pharmacy_id,
        row.issued_at,
    )


def _prescriptions(rows: Sequence[Row]) -> list[PrescriptionRow]:
    return [PrescriptionRow(*row.values()) for row in rows]


async def prescriptions(
    tx: Transaction,
    *,
    patient_id: UUID | None,
    practitioner_id: UUID | None,
    appointment_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[PrescriptionRow]:
    """Newest first, by whichever is given."""
    rows = await tx.fetch(
        "SELECT id, appointment_id, patient_id, practitioner_id, status, content, code_digest, pharmacy_id, issued_at"
        " FROM prescriptions WHERE ($1::uuid IS NULL OR patient_id = $1)"
        " AND ($2::uuid IS NULL OR practitioner_id = $2) AND ($3::uuid IS NULL OR appointment_id = $3)"
        " AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5",
        patient_id,
        practitioner_id,
        appointment_id,
        before,
        limit,
    )
    return _prescriptions(rows)


async def has_pharmacy(tx: Transaction, pharmacy_id: UUID) -> bool:
    found: bool = await tx.fetchval("SELECT EXISTS (SELECT FROM pharmacies WHERE id = $1)", pharmacy_id)
    return found


async def nearest_pharmacies(tx: Transaction, lat: float, lon: float, limit: int) -> list[Pharmacy]:
    rows = await tx.fetch(
        "SELECT id, name, address, lat, lon, phone, hours,"
        " earth_distance(ll_to_earth(lat, lon), ll_to_earth($1, $2)) AS distance_m"
        " FROM pharmacies ORDER BY distance_m, id LIMIT $3",
        lat,
        lon,
        limit,
    )
    return [Pharmacy(*row.values()) for row in rows]
