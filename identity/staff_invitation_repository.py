"""SQL of staff invitations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from core.database import Row, Transaction
from identity.people import email_key

StaffRole = Literal["practitioner", "desk", "admin", "auditor"]
State = Literal["open", "accepted", "revoked", "expired"]


@dataclass(frozen=True, slots=True)
class StaffInvitation:
    """``work`` is what a practitioner's profile begins with."""

    id: UUID
    email: str
    name: str
    language: str
    role: StaffRole
    work: dict[str, Any] | None
    invited_by: UUID
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    accepted_at: datetime | None = None
    person_id: UUID | None = None

    def state(self, now: datetime) -> State:
        if self.accepted_at is not None:
            return "accepted"
        if self.revoked_at is not None:
            return "revoked"
        return "open" if now < self.expires_at else "expired"


_COLUMNS = (
    "id, email, name, language, role, work, invited_by, created_at, expires_at, revoked_at, accepted_at, person_id"
)


def _invitation(row: Row) -> StaffInvitation:
    return StaffInvitation(*row.values())


async def insert(tx: Transaction, made: StaffInvitation) -> None:
    """An earlier one for this address and role is replaced."""
    await tx.execute(
        "UPDATE staff_invitations SET revoked_at = $3 WHERE email_key = $1 AND role = $2 AND revoked_at IS NULL"
        " AND accepted_at IS NULL",
        email_key(made.email),
        made.role,
        made.created_at,
    )
    await tx.execute(
        "INSERT INTO staff_invitations (id, email, email_key, name, language, role, work, invited_by, created_at,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        made.id,
        made.email,
        email_key(made.email),
        made.name,
        made.language,
        made.role,
        made.work,
        made.invited_by,
        made.created_at,
        made.expires_at,
    )


async def get(tx: Transaction, invitation_id: UUID, *, lock: bool = False) -> StaffInvitation | None:
    sql = f"SELECT {_COLUMNS} FROM staff_invitations WHERE id = $1" + (" FOR UPDATE" if lock else "")
    row = await tx.fetchrow(sql, invitation_id)
    return None if row is None else _invitation(row)


async def newest(tx: Transaction, after: UUID | None, limit: int) -> list[StaffInvitation]:
    """Newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM staff_invitations WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
        after,
        limit,
    )
    return [_invitation(row) for row in rows]


async def revoke(tx: Transaction, invitation_id: UUID, now: datetime) -> None:
    await tx.execute(
        "UPDATE staff_invitations SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND accepted_at IS NULL",
        invitation_id,
        now,
    )


async def accept(tx: Transaction, invitation_id: UUID, person_id: UUID, now: datetime) -> None:
    await tx.execute(
        "UPDATE staff_invitations SET accepted_at = $3, person_id = $2 WHERE id = $1", invitation_id, person_id, now
    )


async def forget(tx: Transaction, before: datetime) -> None:
    """Those that nobody accepted go some time after their end."""
    await tx.execute("DELETE FROM staff_invitations WHERE accepted_at IS NULL AND expires_at < $1", before)
