"""Which media worker a visit's room lives on. A room's every life on a worker is a generation.

The registry is the workers' own (``docs/protocol.md``, "Media control"); the assignment is ours. It is decided by a
compare-and-set in Redis over the room and over what was placed lately, so that however many processes notice a dead
worker the room moves once, and however many place rooms at once they don't all pick the same worker.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from core.clock import Clock
from core.rpc import RpcRefused, RpcUnavailable
from signaling.errors import MediaUnavailable
from signaling.liveness import Liveness
from signaling.media_client import MediaClients, WorkerKey
from signaling.placement import Worker, choose, parse_worker
from signaling.scripts import ASSIGN_ROOM
from signaling.store import KEEP_S, Store, member, split

log = logging.getLogger(__name__)

REGISTRY = "media:workers"
PLACED = "media:placed"  # sorted set: rooms placed lately, by when (ms of the server's time)
PLACED_VERSION = "media:placed:version"  # counts placements: two that chose from the same view can't both stand
PLACED_COUNTS_MS = 3_000  # after this a worker's own figures show the room
FORMER = "media:former"  # hash: rooms still to be closed where they were
LOOK_EVERY_S = 0.5
TRIES = 12
# A drained room stays on its old worker while people build their new connections.
RETIRE_S = 8.0
# A worker that was taken for dead may answer again; what moved away meanwhile is closed there.
LOST_S = 90.0


@dataclass(frozen=True, slots=True)
class Room:
    """``key`` is None while the room is on no worker. ``reason``: why it came there."""

    appointment_id: str
    key: WorkerKey | None
    host: str
    port: int
    generation: int
    reason: str = ""


class Workers:
    """``zone`` is where this process stands: its rooms go to workers near by."""

    def __init__(self, store: Store, clients: MediaClients, clock: Clock, zone: str = "") -> None:
        self._store = store
        self._clients = clients
        self._clock = clock
        self._zone = zone
        self._assign = store.redis.register_script(ASSIGN_ROOM)
        self._placing = asyncio.Lock()  # one at a time here, so that only other processes are raced against
        self._liveness = Liveness(clients, clock)
        self.alive: dict[WorkerKey, Worker] = {}
        self.suspected = asyncio.Event()

    def suspect(self, key: WorkerKey) -> None:
        """Its channel broke: look at once."""
        self.suspected.set()

    async def registered(self) -> list[Worker]:
        """What the workers say of themselves; one that was killed stops being there within two seconds."""
        ids = [raw.decode() for raw in await _wait(self._store.redis.smembers(REGISTRY))]
        rows = await self._store.redis.mget([f"media:worker:{each}" for each in ids]) if ids else []
        return [worker for raw in rows if raw is not None and (worker := parse_worker(raw)) is not None]

    async def look(self) -> None:
        """Read the registry, ask every worker for a sign of life; decide who is alive.

        Raises RedisError, and then nothing changes. A worker that answers but is not in the registry stays: Redis,
        not it, may have been away.
        """
        registered = {worker.key: worker for worker in await self.registered()}
        ids = {key.id for key in registered}
        known = registered | {key: each for key, each in self.alive.items() if key.id not in ids}
        answering = await self._liveness.ask(known.values())
        alive = {key: known[key] for key in answering}
        for key in self.alive.keys() - alive.keys():
            log.warning("media_worker_gone", extra={"worker": key.id})
            await self._clients.forget(key)
        self.alive = alive

    async def room(self, appointment_id: str) -> Room:
        """Where the room is recorded to be, alive or not."""
        fields = ("worker", "boot", "host", "port", "generation", "reason")
        return _room(appointment_id, await _wait(self._store.redis.hmget(_key(appointment_id), *fields)))

    async def settled(self, appointment_id: str) -> Room:
        """The room on a living worker: moved, with the next generation, if it has to. Raises ``MediaUnavailable``.

        A worker that drains keeps the rooms it has until ``moved_on``.
        """
        room = await self.room(appointment_id)
        if room.key is not None and room.key in self.alive:
            return room
        await self.look()  # the worker may be younger than our last look: never move a room on old news
        room = await self.room(appointment_id)
        if room.key is not None and room.key in self.alive:
            return room
        placed = await self._place(room, "placed" if room.key is None else "worker_lost")
        if placed is None:
            raise MediaUnavailable()
        if room.key is not None and placed.key != room.key:
            await self._leave_behind(room, LOST_S)
        return placed

    async def moved_on(self, room: Room) -> Room:
        """A drained worker's room on another worker, if there is one; its former place stays a little while."""
        moved = await self._place(room, "drain")
        if moved is None:
            return room
        if moved.key != room.key and moved.reason == "drain":
            await self._leave_behind(room, RETIRE_S)
        return moved

    async def _place(self, room: Room, reason: str) -> Room | None:
        """Assign the room anew unless somebody else has; None without a worker that takes rooms."""
        before = room.key or WorkerKey("", "")
        async with self._placing:
            for attempt in range(TRIES):
                version, placed = await self._placed()
                choice = choose(self.alive.values(), placed, self._zone)
                if choice is None:
                    return None
                # The last try does not insist on the view it chose from.
                seen = version if attempt < TRIES - 1 else -1
                keys = [_key(room.appointment_id), PLACED, PLACED_VERSION]
                to = (choice.key.id, choice.key.boot, choice.host, choice.port)
                entry = "|".join((choice.key.boot, choice.key.id, room.appointment_id))
                args: list[Any] = [before.id, before.boot, *to, KEEP_S, reason, seen, entry, PLACED_COUNTS_MS]
                if answer := await self._assign(keys=keys, args=args):
                    return _room(room.appointment_id, answer)
        return None

    def for_probe(self) -> Worker | None:
        """Where a network test goes: to the worker a room would, as this process knows it."""
        return choose(self.alive.values(), {}, self._zone)

    async def _placed(self) -> tuple[int, Counter[WorkerKey]]:
        """How many placements there were, ever; and how many rooms each worker was given lately."""
        async with self._store.redis.pipeline(transaction=True) as pipe:
            pipe.get(PLACED_VERSION)
            pipe.zrange(PLACED, 0, -1, withscores=True)
            pipe.time()
            version, rows, (seconds, micros) = await pipe.execute()
        oldest = seconds * 1000 + micros // 1000 - PLACED_COUNTS_MS
        placed: Counter[WorkerKey] = Counter()
        for raw, at in rows:
            boot, worker, _ = raw.decode().split("|")
            if at >= oldest:
                placed[WorkerKey(worker, boot)] += 1
        return int(version or 0), placed

    async def release(self, appointment_id: str) -> None:
        """The room is empty: its next life may be anywhere."""
        await _wait(self._store.redis.hdel(_key(appointment_id), "worker", "boot", "host", "port"))

    # Where rooms were before

    async def _leave_behind(self, room: Room, seconds: float) -> None:
        if room.key is None:
            return
        entry = {"host": room.host, "port": room.port, "boot": room.key.boot, "until": self._now() + seconds}
        await _wait(self._store.redis.hset(FORMER, member(room.appointment_id, room.key.id), json.dumps(entry)))

    async def former(self, appointment_id: str | None = None) -> list[tuple[Room, float]]:
        """Rooms that may still live where they were, and until when (Unix seconds). Of one visit, or all."""
        found = []
        for field, raw in (await _wait(self._store.redis.hgetall(FORMER))).items():
            visit, worker = split(field)
            entry = json.loads(raw)
            if appointment_id in (None, visit):
                room = Room(visit, WorkerKey(worker, entry["boot"]), entry["host"], entry["port"], 0)
                found.append((room, float(entry["until"])))
        return found

    async def close_former(self) -> None:
        """Close rooms that have moved on, where they were: a drained one after its time, a lost one if it answers."""
        for former, until in await self.former():
            assert former.key is not None
            present = (await self.room(former.appointment_id)).key
            worker = self.alive.get(former.key)
            if present == former.key or (worker is None and self._now() > until):
                await self._forget_former(former)
            elif worker is not None and (self._now() > until or not worker.draining):
                await self.tell_former(former, "close", {})
                await self._forget_former(former)

    async def tell_former(self, former: Room, method: str, params: dict[str, Any]) -> None:
        """What concerns a room where it was; nothing is raised."""
        if former.key is None or former.key not in self.alive:
            return
        try:
            whole = {"room": former.appointment_id, **params}
            await self._clients.call(former.key, former.host, former.port, method, whole)
        except (RpcRefused, RpcUnavailable):
            log.warning("former_room_not_told", extra={"method": method})

    async def _forget_former(self, former: Room) -> None:
        if former.key is not None:
            await _wait(self._store.redis.hdel(FORMER, member(former.appointment_id, former.key.id)))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _key(appointment_id: str) -> str:
    return f"visit:{appointment_id}:room"


def _room(appointment_id: str, raw: list[bytes | None]) -> Room:
    worker, boot, host, port, generation, reason = (None if each is None else each.decode() for each in raw)
    key = WorkerKey(worker, boot) if worker and boot else None
    return Room(appointment_id, key, host or "", int(port or 0), int(generation or 0), reason or "")


async def _wait(answer: Any) -> Any:
    return await answer
