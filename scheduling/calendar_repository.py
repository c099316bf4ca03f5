"""All SQL of calendar feeds and outside calendars. Each method runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Row, Transaction
from core.ids import uuid7
from scheduling.availability import Interval


@dataclass(frozen=True, slots=True)
class Feed:
    person_id: UUID
    language: str
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class FeedVisit:
    """What a feed tells of an appointment."""

    id: UUID
    start: datetime
    end: datetime
    version: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class OutsideCalendar:
    """``address`` is encrypted."""

    id: UUID
    practitioner_id: UUID
    name: str
    address: bytes
    created_at: datetime
    read_at: datetime | None
    unfolded_at: datetime | None
    etag: str | None
    modified: str | None
    problem: str | None
    failures: int


class CalendarRepository:
    # Feeds

    async def save_feed(self, tx: Transaction, feed: Feed, token_hash: bytes) -> None:
        """The person's feed; an older one ends."""
        await tx.execute(
            "INSERT INTO calendar_feeds (person_id, token_hash, language, created_at) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (person_id) DO UPDATE SET token_hash = $2, language = $3, created_at = $4, read_at = NULL",
            feed.person_id,
            token_hash,
            feed.language,
            feed.created_at,
        )

    async def feed(self, tx: Transaction, person_id: UUID) -> Feed | None:
        row = await tx.fetchrow(
            "SELECT person_id, language, created_at, read_at FROM calendar_feeds WHERE person_id = $1", person_id
        )
        return None if row is None else Feed(**row)

    async def remove_feed(self, tx: Transaction, person_id: UUID) -> bool:
        """False when there is none."""
        return await tx.execute("DELETE FROM calendar_feeds WHERE person_id = $1", person_id) == "DELETE 1"

    async def feed_of_token(self, tx: Transaction, token_hash: bytes) -> Feed | None:
        row = await tx.fetchrow(
            "SELECT person_id, language, created_at, read_at FROM calendar_feeds WHERE token_hash = $1", token_hash
        )
        return None if row is None else Feed(**row)

    async def feed_was_read(self, tx: Transaction, person_id: UUID, now: datetime) -> None:
        await tx.execute("UPDATE calendar_feeds SET read_at = $2 WHERE person_id = $1", person_id, now)

    async def feed_visits(self, tx: Transaction, person_id: UUID, since: datetime, limit: int) -> list[FeedVisit]:
        """Appointments that stand or took place, on either side, from ``since`` on."""
        rows = await tx.fetch(
            "SELECT id, starts_at AS start, ends_at AS end, version, updated_at AS changed_at FROM appointments "
            "WHERE (patient_id = $1 OR practitioner_id = $1) AND starts_at >= $2 "
            "AND status IN ('booked', 'arrived', 'checked-in', 'fulfilled') ORDER BY starts_at, id LIMIT $3",
            person_id,
            since,
            limit,
        )
        return [FeedVisit(**row) for row in rows]

    # Outside calendars

    async def add(self, tx: Transaction, each: OutsideCalendar, most: int) -> bool:
        """False when the practitioner has ``most`` already."""
        await tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", f"calendars of {each.practitioner_id}"
        )
        done = await tx.execute(
            "INSERT INTO outside_calendars (id, practitioner_id, name, address, created_at, next_read_at) "
            "SELECT $1, $2, $3, $4, $5, $5 "
            "WHERE (SELECT count(*) FROM outside_calendars WHERE practitioner_id = $2) < $6",
            each.id,
            each.practitioner_id,
            each.name,
            each.address,
            each.created_at,
            most,
        )
        return done == "INSERT 0 1"

    async def of_practitioner(self, tx: Transaction, practitioner_id: UUID) -> list[OutsideCalendar]:
        rows = await tx.fetch(
            "SELECT * FROM outside_calendars WHERE practitioner_id = $1 ORDER BY created_at, id", practitioner_id
        )
        return [_calendar(row) for row in rows]

    async def remove(self, tx: Transaction, practitioner_id: UUID, calendar_id: UUID) -> bool:
        """With its busy times. False when the practitioner has no such calendar."""
        done = await tx.execute(
            "DELETE FROM outside_calendars WHERE id = $2 AND practitioner_id = $1", practitioner_id, calendar_id
        )
        return done == "DELETE 1"

    async def read_soon(self, tx: Transaction, practitioner_id: UUID, calendar_id: UUID, now: datetime) -> bool:
        done = await tx.execute(
            "UPDATE outside_calendars SET next_read_at = least(next_read_at, $3), unfolded_at = NULL "
            "WHERE id = $2 AND practitioner_id = $1",
            practitioner_id,
            calendar_id,
            now,
        )
        return done == "UPDATE 1"

    async def take_due(self, tx: Transaction, now: datetime, later: datetime, limit: int) -> list[OutsideCalendar]:
        """Those to read now, for this caller alone until ``later``."""
        rows = await tx.fetch(
            "UPDATE outside_calendars SET next_read_at = $2 WHERE id IN (SELECT id FROM outside_calendars "
            "WHERE next_read_at <= $1 ORDER BY next_read_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING *",
            now,
            later,
            limit,
        )
        return [_calendar(row) for row in rows]

    async def replace_busy(self, tx: Transaction, each: OutsideCalendar, busy: Sequence[Interval]) -> bool:
        """False when the calendar is gone meanwhile."""
        if not await tx.fetchval("SELECT true FROM outside_calendars WHERE id = $1 FOR UPDATE", each.id):
            return False
        await tx.execute("DELETE FROM occupied WHERE calendar_id = $1", each.id)
        await tx.execute(
            "INSERT INTO occupied (id, practitioner_id, starts_at, ends_at, kind, exclusive, calendar_id) "
            "SELECT id, $2, starts_at, ends_at, 'outside', false, $1 "
            "FROM unnest($3::uuid[], $4::timestamptz[], $5::timestamptz[]) AS busy (id, starts_at, ends_at)",
            each.id,
            each.practitioner_id,
            [uuid7() for _ in busy],
            [interval.start for interval in busy],
            [interval.end for interval in busy],
        )
        return True

    async def was_read(
        self,
        tx: Transaction,
        calendar_id: UUID,
        now: datetime,
        next_read_at: datetime,
        *,
        unfolded: bool,
        etag: str | None,
        modified: str | None,
    ) -> None:
        await tx.execute(
            "UPDATE outside_calendars SET read_at = $2, next_read_at = $3, problem = NULL, failures = 0, "
            "unfolded_at = CASE WHEN $4 THEN $2 ELSE unfolded_at END, etag = $5, modified = $6 WHERE id = $1",
            calendar_id,
            now,
            next_read_at,
            unfolded,
            etag,
            modified,
        )

    async def was_not_read(self, tx: Transaction, calendar_id: UUID, next_read_at: datetime, problem: str) -> None:
        await tx.execute(
            "UPDATE outside_calendars SET next_read_at = $2, problem = $3, failures = failures + 1 WHERE id = $1",
            calendar_id,
            next_read_at,
            problem,
        )


def _calendar(row: Row) -> OutsideCalendar:
    return OutsideCalendar(
        id=row["id"],
        practitioner_id=row["practitioner_id"],
        name=row["name"],
        address=row["address"],
        created_at=row["created_at"],
        read_at=row["read_at"],
        unfolded_at=row["unfolded_at"],
        etag=row["etag"],
        modified=row["modified"],
        problem=row["problem"],
        failures=row["failures"],
    )
