"""SQL of what administrators do with accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from core.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class Licence:
    """A practitioner's, as an administrator sees it."""

    number: str
    expires_on: date | None
    verified: bool
    published: bool


@dataclass(frozen=True, slots=True)
class Member:
    """An account with the roles it holds, or would hold were it not closed."""

    id: UUID
    name: str
    email: str
    roles: tuple[str, ...]
    created_at: datetime
    deactivated_at: datetime | None
    licence: Licence | None


_MEMBER = (
    "SELECT p.id, p.name, p.email, p.roles, p.created_at, p.deactivated_at, d.licence_number, d.licence_expires_on,"
    " d.licence_verified_at, d.published FROM people p LEFT JOIN practitioners d ON d.person_id = p.id"
)


def _member(row: Row) -> Member:
    licence = None
    if row["licence_number"] is not None:
        verified = row["licence_verified_at"] is not None
        licence = Licence(row["licence_number"], row["licence_expires_on"], verified, row["published"])
    return Member(
        row["id"],
        row["name"],
        row["email"],
        tuple(row["roles"]),
        row["created_at"],
        row["deactivated_at"],
        licence,
    )


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def find(tx: Transaction, *, role: str | None, text: str | None, after: UUID | None, limit: int) -> list[Member]:
    """Newest first, closed accounts too."""
    rows = await tx.fetch(
        f"{_MEMBER} WHERE ($1::text IS NULL OR p.roles @> ARRAY[$1])"
        " AND ($2::text IS NULL OR p.name ILIKE $2 OR p.email_key ILIKE $2) AND ($3::uuid IS NULL OR p.id < $3)"
        " ORDER BY p.id DESC LIMIT $4",
        role,
        None if text is None else _pattern(text),
        after,
        limit,
    )
    return [_member(row) for row in rows]


async def member(tx: Transaction, person_id: UUID, *, lock: bool = False) -> Member | None:
    row = await tx.fetchrow(f"{_MEMBER} WHERE p.id = $1" + (" FOR UPDATE OF p" if lock else ""), person_id)
    return None if row is None else _member(row)


async def set_roles(tx: Transaction, person_id: UUID, roles: Sequence[str], now: datetime) -> None:
    await tx.execute("UPDATE people SET roles = $2, access_changed_at = $3 WHERE id = $1", person_id, list(roles), now)


async def set_active(tx: Transaction, person_id: UUID, active: bool, now: datetime) -> None:
    """Closing takes a practitioner out of the search too; who opens the account again publishes them again."""
    await tx.execute(
        "UPDATE people SET deactivated_at = CASE WHEN $2 THEN NULL ELSE $3::timestamptz END, access_changed_at = $3"
        " WHERE id = $1",
        person_id,
        active,
        now,
    )
    if not active:
        await tx.execute("UPDATE practitioners SET published = false WHERE person_id = $1", person_id)


async def set_licence(
    tx: Transaction, person_id: UUID, *, verified: bool, expires_on: date | None, published: bool, now: datetime
) -> bool:
    """False when there is no such practitioner."""
    done = await tx.execute(
        "UPDATE practitioners SET licence_verified_at = CASE WHEN $2 THEN coalesce(licence_verified_at, $5) END,"
        " licence_expires_on = $3, published = $4 WHERE person_id = $1",
        person_id,
        verified,
        expires_on,
        published,
        now,
    )
    return done == "UPDATE 1"


async def has_addresses_in(tx: Transaction, domain: str) -> bool:
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM people WHERE right(email_key, length($1) + 1) = '@' || $1)", domain
    )
    return found


async def changed_since(tx: Transaction, since: datetime) -> list[tuple[UUID, tuple[str, ...]]]:
    """Whose access was changed lately, with the roles they hold now."""
    rows = await tx.fetch(
        "SELECT id, CASE WHEN deactivated_at IS NULL THEN roles ELSE '{}'::text[] END AS roles FROM people"
        " WHERE access_changed_at >= $1",
        since,
    )
    return [(row["id"], tuple(row["roles"])) for row in rows]
