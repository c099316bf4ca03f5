"""Media workers seen from signaling: who is alive, where rooms go when many are placed at once, and moving them."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from test_signaling_media import Person

from core.clock import SystemClock
from core.ids import uuid7
from core.rpc import Params, Peer, RpcServer
from loadtests.peer import Caller, stay_on_loopback
from signaling.media_client import MediaClients, WorkerKey
from signaling.store import Store
from signaling.workers import Workers

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration

SECRET = b"media-control-secret"
NOTICED_S, BACK_S, LONGEST_GAP_S = 2.0, 5.0, 2.0


class Answering:
    """The control channel and the registration of a worker without media; it can fall silent."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self.key = WorkerKey(name, str(uuid7()))
        self.silent = False
        self.closed: list[str] = []
        self.server = RpcServer(SECRET, self._handle)
        self.port = 0

    async def _handle(self, method: str, params: Params, peer: Peer) -> Params:
        if self.silent:
            await asyncio.Event().wait()
        if method == "close":
            self.closed.append(params["room"])
        return {}

    async def start(self) -> None:
        self.port = await self.server.start("127.0.0.1")
        await self.register()

    async def register(self, **more: Any) -> None:
        entry = {"id": self.key.id, "boot": self.key.boot, "control_host": "127.0.0.1", "control_port": self.port}
        await self._redis.set(f"media:worker:{self.key.id}", json.dumps({**entry, "capacity": 400, **more}))
        answer: Any = self._redis.sadd("media:workers", self.key.id)
        await answer

    async def stop(self) -> None:
        await self._redis.delete(f"media:worker:{self.key.id}")
        answer: Any = self._redis.srem("media:workers", self.key.id)
        await answer
        await self.server.stop()


@pytest.fixture(scope="session")
def valkey(valkey: str) -> str:
    """A database apart: workers of other tests must not be chosen here."""
    return valkey.replace("db=0", "db=1")


@pytest.fixture
async def redis(valkey: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(valkey)
    await client.delete("media:placed", "media:former")
    yield client
    await client.aclose()


@pytest.fixture
async def answering(redis: Redis) -> AsyncIterator[list[Answering]]:
    made = [Answering(redis, f"answering-{index}-{uuid7()}") for index in range(3)]
    for each in made:
        await each.start()
    yield made
    for each in made:
        await each.stop()


@pytest.fixture
async def processes(redis: Redis) -> AsyncIterator[list[Workers]]:
    """What four signaling processes know of workers."""
    made: list[tuple[Workers, MediaClients]] = []

    async def nothing(key: WorkerKey, name: str, params: Params) -> None:
        pass

    for _ in range(4):
        clients = MediaClients(SECRET, nothing, lambda key: None)
        made.append((Workers(Store(redis), clients, SystemClock()), clients))
    yield [workers for workers, _ in made]
    for _, clients in made:
        await clients.stop()


async def test_rooms_placed_by_many_processes_at_once_spread(
    answering: list[Answering], processes: list[Workers]
) -> None:
    for each in processes:
        await each.look()
    visits = [str(uuid7()) for _ in range(60)]
    placed = await asyncio.gather(*(processes[i % 4].settled(visit) for i, visit in enumerate(visits)))
    counts = Counter(room.key for room in placed)
    assert set(counts) == {each.key for each in answering}
    assert max(counts.values()) - min(counts.values()) <= 2, counts


async def test_a_room_settled_by_many_processes_has_one_life_on_one_worker(
    answering: list[Answering], processes: list[Workers]
) -> None:
    visit = str(uuid7())
    rooms = await asyncio.gather(*(each.settled(visit) for each in processes * 5))
    assert len({(room.key, room.generation) for room in rooms}) == 1
    assert rooms[0].generation == 1
    lost = next(each for each in answering if each.key == rooms[0].key)
    await lost.stop()
    await asyncio.gather(*(each.look() for each in processes))
    again = await asyncio.gather(*(each.settled(visit) for each in processes * 5))
    assert {room.generation for room in again} == {2}
    assert again[0].key != rooms[0].key


async def look_until(workers: Workers, true: Callable[[], bool], timeout_s: float) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < timeout_s
        await asyncio.sleep(0.1)
        await workers.look()
    return time.monotonic() - started


async def test_a_silent_worker_is_dead_within_two_seconds_and_its_rooms_are_closed_when_it_wakes(
    answering: list[Answering], processes: list[Workers], redis: Redis
) -> None:
    """It keeps its registration and its connections: only its answers are missing."""
    workers = processes[0]
    await workers.look()
    room = await workers.settled(str(uuid7()))
    silent = next(each for each in answering if each.key == room.key)
    silent.silent = True
    await look_until(workers, lambda: silent.key not in workers.alive, NOTICED_S)
    moved = await workers.settled(room.appointment_id)
    assert (moved.generation, moved.reason) == (2, "worker_lost")
    assert moved.key != silent.key
    silent.silent = False
    await look_until(workers, lambda: silent.key in workers.alive, 15)
    await workers.close_former()
    assert silent.closed == [room.appointment_id]
    assert await workers.former() == []


async def test_an_answering_worker_stays_though_its_registration_is_away(
    answering: list[Answering], processes: list[Workers], redis: Redis
) -> None:
    workers = processes[0]
    await workers.look()
    away = answering[0]
    await redis.delete(f"media:worker:{away.key.id}")
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        await workers.look()
        assert away.key in workers.alive
        await asyncio.sleep(0.2)


async def test_a_drained_worker_keeps_its_rooms_until_they_are_moved_one_by_one(
    answering: list[Answering], processes: list[Workers]
) -> None:
    workers = processes[0]
    await workers.look()
    room = await workers.settled(str(uuid7()))
    draining = next(each for each in answering if each.key == room.key)
    await draining.register(draining=True)
    await workers.look()
    assert await workers.settled(room.appointment_id) == room
    fresh = [await workers.settled(str(uuid7())) for _ in range(6)]
    assert draining.key not in {each.key for each in fresh}
    moved = await asyncio.gather(*(each.moved_on(room) for each in processes[:1] * 3))
    assert {(each.generation, each.reason) for each in moved} == {(2, "drain")}
    await workers.close_former()
    assert draining.closed == []  # people still build their new connections
    assert [former.key for former, _ in await workers.former(room.appointment_id)] == [draining.key]


# With media


Meet = Callable[[Any], Awaitable[tuple[Person, Person]]]


@pytest.fixture
async def meet(visit: Any) -> AsyncIterator[Meet]:
    """Patient and practitioner, each seeing and hearing the other."""
    stay_on_loopback()
    people: list[Person] = []

    async def make(stage: Any) -> tuple[Person, Person]:
        patient = Person(await stage.join_visit(visit.appointment, visit.patient, "patient"))
        await patient.device.ok("waiting.enter")
        practice = await stage.practice(visit.practitioner)
        target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
        await practice.ok("waiting.admit", target)
        doctor = Person(await stage.join_visit(visit.appointment, visit.practitioner, "practitioner"))
        people.extend((patient, doctor))
        await patient.join()
        await doctor.join()
        await asyncio.gather(patient.caller.received(2, 10), doctor.caller.received(2, 10))
        return patient, doctor

    yield make
    for person in people:
        await person.close()


async def holder(redis: Redis, visit: Any, workers: list[Any]) -> tuple[Any, Any]:
    answer: Any = redis.hget(f"visit:{visit.appointment}:room", "worker")
    here = (await answer).decode()
    return next(w for w in workers if w.id == here), next(w for w in workers if w.id != here)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["SIGKILL", "SIGSTOP"])
async def test_a_dead_worker_s_call_goes_on_with_another(
    make_media_worker: Any, make_stage: Any, meet: Meet, visit: Any, redis: Redis, how: int
) -> None:
    workers = [await make_media_worker() for _ in range(2)]
    stage = await make_stage()
    await stage.live.workers.look()
    people = await meet(stage)
    here, other = await holder(redis, visit, workers)
    before = people[0].generation
    here.send(how)
    began = time.monotonic()
    resets = await asyncio.gather(
        *(person.device.wait("media.reset", lambda data: data["generation"] > before) for person in people)
    )
    noticed = time.monotonic() - began
    assert {reset["reason"] for reset in resets} == {"worker_lost"}
    await asyncio.gather(*(person.reset(resets[0]["generation"]) for person in people))
    await asyncio.gather(*(person.caller.received(2, 1) for person in people))
    back = time.monotonic() - began
    print(f"noticed after {noticed:.2f} s, media again after {back:.2f} s")
    assert noticed < NOTICED_S + 0.5  # the word has to reach the client, too
    assert back < BACK_S
    assert set(await other.stats(visit.appointment)) == {str(visit.patient), str(visit.practitioner)}


async def test_whose_request_moves_the_room_hears_of_it_too(
    make_media_worker: Any, make_stage: Any, meet: Meet, visit: Any, redis: Redis
) -> None:
    """Pages that ask for a new path may find the worker gone before the watch has looked."""
    workers = [await make_media_worker() for _ in range(2)]
    stage = await make_stage()
    await stage.live.workers.look()
    people = await meet(stage)
    here, _ = await holder(redis, visit, workers)
    before = people[0].generation

    async def looks_later() -> None:
        pass

    watching, stage.live.negotiation._move_on = stage.live.negotiation._move_on, looks_later
    here.send(signal.SIGKILL)
    async with asyncio.timeout(15):
        for person in people:
            while not (await person.device.call("media.restart", {}))["ok"]:
                await asyncio.sleep(0.1)
    stage.live.negotiation._move_on = watching
    for person in people:
        reset = await person.device.wait("media.reset", lambda data: data["generation"] > before)
        assert (reset["generation"], reset["reason"]) == (before + 1, "worker_lost")


async def goes_on(person: Person) -> None:
    """Sound and picture both still come."""
    before = dict(person.caller.frames)
    async with asyncio.timeout(10):
        while sum(count >= before.get(track, 0) + 5 for track, count in person.caller.frames.items()) < 2:
            await asyncio.sleep(0.05)


class Gaps:
    """The longest time in which a person got no new frame of sound, or of picture, over all their connections."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []
        self.longest = {"audio": 0.0, "video": 0.0}
        self._task = asyncio.create_task(self._watch())

    def _count(self, kind: str) -> int:
        return sum(n for each in self.callers for track, n in each.frames.items() if each.kinds.get(track) == kind)

    async def _watch(self) -> None:
        seen = dict.fromkeys(self.longest, (0, time.monotonic()))
        while True:
            now = time.monotonic()
            for kind, (count, at) in seen.items():
                if self._count(kind) > count:
                    seen[kind] = (self._count(kind), now)
                self.longest[kind] = max(self.longest[kind], now - at)
            await asyncio.sleep(0.02)

    async def stop(self) -> dict[str, float]:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.longest


async def hand_over(person: Person, gaps: Gaps) -> None:
    """As ``media.reset`` with reason drain is meant: new connections first, then away with the old ones."""
    reset = await person.device.wait("media.reset", lambda data: data["reason"] == "drain", timeout_s=15)
    former = person.caller
    person.generation = reset["generation"]
    person.caller = Caller(person._publish, person._answer)
    gaps.callers.append(person.caller)
    await person.caller.start()
    await person.caller.received(2, 5)
    await former.close()


@pytest.mark.parametrize("how", ["command", "SIGTERM"])
async def test_a_drained_worker_s_call_moves_without_a_gap_and_the_worker_ends(
    make_media_worker: Any, make_stage: Any, meet: Meet, visit: Any, redis: Redis, how: str
) -> None:
    workers = [await make_media_worker() for _ in range(2)]
    stage = await make_stage()
    await stage.live.workers.look()
    people = await meet(stage)
    here, other = await holder(redis, visit, workers)
    watched = []
    for person in people:
        gaps = Gaps()
        gaps.callers.append(person.caller)
        watched.append(gaps)
    if how == "command":
        await here.ask("drain", {"limit_s": 60})
    else:
        here.send(signal.SIGTERM)
    await asyncio.gather(*(hand_over(person, gaps) for person, gaps in zip(people, watched, strict=True)))
    longest = [await gaps.stop() for gaps in watched]
    print("longest gaps", [{kind: round(gap, 2) for kind, gap in each.items()} for each in longest])
    assert max(gap for each in longest for gap in each.values()) < LONGEST_GAP_S
    began = time.monotonic()
    assert set(await other.stats(visit.appointment)) == {str(visit.patient), str(visit.practitioner)}
    assert await asyncio.wait_for(here.process.wait(), 20) == 0
    assert time.monotonic() - began < 6  # empty, so it does not wait for its limit
    for person in people:
        await goes_on(person)
        assert len(person.device.named("media.reset")) == 1


async def test_somebody_removed_during_a_drain_is_gone_from_both_workers(
    make_media_worker: Any, make_stage: Any, meet: Meet, visit: Any, redis: Redis
) -> None:
    workers = [await make_media_worker() for _ in range(2)]
    stage = await make_stage()
    await stage.live.workers.look()
    people = await meet(stage)
    here, other = await holder(redis, visit, workers)
    await here.ask("drain", {"limit_s": 60})
    await people[0].device.wait("media.reset", timeout_s=15)
    assert str(visit.patient) in await here.stats(visit.appointment)
    practice = await stage.practice(visit.practitioner)
    target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
    await practice.ok("waiting.remove", target)
    await people[0].device.closed.wait()
    assert str(visit.patient) not in await here.stats(visit.appointment)
    assert str(visit.patient) not in await other.stats(visit.appointment)


async def test_without_another_worker_a_draining_one_keeps_its_call(
    media_worker: Any, make_stage: Any, meet: Meet, visit: Any
) -> None:
    stage = await make_stage()
    await stage.live.workers.look()
    people = await meet(stage)
    await media_worker.ask("drain", {})
    await asyncio.sleep(1.5)  # in which it would have been moved
    await goes_on(people[0])
    assert people[0].device.named("media.reset") == []
