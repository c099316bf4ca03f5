"""Which media worker a visit's room lives on. A room's every life on a worker is a generation.

The registry is the workers' own (``docs/protocol.md``, "Media control"); the assignment is ours, decided by a
compare-and-set in Redis, so that however many processes notice a dead worker, the room moves once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.clock import Clock
from core.rpc import RpcRefused, RpcUnavailable
from signaling.errors import MediaUnavailable
from signaling.media_client import MediaClients, WorkerKey
from signaling.store import KEEP_S, Store

log = logging.getLogger(__name__)

REGISTRY = "media:workers"
LOOK_EVERY_S = 0.5
# A worker that fell out of the registry but whose channel is open gets this long: Redis, not it, may have been away.
SILENT_GRACE_S = 2.5

# KEYS room. ARGV expected id, expected boot, id, boot, host, port, ttl. The present room comes back in any case.
_ASSIGN = """
local id = redis.call('HGET', KEYS[1], 'worker') or ''
local boot = redis.call('HGET', KEYS[1], 'boot') or ''
if id == ARGV[1] and boot == ARGV[2] then
  redis.call('HSET', KEYS[1], 'worker', ARGV[3], 'boot', ARGV[4], 'host', ARGV[5], 'port', ARGV[6])
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
  redis.call('EXPIRE', KEYS[1], ARGV[7])
end
return redis.call('HMGET', KEYS[1], 'worker', 'boot', 'host', 'port', 'generation')
"""


@dataclass(frozen=True, slots=True)
class Worker:
    key: WorkerKey
    host: str
    port: int
    load: float
    rooms: int
    participants: int
    capacity: float
    draining: bool


@dataclass(frozen=True, slots=True)
class Room:
    """``key`` is None while the room is on no worker."""

    appointment_id: str
    key: WorkerKey | None
    host: str
    port: int
    generation: int


def parse_worker(raw: bytes | str) -> Worker | None:
    """A registration; None if it makes no sense."""
    try:
        data: dict[str, Any] = json.loads(raw)
        return Worker(
            WorkerKey(str(data["id"]), str(data["boot"])),
            str(data["control_host"]),
            int(data["control_port"]),
            float(data.get("load") or 0),
            int(data.get("rooms") or 0),
            int(data.get("participants") or 0),
            float(data.get("capacity") or 0),
            bool(data.get("draining")),
        )
    except (ValueError, KeyError, TypeError):
        return None


def least_loaded(workers: Iterable[Worker]) -> Worker | None:
    """Not one that drains; by load in tenths (finer is noise), then by people, then by name."""
    able = [worker for worker in workers if not worker.draining]
    return min(able, key=lambda w: (round(w.load, 1), w.participants, w.rooms, w.key.id), default=None)


class Workers:
    def __init__(self, store: Store, clients: MediaClients, clock: Clock) -> None:
        self._store = store
        self._clients = clients
        self._clock = clock
        self._assign = store.redis.register_script(_ASSIGN)
        self.alive: dict[WorkerKey, Worker] = {}
        self._seen: dict[WorkerKey, float] = {}
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
        """Read the registry; decide who is alive. Raises RedisError, and then nothing changes."""
        found = await self.registered()
        now = self._clock.monotonic()
        registered = {worker.key: worker for worker in found}
        alive: dict[WorkerKey, Worker] = {}
        for key, worker in registered.items():
            # A killed worker's entry outlives it by up to two seconds; its broken channel tells at once.
            was_open = key in self.alive and key in self._seen
            if was_open and not self._clients.connected(key) and not await self._answers(worker):
                continue
            self._seen[key] = now
            alive[key] = worker
        for key, worker in self.alive.items():
            if key in alive or any(other.id == key.id for other in registered):
                continue
            if self._clients.connected(key) and now - self._seen.get(key, 0.0) < SILENT_GRACE_S:
                alive[key] = worker
        for key in self.alive.keys() - alive.keys():
            log.warning("media_worker_gone", extra={"worker": key.id})
            self._seen.pop(key, None)
            await self._clients.forget(key)
        self.alive = alive

    async def _answers(self, worker: Worker) -> bool:
        return await self._clients.reachable(worker.key, worker.host, worker.port)

    async def room(self, appointment_id: str) -> Room:
        """Where the room is recorded to be, alive or not."""
        raw = await _wait(self._store.redis.hmget(_key(appointment_id), "worker", "boot", "host", "port", "generation"))
        return _room(appointment_id, raw)

    async def settled(self, appointment_id: str) -> Room:
        """The room on a living worker: moved, with the next generation, if it has to. Raises ``MediaUnavailable``."""
        room = await self.room(appointment_id)
        fresh = False
        for _ in range(4):
            if room.key is not None and (worker := self.alive.get(room.key)) is not None and not worker.draining:
                return room
            if not fresh:
                await self.look()  # the worker may be younger than our last look: never move a room on old news
                fresh = True
                continue
            choice = least_loaded(self.alive.values())
            if choice is None:
                if room.key is not None and room.key in self.alive:
                    return room  # it drains, but there is no other
                raise MediaUnavailable()
            before = room.key or WorkerKey("", "")
            args: list[Any] = [before.id, before.boot, choice.key.id, choice.key.boot, choice.host, choice.port, KEEP_S]
            moved_from = room
            room = _room(appointment_id, await self._assign(keys=[_key(appointment_id)], args=args))
            await self._vacate(moved_from, room)
        return room

    async def _vacate(self, before: Room, now: Room) -> None:
        """A worker that drains forgets the room that has moved on."""
        if before.key is None or before.key == now.key or before.key not in self.alive:
            return
        try:
            params = {"room": before.appointment_id}
            await self._clients.call(before.key, before.host, before.port, "close", params)
        except (RpcRefused, RpcUnavailable):
            log.warning("drained_room_not_closed")

    async def release(self, appointment_id: str) -> None:
        """The room is empty: its next life may be anywhere."""
        await _wait(self._store.redis.hdel(_key(appointment_id), "worker", "boot", "host", "port"))


def _key(appointment_id: str) -> str:
    return f"visit:{appointment_id}:room"


def _room(appointment_id: str, raw: list[bytes | None]) -> Room:
    worker, boot, host, port, generation = (None if each is None else each.decode() for each in raw)
    key = WorkerKey(worker, boot) if worker and boot else None
    return Room(appointment_id, key, host or "", int(port or 0), int(generation or 0))


async def _wait(answer: Any) -> Any:
    return await answer
