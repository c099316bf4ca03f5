"""Facts from the outbox to their handlers, over the real PostgreSQL and Valkey, with crashes in between."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

import core.consumers
import core.parking
from core.bus import PARTITIONS, STREAM, RedisBus, partition_of
from core.clock import SystemClock
from core.consumers import Consumers, describe, register_upkeep
from core.database import Database, Transaction, connect, open_database
from core.events import Envelope, Fact, Subscriptions
from core.ids import uuid7
from core.jobs import JobRunner, Jobs
from core.migrations import ROOT, migrate
from core.outbox import Relay, prune, republish, unpublished
from core.parking import Parking, delay_before
from server.embedded import EmbeddedPostgres, EmbeddedValkey

# Roles belong to the whole server, so the secret is the one of tests/conftest.py.
SECRET = "role-secret-of-the-tests"


class Rang(Fact):
    name: ClassVar[str] = "bell.rang"
    order_by: ClassVar[str] = "bell_id"

    bell_id: UUID
    n: int


@dataclass
class House:
    """Module ``bells`` publishes, module ``ears`` handles; each has a role of its own."""

    url: str
    bus_url: str
    databases: dict[str, Database]
    poison: set[int]

    def database(self, name: str) -> Database:
        return self.databases[name]

    async def ring(self, bell: UUID, *numbers: int) -> list[UUID]:
        ids = []
        for n in numbers:
            async with self.databases["bells"].transaction() as tx:
                ids.append(await tx.publish(Rang(bell_id=bell, n=n)))
        return ids

    async def heard(self, bell: UUID) -> list[int]:
        async with self.databases["ears"].reading() as tx:
            return [row["n"] for row in await tx.fetch("SELECT n FROM heard WHERE bell = $1 ORDER BY seq", bell)]

    def relay(self, bus: RedisBus) -> Relay:
        return Relay(lambda: connect(self.url, "core", role_secret=SECRET), bus)

    def subscriptions(self) -> Subscriptions:
        async def hear(tx: Transaction, fact: Rang, envelope: Envelope) -> None:
            await tx.execute(
                "INSERT INTO heard (bell, n, fact_id) VALUES ($1, $2, $3)", fact.bell_id, fact.n, envelope.fact_id
            )
            if fact.n in self.poison:
                raise ValueError("what people wrote")

        subscriptions = Subscriptions()
        subscriptions.on("ears", Rang, hear)
        return subscriptions

    @asynccontextmanager
    async def running(self, *, relays: int = 1, consumers: int = 1, bus_url: str | None = None) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _ in range(max(relays, consumers)):
                bus = RedisBus(bus_url or self.bus_url, lease_s=1.0)
                stack.push_async_callback(bus.close)
                if relays > 0:
                    relay = self.relay(bus)
                    relay.start()
                    stack.push_async_callback(relay.stop)
                if consumers > 0:
                    workers = Consumers(bus, self.subscriptions(), self.database)
                    workers.start()
                    stack.push_async_callback(workers.stop)
                relays, consumers = relays - 1, consumers - 1
            yield


async def until(true: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await true():
            await asyncio.sleep(0.005)


@pytest.fixture
async def house(postgres: str, valkey: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(core.consumers, "RETRY_DELAYS_S", (0.0, 0.01))
    monkeypatch.setattr(core.consumers, "REPLAY_EVERY_S", 0.02)
    monkeypatch.setattr(core.parking, "delay_before", lambda attempt: timedelta(milliseconds=20))
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "sql").symlink_to(ROOT / "core" / "sql")
    for module, sql in {
        "bells": "SELECT 1;",
        "ears": "CREATE TABLE heard (seq bigint GENERATED ALWAYS AS IDENTITY, bell uuid, n int, fact_id uuid UNIQUE);",
    }.items():
        (tmp_path / module / "migrations").mkdir(parents=True)
        (tmp_path / module / "migrations" / "0001_first.sql").write_text(sql)
    name = f"t{uuid7().hex}"
    admin = await asyncpg.connect(postgres)
    await admin.execute(f"CREATE DATABASE {name}")
    url = postgres.replace("/bedside?", f"/{name}?")
    bus_url = valkey.replace("db=0", "db=3")
    redis = Redis.from_url(bus_url)
    await redis.flushdb()
    await redis.aclose()
    await migrate(url, ["bells", "ears"], SECRET, root=tmp_path)
    databases = {m: await open_database(url, m, role_secret=SECRET, pool_size=5) for m in ("core", "bells", "ears")}
    yield House(url, bus_url, databases, set())
    for database in databases.values():
        await database.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


def test_partition_is_stable_and_spread() -> None:
    assert partition_of(UUID("01936b2e-7c00-7000-8000-000000000001")) == 1
    assert {partition_of(uuid7()) for _ in range(400)} == set(range(PARTITIONS))


def test_delays_grow_to_a_limit() -> None:
    delays = [delay_before(n).total_seconds() for n in range(1, 40)]
    assert delays[:4] == [1, 2, 4, 8]
    assert max(delays) == delays[-1] == 600


def test_described_error_never_quotes() -> None:
    with pytest.raises(ValueError, match="words") as caught:
        raise ValueError("a patient's words")
    assert describe(caught.value).startswith("ValueError at core/test_described_error_never_quotes:")
    assert "words" not in describe(caught.value)


@pytest.mark.integration
async def test_a_fact_reaches_its_handler_soon(house: House) -> None:
    bell = uuid7()
    loop = asyncio.get_running_loop()
    async with house.running():
        await house.ring(bell, 0)
        await until(lambda: _equal(house.heard(bell), [0]))
        times = []
        for n in range(1, 21):
            await house.ring(bell, n)
            start = loop.time()
            await until(lambda n=n: _last(house.heard(bell), n))
            times.append(loop.time() - start)
    print("latency ms", sorted(round(t * 1000) for t in times))
    assert sorted(times)[10] < 0.15


@pytest.mark.integration
async def test_rolled_back_facts_are_never_told(house: House) -> None:
    bell = uuid7()
    with pytest.raises(ZeroDivisionError):
        async with house.databases["bells"].transaction() as tx:
            await tx.publish(Rang(bell_id=bell, n=1))
            raise ZeroDivisionError
    await house.ring(bell, 2)
    async with house.running():
        await until(lambda: _equal(house.heard(bell), [2]))


@pytest.mark.integration
async def test_order_per_key_with_many_keys_and_two_of_each(house: House) -> None:
    bells = [uuid7() for _ in range(20)]
    async with house.running(relays=2, consumers=2):
        await asyncio.gather(*(house.ring(bell, *range(15)) for bell in bells))
        for bell in bells:
            await until(lambda bell=bell: _length(house.heard(bell), 15))
            assert await house.heard(bell) == list(range(15))


@pytest.mark.integration
async def test_crash_between_bus_and_mark_has_effect_once(house: House) -> None:
    bell = uuid7()
    await house.ring(bell, 1, 2, 3)
    bus = RedisBus(house.bus_url)
    marked = house.relay(bus)

    connection = await connect(house.url, "core", role_secret=SECRET)

    class CrashesWhenMarking:
        fetch = connection.fetch

        async def execute(self, *_: object) -> None:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await marked._carry(CrashesWhenMarking())
    await connection.close()
    assert (await unpublished(house.databases["core"]))[0] == 3
    async with house.running():
        await house.ring(bell, 4)
        await until(lambda: _equal(house.heard(bell), [1, 2, 3, 4]))
        redis = Redis.from_url(house.bus_url)
        assert await redis.xlen(STREAM.format(partition_of(bell))) == 7
        await until(lambda: _equal(bus.waiting(), {"ears": 0}))
        assert await house.heard(bell) == [1, 2, 3, 4]
        await redis.aclose()
    await bus.close()


@pytest.mark.integration
async def test_unacknowledged_facts_are_read_again_by_the_next_holder(house: House) -> None:
    bell = uuid7()
    async with house.running(consumers=0):
        await house.ring(bell, 1, 2)
        await until(lambda: _none_unpublished(house))
    dead, partition = RedisBus(house.bus_url, lease_s=0.3), partition_of(bell)
    async with dead.lease("ears", partition) as lease:
        assert lease is not None
        assert [each.envelope.payload["n"] for each in await dead.read(lease)] == [1, 2]
        async with RedisBus(house.bus_url).lease("ears", partition) as other:
            assert other is None
    async with house.running(), dead.lease("nobody", 0) as fresh:
        await house.ring(bell, 3)
        await until(lambda: _equal(house.heard(bell), [1, 2, 3]))
        assert fresh is not None
        assert fresh.fence == 1
    await dead.close()


@pytest.mark.integration
async def test_lost_lease_is_noticed(house: House) -> None:
    bus, redis = RedisBus(house.bus_url, lease_s=0.2), Redis.from_url(house.bus_url)
    async with bus.lease("ears", 1) as lease:
        assert lease is not None
        await redis.set("bedside:lease:ears:1", "another")
        await until(lambda: _value(not lease.valid))
    assert await redis.get("bedside:lease:ears:1") == b"another"
    await redis.aclose()
    await bus.close()


@pytest.mark.integration
async def test_poison_fact_is_parked_and_replayed_in_order_while_others_go_on(house: House) -> None:
    parking = Parking(house.databases["core"])
    sick, well = uuid7(), uuid7()
    while partition_of(well) != partition_of(sick):
        well = uuid7()
    house.poison.add(2)
    async with house.running():
        await house.ring(sick, 1, 2, 3, 4)
        await house.ring(well, 10)
        await until(lambda: _equal(house.heard(well), [10]))
        await until(lambda: _length(parking.parked(), 3))
        assert await house.heard(sick) == [1]
        first = (await parking.parked())[0]
        assert first.group == "ears"
        assert first.last_error is not None
        assert "ValueError" in first.last_error
        assert "wrote" not in first.last_error
        house.poison.clear()
        await until(lambda: _equal(house.heard(sick), [1, 2, 3, 4]))
        await until(lambda: _length(parking.parked(), 0))
        await house.ring(sick, 5)
        await until(lambda: _equal(house.heard(sick), [1, 2, 3, 4, 5]))


@pytest.mark.integration
async def test_hopeless_fact_is_kept_as_dead_and_retried_by_hand(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.parking, "MAX_ATTEMPTS", 3)
    parking, bell = Parking(house.databases["core"]), uuid7()
    house.poison.add(1)
    async with house.running():
        ids = await house.ring(bell, 1, 2)
        await until(lambda: _equal(house.heard(bell), [2]))
        dead = await parking.dead()
        assert [(each.fact_id, each.attempts) for each in dead] == [(ids[0], 3)]
        house.poison.clear()
        assert await parking.retry(ids[0]) == 1
        await until(lambda: _equal(house.heard(bell), [2, 1]))
        assert await parking.dead() == []
        assert not await parking.drop(ids[0], "ears")


@pytest.mark.integration
async def test_valkey_killed_and_back(house: House, tmp_path: Path) -> None:
    server, bell = EmbeddedValkey(tmp_path), uuid7()
    await server.start()
    try:
        async with house.running(bus_url=server.url):
            await house.ring(bell, 1, 2)
            await until(lambda: _equal(house.heard(bell), [1, 2]))
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: _value(not server.alive()))
            await house.ring(bell, 3, 4)
            assert (await unpublished(house.databases["core"]))[0] == 2
            await server.start()
            await house.ring(bell, 5)
            await until(lambda: _equal(house.heard(bell), [1, 2, 3, 4, 5]))
    finally:
        await server.stop()


@pytest.mark.integration
async def test_postgres_killed_and_back(house: House, tmp_path: Path) -> None:
    server, bell = EmbeddedPostgres(tmp_path / "data", role_secret=SECRET), uuid7()
    await server.start()
    databases: dict[str, Database] = {}
    try:
        await migrate(server.url, ["bells", "ears"], SECRET, root=tmp_path)
        for module in ("core", "bells", "ears"):
            databases[module] = await open_database(server.url, module, role_secret=SECRET, pool_size=4)
        own = House(server.url, house.bus_url, databases, set())
        async with own.running():
            await own.ring(bell, 1, 2)
            await until(lambda: _equal(own.heard(bell), [1, 2]))
            await own.ring(bell, 3, 4)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: _value(not server.alive()))
            await server.start()
            await until(lambda: _can_ring(own, bell, 5))
            # A killed connection may refuse the first try after its fact was committed, so look at order and presence.
            await until(lambda: _last(own.heard(bell), 5))
            heard = await own.heard(bell)
            assert heard[:4] == [1, 2, 3, 4]
            assert set(heard[4:]) == {5}
        assert await Parking(databases["core"]).parked() == []
    finally:
        for database in databases.values():
            await database.close()
        await server.stop()


@pytest.mark.integration
async def test_lost_bus_data_is_sent_again(house: House) -> None:
    bell, redis = uuid7(), Redis.from_url(house.bus_url)
    async with house.running():
        await house.ring(bell, 1)
        await until(lambda: _equal(house.heard(bell), [1]))
    async with house.running(consumers=0):
        await house.ring(bell, 2)
        await until(lambda: _none_unpublished(house))
    await redis.flushdb()
    assert await republish(house.databases["core"], SystemClock().now() - timedelta(hours=1)) == 2
    async with house.running():
        await until(lambda: _equal(house.heard(bell), [1, 2]))
    await redis.aclose()


@pytest.mark.integration
async def test_streams_are_trimmed_only_after_every_group(house: House) -> None:
    bell, bus, redis = uuid7(), RedisBus(house.bus_url), Redis.from_url(house.bus_url)
    stream = STREAM.format(partition_of(bell))
    await redis.xgroup_create(stream, "slow", id="0", mkstream=True)
    async with house.running():
        await house.ring(bell, 1, 2, 3)
        await until(lambda: _equal(bus.waiting(), {"ears": 0, "slow": 3}))
    assert await bus.trim() == 0
    await redis.xreadgroup("slow", "c", {stream: ">"}, count=2)
    await redis.xack(stream, "slow", (await redis.xrange(stream))[0][0])
    assert await bus.trim() == 1
    for each in await redis.xpending_range(stream, "slow", "-", "+", 10):
        await redis.xack(stream, "slow", each["message_id"])
    await redis.xreadgroup("slow", "c", {stream: ">"}, noack=True)
    assert await bus.trim() == 2
    assert await redis.xlen(stream) == 0
    await redis.aclose()
    await bus.close()


@pytest.mark.integration
async def test_published_facts_are_forgotten_after_a_while(house: House) -> None:
    core_db, bell = house.databases["core"], uuid7()
    async with house.running():
        await house.ring(bell, 1)
        await until(lambda: _none_unpublished(house))
    now = SystemClock().now()
    assert await prune(core_db, now) == 0
    assert await prune(core_db, now + timedelta(days=8)) == 1


@pytest.mark.integration
async def test_jobs_run_in_one_process_and_pass_to_the_next(house: House) -> None:
    runs: list[str] = []

    def runner(name: str) -> JobRunner:
        jobs = Jobs()

        async def work() -> None:
            runs.append(name)
            if len(runs) == 2:
                raise ValueError

        jobs.every(0.01, "count", work)
        register_upkeep(jobs, RedisBus(house.bus_url), house.subscriptions(), house.database, SystemClock())
        return JobRunner(jobs, lambda: connect(house.url, "core", role_secret=SECRET))

    first, second = runner("first"), runner("second")
    first.start()
    await until(lambda: _value(len(runs) > 3))
    second.start()
    await until(lambda: _value(len(runs) > 8))
    assert set(runs) == {"first"}
    await first.stop()
    await until(lambda: _value("second" in runs))
    await second.stop()


async def _can_ring(house: House, bell: UUID, n: int) -> bool:
    try:
        await house.ring(bell, n)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True


async def _value(value: bool) -> bool:
    return value


async def _equal(awaitable: Awaitable[object], expected: object) -> bool:
    return await awaitable == expected


async def _length(awaitable: Awaitable[list], expected: int) -> bool:
    return len(await awaitable) == expected


async def _last(awaitable: Awaitable[list], expected: object) -> bool:
    return (await awaitable)[-1:] == [expected]


async def _none_unpublished(house: House) -> bool:
    return (await unpublished(house.databases["core"]))[0] == 0
