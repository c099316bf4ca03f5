"""All SQL of authority over other people, and of the invitations to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Row, Transaction
from identity.authority import Authority, End, Kind, Scope
from identity.errors import AlreadyActs
from identity.people import email_key

_COLUMNS = (
    "id, patient_id, proxy_id, kind, scopes, country, since, until, granted_by, granted_as, how, created_at,"
    " verified_by, verified_at, ended_at, ended_by, end_reason, end_note"
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """``person_id`` asks whoever has the address to act for ``patient_id``."""

    id: UUID
    person_id: UUID
    patient_id: UUID
    email: str
    kind: Kind
    scopes: tuple[Scope, ...]
    until: datetime | None
    created_at: datetime
    expires_at: datetime


def _authority(row: Row) -> Authority:
    values = dict(row.items())
    return Authority(**{**values, "scopes": tuple(values["scopes"])})


def _invitation(row: Row) -> Invitation:
    return Invitation(
        row["id"],
        row["person_id"],
        row["patient_id"],
        row["email"],
        row["kind"],
        tuple(row["scopes"]),
        row["until"],
        row["created_at"],
        row["expires_at"],
    )


# -- people without an account


async def insert_dependant(
    tx: Transaction, person_id: UUID, name: str, language: str, time_zone: str, birth_date: bytes, now: datetime
) -> None:
    """A patient whom nobody signs in as: no password fits, and no address is spelled in capitals and a space."""
    await tx.execute(
        "INSERT INTO people (id, email, email_key, name, roles, language, time_zone, birth_date, password_hash,"
        " created_at, account) VALUES ($1, '', $2, $3, ARRAY['patient'], $4, $5, $6, '', $7, false)",
        person_id,
        f"NO ACCOUNT {person_id.hex}",
        name,
        language,
        time_zone,
        birth_date,
        now,
    )


async def lock_person(tx: Transaction, person_id: UUID) -> None:
    """Whoever else wants the same waits for this transaction."""
    await tx.fetchval("SELECT id FROM people WHERE id = $1 FOR UPDATE", person_id)


async def born(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, tuple[bytes | None, str]]:
    """Encrypted birth date and time zone of each."""
    rows = await tx.fetch("SELECT id, birth_date, time_zone FROM people WHERE id = ANY($1)", list(ids))
    return {row["id"]: (row["birth_date"], row["time_zone"]) for row in rows}


# -- authority


async def insert(tx: Transaction, each: Authority, of_age_year: int | None) -> None:
    """Raises AlreadyActs."""
    try:
        await tx.execute(
            "INSERT INTO proxies (id, patient_id, proxy_id, kind, scopes, country, of_age_year, since, until,"
            " granted_by, granted_as, how, created_at, verified_by, verified_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            each.id,
            each.patient_id,
            each.proxy_id,
            each.kind,
            list(each.scopes),
            each.country,
            of_age_year,
            each.since,
            each.until,
            each.granted_by,
            each.granted_as,
            each.how,
            each.created_at,
            each.verified_by,
            each.verified_at,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "proxies_pair":
            raise AlreadyActs() from None
        raise


async def get(tx: Transaction, authority_id: UUID, *, lock: bool = False) -> Authority | None:
    sql = f"SELECT {_COLUMNS} FROM proxies WHERE id = $1"
    row = await tx.fetchrow(sql + " FOR UPDATE" if lock else sql, authority_id)
    return None if row is None else _authority(row)


async def standing(tx: Transaction, proxy_id: UUID, patient_id: UUID) -> Authority | None:
    """The one that was not ended; time may have run out on it."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM proxies WHERE proxy_id = $1 AND patient_id = $2 AND ended_at IS NULL",
        proxy_id,
        patient_id,
    )
    return None if row is None else _authority(row)


async def about(tx: Transaction, person_id: UUID, limit: int) -> list[Authority]:
    """What the person may do for others and others for them, the ended too: newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM proxies WHERE proxy_id = $1 OR patient_id = $1"
        " ORDER BY (ended_at IS NULL) DESC, id DESC LIMIT $2",
        person_id,
        limit,
    )
    return [_authority(row) for row in rows]


async def over_patients(tx: Transaction, patient_ids: Sequence[UUID], *, ended: bool) -> list[Authority]:
    """Over each of the patients, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM proxies WHERE patient_id = ANY($1) AND ($2 OR ended_at IS NULL) ORDER BY id",
        list(patient_ids),
        ended,
    )
    return [_authority(row) for row in rows]


async def end(
    tx: Transaction, authority_id: UUID, by: UUID | None, reason: End, note: bytes | None, now: datetime
) -> Authority | None:
    """None when it is over already."""
    row = await tx.fetchrow(
        "UPDATE proxies SET ended_at = $2, ended_by = $3, end_reason = $4, end_note = $5"
        f" WHERE id = $1 AND ended_at IS NULL RETURNING {_COLUMNS}",
        authority_id,
        now,
        by,
        reason,
        note,
    )
    return None if row is None else _authority(row)


async def verify(tx: Transaction, authority_id: UUID, by: UUID, now: datetime) -> Authority | None:
    """None when it is over already."""
    row = await tx.fetchrow(
        "UPDATE proxies SET verified_by = $2, verified_at = $3 WHERE id = $1 AND ended_at IS NULL"
        f" RETURNING {_COLUMNS}",
        authority_id,
        by,
        now,
    )
    return None if row is None else _authority(row)


async def run_out(tx: Transaction, now: datetime) -> list[Authority]:
    """Not ended, though their date is past."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM proxies WHERE ended_at IS NULL AND until <= $1"
        " ORDER BY until LIMIT 100 FOR UPDATE SKIP LOCKED",
        now,
    )
    return [_authority(row) for row in rows]


async def coming_of_age(tx: Transaction, year: int, after: UUID, limit: int) -> list[Authority]:
    """A parent's over somebody who is of age in this year, or was before."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM proxies WHERE ended_at IS NULL AND of_age_year <= $1 AND id > $2 ORDER BY id LIMIT $3",
        year,
        after,
        limit,
    )
    return [_authority(row) for row in rows]


async def ended_since(tx: Transaction, since: datetime) -> list[tuple[UUID, UUID]]:
    """(proxy, patient) of each that ended since then."""
    rows = await tx.fetch("SELECT proxy_id, patient_id FROM proxies WHERE ended_at > $1", since)
    return [(row["proxy_id"], row["patient_id"]) for row in rows]


async def dependants_of(tx: Transaction, person_id: UUID) -> int:
    """How many people without an account the person added."""
    number: int = await tx.fetchval(
        "SELECT count(*) FROM proxies WHERE granted_by = $1 AND proxy_id = $1 AND how = 'added'", person_id
    )
    return number


# -- invitations


async def put_invitation(tx: Transaction, each: Invitation) -> None:
    """Asking the same address again for the same patient replaces what was asked before."""
    await tx.execute(
        "INSERT INTO proxy_invitations (id, person_id, patient_id, email, email_key, kind, scopes, until, created_at,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (patient_id, email_key) DO UPDATE SET id = excluded.id, person_id = excluded.person_id,"
        " email = excluded.email, kind = excluded.kind, scopes = excluded.scopes, until = excluded.until,"
        " created_at = excluded.created_at, expires_at = excluded.expires_at",
        each.id,
        each.person_id,
        each.patient_id,
        each.email,
        email_key(each.email),
        each.kind,
        list(each.scopes),
        each.until,
        each.created_at,
        each.expires_at,
    )


async def invitation(tx: Transaction, invitation_id: UUID, now: datetime, *, lock: bool = False) -> Invitation | None:
    """One that can still be answered."""
    sql = "SELECT * FROM proxy_invitations WHERE id = $1 AND expires_at > $2"
    row = await tx.fetchrow(sql + " FOR UPDATE" if lock else sql, invitation_id, now)
    return None if row is None else _invitation(row)


async def invitations(tx: Transaction, person_id: UUID, email: str | None, now: datetime) -> list[Invitation]:
    """Those that the person made or that are about them, and those to ``email``."""
    rows = await tx.fetch(
        "SELECT * FROM proxy_invitations WHERE expires_at > $3"
        " AND (person_id = $1 OR patient_id = $1 OR email_key = $2) ORDER BY id DESC LIMIT 100",
        person_id,
        None if email is None else email_key(email),
        now,
    )
    return [_invitation(row) for row in rows]


async def forget_invitation(tx: Transaction, invitation_id: UUID) -> None:
    await tx.execute("DELETE FROM proxy_invitations WHERE id = $1", invitation_id)


async def forget_invitations(tx: Transaction, now: datetime) -> None:
    """Those that nobody answered in time."""
    await tx.execute("DELETE FROM proxy_invitations WHERE expires_at <= $1", now)
