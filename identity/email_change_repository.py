"""SQL of changes of address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Transaction
from identity.errors import EmailTaken
from identity.people import email_key


@dataclass(frozen=True, slots=True)
class EmailChange:
    id: UUID
    undo_id: UUID
    person_id: UUID
    session_id: UUID | None
    new_email: str | None
    old_email: str | None
    expires_at: datetime
    confirmed_at: datetime | None
    undo_until: datetime | None
    over_at: datetime | None


_COLUMNS = "id, undo_id, person_id, session_id, new_email, old_email, expires_at, confirmed_at, undo_until, over_at"


async def insert(tx: Transaction, change: EmailChange, now: datetime) -> None:
    """One that was not confirmed yet gives way."""
    await tx.execute(
        "UPDATE email_changes SET over_at = $2, new_email = NULL"
        " WHERE person_id = $1 AND over_at IS NULL AND confirmed_at IS NULL",
        change.person_id,
        now,
    )
    await tx.execute(
        "INSERT INTO email_changes (id, undo_id, person_id, session_id, new_email, requested_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        change.id,
        change.undo_id,
        change.person_id,
        change.session_id,
        change.new_email,
        now,
        change.expires_at,
    )


async def by_id(tx: Transaction, change_id: UUID, *, lock: bool = False) -> EmailChange | None:
    sql = f"SELECT {_COLUMNS} FROM email_changes WHERE id = $1" + (" FOR UPDATE" if lock else "")
    row = await tx.fetchrow(sql, change_id)
    return None if row is None else EmailChange(*row.values())


async def by_undo_id(tx: Transaction, undo_id: UUID, *, lock: bool = False) -> EmailChange | None:
    sql = f"SELECT {_COLUMNS} FROM email_changes WHERE undo_id = $1" + (" FOR UPDATE" if lock else "")
    row = await tx.fetchrow(sql, undo_id)
    return None if row is None else EmailChange(*row.values())


async def open_of(tx: Transaction, person_id: UUID, now: datetime) -> EmailChange | None:
    """The newest that waits for its confirmation."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM email_changes WHERE person_id = $1 AND over_at IS NULL AND confirmed_at IS NULL"
        " AND expires_at > $2 ORDER BY id DESC LIMIT 1",
        person_id,
        now,
    )
    return None if row is None else EmailChange(*row.values())


async def end_open(tx: Transaction, person_id: UUID, now: datetime) -> bool:
    """False when none waited."""
    done = await tx.execute(
        "UPDATE email_changes SET over_at = $2, new_email = NULL"
        " WHERE person_id = $1 AND over_at IS NULL AND confirmed_at IS NULL",
        person_id,
        now,
    )
    return done != "UPDATE 0"


async def confirm(tx: Transaction, change_id: UUID, old_email: str, now: datetime, undo_until: datetime) -> None:
    await tx.execute(
        "UPDATE email_changes SET confirmed_at = $2, old_email = $3, old_email_key = $4, undo_until = $5 WHERE id = $1",
        change_id,
        now,
        old_email,
        email_key(old_email),
        undo_until,
    )


async def end_since(tx: Transaction, person_id: UUID, change_id: UUID, now: datetime) -> None:
    """This change and all that came after it are over."""
    await tx.execute(
        "UPDATE email_changes SET over_at = $3, new_email = NULL, old_email = NULL, old_email_key = NULL"
        " WHERE person_id = $1 AND id >= $2 AND over_at IS NULL",
        person_id,
        change_id,
        now,
    )


async def reserved(tx: Transaction, email: str, now: datetime, *, but: UUID | None = None) -> bool:
    """Whether somebody (other than ``but``) may still go back to this address."""
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM email_changes WHERE old_email_key = $1 AND over_at IS NULL AND undo_until > $2"
        " AND person_id IS DISTINCT FROM $3)",
        email_key(email),
        now,
        but,
    )
    return found


async def set_email(tx: Transaction, person_id: UUID, email: str, now: datetime) -> None:
    """A verified address. Raises EmailTaken."""
    try:
        await tx.execute(
            "UPDATE people SET email = $2, email_key = $3, verified_at = $4 WHERE id = $1",
            person_id,
            email,
            email_key(email),
            now,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "people_email_key_key":
            raise EmailTaken() from None
        raise


async def forget(tx: Transaction, now: datetime, before: datetime) -> None:
    """Addresses of changes that are past go, and rows older than ``before``."""
    await tx.execute(
        "UPDATE email_changes SET over_at = $1, new_email = NULL, old_email = NULL, old_email_key = NULL"
        " WHERE over_at IS NULL AND coalesce(undo_until, expires_at) <= $1",
        now,
    )
    await tx.execute("DELETE FROM email_changes WHERE requested_at < $1 AND over_at IS NOT NULL", before)


async def erase(tx: Transaction, person_id: UUID) -> None:
    await tx.execute("DELETE FROM email_changes WHERE person_id = $1", person_id)
