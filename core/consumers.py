"""Consumers: bring each fact to its handlers, in order per key, with effect once.

A handler's transaction first writes the fact's id to its module's ``handled_facts``; a fact that is there already is
skipped. That row, not the lease, is what keeps a paused and a new holder from both having effect: the second waits
for the first one's commit. The lease merely keeps them from doing the work twice.

Facts that have gathered in a group's partitions are handled together, in one transaction; if that fails, one by one.
A failing fact is tried again at once a few times, then parked; later facts of its key are parked behind it and all are
replayed in order, while other keys go on. When the database itself is away, the partition waits instead.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import structlog
from prometheus_client import Counter, Histogram

from core.background import Background
from core.bus import BATCH, PARTITIONS, Bus, Delivery, Lease
from core.clock import Clock
from core.database import Database, Transaction
from core.events import Envelope, Subscriptions, runs
from core.jobs import Jobs
from core.outbox import prune
from core.parking import Parking
from core.telemetry import REGISTRY

log = structlog.get_logger(__name__)

RETRY_DELAYS_S = (0.05, 0.25, 1.0)
HANDLER_TIMEOUT_S = 60.0
LEASE_RETRY_S = 1.0
# Facts that come thick are left to gather: after a reading, for so long per fact in it. The first one is never held.
GATHER_S = 0.05
GATHER_AT_MOST_S = 0.25
REPLAY_EVERY_S = 0.5
DATABASE_RETRY_S = 0.5
# Longer than any fact can come again: the outbox keeps published facts for a week.
HANDLED_KEPT = timedelta(days=30)

_LAG = Histogram(
    "bedside_fact_lag_seconds",
    "From a fact's writing to the end of its handling",
    ["group"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=REGISTRY,
)
_HANDLED = Counter("bedside_facts_handled_total", "Facts by outcome", ["group", "outcome"], registry=REGISTRY)


class Consumers:
    """Runs every subscribed group. ``database`` gives a module's database, ``core`` among them."""

    def __init__(self, bus: Bus, subscriptions: Subscriptions, database: Callable[[str], Database]) -> None:
        self._bus = bus
        self._subscriptions = subscriptions
        self._database = database
        self._parking = Parking(database("core"))
        self._background = Background("consumers")

    def start(self) -> None:
        groups = sorted(self._subscriptions.groups())
        for group in groups:
            self._background.run(group, partial(self._consume, group))
        if groups:
            self._background.run("replay", partial(self._replay, groups))

    async def stop(self) -> None:
        """Finish the facts in hand, give the leases back."""
        await self._background.stop()

    async def _consume(self, group: str) -> None:
        stopping, loop = self._background.stopping, asyncio.get_running_loop()
        async with _Leases(self._bus, group, self._subscriptions.names(group)) as leases:
            ask_at = loop.time()
            while not stopping.is_set():
                if loop.time() >= ask_at:
                    for fresh in await leases.take():
                        await self._work(leases, await self._bus.unfinished(fresh))
                    # Spreads the asking of several processes.
                    ask_at = loop.time() + LEASE_RETRY_S * random.uniform(0.5, 1.0)  # noqa: S311
                if not (held := await leases.held()):
                    await self._background.pause(max(0.0, ask_at - loop.time()))
                    continue
                deliveries = await self._bus.read(*held)
                await self._work(leases, deliveries)
                if 0 < len(deliveries) < BATCH * len(held):
                    await self._background.pause(min(GATHER_S * len(deliveries), GATHER_AT_MOST_S))

    async def _work(self, leases: _Leases, deliveries: list[Delivery]) -> None:
        wanted = [each.envelope for each in deliveries if each.envelope is not None]
        if not wanted or (len(wanted) > 1 and await self._together(leases.group, wanted)):
            await self._bus.acknowledge(leases.group, deliveries)
            return
        by_partition: dict[int, list[Delivery]] = {}
        for each in deliveries:
            by_partition.setdefault(each.partition, []).append(each)
        ends = await asyncio.gather(
            *(self._one_by_one(leases.of[partition], those) for partition, those in by_partition.items()),
            return_exceptions=True,
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _one_by_one(self, lease: Lease, deliveries: list[Delivery]) -> None:
        done: list[Delivery] = []
        try:
            for delivery in deliveries:
                if delivery.envelope is not None and not await self._finish(lease, delivery.envelope):
                    return
                done.append(delivery)
        finally:
            await self._bus.acknowledge(lease.group, done)

    async def _together(self, group: str, wanted: list[Envelope]) -> bool:
        """Handle what has gathered in one transaction, in order. False: nothing was done, look at each singly."""
        try:
            if await self._parking.concerns(group, wanted):
                return False
            async with asyncio.timeout(HANDLER_TIMEOUT_S), self._database(group).transaction() as tx:
                rows = await tx.fetch(
                    "INSERT INTO handled_facts (fact_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING "
                    "RETURNING fact_id",
                    [each.fact_id for each in wanted],
                )
                fresh = {row["fact_id"] for row in rows}
                # The bus may hold a fact twice in one reading.
                once = {each.fact_id: each for each in wanted if each.fact_id in fresh}
                for run in runs(once.values()):
                    await self._call(group, tx, run)
        except Exception:
            # Which of them is to blame, or whether the database is away, the single way finds out.
            return False
        _HANDLED.labels(group, "handled").inc(len(rows))
        _HANDLED.labels(group, "duplicate").inc(len(wanted) - len(rows))
        now = datetime.now(UTC)
        for envelope in wanted:
            _LAG.labels(group).observe(max(0.0, (now - envelope.occurred_at).total_seconds()))
        return True

    async def _call(self, group: str, tx: Transaction, run: list[Envelope]) -> None:
        """Hand facts of one name to their handlers."""
        for subscription in self._subscriptions.of(group, run[0].name):
            facts = [(subscription.fact.model_validate(each.payload), each) for each in run]
            if subscription.many is not None:
                await subscription.many(tx, facts)
                continue
            for fact, envelope in facts:
                await subscription.handler(tx, fact, envelope)

    async def _finish(self, lease: Lease, envelope: Envelope) -> bool:
        """Handle or park one fact, waiting for the database as long as the lease holds. False: not finished."""
        group = lease.group
        failures = 0
        while lease.valid and not (self._background.stopping.is_set() and failures):
            try:
                if await self._parking.add_if_blocked(group, envelope):
                    _HANDLED.labels(group, "parked").inc()
                    return True
                error = await self._handle(group, envelope)
                if error is None:
                    return True
                if failures == len(RETRY_DELAYS_S):
                    await self._parking.add(group, envelope, error)
                    _HANDLED.labels(group, "parked").inc()
                    log.error(
                        "fact parked", group=group, fact=envelope.name, fact_id=str(envelope.fact_id), error=error
                    )
                    return True
            except (_DatabaseAway, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._background.pause(DATABASE_RETRY_S)
            else:
                await self._background.pause(RETRY_DELAYS_S[failures])
                failures += 1
        return False

    async def _handle(self, group: str, envelope: Envelope) -> str | None:
        """Run the handlers in one transaction. Returns None, or what failed; raises when the database is away."""
        database = self._database(group)
        try:
            async with asyncio.timeout(HANDLER_TIMEOUT_S), database.transaction() as tx:
                fresh = await tx.fetchval(
                    "INSERT INTO handled_facts (fact_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true",
                    envelope.fact_id,
                )
                if fresh:
                    await self._call(group, tx, [envelope])
        except Exception as error:
            if not await _answers(database):
                raise _DatabaseAway from error
            _HANDLED.labels(group, "failed").inc()
            return describe(error)
        _HANDLED.labels(group, "handled" if fresh else "duplicate").inc()
        _LAG.labels(group).observe(max(0.0, (datetime.now(UTC) - envelope.occurred_at).total_seconds()))
        return None

    async def _replay(self, groups: list[str]) -> None:
        while await self._parking.replay_one(groups, self._handle):
            if self._background.stopping.is_set():
                return
        await self._background.pause(REPLAY_EVERY_S)


class _Leases:
    """The partitions of a group that this process holds; given back at the end."""

    def __init__(self, bus: Bus, group: str, names: frozenset[str]) -> None:
        self._bus = bus
        self._names = names
        self._ends: dict[int, AsyncExitStack] = {}
        self.group = group
        self.of: dict[int, Lease] = {}

    async def __aenter__(self) -> _Leases:
        return self

    async def __aexit__(self, *_: object) -> None:
        for partition in list(self.of):
            await self._give_back(partition)

    async def take(self) -> list[Lease]:
        """Ask for those not held; returns the fresh ones."""
        fresh: list[Lease] = []
        for partition in random.sample(range(PARTITIONS), PARTITIONS):
            if partition in self.of:
                continue
            async with AsyncExitStack() as stack:
                lease = await stack.enter_async_context(self._bus.lease(self.group, partition, self._names))
                if lease is not None:
                    self._ends[partition], self.of[partition] = stack.pop_all(), lease
                    fresh.append(lease)
        return fresh

    async def held(self) -> list[Lease]:
        """Those that stand; lost ones are let go."""
        for partition, lease in list(self.of.items()):
            if not lease.valid:
                await self._give_back(partition)
        return list(self.of.values())

    async def _give_back(self, partition: int) -> None:
        del self.of[partition]
        await self._ends.pop(partition).aclose()


class _DatabaseAway(Exception):
    """The module's database does not answer, so the fact is not to blame."""


async def _answers(database: Database) -> bool:
    try:
        async with asyncio.timeout(5), database.reading() as tx:
            await tx.fetchval("SELECT 1")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return False
    return True


def describe(error: BaseException) -> str:
    """The error's type and where it arose. Never its text, which may quote what people wrote."""
    kind = type(error).__name__
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate:
        kind = f"{kind} {error.sqlstate}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    return f"{kind} at {own[-1].filename.rsplit('/', 2)[-2]}/{own[-1].name}:{own[-1].lineno}" if own else kind


def register_upkeep(
    jobs: Jobs, bus: Bus, subscriptions: Subscriptions, database: Callable[[str], Database], clock: Clock
) -> None:
    """The periodic work behind the facts: trim streams, forget published and long-handled facts."""

    async def trim() -> None:
        await bus.trim()

    async def forget_published() -> None:
        await prune(database("core"), clock.now())

    def forget_handled(group: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            async with database(group).transaction() as tx:
                await tx.execute("DELETE FROM handled_facts WHERE handled_at < $1", clock.now() - HANDLED_KEPT)

        return run

    jobs.every(30, "core.trim_streams", trim)
    jobs.every(3600, "core.forget_published_facts", forget_published)
    for group in sorted(subscriptions.groups()):
        jobs.every(3600, f"{group}.forget_handled_facts", forget_handled(group))
