"""All SQL of passwords' resets, second factors and outside identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Transaction


@dataclass(frozen=True, slots=True)
class Reset:
    id: UUID
    person_id: UUID | None
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Totp:
    """``secret`` is encrypted; codes of ``last_step`` and before are used up."""

    secret: bytes
    last_step: int
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Passkey:
    id: UUID
    person_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    synced: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which second factors a person has. Recovery codes count only beside another."""

    totp: bool
    passkeys: int
    recovery_codes: int  # unused

    @property
    def any(self) -> bool:
        return self.totp or self.passkeys > 0


# -- passwords


async def insert_reset(tx: Transaction, reset_id: UUID, email_key: str, expires_at: datetime) -> UUID | None:
    """The person whose address it is, if anybody's; a row is written either way."""
    person_id: UUID | None = await tx.fetchval(
        "INSERT INTO password_resets (id, person_id, expires_at)"
        " VALUES ($1, (SELECT id FROM people WHERE email_key = $2 AND deactivated_at IS NULL), $3) RETURNING person_id",
        reset_id,
        email_key,
        expires_at,
    )
    return person_id


async def reset(tx: Transaction, reset_id: UUID) -> Reset | None:
    row = await tx.fetchrow("SELECT id, person_id, expires_at, used_at FROM password_resets WHERE id = $1", reset_id)
    return None if row is None else Reset(*row.values())


async def use_resets(tx: Transaction, reset_id: UUID, now: datetime) -> bool:
    """Mark it used, and every other one of its person with it; False when it is used or over."""
    person_id = await tx.fetchval(
        "UPDATE password_resets SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2"
        " RETURNING person_id",
        reset_id,
        now,
    )
    if person_id is None:
        return False
    await end_resets(tx, person_id, now)
    return True


async def end_resets(tx: Transaction, person_id: UUID, now: datetime) -> None:
    await tx.execute("UPDATE password_resets SET used_at = $2 WHERE person_id = $1 AND used_at IS NULL", person_id, now)


async def forget_resets(tx: Transaction, before: datetime) -> None:
    await tx.execute("DELETE FROM password_resets WHERE expires_at < $1", before)


async def mark_verified(tx: Transaction, person_id: UUID, now: datetime) -> None:
    await tx.execute("UPDATE people SET verified_at = coalesce(verified_at, $2) WHERE id = $1", person_id, now)


# -- codes


async def kinds(tx: Transaction, person_id: UUID) -> Kinds:
    row = await tx.fetchrow(
        "SELECT EXISTS (SELECT FROM totp_factors WHERE person_id = $1 AND confirmed_at IS NOT NULL) AS totp,"
        " (SELECT count(*) FROM passkeys WHERE person_id = $1) AS passkeys,"
        " (SELECT count(*) FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL) AS recovery_codes",
        person_id,
    )
    assert row is not None, "a row of counts"
    return Kinds(row["totp"], row["passkeys"], row["recovery_codes"])


async def totp(tx: Transaction, person_id: UUID, *, lock: bool = False) -> Totp | None:
    sql = "SELECT secret, last_step, confirmed_at FROM totp_factors WHERE person_id = $1"
    row = await tx.fetchrow(sql + (" FOR UPDATE" if lock else ""), person_id)
    return None if row is None else Totp(*row.values())


async def offer_totp(tx: Transaction, person_id: UUID, secret: bytes, now: datetime) -> bool:
    """Keep a secret to be proved; False where a proved one stands."""
    return bool(
        await tx.fetchval(
            "INSERT INTO totp_factors (person_id, secret, created_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (person_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at"
            " WHERE totp_factors.confirmed_at IS NULL RETURNING true",
            person_id,
            secret,
            now,
        )
    )


async def confirm_totp(tx: Transaction, person_id: UUID, now: datetime) -> None:
    await tx.execute("UPDATE totp_factors SET confirmed_at = $2 WHERE person_id = $1", person_id, now)


async def use_step(tx: Transaction, person_id: UUID, step: int) -> bool:
    """True once for each step, and never for an earlier one."""
    return bool(
        await tx.fetchval(
            "UPDATE totp_factors SET last_step = $2 WHERE person_id = $1 AND last_step < $2 RETURNING true",
            person_id,
            step,
        )
    )


async def remove_totp(tx: Transaction, person_id: UUID) -> bool:
    return bool(await tx.fetchval("DELETE FROM totp_factors WHERE person_id = $1 RETURNING true", person_id))


async def put_recovery_codes(tx: Transaction, person_id: UUID, digests: Sequence[bytes]) -> None:
    """In place of all earlier ones."""
    await tx.execute("DELETE FROM recovery_codes WHERE person_id = $1", person_id)
    await tx.execute(
        "INSERT INTO recovery_codes (person_id, digest) SELECT $1, unnest($2::bytea[])", person_id, list(digests)
    )


async def use_recovery_code(tx: Transaction, person_id: UUID, digest: bytes, now: datetime) -> bool:
    return bool(
        await tx.fetchval(
            "UPDATE recovery_codes SET used_at = $3 WHERE person_id = $1 AND digest = $2 AND used_at IS NULL"
            " RETURNING true",
            person_id,
            digest,
            now,
        )
    )


# -- passkeys


async def insert_passkey(tx: Transaction, passkey: Passkey) -> bool:
    """False for a credential that is known already."""
    return bool(
        await tx.fetchval(
            "INSERT INTO passkeys (id, person_id, credential_id, public_key, sign_count, name, synced, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (credential_id) DO NOTHING RETURNING true",
            passkey.id,
            passkey.person_id,
            passkey.credential_id,
            passkey.public_key,
            passkey.sign_count,
            passkey.name,
            passkey.synced,
            passkey.created_at,
        )
    )


_PASSKEY = (
    "SELECT id, person_id, credential_id, public_key, sign_count, name, synced, created_at, last_used_at FROM passkeys"
)


async def passkeys(tx: Transaction, person_id: UUID) -> list[Passkey]:
    rows = await tx.fetch(f"{_PASSKEY} WHERE person_id = $1 ORDER BY id", person_id)
    return [Passkey(*row.values()) for row in rows]


async def passkey_by_credential(tx: Transaction, credential_id: bytes) -> Passkey | None:
    row = await tx.fetchrow(f"{_PASSKEY} WHERE credential_id = $1 FOR UPDATE", credential_id)
    return None if row is None else Passkey(*row.values())


async def passkey_used(tx: Transaction, passkey_id: UUID, sign_count: int, synced: bool, now: datetime) -> None:
    await tx.execute(
        "UPDATE passkeys SET sign_count = $2, synced = $3, last_used_at = $4 WHERE id = $1",
        passkey_id,
        sign_count,
        synced,
        now,
    )


async def rename_passkey(tx: Transaction, person_id: UUID, passkey_id: UUID, name: str) -> bool:
    sql = "UPDATE passkeys SET name = $3 WHERE id = $1 AND person_id = $2 RETURNING true"
    return bool(await tx.fetchval(sql, passkey_id, person_id, name))


async def remove_passkey(tx: Transaction, person_id: UUID, passkey_id: UUID) -> bool:
    sql = "DELETE FROM passkeys WHERE id = $1 AND person_id = $2 RETURNING true"
    return bool(await tx.fetchval(sql, passkey_id, person_id))


# -- outside identities


async def outside_person(tx: Transaction, issuer: str, subject: str) -> UUID | None:
    sql = "SELECT person_id FROM outside_identities WHERE issuer = $1 AND subject = $2"
    found: UUID | None = await tx.fetchval(sql, issuer, subject)
    return found


async def outside_identities(tx: Transaction, person_id: UUID) -> list[tuple[str, datetime]]:
    """Issuers and since when."""
    sql = "SELECT issuer, linked_at FROM outside_identities WHERE person_id = $1 ORDER BY linked_at"
    return [(row["issuer"], row["linked_at"]) for row in await tx.fetch(sql, person_id)]


async def link(tx: Transaction, person_id: UUID, issuer: str, subject: str, now: datetime) -> bool:
    """False when it is another person's."""
    owner = await tx.fetchval(
        "INSERT INTO outside_identities (issuer, subject, person_id, linked_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (issuer, subject) DO UPDATE SET issuer = excluded.issuer RETURNING person_id",
        issuer,
        subject,
        person_id,
        now,
    )
    return bool(owner == person_id)


async def unlink(tx: Transaction, person_id: UUID, issuer: str) -> bool:
    sql = "DELETE FROM outside_identities WHERE person_id = $1 AND issuer = $2 RETURNING true"
    return bool(await tx.fetchval(sql, person_id, issuer))
