"""Facts that a group's handler failed on: parked with their successors, replayed in order, at last kept as dead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from core.database import Database, Row, Transaction
from core.events import Envelope
from core.outbox import envelope_of

MAX_ATTEMPTS = 25  # about three hours
_LONGEST_DELAY_S = 600


@dataclass(frozen=True, slots=True)
class TroubledFact:
    """A parked or dead fact, for the operator. ``last_error`` is a type and a place in the code, never a message."""

    group: str
    fact_id: UUID
    name: str
    order_key: UUID
    occurred_at: datetime
    since: datetime
    attempts: int
    last_error: str | None


def delay_before(attempt: int) -> timedelta:
    """How long to wait before the given attempt (1 is the first replay): 1 s, doubling, to ten minutes."""
    return timedelta(seconds=min(2 ** min(attempt - 1, 20), _LONGEST_DELAY_S))


class Parking:
    """The core tables ``parked_facts`` and ``dead_facts``."""

    def __init__(self, core: Database) -> None:
        self._core = core

    async def add_if_blocked(self, group: str, envelope: Envelope) -> bool:
        """Park the fact if an earlier one of its key is parked; True if so, or if it was given up before."""
        async with self._core.reading() as tx:
            found = await tx.fetchval(
                "SELECT CASE WHEN EXISTS (SELECT 1 FROM core.dead_facts WHERE group_name = $1 AND fact_id = $2) "
                "THEN 'dead' WHEN EXISTS (SELECT 1 FROM core.parked_facts WHERE group_name = $1 AND order_key = $3) "
                "THEN 'blocked' END",
                group,
                envelope.fact_id,
                envelope.order_key,
            )
            if found == "blocked":
                await _insert(tx, group, envelope, None)
        return found is not None

    async def concerns(self, group: str, envelopes: Sequence[Envelope]) -> bool:
        """Whether any of these is parked behind an earlier fact, or was given up: then each is looked at singly."""
        async with self._core.reading() as tx:
            found = await tx.fetchval(
                "SELECT EXISTS (SELECT 1 FROM core.dead_facts WHERE group_name = $1 AND fact_id = ANY($2::uuid[])) "
                "OR EXISTS (SELECT 1 FROM core.parked_facts WHERE group_name = $1 AND order_key = ANY($3::uuid[]))",
                group,
                [each.fact_id for each in envelopes],
                [each.order_key for each in envelopes],
            )
        return bool(found)

    async def add(self, group: str, envelope: Envelope, error: str) -> None:
        """Park the fact, which becomes the first of its key."""
        async with self._core.transaction() as tx:
            await _insert(tx, group, envelope, error)

    async def replay_one(self, groups: list[str], handle: Callable[[str, Envelope], Awaitable[str | None]]) -> bool:
        """Take the oldest due first-of-its-key and ``await handle(group, envelope)``, which returns None or an error.

        The row is locked meanwhile; another process takes another key. False when nothing is due.
        """
        async with self._core.transaction() as tx:
            row = await tx.fetchrow(
                "SELECT * FROM core.parked_facts p WHERE group_name = ANY($1::text[]) AND next_attempt_at <= now() "
                "AND NOT EXISTS (SELECT 1 FROM core.parked_facts q WHERE q.group_name = p.group_name "
                "AND q.order_key = p.order_key AND q.position < p.position) "
                "ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED",
                groups,
            )
            if row is None:
                return False
            error = await handle(row["group_name"], envelope_of(row))
            if error is not None and row["attempts"] + 1 < MAX_ATTEMPTS:
                await tx.execute(
                    "UPDATE core.parked_facts SET attempts = attempts + 1, last_error = $3, "
                    "next_attempt_at = now() + $4 WHERE group_name = $1 AND fact_id = $2",
                    row["group_name"],
                    row["fact_id"],
                    error,
                    delay_before(row["attempts"] + 2),
                )
                return True
            if error is not None:
                await tx.execute(
                    "INSERT INTO core.dead_facts (group_name, fact_id, name, order_key, payload, occurred_at, "
                    "attempts, last_error) "
                    "SELECT group_name, fact_id, name, order_key, payload, occurred_at, attempts + 1, $3 "
                    "FROM core.parked_facts WHERE group_name = $1 AND fact_id = $2 ON CONFLICT DO NOTHING",
                    row["group_name"],
                    row["fact_id"],
                    error,
                )
            await tx.execute(
                "DELETE FROM core.parked_facts WHERE group_name = $1 AND fact_id = $2",
                row["group_name"],
                row["fact_id"],
            )
            return True

    async def parked(self) -> list[TroubledFact]:
        async with self._core.reading() as tx:
            rows = await tx.fetch("SELECT *, parked_at AS since FROM core.parked_facts ORDER BY position")
        return [_troubled(row) for row in rows]

    async def dead(self) -> list[TroubledFact]:
        async with self._core.reading() as tx:
            rows = await tx.fetch("SELECT *, died_at AS since FROM core.dead_facts ORDER BY died_at, fact_id")
        return [_troubled(row) for row in rows]

    async def counts(self) -> tuple[int, int]:
        """How many wait to be tried again, and how many were given up."""
        async with self._core.reading() as tx:
            row = await tx.fetchrow(
                "SELECT (SELECT count(*) FROM core.parked_facts) AS parked, "
                "(SELECT count(*) FROM core.dead_facts) AS dead"
            )
        assert row is not None
        return row["parked"], row["dead"]

    async def retry(self, fact_id: UUID | None = None, group: str | None = None) -> int:
        """Make parked facts due now, and park dead ones again, before later facts of their key. Returns how many."""
        async with self._core.transaction() as tx:
            due = await tx.execute(
                "UPDATE core.parked_facts SET next_attempt_at = now() WHERE ($1::uuid IS NULL OR fact_id = $1) "
                "AND ($2::text IS NULL OR group_name = $2)",
                fact_id,
                group,
            )
            back = await tx.execute(
                "WITH gone AS (DELETE FROM core.dead_facts WHERE ($1::uuid IS NULL OR fact_id = $1) "
                "AND ($2::text IS NULL OR group_name = $2) RETURNING *) "
                "INSERT INTO core.parked_facts (group_name, position, fact_id, name, order_key, payload, occurred_at, "
                "last_error) OVERRIDING SYSTEM VALUE "
                "SELECT group_name, (SELECT coalesce(min(position), 0) FROM core.parked_facts) - row_number() OVER "
                "(ORDER BY fact_id DESC), fact_id, name, order_key, payload, occurred_at, last_error FROM gone "
                "ON CONFLICT DO NOTHING",
                fact_id,
                group,
            )
        return int(due.split()[-1]) + int(back.split()[-1])

    async def drop(self, fact_id: UUID, group: str) -> bool:
        """Forget a dead fact for good."""
        async with self._core.transaction() as tx:
            done = await tx.execute(
                "DELETE FROM core.dead_facts WHERE fact_id = $1 AND group_name = $2", fact_id, group
            )
        return done == "DELETE 1"


async def _insert(tx: Transaction, group: str, envelope: Envelope, error: str | None) -> None:
    await tx.execute(
        "INSERT INTO core.parked_facts (group_name, fact_id, name, order_key, payload, occurred_at, last_error, "
        "next_attempt_at) VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8) ON CONFLICT DO NOTHING",
        group,
        envelope.fact_id,
        envelope.name,
        envelope.order_key,
        envelope.payload,
        envelope.occurred_at,
        error,
        timedelta(0) if error is None else delay_before(1),
    )


def _troubled(row: Row) -> TroubledFact:
    return TroubledFact(
        group=row["group_name"],
        fact_id=row["fact_id"],
        name=row["name"],
        order_key=row["order_key"],
        occurred_at=row["occurred_at"],
        since=row["since"],
        attempts=row["attempts"],
        last_error=row["last_error"],
    )
