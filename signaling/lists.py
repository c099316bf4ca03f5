"""Practitioners' lists in Redis: who is in them, what their recent visits took, how late they are."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from signaling.estimates import History
from signaling.presence import Waiter
from signaling.store import Store, member, split, visit_key

PRACTITIONERS = "live:practitioners"  # those with somebody in their list
KEPT = 40  # recent lengths of one kind, and pauses, that the estimate is learned from
ERRORS_KEPT = 200  # of the estimates' errors
KINDS = ("video", "drop_in")
LATE_S = 12 * 3600  # "running late" is forgotten by the next day
ENDED_S = 2 * 3600  # a pause longer than this was no pause between two visits


class Lists:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis: Redis = store.redis

    async def line_up(self, practitioner_id: str, appointment_id: str, participant_id: str, since: float) -> None:
        await self._redis.zadd(_queue(practitioner_id), {member(appointment_id, participant_id): since})
        await _wait(self._redis.sadd(PRACTITIONERS, practitioner_id))
        await self._store.nudge(f"q|{practitioner_id}")

    async def step_out(self, practitioner_id: str, appointment_id: str, participant_id: str) -> None:
        await self._redis.zrem(_queue(practitioner_id), member(appointment_id, participant_id))
        await self._store.nudge(f"q|{practitioner_id}")

    async def waiters(self, practitioner_id: str) -> list[Waiter]:
        members = [split(raw) for raw in await _wait(self._redis.zrange(_queue(practitioner_id), 0, -1))]
        people = await self._store.persons(members)
        visits = list({person.appointment_id: None for person in people})
        if not visits:
            return []
        async with self._redis.pipeline(transaction=False) as pipe:
            for appointment_id in visits:
                pipe.hmget(visit_key(appointment_id), "start", "kind")
            rows = await pipe.execute()
        known = {
            each: (float(start or 0), (kind or b"video").decode())
            for each, (start, kind) in zip(visits, rows, strict=True)
        }
        return [Waiter(person, *known[person.appointment_id]) for person in people]

    async def practitioners(self) -> list[str]:
        return sorted(raw.decode() for raw in await _wait(self._redis.smembers(PRACTITIONERS)))

    # What the estimate is learned from

    async def history(self, practitioner_id: str) -> History:
        async with self._redis.pipeline(transaction=False) as pipe:
            for kind in KINDS:
                pipe.lrange(_lengths(practitioner_id, kind), 0, -1)
            pipe.lrange(_gaps(practitioner_id), 0, -1)
            *lengths, gaps = await pipe.execute()
        return History(
            {kind: [float(raw) for raw in each] for kind, each in zip(KINDS, lengths, strict=True) if each},
            [float(raw) for raw in gaps],
        )

    async def add_length(
        self, practitioner_id: str, appointment_id: str, kind: str, seconds: float, now: float
    ) -> None:
        """A visit that is over, once however often it ends."""
        if not await _wait(self._redis.hsetnx(visit_key(appointment_id), "counted", "1")):
            return
        key = _lengths(practitioner_id, kind if kind in KINDS else KINDS[0])
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.lpush(key, str(seconds))
            pipe.ltrim(key, 0, KEPT - 1)
            pipe.set(_ended(practitioner_id), str(now), ex=ENDED_S)
            await pipe.execute()

    async def add_gap(self, practitioner_id: str, waiting_since: float, now: float) -> None:
        """Somebody who had waited is let in: the pause since the last visit's end, if they were there all the while."""
        raw = await self._redis.getdel(_ended(practitioner_id))
        if raw is None or float(raw) < waiting_since:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.lpush(_gaps(practitioner_id), str(max(now - float(raw), 0.0)))
            pipe.ltrim(_gaps(practitioner_id), 0, KEPT - 1)
            await pipe.execute()

    async def add_error(self, practitioner_id: str, seconds: float) -> None:
        """By how much somebody waited longer than they were told on coming (negative: shorter)."""
        key = f"live:estimate_errors:{practitioner_id}"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.lpush(key, str(round(seconds)))
            pipe.ltrim(key, 0, ERRORS_KEPT - 1)
            await pipe.execute()

    async def errors(self, practitioner_id: str) -> list[float]:
        """Newest first."""
        return [float(raw) for raw in await _wait(self._redis.lrange(f"live:estimate_errors:{practitioner_id}", 0, -1))]

    async def late(self, practitioner_id: str) -> int:
        return int(await self._redis.get(f"live:late:{practitioner_id}") or 0)

    async def set_late(self, practitioner_id: str, seconds: int) -> None:
        await self._redis.set(f"live:late:{practitioner_id}", seconds, ex=LATE_S)
        await self._store.nudge(f"q|{practitioner_id}")


async def _wait(answer: Any) -> Any:
    return await answer


def _queue(practitioner_id: str) -> str:
    return f"live:queue:{practitioner_id}"


def _lengths(practitioner_id: str, kind: str) -> str:
    return f"live:lengths:{practitioner_id}:{kind}"


def _gaps(practitioner_id: str) -> str:
    return f"live:gaps:{practitioner_id}"


def _ended(practitioner_id: str) -> str:
    return f"live:visit_ended:{practitioner_id}"
