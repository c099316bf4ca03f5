"""One-time links for people without an account. The secret is shown once and kept only as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from consultations.errors import InvitationGone
from consultations.ports import AppointmentInfo
from core.context import Context
from core.database import Row, Transaction
from core.ids import uuid7

Role = Literal["interpreter", "guest"]
State = Literal["open", "redeemed", "revoked", "expired"]
SECRET_BYTES = 24  # 192 bits: guessing is no way in, so a plain hash at rest is enough


@dataclass(frozen=True, slots=True)
class InvitationRow:
    id: UUID
    consultation_id: UUID
    role: Role
    name: bytes
    expires_at: datetime
    redeemed_at: datetime | None
    revoked_at: datetime | None
    created_by: UUID
    created_at: datetime

    def state(self, now: datetime) -> State:
        """What the link is good for now. Pure."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at <= now:
            return "expired"
        return "open" if self.redeemed_at is None else "redeemed"


@dataclass(frozen=True, slots=True)
class Made:
    id: UUID
    secret: str


_COLUMNS = "id, consultation_id, role, name, expires_at, redeemed_at, revoked_at, created_by, created_at"


class Invitations:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database("consultations")

    async def make(
        self, tx: Transaction, appointment: AppointmentInfo, role: str, name: str, by: UUID, now: datetime
    ) -> Made:
        """A link that is good until the visit's window closes."""
        made = Made(uuid7(), secrets.token_urlsafe(SECRET_BYTES))
        sealed = await self._context.vault.encrypt_text(appointment.patient_id, _place(made.id), name)
        await tx.execute(
            "INSERT INTO invitations (id, consultation_id, role, name, secret_hash, created_by, created_at, expires_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            made.id,
            appointment.id,
            role,
            sealed,
            _hash(made.secret),
            by,
            now,
            appointment.closes_at,
        )
        return made

    async def redeem(self, tx: Transaction, secret: str, now: datetime) -> InvitationRow:
        """Once, whoever comes first; raises ``InvitationGone``."""
        row = await tx.fetchrow(
            "UPDATE invitations SET redeemed_at = $2 WHERE secret_hash = $1 AND redeemed_at IS NULL "  # noqa: S608
            f"AND revoked_at IS NULL AND expires_at > $2 RETURNING {_COLUMNS}",
            _hash(secret),
            now,
        )
        if row is None:
            raise InvitationGone()
        return _invitation(row)

    async def get(self, invitation_id: UUID) -> InvitationRow | None:
        async with self._database.reading() as tx:
            row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM invitations WHERE id = $1", invitation_id)  # noqa: S608
        return None if row is None else _invitation(row)

    async def of_visit(self, tx: Transaction, consultation_id: UUID) -> list[InvitationRow]:
        """Oldest first."""
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM invitations WHERE consultation_id = $1 ORDER BY created_at, id",  # noqa: S608
            consultation_id,
        )
        return [_invitation(row) for row in rows]

    async def living(self, invitation_id: UUID) -> InvitationRow:
        """Redeemed, neither withdrawn nor expired; raises ``InvitationGone``."""
        found = await self.get(invitation_id)
        if found is None or found.redeemed_at is None or found.revoked_at is not None:
            raise InvitationGone()
        if found.expires_at <= self._context.clock.now():
            raise InvitationGone()
        return found

    async def revoke(self, tx: Transaction, invitation_id: UUID, now: datetime) -> bool:
        sql = "UPDATE invitations SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING true"
        return bool(await tx.fetchval(sql, invitation_id, now))

    async def name_of(self, invitation: InvitationRow, patient_id: UUID) -> str:
        return await self._context.vault.decrypt_text(patient_id, _place(invitation.id), invitation.name)


def _place(invitation_id: UUID) -> str:
    return f"invitation/{invitation_id}/name"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _invitation(row: Row) -> InvitationRow:
    return InvitationRow(
        row["id"],
        row["consultation_id"],
        cast(Role, row["role"]),
        row["name"],
        row["expires_at"],
        row["redeemed_at"],
        row["revoked_at"],
        row["created_by"],
        row["created_at"],
    )
