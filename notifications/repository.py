"""All SQL of notifications."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Row, Transaction
from core.ids import uuid7
from notifications.reminders import Reminder


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """``sealed`` is the encrypted JSON of title and body."""

    id: UUID
    person_id: UUID
    kind: str
    sealed: bytes
    link: str | None
    appointment_id: UUID | None
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Either a notice's or, with ``verification_id``, the letter that verifies an address."""

    id: UUID
    notice_id: UUID | None
    verification_id: UUID | None
    person_id: UUID
    channel: str
    kind: str
    status: str
    attempts: int
    created_at: datetime
    last_error: str | None


NOTICE = "id, person_id, kind, sealed, link, appointment_id, created_at, read_at"
DELIVERY = "id, notice_id, verification_id, person_id, channel, kind, status, attempts, created_at, last_error"


class Repository:
    async def add_notices(self, tx: Transaction, notices: Sequence[tuple[StoredNotice, Sequence[str]]]) -> None:
        """Write each, with a delivery for each of its channels, all in one round trip."""
        told = [notice for notice, _ in notices]
        ways = [(uuid7(), notice, channel) for notice, channels in notices for channel in channels]
        await tx.execute(
            "WITH told AS (INSERT INTO notices (id, person_id, kind, sealed, link, appointment_id, created_at) "
            "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::uuid[], "
            "$7::timestamptz[])) "
            "INSERT INTO deliveries (id, notice_id, person_id, channel, kind, next_attempt_at, created_at) "
            "SELECT id, notice_id, person_id, channel, kind, at, at FROM unnest($8::uuid[], $9::uuid[], $10::uuid[], "
            "$11::text[], $12::text[], $13::timestamptz[]) AS way(id, notice_id, person_id, channel, kind, at)",
            [each.id for each in told],
            [each.person_id for each in told],
            [each.kind for each in told],
            [each.sealed for each in told],
            [each.link for each in told],
            [each.appointment_id for each in told],
            [each.created_at for each in told],
            [way for way, _, _ in ways],
            [notice.id for _, notice, _ in ways],
            [notice.person_id for _, notice, _ in ways],
            [channel for _, _, channel in ways],
            [notice.kind for _, notice, _ in ways],
            [notice.created_at for _, notice, _ in ways],
        )

    async def notices_of(self, tx: Transaction, person_id: UUID, before: UUID | None, limit: int) -> list[StoredNotice]:
        """Newest first."""
        rows = await tx.fetch(
            f"SELECT {NOTICE} FROM notices WHERE person_id = $1 AND ($2::uuid IS NULL OR id < $2) "
            "ORDER BY id DESC LIMIT $3",
            person_id,
            before,
            limit,
        )
        return [StoredNotice(**row) for row in rows]

    async def notice(self, tx: Transaction, notice_id: UUID) -> StoredNotice | None:
        row = await tx.fetchrow(f"SELECT {NOTICE} FROM notices WHERE id = $1", notice_id)
        return None if row is None else StoredNotice(**row)

    async def mark_read(self, tx: Transaction, person_id: UUID, notice_id: UUID, now: datetime) -> bool:
        """False when the person has no such notice."""
        done = await tx.execute(
            "UPDATE notices SET read_at = coalesce(read_at, $3) WHERE id = $2 AND person_id = $1",
            person_id,
            notice_id,
            now,
        )
        return done == "UPDATE 1"

    async def add_letter(
        self, tx: Transaction, delivery_id: UUID, person_id: UUID, verification_id: UUID, kind: str, now: datetime
    ) -> None:
        await tx.execute(
            "INSERT INTO deliveries (id, verification_id, person_id, channel, kind, next_attempt_at, created_at) "
            "VALUES ($1, $2, $3, 'email', $4, $5, $5) ON CONFLICT (verification_id, channel) DO NOTHING",
            delivery_id,
            verification_id,
            person_id,
            kind,
            now,
        )

    async def take_due(self, tx: Transaction, now: datetime, stale: datetime, limit: int) -> list[Delivery]:
        """Mark as being sent, for this caller alone; ``stale`` frees those whose sender died before then."""
        rows = await tx.fetch(
            "UPDATE deliveries SET status = 'sending', attempts = attempts + 1, next_attempt_at = $1 WHERE id IN ("
            "SELECT id FROM deliveries WHERE (status = 'waiting' AND next_attempt_at <= $1) "
            "OR (status = 'sending' AND next_attempt_at <= $2) ORDER BY next_attempt_at LIMIT $3 "
            "FOR UPDATE SKIP LOCKED) "
            f"RETURNING {DELIVERY}",
            now,
            stale,
            limit,
        )
        return [_delivery(row) for row in rows]

    async def sent(self, tx: Transaction, delivery_id: UUID, now: datetime) -> None:
        await tx.execute(
            "UPDATE deliveries SET status = 'sent', sent_at = $2, last_error = NULL WHERE id = $1", delivery_id, now
        )

    async def not_sent(
        self, tx: Transaction, delivery_id: UUID, status: str, error: str, next_attempt_at: datetime
    ) -> None:
        await tx.execute(
            "UPDATE deliveries SET status = $2, last_error = $3, next_attempt_at = $4 WHERE id = $1",
            delivery_id,
            status,
            error,
            next_attempt_at,
        )

    async def put_back(self, tx: Transaction, ids: list[UUID], error: str, next_attempt_at: datetime) -> None:
        """Undo ``take_due`` for those that were not tried: the mail server was away."""
        await tx.execute(
            "UPDATE deliveries SET status = 'waiting', attempts = attempts - 1, last_error = $2, "
            "next_attempt_at = $3 WHERE id = ANY($1::uuid[])",
            ids,
            error,
            next_attempt_at,
        )

    async def deliveries(self, tx: Transaction, before: UUID | None, limit: int) -> list[Delivery]:
        """Newest first."""
        rows = await tx.fetch(
            f"SELECT {DELIVERY} FROM deliveries WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
            before,
            limit,
        )
        return [_delivery(row) for row in rows]

    async def plan_reminders(self, tx: Transaction, reminders: Iterable[Reminder]) -> None:
        """One that was sent stays sent; one that was void (moved away and back) is planned again."""
        planned = list(reminders)
        await tx.execute(
            "INSERT INTO reminders (appointment_id, person_id, minutes_before, start, due_at) "
            "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::timestamptz[]) "
            "ON CONFLICT (appointment_id, person_id, minutes_before, start) "
            "DO UPDATE SET state = 'planned' WHERE reminders.state = 'void'",
            [each.appointment_id for each in planned],
            [each.person_id for each in planned],
            [each.minutes_before for each in planned],
            [each.start for each in planned],
            [each.due_at for each in planned],
        )

    async def void_reminders(self, tx: Transaction, appointment_id: UUID) -> None:
        await tx.execute(
            "UPDATE reminders SET state = 'void' WHERE appointment_id = $1 AND state = 'planned'", appointment_id
        )

    async def due_reminders(self, tx: Transaction, now: datetime, limit: int) -> list[Reminder]:
        """Locked for this transaction; another worker skips them."""
        rows = await tx.fetch(
            "SELECT appointment_id, person_id, minutes_before, start FROM reminders "
            "WHERE state = 'planned' AND due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            now,
            limit,
        )
        return [Reminder(**row) for row in rows]

    async def settle_reminder(self, tx: Transaction, reminder: Reminder, state: str) -> None:
        await tx.execute(
            "UPDATE reminders SET state = $5 WHERE appointment_id = $1 AND person_id = $2 AND minutes_before = $3 "
            "AND start = $4",
            reminder.appointment_id,
            reminder.person_id,
            reminder.minutes_before,
            reminder.start,
            state,
        )


def _delivery(row: Row) -> Delivery:
    return Delivery(**row)
