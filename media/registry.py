"""Where signaling finds this worker: a short-lived entry in Redis, renewed twice a second.

While Redis is away calls go on; the entry comes back by itself. A worker that dies is gone from the
registry within its expiry.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.background import cancel_all

log = logging.getLogger(__name__)

EXPIRY_MS = 2_000
PERIOD_S = 0.5
TIMEOUT_S = 1.0  # an unreachable Redis must not hold the next attempt
SET = "media:workers"


class Registry:
    """Writes the entry while it runs; removes it on ``stop``."""

    def __init__(self, url: str, identifier: str, describe: Callable[[], dict[str, Any]]) -> None:
        self._redis: Redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        self._id = identifier
        self._key = f"media:worker:{identifier}"
        self._describe = describe
        self._task: asyncio.Task[None] | None = None
        self.connected = False
        """Whether the last write succeeded."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await self.write()
            await asyncio.sleep(PERIOD_S)

    async def write(self) -> None:
        """Write the entry now; an outage is logged once, at its beginning."""
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(self._key, json.dumps(self._describe()), px=EXPIRY_MS)
                pipe.sadd(SET, self._id)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            if self.connected:
                log.warning("media_registry_away", extra={"reason": type(error).__name__})
            self.connected = False
            return
        if not self.connected:
            log.info("media_registry_written")
        self.connected = True

    async def others(self) -> int:
        """How many other workers are registered and take rooms; 0 also when Redis can't be asked."""
        count = 0
        with contextlib.suppress(RedisError, OSError, TimeoutError, ValueError):
            answer: Any = self._redis.smembers(SET)
            ids = [raw.decode() for raw in await answer]
            entries = await self._redis.mget(
                [f"media:worker:{each}" for each in ids if each != self._id] or [self._key]
            )
            for raw in entries:
                entry = json.loads(raw) if raw is not None else {}
                count += bool(entry) and entry.get("id") != self._id and not entry.get("draining")
        return count

    async def stop(self) -> None:
        """Take the entry out, so that nobody is sent here any more."""
        if self._task is not None:
            await cancel_all([self._task])
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(self._key)
                pipe.srem(SET, self._id)
                await pipe.execute()
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._redis.aclose()
