"""What the live visit keeps in Redis: so that any process can go on where another was killed.

Where several keys must change together, a script does it (`scripts.py`). Text here is ids, display names and
states; chat is encrypted before it comes near.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from signaling import scripts
from signaling.presence import Person, State

NUDGES = "live:nudges"  # pub/sub: "something changed there"; the truth is in the keys
BEATS = "live:beats"  # sorted set: "<visit>|<person>" → last heartbeat of the connection's process
LOST = "live:lost"  # sorted set: "<visit>|<person>" → without a connection since
KEEP_S = 26 * 3600  # a visit's keys outlive its window, then go by themselves
LOG_LENGTH = 500  # events kept for a resume; more missed is answered with a snapshot


@dataclass(frozen=True, slots=True)
class Visit:
    appointment_id: str
    patient_id: str
    practitioner_id: str
    practitioner_name: str
    practitioner_title: str
    start: float
    closes_at: float
    call: Literal["idle", "open", "ended"] = "idle"
    started_at: float | None = None
    over: bool = False
    kind: str = "video"


@dataclass(frozen=True, slots=True)
class Claim:
    """Answer to a claim on a seat. ``seq`` is the newest event's number; ``was_lost``: others had been told so."""

    outcome: Literal["ok", "taken", "removed", "expired"]
    seq: int = 0
    was_lost: bool = False


@dataclass(frozen=True, slots=True)
class LogEntry:
    seq: int
    event: str
    payload: bytes
    sealed: bool


def member(appointment_id: str, participant_id: str) -> str:
    return f"{appointment_id}|{participant_id}"


def split(value: bytes | str) -> tuple[str, str]:
    appointment_id, _, participant_id = (value.decode() if isinstance(value, bytes) else value).partition("|")
    return appointment_id, participant_id


class Store:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._append = redis.register_script(scripts.APPEND)
        self._claim = redis.register_script(scripts.CLAIM)
        self._release = redis.register_script(scripts.RELEASE)
        self._silent = redis.register_script(scripts.SILENT)
        self._overdue = redis.register_script(scripts.OVERDUE)
        self._move = redis.register_script(scripts.MOVE)

    # Visits and people

    async def enter(self, visit: Visit, person: Person) -> None:
        """Know this visit and person; what is known already of their course stays."""
        key, person_key = visit_key(visit.appointment_id), _person(visit.appointment_id, person.participant_id)
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(
                key,
                mapping={
                    "patient_id": visit.patient_id,
                    "practitioner_id": visit.practitioner_id,
                    "practitioner_name": visit.practitioner_name,
                    "practitioner_title": visit.practitioner_title,
                    "start": visit.start,
                    "closes_at": visit.closes_at,
                    "kind": visit.kind,
                },
            )
            if visit.over:
                pipe.hset(key, "over", "1")
            pipe.hsetnx(person_key, "state", person.state)
            # The name of whoever has the seat stays until another has it.
            pipe.hsetnx(person_key, "name", person.name)
            pipe.hset(person_key, "role", person.role)
            if person.checked_in:
                pipe.hset(person_key, "checked_in", "1")
            if person.role == "patient":
                pipe.hset(person_key, "consented", "1" if person.consented else "0")
            pipe.sadd(_people(visit.appointment_id), person.participant_id)
            for each in (key, person_key, _people(visit.appointment_id)):
                pipe.expire(each, KEEP_S)
            await pipe.execute()

    async def visit(self, appointment_id: str) -> Visit | None:
        raw = _text(await _wait(self.redis.hgetall(visit_key(appointment_id))))
        if "patient_id" not in raw:
            return None
        return Visit(
            appointment_id,
            raw["patient_id"],
            raw["practitioner_id"],
            raw["practitioner_name"],
            raw["practitioner_title"],
            float(raw["start"]),
            float(raw["closes_at"]),
            cast(Any, raw.get("call", "idle")),
            _float(raw.get("started_at")),
            raw.get("over") == "1",
            raw.get("kind", "video"),
        )

    async def set_visit(self, appointment_id: str, **fields: str | float) -> None:
        await _wait(self.redis.hset(visit_key(appointment_id), mapping=cast(Any, fields)))

    async def hash_of(self, key: str) -> dict[str, str]:
        return _text(await _wait(self.redis.hgetall(key)))

    async def keep(self, key: str, fields: Mapping[str, str], seconds: int) -> None:
        """Set fields of a hash that goes by itself after so long."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping=cast(Any, dict(fields)))
            pipe.expire(key, seconds)
            await pipe.execute()

    async def person(self, appointment_id: str, participant_id: str) -> Person | None:
        raw = await _wait(self.redis.hgetall(_person(appointment_id, participant_id)))
        return _to_person(appointment_id, participant_id, _text(raw))

    async def people(self, appointment_id: str) -> list[Person]:
        ids = [raw.decode() for raw in await _wait(self.redis.smembers(_people(appointment_id)))]
        return await self.persons([(appointment_id, each) for each in sorted(ids)])

    async def set_person(self, appointment_id: str, participant_id: str, **fields: str | float) -> None:
        key = _person(appointment_id, participant_id)
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping=cast(Any, fields))
            pipe.expire(key, KEEP_S)
            await pipe.execute()

    async def move(
        self,
        appointment_id: str,
        participant_id: str,
        allowed: Iterable[State] | None,
        fields: Mapping[str, str | float | None],
        *,
        needs_admission: bool = False,
    ) -> tuple[bool, str]:
        """Set ``fields`` (None deletes) if the state is one of ``allowed`` (None: any). Returns done, state before."""
        flat: list[str | float] = []
        for name, value in fields.items():
            flat += [name, "" if value is None else value]
        states = "*" if allowed is None else ",".join(allowed)
        done, before = await self._move(
            keys=[_person(appointment_id, participant_id)], args=[states, "1" if needs_admission else "", *flat]
        )
        return bool(done), before.decode()

    # Seats

    async def claim(
        self,
        appointment_id: str,
        participant_id: str,
        how: Literal["fresh", "resume", "take_over"],
        *,
        seat: str,
        now: float,
        oldest_beat: float,
        resume_hash: str,
        presented_hash: str = "",
    ) -> Claim:
        """Take the seat, if it is free, resumable by this token, or taken over. The holder before is nudged.

        A resume token stays good until its successor has been used: the answer that carried it may have been lost.
        """
        who = member(appointment_id, participant_id)
        outcome, seq, was_lost = await self._claim(
            keys=[_person(appointment_id, participant_id), BEATS, LOST],
            args=[how, seat, now, oldest_beat, resume_hash, presented_hash, who, NUDGES, f"s|{who}"],
        )
        return Claim(outcome.decode(), int(seq), bool(was_lost))

    async def release(self, appointment_id: str, participant_id: str, seat: str, now: float) -> bool:
        """The connection is gone. False if another one has the seat by now."""
        keys = [_person(appointment_id, participant_id), BEATS, LOST]
        return bool(await self._release(keys=keys, args=[seat, now, member(appointment_id, participant_id)]))

    async def forget_resume(self, appointment_id: str, participant_id: str) -> None:
        await _wait(self.redis.hdel(_person(appointment_id, participant_id), "resume", "resume_previous"))

    async def beat(self, members: Iterable[str], now: float) -> None:
        scores = dict.fromkeys(members, now)
        if scores:
            await self.redis.zadd(BEATS, cast(Any, scores))

    async def silent(self, oldest_beat: float, now: float) -> list[tuple[str, str]]:
        """Those whose process stopped beating, marked as lost; each is returned to one caller."""
        gone = [split(raw) for raw in await self._silent(keys=[BEATS, LOST], args=[oldest_beat, now])]
        for appointment_id, participant_id in gone:
            await _wait(self.redis.hsetnx(_person(appointment_id, participant_id), "lost_at", str(now)))
        return gone

    async def overdue(self, cutoff: float, lease_until: float) -> list[tuple[str, str]]:
        return [split(raw) for raw in await self._overdue(keys=[LOST], args=[cutoff, lease_until])]

    async def forget_lost(self, appointment_id: str, participant_id: str) -> None:
        await self.redis.zrem(LOST, member(appointment_id, participant_id))

    async def present(self) -> list[Person]:
        """Everybody with a connection or within the grace after losing it, in all visits."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.zrange(BEATS, 0, -1)
            pipe.zrange(LOST, 0, -1)
            connected, lost = await pipe.execute()
        return await self.persons([split(raw) for raw in dict.fromkeys([*connected, *lost])])

    # Event log

    async def append(
        self,
        appointment_id: str,
        participant_id: str,
        event: str,
        payload: bytes,
        *,
        sealed: bool = False,
        once: tuple[str, str] | None = None,
    ) -> int:
        """Number the event and nudge the seat's holder; returns its number.

        With ``once`` (field, value): nothing happens, and 0 is returned, if the field has this value already.
        """
        field, value = once or ("", "")
        keys = [
            _person(appointment_id, participant_id),
            _log(appointment_id, participant_id),
            _once(appointment_id, participant_id),
        ]
        nudge = f"s|{member(appointment_id, participant_id)}"
        args: list[Any] = [event, payload, "1" if sealed else "", field, value, LOG_LENGTH, KEEP_S, NUDGES, nudge]
        return int(await self._append(keys=keys, args=args))

    async def mark(self, appointment_id: str, participant_id: str, field: str, value: str) -> None:
        """As if the ``once`` event had been sent: the person knows already."""
        await _wait(self.redis.hset(_once(appointment_id, participant_id), field, value))

    async def log(
        self, appointment_id: str, participant_id: str, after: int, count: int = 100
    ) -> tuple[str, str, list[LogEntry]]:
        """The seat's present holder, how they got it, and the events after a number, oldest first."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hmget(_person(appointment_id, participant_id), "seat", "seat_how")
            pipe.xrange(_log(appointment_id, participant_id), min=f"{after + 1}-0", count=count)
            holder, rows = await pipe.execute()
        entries = [
            LogEntry(int(row_id.split(b"-")[0]), row[b"e"].decode(), row[b"p"], row[b"x"] == b"1")
            for row_id, row in rows
        ]
        return (holder[0] or b"").decode(), (holder[1] or b"").decode(), entries

    async def heads(self, keys: Iterable[tuple[str, str]]) -> list[tuple[str, int]]:
        """For each (visit, person): the seat's present holder, and the number of the newest event."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for appointment_id, participant_id in keys:
                pipe.hmget(_person(appointment_id, participant_id), "seat", "seq")
            rows = await pipe.execute()
        return [((seat or b"").decode(), int(seq or 0)) for seat, seq in rows]

    # Nudges

    async def nudge(self, text: str) -> None:
        await self.redis.publish(NUDGES, text)

    async def nudges(self) -> AsyncIterator[str]:
        """Every nudge; first an empty one, once they are heard. Ends with redis' error when Redis goes away."""
        pubsub: PubSub = self.redis.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(NUDGES)
            yield ""
            async for message in pubsub.listen():
                yield message["data"].decode()
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def persons(self, keys: Iterable[tuple[str, str]]) -> list[Person]:
        wanted = list(keys)
        if not wanted:
            return []
        async with self.redis.pipeline(transaction=False) as pipe:
            for appointment_id, participant_id in wanted:
                pipe.hgetall(_person(appointment_id, participant_id))
            rows = await pipe.execute()
        found = [_to_person(a, p, _text(raw)) for (a, p), raw in zip(wanted, rows, strict=True)]
        return [person for person in found if person is not None]


async def _wait(answer: Any) -> Any:
    """redis-py types hash, set and list commands as "awaitable or not"; on this client they are awaitable."""
    return await answer


def visit_key(appointment_id: str) -> str:
    return f"visit:{appointment_id}"


def _people(appointment_id: str) -> str:
    return f"visit:{appointment_id}:people"


def _person(appointment_id: str, participant_id: str) -> str:
    return f"visit:{appointment_id}:person:{participant_id}"


def _log(appointment_id: str, participant_id: str) -> str:
    return f"visit:{appointment_id}:log:{participant_id}"


def _once(appointment_id: str, participant_id: str) -> str:
    return f"visit:{appointment_id}:once:{participant_id}"


def _text(raw: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in raw.items()}


def _float(value: str | None) -> float | None:
    return None if value is None else float(value)


def _to_person(appointment_id: str, participant_id: str, raw: dict[str, str]) -> Person | None:
    if "role" not in raw:
        return None
    return Person(
        appointment_id=appointment_id,
        participant_id=participant_id,
        role=raw["role"],
        name=raw.get("name", ""),
        state=cast(State, raw.get("state", "outside")),
        admitted=raw.get("admitted") == "1",
        admitted_at=_float(raw.get("admitted_at")),
        since=_float(raw.get("since")),
        joined_at=_float(raw.get("joined_at")),
        lost_at=_float(raw.get("lost_at")),
        hand=raw.get("hand") == "1",
        tracks=json.loads(raw.get("tracks", "[]")),
        readiness=raw.get("readiness"),
        seat=raw.get("seat", ""),
        session_id=raw.get("session", ""),
        for_name=raw.get("for_name", ""),
        by=raw.get("by", ""),
        transferred_from=raw.get("transferred_from", ""),
        recalled_at=_float(raw.get("recalled_at")),
        checked_in=raw.get("checked_in") == "1",
        consented=raw.get("consented") != "0",
        told_wait=_float(raw.get("told_wait")),
    )
