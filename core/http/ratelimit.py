"""Request limits: counted here at once, shared with the other processes through Redis once a second.

A decision never waits for Redis, so a limit is exact within a process and late by at most ``SYNC_S`` between
processes; with Redis away each process keeps its own count. The window slides: the last minute's count fades
out evenly over this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.errors import TooManyRequests
from core.settings import Limits

WINDOW_S = 60
SYNC_S = 1.0
# Beyond this many callers in two windows the oldest are forgotten, so that a flood of addresses ends in no memory.
MOST_KEYS = 100_000

log = structlog.get_logger("ratelimit")


@dataclass(slots=True)
class _Count:
    known: int = 0  # everybody's, as of the last synchronisation
    pending: int = 0  # ours since then

    @property
    def total(self) -> int:
        return self.known + self.pending


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reset_s``: until the count is empty again, or, when refused, until another try is sensible."""

    name: str
    limit: int
    remaining: int
    reset_s: int
    allowed: bool

    def headers(self) -> dict[str, str]:
        """RateLimit fields of the IETF's HTTPAPI draft, and Retry-After (RFC 9110) when refused."""
        fields = {
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.reset_s}',
        }
        if not self.allowed:
            fields["Retry-After"] = str(self.reset_s)
        return fields


def judge(name: str, limit: int, previous: int, current: int, elapsed_s: float) -> Verdict:
    """Pure: may one more request pass? ``previous`` and ``current`` count the last and this window."""
    weight = 1 - elapsed_s / WINDOW_S
    used = previous * weight + current
    allowed = used + 1 <= limit
    remaining = max(0, math.floor(limit - used - 1)) if allowed else 0
    reset = max(1, math.ceil(WINDOW_S - elapsed_s))
    if not allowed and current < limit and previous:
        # The old window fades: that moment may come before this window's end.
        fade = WINDOW_S * (used + 1 - limit) / previous
        reset = min(reset, max(1, math.ceil(fade)))
    return Verdict(name, limit, remaining, reset, allowed)


class RateLimiter:
    """Limits by name: ``address``, ``person``, ``login_address``, ``login_account``, ``token``; all per minute."""

    def __init__(self, limits: Limits, redis: Redis | None, wall: Callable[[], float] = time.time) -> None:
        self.limits: Mapping[str, int] = {
            "address": limits.per_address_per_minute,
            "person": limits.per_person_per_minute,
            "login_address": limits.login_per_address_per_minute,
            "login_account": limits.login_per_account_per_minute,
            "token": limits.token_per_minute,
        }
        self._redis = redis
        self._wall = wall
        self._counts: dict[tuple[str, int], _Count] = {}
        self._touched: set[tuple[str, int]] = set()
        self._task: asyncio.Task[None] | None = None
        self._away = False

    def take(self, name: str, who: str) -> Verdict:
        """Count one request of ``who`` (an address or an id) and judge it. A refused one is not counted."""
        now = self._wall()
        window = int(now // WINDOW_S)
        key = f"{name}:{_anonymous(name, who)}"
        current = self._counts.get((key, window))
        if current is None:
            current = self._counts[(key, window)] = _Count()
            self._bound(window)
        previous = self._counts.get((key, window - 1))
        self._touched.add((key, window))
        verdict = judge(name, self.limits[name], previous.total if previous else 0, current.total, now % WINDOW_S)
        if verdict.allowed:
            current.pending += 1
        return verdict

    def require(self, name: str, who: str) -> Verdict:
        """As ``take``; raises TooManyRequests with Retry-After when refused."""
        verdict = self.take(name, who)
        if not verdict.allowed:
            raise TooManyRequests(headers=verdict.headers())
        return verdict

    async def start(self) -> None:
        if self._redis is not None:
            self._task = asyncio.create_task(self._synchronise_for_ever(), name="rate limits")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def synchronise(self) -> None:
        """Add our counts to Redis and learn everybody's; one round trip for all keys."""
        assert self._redis is not None
        touched, self._touched = list(self._touched), set()
        sent: list[tuple[tuple[str, int], _Count, int]] = []
        pipeline = self._redis.pipeline(transaction=False)
        for place in touched:
            count = self._counts.get(place)
            if count is None:
                continue
            name = f"rate:{place[0]}:{place[1]}"
            pipeline.incrby(name, count.pending)
            pipeline.expire(name, 2 * WINDOW_S + 10)
            sent.append((place, count, count.pending))
        if not sent:
            return
        try:
            answers = await pipeline.execute()
        except (RedisError, OSError):
            self._touched.update(place for place, _, _ in sent)
            raise
        for (_, count, added), total in zip(sent, answers[::2], strict=True):
            count.known = int(total)
            count.pending -= added

    async def _synchronise_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            try:
                await self.synchronise()
                if self._away:
                    log.info("limits are shared again")
                self._away = False
            except (RedisError, OSError):
                if not self._away:
                    log.warning("Redis is away: limits count in this process only")
                self._away = True

    def _bound(self, window: int) -> None:
        if len(self._counts) % 1024 == 0 or len(self._counts) > MOST_KEYS:
            for place in [each for each in self._counts if each[1] < window - 1]:
                del self._counts[place]
        while len(self._counts) > MOST_KEYS:
            del self._counts[next(iter(self._counts))]


def _anonymous(name: str, who: str) -> str:
    """A key that tells nobody's address: of IPv6 the /64, which one person has whole."""
    if "address" in name:
        with contextlib.suppress(ValueError):
            ip = ipaddress.ip_address(who)
            if ip.version == 6:
                who = str(ipaddress.ip_network((ip, 64), strict=False))
    return hashlib.sha256(who.encode()).hexdigest()[:24]
