"""The bus: how facts travel from the outbox to each group of handlers. Redis Streams by default.

Facts go to fixed partitions by their order key. In each group, a partition has one leased consumer, so the facts of
a key are handled one after the other. Delivery is at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import zlib
from collections.abc import AsyncIterator, Container, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from core.events import Envelope

# Fixed for the life of an installation: another number would send a key's next fact to another partition.
PARTITIONS = 8
LEASE_S = 6.0
LEASE_RENEWED_EVERY_S = 1.5
BLOCK_MS = 1000
BATCH = 32  # of each partition
STREAM = "bedside:facts:{}"


def partition_of(order_key: UUID) -> int:
    """The partition of a key. Pure and the same everywhere."""
    return zlib.crc32(order_key.bytes) % PARTITIONS


@dataclass(frozen=True, slots=True)
class Delivery:
    """An envelope and what acknowledges it. None: a fact that the lease's group does not handle."""

    partition: int
    tag: str
    envelope: Envelope | None


@dataclass(slots=True)
class Lease:
    """The right to consume one partition for one group. ``fence`` grows with each new holder.

    ``names`` are the facts the group handles; None: all.
    """

    group: str
    partition: int
    names: Container[str] | None
    fence: int
    token: str = field(repr=False)
    valid: bool = True


class Bus(Protocol):
    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """All or none, in this order within each key; raises when the bus is away."""
        ...

    def lease(
        self, group: str, partition: int, names: Container[str] | None = None
    ) -> contextlib.AbstractAsyncContextManager[Lease | None]:
        """Hold the partition, or None when another has it. ``valid`` turns False when it is lost."""
        ...

    async def unfinished(self, lease: Lease) -> list[Delivery]:
        """What was delivered to earlier holders and never acknowledged, oldest first."""
        ...

    async def read(self, *leases: Lease) -> list[Delivery]:
        """New deliveries of these partitions of one group, each partition's in order; empty after a short wait."""
        ...

    async def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None: ...

    async def trim(self) -> int:
        """Drop what every group has acknowledged; returns how many."""
        ...

    async def waiting(self) -> dict[str, int]:
        """Facts not yet acknowledged, by group."""
        ...

    async def close(self) -> None: ...


_TAKE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return redis.call('INCR', KEYS[2]) end
return 0
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# Every holder reads under one name: what an earlier one left unacknowledged is then its own.
_CONSUMER = "leased"


class RedisBus:
    """Facts in Redis Streams, one stream a partition; leases are keys that expire."""

    def __init__(self, url: str, *, lease_s: float = LEASE_S) -> None:
        # Each leased partition keeps a connection in a blocking read, so the pool is wide.
        self._redis = Redis.from_url(url, socket_connect_timeout=3, socket_timeout=10, max_connections=2000)
        self._lease_s = lease_s
        self._take = self._redis.register_script(_TAKE)
        self._renew = self._redis.register_script(_RENEW)
        self._release = self._redis.register_script(_RELEASE)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        # One MULTI: after an error nothing, or everything, is there; sent again, duplicates keep their order.
        async with self._redis.pipeline(transaction=True) as pipe:
            for envelope in envelopes:
                pipe.xadd(STREAM.format(partition_of(envelope.order_key)), _fields(envelope))
            await pipe.execute()

    @asynccontextmanager
    async def lease(
        self, group: str, partition: int, names: Container[str] | None = None
    ) -> AsyncIterator[Lease | None]:
        key = f"bedside:lease:{group}:{partition}"
        token = secrets.token_hex(8)
        lifetime = int(self._lease_s * 1000)
        fence = int(await self._take(keys=[key, f"bedside:fence:{group}:{partition}"], args=[token, lifetime]))
        if fence == 0:
            yield None
            return
        lease = Lease(group, partition, names, fence, token)
        renewing = asyncio.create_task(self._keep(lease, key, lifetime))
        try:
            await self._make_group(group, partition)
            yield lease
        finally:
            lease.valid = False
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            with contextlib.suppress(RedisError, OSError):  # else it expires
                await self._release(keys=[key], args=[token])

    async def _keep(self, lease: Lease, key: str, lifetime: int) -> None:
        loop = asyncio.get_running_loop()
        safe_until = loop.time() + self._lease_s
        while lease.valid:
            await asyncio.sleep(min(LEASE_RENEWED_EVERY_S, self._lease_s / 4))
            asked = loop.time()
            try:
                if not await self._renew(keys=[key], args=[lease.token, lifetime]):
                    lease.valid = False
                safe_until = asked + self._lease_s
            except (RedisError, OSError):
                lease.valid = loop.time() < safe_until

    async def _make_group(self, group: str, partition: int) -> None:
        try:
            await self._redis.xgroup_create(STREAM.format(partition), group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def unfinished(self, lease: Lease) -> list[Delivery]:
        found: list[Delivery] = []
        after = "0"
        while True:
            page = await self._read([lease], after, None)
            if not page:
                return found
            found += page
            after = page[-1].tag

    async def read(self, *leases: Lease) -> list[Delivery]:
        return await self._read(leases, ">", BLOCK_MS)

    async def _read(self, leases: Sequence[Lease], after: str, block_ms: int | None) -> list[Delivery]:
        partitions = {STREAM.format(lease.partition): lease.partition for lease in leases}
        group, names = leases[0].group, leases[0].names
        answer: Any = await self._redis.xreadgroup(
            group, _CONSUMER, dict.fromkeys(partitions, after), count=BATCH, block=block_ms
        )
        return [
            Delivery(partitions[stream], _text(tag), _envelope(fields, names))
            for stream, tag, fields in _entries(answer)
            if fields
        ]

    async def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        tags: dict[int, list[str]] = {}
        for each in deliveries:
            tags.setdefault(each.partition, []).append(each.tag)
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition, those in tags.items():
                pipe.xack(STREAM.format(partition), group, *those)
            await pipe.execute()

    async def trim(self) -> int:
        dropped = 0
        for partition in range(PARTITIONS):
            stream = STREAM.format(partition)
            if not await self._redis.exists(stream):
                continue
            kept_from: list[tuple[int, int]] = []
            for group in await self._redis.xinfo_groups(stream):
                pending: Any = await self._redis.xpending(stream, group["name"])
                if pending["pending"]:
                    kept_from.append(_id(pending["min"]))
                else:
                    # The last delivered one is acknowledged, so what is kept begins just after it.
                    millis, count = _id(group["last-delivered-id"])
                    kept_from.append((millis, count + 1))
            if kept_from:
                millis, count = min(kept_from)
                dropped += int(await self._redis.xtrim(stream, minid=f"{millis}-{count}", approximate=False))
        return dropped

    async def waiting(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for partition in range(PARTITIONS):
            stream = STREAM.format(partition)
            if not await self._redis.exists(stream):
                continue
            for group in await self._redis.xinfo_groups(stream):
                name = _text(group["name"])
                found[name] = found.get(name, 0) + int(group["lag"] or 0) + int(group["pending"])
        return found

    async def close(self) -> None:
        await self._redis.aclose()


def _entries(answer: Any) -> Iterable[tuple[str, Any, dict[Any, Any]]]:
    """XREADGROUP's streams, entry by entry, in the shape of RESP2 (pairs) or RESP3 (a map with lists of lists)."""
    streams = answer.items() if isinstance(answer, dict) else answer or ()
    for stream, entries in streams:
        for entry in entries:
            if entry and isinstance(entry[0], (list, tuple)):  # RESP3 wraps the entries once more
                yield from ((_text(stream), tag, fields) for tag, fields in entry)
            elif entry:
                yield _text(stream), entry[0], entry[1]


def _fields(envelope: Envelope) -> dict[Any, Any]:
    return {
        "id": str(envelope.fact_id),
        "name": envelope.name,
        "key": str(envelope.order_key),
        "at": envelope.occurred_at.isoformat(),
        "payload": json.dumps(envelope.payload, separators=(",", ":")),
    }


def _envelope(raw: dict[Any, Any], names: Container[str] | None) -> Envelope | None:
    fields = {_text(name): _text(value) for name, value in raw.items()}
    if names is not None and fields["name"] not in names:
        return None
    return Envelope(
        fact_id=UUID(fields["id"]),
        name=fields["name"],
        order_key=UUID(fields["key"]),
        occurred_at=datetime.fromisoformat(fields["at"]),
        payload=json.loads(fields["payload"]),
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _id(value: Any) -> tuple[int, int]:
    millis, _, count = _text(value).partition("-")
    return int(millis), int(count or 0)
