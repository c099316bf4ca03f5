"""The relay: carries facts from the outbox to the bus, in order, at least once.

One relay leads at a time, by an advisory lock of its session. A fact is marked as published after the bus has it;
a crash in between publishes it again, and handlers know it by its id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from core.background import Background
from core.bus import Bus
from core.database import Database, Row
from core.events import Envelope
from core.waking import CHANNEL

log = structlog.get_logger(__name__)

Connect = Callable[[], Awaitable["asyncpg.Connection[Row]"]]

BATCH = 500
# A lost notification delays a fact by this at most.
POLL_S = 1.0
# Facts that come thick are left to gather: after carrying, for so long per fact. The first one is never held.
GATHER_S = 0.005
GATHER_AT_MOST_S = 0.1
# How soon another relay takes over.
LEAD_RETRY_S = 0.5
KEPT = timedelta(days=7)
_LOCK = "bedside outbox relay"


class Relay:
    """``connect`` opens a connection of the ``core`` role that is the relay's alone."""

    def __init__(self, connect: Connect, bus: Bus) -> None:
        self._connect = connect
        self._bus = bus
        self._background = Background("relay")
        self.leading = False

    def start(self) -> None:
        self._background.run("lead", self._session)

    async def stop(self) -> None:
        await self._background.stop()

    async def _session(self) -> None:
        connection = await self._connect()
        stopping = self._background.stopping
        try:
            while not stopping.is_set():
                if await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", _LOCK):
                    self.leading = True
                    await self._lead(connection)
                else:
                    await self._background.pause(LEAD_RETRY_S)
        finally:
            self.leading = False
            # A lock lost with its connection must not wait for the server to notice.
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await connection.close(timeout=2)

    async def _lead(self, connection: asyncpg.Connection[Row]) -> None:
        woken = asyncio.Event()

        def wake(*_: Any) -> None:
            woken.set()

        connection.add_termination_listener(wake)
        await connection.add_listener(CHANNEL, wake)
        stopping = asyncio.create_task(self._background.stopping.wait())
        stopping.add_done_callback(wake)
        try:
            while not self._background.stopping.is_set():
                woken.clear()
                while (carried := await self._carry(connection)) == BATCH:
                    pass
                await self._background.pause(min(GATHER_S * carried, GATHER_AT_MOST_S))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await woken.wait()
        finally:
            stopping.cancel()

    async def _carry(self, connection: asyncpg.Connection[Row]) -> int:
        """One batch; returns how many."""
        rows = await connection.fetch(
            "SELECT seq, fact_id, name, order_key, occurred_at, payload FROM core.outbox "
            "WHERE published_at IS NULL ORDER BY seq LIMIT $1",
            BATCH,
        )
        if rows:
            await self._bus.publish([envelope_of(row) for row in rows])
            await connection.execute(
                "UPDATE core.outbox SET published_at = now() WHERE seq = ANY($1::bigint[])",
                [row["seq"] for row in rows],
            )
        return len(rows)


def envelope_of(row: Row) -> Envelope:
    return Envelope(row["fact_id"], row["name"], row["order_key"], row["occurred_at"], row["payload"])


async def prune(core: Database, now: datetime) -> int:
    """Forget facts published longer ago than ``KEPT``."""
    async with core.transaction() as tx:
        done = await tx.execute("DELETE FROM core.outbox WHERE published_at < $1", now - KEPT)
    return int(done.split()[-1])


async def republish(core: Database, since: datetime) -> int:
    """Send the facts since then once more, after the bus lost its data; what was handled is skipped by its id."""
    async with core.transaction() as tx:
        done = await tx.execute(
            "UPDATE core.outbox SET published_at = NULL WHERE published_at IS NOT NULL AND occurred_at >= $1", since
        )
        await tx.execute(f"NOTIFY {CHANNEL}")
    return int(done.split()[-1])


async def unpublished(core: Database) -> tuple[int, float]:
    """How many facts wait for the bus, and the age of the oldest in seconds."""
    async with core.reading() as tx:
        row = await tx.fetchrow(
            "SELECT count(*) AS n, coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float8 AS age "
            "FROM core.outbox WHERE published_at IS NULL"
        )
    assert row is not None
    return row["n"], row["age"]
