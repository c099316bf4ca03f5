"""All SQL of identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from core.database import Row, Transaction
from identity.errors import EmailTaken
from identity.people import Person, Practitioner, PractitionerProfile, email_key
from identity.search import Place, Search, statement


@dataclass(frozen=True, slots=True)
class Account:
    person: Person
    password_hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    id: UUID
    person_id: UUID
    expires_at: datetime
    used_at: datetime | None


def _person(row: Row) -> Person:
    return Person(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        roles=tuple(row["roles"]),
        language=row["language"],
        time_zone=row["time_zone"],
        email_verified=row["verified_at"] is not None,
        created_at=row["created_at"],
        has_account=row.get("account", True),  # the view of practitioners has none: they all sign in
    )


def _practitioner(row: Row) -> Practitioner:
    profile = PractitionerProfile(
        title=row["title"],
        specialties=tuple(row["specialties"]),
        languages=tuple(row["languages"]),
        licence_number=row["licence_number"],
        licence_expires_on=row["licence_expires_on"],
        licence_verified=row["licence_verified_at"] is not None,
        fee_minor=row["fee_minor"],
        currency=row["currency"],
        location=row["location"],
        about=row["about"],
        published=row["published"],
        place=None if row["lat"] is None else (row["lat"], row["lon"]),
        insurers=tuple(row["insurers"]),
    )
    distance = row.get("distance")
    return Practitioner(_person(row), profile, None if distance is None else round(distance))


# -- people


async def insert_person(tx: Transaction, person: Person, password_hash: str, verified_at: datetime | None) -> None:
    """Raises EmailTaken."""
    try:
        await tx.execute(
            "INSERT INTO people (id, email, email_key, name, roles, language, time_zone, password_hash, verified_at,"
            " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            person.id,
            person.email,
            email_key(person.email),
            person.name,
            list(person.roles),
            person.language,
            person.time_zone,
            password_hash,
            verified_at,
            person.created_at,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "people_email_key_key":
            raise EmailTaken() from None
        raise


async def account_by_email(tx: Transaction, email: str) -> Account | None:
    row = await tx.fetchrow("SELECT * FROM people WHERE email_key = $1 AND deactivated_at IS NULL", email_key(email))
    return None if row is None else Account(_person(row), row["password_hash"])


async def person(tx: Transaction, person_id: UUID) -> Person | None:
    row = await tx.fetchrow("SELECT * FROM profiles WHERE id = $1", person_id)
    return None if row is None else _person(row)


async def people(tx: Transaction, ids: Sequence[UUID]) -> list[Person]:
    rows = await tx.fetch("SELECT * FROM profiles WHERE id = ANY($1)", list(ids))
    return [_person(row) for row in rows]


async def contact(tx: Transaction, person_id: UUID) -> tuple[bytes | None, bytes | None]:
    """Encrypted phone and birth date."""
    row = await tx.fetchrow("SELECT phone, birth_date FROM people WHERE id = $1", person_id)
    return (None, None) if row is None else (row["phone"], row["birth_date"])


async def update_person(tx: Transaction, person_id: UUID, changes: dict[str, str | bytes | None]) -> None:
    """Set the named ones of name, language, time_zone, phone and birth_date; the others stay."""
    await tx.execute(
        "UPDATE people SET name = CASE WHEN 'name' = ANY($2::text[]) THEN $3 ELSE name END,"
        " language = CASE WHEN 'language' = ANY($2) THEN $4 ELSE language END,"
        " time_zone = CASE WHEN 'time_zone' = ANY($2) THEN $5 ELSE time_zone END,"
        " phone = CASE WHEN 'phone' = ANY($2) THEN $6 ELSE phone END,"
        " birth_date = CASE WHEN 'birth_date' = ANY($2) THEN $7 ELSE birth_date END WHERE id = $1",
        person_id,
        list(changes),
        *(changes.get(column) for column in ("name", "language", "time_zone", "phone", "birth_date")),
    )


async def set_password_hash(tx: Transaction, person_id: UUID, password_hash: str) -> None:
    await tx.execute("UPDATE people SET password_hash = $2 WHERE id = $1", person_id, password_hash)


# -- verification of addresses


async def insert_verification(tx: Transaction, verification: Verification) -> None:
    await tx.execute(
        "INSERT INTO email_verifications (id, person_id, expires_at) VALUES ($1, $2, $3)",
        verification.id,
        verification.person_id,
        verification.expires_at,
    )


async def verification(tx: Transaction, verification_id: UUID) -> Verification | None:
    row = await tx.fetchrow(
        "SELECT id, person_id, expires_at, used_at FROM email_verifications WHERE id = $1", verification_id
    )
    return None if row is None else Verification(*row.values())


async def use_verification(tx: Transaction, verification_id: UUID, now: datetime) -> UUID | None:
    """Mark it used and the address verified; the person's id, or None when it is used or over."""
    person_id: UUID | None = await tx.fetchval(
        "UPDATE email_verifications SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2"
        " RETURNING person_id",
        verification_id,
        now,
    )
    if person_id is not None:
        await tx.execute("UPDATE people SET verified_at = coalesce(verified_at, $2) WHERE id = $1", person_id, now)
    return person_id


# -- practitioners


async def put_practitioner(tx: Transaction, person_id: UUID, profile: PractitionerProfile, now: datetime) -> None:
    await tx.execute(
        "INSERT INTO practitioners (person_id, title, specialties, languages, licence_number, licence_expires_on,"
        " licence_verified_at, fee_minor, currency, location, about, published, lat, lon, insurers)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        " ON CONFLICT (person_id) DO UPDATE SET title = excluded.title, specialties = excluded.specialties,"
        " languages = excluded.languages, licence_number = excluded.licence_number,"
        " licence_expires_on = excluded.licence_expires_on, licence_verified_at = excluded.licence_verified_at,"
        " fee_minor = excluded.fee_minor, currency = excluded.currency, location = excluded.location,"
        " about = excluded.about, published = excluded.published, lat = excluded.lat, lon = excluded.lon,"
        " insurers = excluded.insurers",
        person_id,
        profile.title,
        list(profile.specialties),
        list(profile.languages),
        profile.licence_number,
        profile.licence_expires_on,
        now if profile.licence_verified else None,
        profile.fee_minor,
        profile.currency,
        profile.location,
        profile.about,
        profile.published,
        *(profile.place or (None, None)),
        list(profile.insurers),
    )


async def practitioners(tx: Transaction, ids: Sequence[UUID]) -> list[Practitioner]:
    rows = await tx.fetch(
        "SELECT * FROM practitioner_profiles WHERE id = ANY($1)",
        list(ids),
    )
    return [_practitioner(row) for row in rows]


async def search_practitioners(
    tx: Transaction, search: Search, after: Place | None, limit: int
) -> list[tuple[Practitioner, float | None]]:
    """Published ones by name, or nearest first with their distance in metres."""
    sql, values = statement(search, after, limit)
    return [(_practitioner(row), row["distance"]) for row in await tx.fetch(sql, *values)]


async def licences_until(tx: Transaction, last: date) -> list[Practitioner]:
    rows = await tx.fetch(
        "SELECT * FROM practitioner_profiles WHERE published AND licence_expires_on <= $1 ORDER BY id", last
    )
    return [_practitioner(row) for row in rows]


async def specialty_counts(tx: Transaction) -> list[tuple[str, int]]:
    rows = await tx.fetch(
        "SELECT code, count(*) AS providers FROM practitioners, unnest(specialties) AS code WHERE published"
        " GROUP BY code ORDER BY code"
    )
    return [(row["code"], row["providers"]) for row in rows]


async def search_choices(tx: Transaction) -> tuple[list[str], list[str]]:
    """The insurers and currencies of published practitioners, each in order."""
    row = await tx.fetchrow(
        "SELECT ARRAY(SELECT DISTINCT unnest(insurers) AS one FROM practitioners WHERE published ORDER BY one)"
        " AS insurers,"
        " ARRAY(SELECT DISTINCT currency FROM practitioners WHERE published ORDER BY currency) AS currencies"
    )
    assert row is not None
    return row["insurers"], row["currencies"]


# -- care


async def add_care(tx: Transaction, relations: Sequence[tuple[UUID, UUID, UUID, datetime]]) -> None:
    """Each is (appointment, practitioner, patient, since)."""
    await tx.execute(
        "INSERT INTO care_relations (appointment_id, practitioner_id, patient_id, since)"
        " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])"
        " ON CONFLICT (appointment_id) DO NOTHING",
        *(list(column) for column in zip(*relations, strict=True)),
    )


async def move_care(tx: Transaction, appointment_id: UUID, practitioner_id: UUID) -> None:
    sql = "UPDATE care_relations SET practitioner_id = $2 WHERE appointment_id = $1"
    await tx.execute(sql, appointment_id, practitioner_id)


async def end_care(tx: Transaction, appointment_id: UUID) -> None:
    await tx.execute("DELETE FROM care_relations WHERE appointment_id = $1", appointment_id)


async def cares(tx: Transaction, practitioner_id: UUID, patient_id: UUID) -> bool:
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM care_relations WHERE practitioner_id = $1 AND patient_id = $2)",
        practitioner_id,
        patient_id,
    )
    return found
