"""All SQL of consultations: the visit itself, stays, notes. Chat and invitations have files of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from consultations.lifecycle import Status
from core.database import Row, Transaction
from core.ids import uuid7


@dataclass(frozen=True, slots=True)
class Consultation:
    id: UUID
    patient_id: UUID
    practitioner_id: UUID
    status: Status
    waiting_since: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    completed_at: datetime | None
    summary: bytes | None
    outcome: bytes | None
    attendance_outcome: str | None
    attendance_evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StayRow:
    participant_id: UUID
    role: str
    joined_at: datetime
    left_at: datetime | None
    acted_by: UUID | None


@dataclass(frozen=True, slots=True)
class NotesRow:
    version: int
    author_id: UUID
    text: bytes
    saved_at: datetime


def _consultation(row: Row) -> Consultation:
    return Consultation(
        row["id"],
        row["patient_id"],
        row["practitioner_id"],
        cast(Status, row["status"]),
        row["waiting_since"],
        row["started_at"],
        row["ended_at"],
        row["completed_at"],
        row["summary"],
        row["outcome"],
        row["attendance_outcome"],
        row["attendance_evidence"],
    )


@dataclass(frozen=True, slots=True)
class Presence:
    """Who was at a visit."""

    patient_waited: bool  # in the waiting room or in the call
    practitioner_joined: bool
    met: bool


async def ensure(tx: Transaction, consultation_id: UUID, patient_id: UUID, practitioner_id: UUID) -> None:
    """Make the row if this is the first time anybody comes near the visit."""
    await tx.execute(
        "INSERT INTO consultations (id, patient_id, practitioner_id) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
        consultation_id,
        patient_id,
        practitioner_id,
    )


async def get(tx: Transaction, consultation_id: UUID, *, lock: bool = False) -> Consultation | None:
    """``lock`` makes changes to one visit wait for each other."""
    sql = "SELECT * FROM consultations WHERE id = $1"
    row = await tx.fetchrow(sql + " FOR UPDATE" if lock else sql, consultation_id)
    return None if row is None else _consultation(row)


async def checked_in(tx: Transaction, consultation_id: UUID) -> bool:
    return bool(await tx.fetchval("SELECT true FROM check_ins WHERE consultation_id = $1", consultation_id))


async def unfinished_of(tx: Transaction, patient_id: UUID) -> list[UUID]:
    """The visits of a patient that are neither completed nor cancelled."""
    rows = await tx.fetch(
        "SELECT id FROM consultations WHERE patient_id = $1 AND status IN ('planned', 'in-progress')", patient_id
    )
    return [row["id"] for row in rows]


async def set_waiting(tx: Transaction, consultation_id: UUID, at: datetime) -> bool:
    """True the first time."""
    sql = "UPDATE consultations SET waiting_since = $2 WHERE id = $1 AND waiting_since IS NULL RETURNING true"
    return bool(await tx.fetchval(sql, consultation_id, at))


async def set_started(tx: Transaction, consultation_id: UUID, status: Status, at: datetime, waited_s: int) -> None:
    await tx.execute(
        "UPDATE consultations SET status = $2, started_at = $3, ended_at = NULL, waited_s = $4 WHERE id = $1",
        consultation_id,
        status,
        at,
        waited_s,
    )


async def set_ended(tx: Transaction, consultation_id: UUID, at: datetime | None) -> None:
    await tx.execute("UPDATE consultations SET ended_at = $2 WHERE id = $1", consultation_id, at)


async def set_completed(
    tx: Transaction, consultation_id: UUID, status: Status, at: datetime, summary: bytes, outcome: bytes | None
) -> None:
    await tx.execute(
        "UPDATE consultations SET status = $2, completed_at = $3, ended_at = COALESCE(ended_at, $3), "
        "summary = $4, outcome = $5 WHERE id = $1",
        consultation_id,
        status,
        at,
        summary,
        outcome,
    )


async def set_practitioner(tx: Transaction, consultation_id: UUID, previous: UUID, practitioner_id: UUID) -> None:
    """Of two hand-overs told in the wrong order the later one stays."""
    await tx.execute(
        "UPDATE consultations SET practitioner_id = $3 WHERE id = $1 AND practitioner_id = $2",
        consultation_id,
        previous,
        practitioner_id,
    )


async def set_cancelled(tx: Transaction, consultation_id: UUID) -> None:
    sql = "UPDATE consultations SET status = 'cancelled' WHERE id = $1 AND status = 'planned'"
    await tx.execute(sql, consultation_id)


async def add_evidence(tx: Transaction, consultation_id: UUID, evidence: dict[str, Any]) -> None:
    """Merge at the top level."""
    sql = "UPDATE consultations SET attendance_evidence = attendance_evidence || $2 WHERE id = $1"
    await tx.execute(sql, consultation_id, evidence)


async def open_stay(
    tx: Transaction, consultation_id: UUID, participant_id: UUID, role: str, at: datetime, acted_by: UUID | None
) -> None:
    """A report that comes again changes nothing."""
    await tx.execute(
        "INSERT INTO stays (id, consultation_id, participant_id, role, joined_at, acted_by) "
        "VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT DO NOTHING",
        uuid7(),
        consultation_id,
        participant_id,
        role,
        at,
        acted_by,
    )


async def close_stays(
    tx: Transaction, consultation_id: UUID, participant_id: UUID, at: datetime, evidence: dict[str, Any]
) -> None:
    await tx.execute(
        "UPDATE stays SET left_at = $3, evidence = evidence || $4 "
        "WHERE consultation_id = $1 AND participant_id = $2 AND left_at IS NULL AND joined_at <= $3",
        consultation_id,
        participant_id,
        at,
        evidence,
    )


async def first_joined(tx: Transaction, consultation_id: UUID, participant_id: UUID) -> datetime | None:
    """When somebody was first in the call."""
    sql = "SELECT min(joined_at) FROM stays WHERE consultation_id = $1 AND participant_id = $2"
    found: datetime | None = await tx.fetchval(sql, consultation_id, participant_id)
    return found


async def stays(tx: Transaction, consultation_id: UUID) -> list[StayRow]:
    sql = (
        "SELECT participant_id, role, joined_at, left_at, acted_by FROM stays WHERE consultation_id = $1 "
        "ORDER BY joined_at"
    )
    return [StayRow(*row) for row in await tx.fetch(sql, consultation_id)]


async def presence(tx: Transaction, consultation_ids: Sequence[UUID]) -> dict[UUID, Presence]:
    rows = await tx.fetch(
        "SELECT c.id, c.waiting_since IS NOT NULL OR coalesce(bool_or(s.role = 'patient'), false), "
        "coalesce(bool_or(s.role = 'practitioner'), false), c.started_at IS NOT NULL "
        "FROM consultations c LEFT JOIN stays s ON s.consultation_id = c.id WHERE c.id = ANY($1) GROUP BY c.id",
        list(consultation_ids),
    )
    return {row[0]: Presence(row[1], row[2], row[3]) for row in rows}


async def latest_notes(tx: Transaction, consultation_id: UUID) -> NotesRow | None:
    row = await tx.fetchrow(
        "SELECT version, author_id, text, saved_at FROM notes WHERE consultation_id = $1 ORDER BY version DESC LIMIT 1",
        consultation_id,
    )
    return None if row is None else NotesRow(*row)


async def add_notes(tx: Transaction, consultation_id: UUID, notes: NotesRow) -> None:
    await tx.execute(
        "INSERT INTO notes (consultation_id, version, author_id, text, saved_at) VALUES ($1, $2, $3, $4, $5)",
        consultation_id,
        notes.version,
        notes.author_id,
        notes.text,
        notes.saved_at,
    )
