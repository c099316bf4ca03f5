"""All SQL of emergency access, consents and requests about one's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Transaction

# -- emergency access


@dataclass(frozen=True, slots=True)
class AccessRow:
    """``reason`` is encrypted under the patient's key."""

    id: UUID
    person_id: UUID
    patient_id: UUID
    reason: bytes
    opened_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    ended_by: UUID | None


_ACCESS = "id, person_id, patient_id, reason, opened_at, ends_at, ended_at, ended_by"


async def insert_access(tx: Transaction, row: AccessRow) -> None:
    await tx.execute(
        "INSERT INTO break_glass (id, person_id, patient_id, reason, opened_at, ends_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        row.id,
        row.person_id,
        row.patient_id,
        row.reason,
        row.opened_at,
        row.ends_at,
    )


async def access(tx: Transaction, access_id: UUID) -> AccessRow | None:
    row = await tx.fetchrow(f"SELECT {_ACCESS} FROM break_glass WHERE id = $1", access_id)
    return None if row is None else AccessRow(*row.values())


async def standing_access(tx: Transaction, person_id: UUID, patient_id: UUID, now: datetime) -> UUID | None:
    """The newest that is open at ``now``."""
    found: UUID | None = await tx.fetchval(
        "SELECT id FROM break_glass WHERE person_id = $1 AND patient_id = $2 AND ends_at > $3 AND ended_at IS NULL"
        " ORDER BY id DESC LIMIT 1",
        person_id,
        patient_id,
        now,
    )
    return found


async def end_access(tx: Transaction, access_id: UUID, by: UUID, now: datetime) -> bool:
    """False when it was over before."""
    done = await tx.execute(
        "UPDATE break_glass SET ended_at = $3, ended_by = $2 WHERE id = $1 AND ended_at IS NULL AND ends_at > $3",
        access_id,
        by,
        now,
    )
    return done == "UPDATE 1"


async def accesses(
    tx: Transaction, *, person_id: UUID | None, patient_id: UUID | None, before: UUID | None, limit: int
) -> list[AccessRow]:
    """Newest first, by whichever is given."""
    rows = await tx.fetch(
        f"SELECT {_ACCESS} FROM break_glass WHERE ($1::uuid IS NULL OR person_id = $1)"
        " AND ($2::uuid IS NULL OR patient_id = $2) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        person_id,
        patient_id,
        before,
        limit,
    )
    return [AccessRow(*row.values()) for row in rows]


async def accesses_by_id(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, AccessRow]:
    rows = await tx.fetch(f"SELECT {_ACCESS} FROM break_glass WHERE id = ANY($1)", list(ids))
    return {row["id"]: AccessRow(*row.values()) for row in rows}
