"""Which media worker a room goes to: pure, of what the workers say of themselves and what was placed just now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signaling.media_client import WorkerKey

PACKETS_PER_PERSON = 150.0  # forwarded in a second to one of two people who see each other
PRESENCE = 0.55  # of what one of two people costs a worker: what they send, checks, reports; the rest is forwarding
PEOPLE_PER_ROOM = 2  # expected of a room that was placed so recently that its worker does not report it
BUSY_CPU = 0.85  # of one core: a worker is one thread
BUSY_FILLING = 0.85  # beyond it somebody farther away serves better than somebody near


@dataclass(frozen=True, slots=True)
class Worker:
    """A registration. ``load`` is the CPU share of its process (1.0: a core), ``packets`` are forwarded a second,
    ``zone`` is where it stands: "region" or "region/zone"; empty says nothing."""

    key: WorkerKey
    host: str
    port: int
    load: float
    rooms: int
    participants: int
    capacity: float
    draining: bool
    packets: float = 0.0
    zone: str = ""
    quality: Mapping[str, float] = field(default_factory=dict)
    """What the worker says of its calls (``bitrate_in``, ``loss_in`` and so on); it decides nothing."""


def parse_worker(raw: bytes | str) -> Worker | None:
    """A registration as it lies in Redis; None if it makes no sense."""
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
            float(data.get("packets") or 0),
            str(data.get("zone") or ""),
            {str(name): float(value) for name, value in (data.get("quality") or {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def distance(one: str, other: str) -> int:
    """0 in the same zone or where one of them is unknown, 1 in the same region, 2 elsewhere."""
    if not one or not other or one == other:
        return 0
    return 1 if one.partition("/")[0] == other.partition("/")[0] else 2


def filling(worker: Worker, placed: int) -> float:
    """The share of its capacity a worker has in use, ``placed`` rooms that it does not report yet included.

    Work is people and packets, as they were measured to cost: few people in one large room are as much as many in
    pairs, but less than their packets alone would say.
    """
    work = PRESENCE * worker.participants + (1 - PRESENCE) * worker.packets / PACKETS_PER_PERSON
    people = work + placed * PEOPLE_PER_ROOM
    return people / worker.capacity if worker.capacity > 0 else people


def used(worker: Worker, placed: int) -> float:
    """The share of its capacity that is taken, by work or by people, whichever is more: it takes so many people."""
    people = worker.participants + placed * PEOPLE_PER_ROOM
    return max(filling(worker, placed), people / worker.capacity if worker.capacity > 0 else float(people))


def choose(workers: Iterable[Worker], placed: Mapping[WorkerKey, int], zone: str = "") -> Worker | None:
    """The nearest that is not busy, and of those as near the least filled. None if all drain or there is none.

    ``placed`` counts the rooms each was given so recently that its figures don't show them.
    """

    def cost(worker: Worker) -> tuple[bool, int, float, int, str]:
        recent = placed.get(worker.key, 0)
        filled = filling(worker, recent)
        busy = used(worker, recent) >= BUSY_FILLING or worker.load >= BUSY_CPU
        return busy, distance(zone, worker.zone), filled, worker.rooms + recent, worker.key.id

    return min((worker for worker in workers if not worker.draining), key=cost, default=None)
