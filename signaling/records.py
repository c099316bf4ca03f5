"""Reports to the durable visit that must arrive: kept in Redis until they have been taken, in order.

So a call goes on while PostgreSQL is away, and what happened meanwhile is written when it is back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from core.errors import BedsideError, Unavailable
from signaling.ports import Visits
from signaling.store import Store

log = logging.getLogger(__name__)

KEY = "live:records"
LOCK = "live:records:lock"
# One process writes at a time; if it dies in the middle, another goes on after this. Should two ever write the same
# report, the durable side takes it once.
LOCK_MS = 3_000
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class Records:
    def __init__(self, store: Store, visits: Visits) -> None:
        self._redis = store.redis
        self._visits = visits
        self._wanted = asyncio.Event()
        self._unlock = store.redis.register_script(_UNLOCK)

    async def add(self, what: str, appointment_id: str, at: float, **more: Any) -> None:
        """``what`` names a method of the port; ``at`` is Unix seconds."""
        entry = json.dumps({"what": what, "appointment_id": appointment_id, "at": at, **more})
        await self._redis.rpush(KEY, entry)
        self._wanted.set()

    async def run(self) -> None:
        """Write what is owed, now and whenever there is more; never ends by itself."""
        while True:
            try:
                async with asyncio.timeout(1.0):
                    await self._wanted.wait()
            except TimeoutError:
                pass  # another process may have left something behind
            self._wanted.clear()
            try:
                await self.drain()
            except Exception as error:
                log.warning("records_wait", extra={"error": type(error).__name__})
                await asyncio.sleep(0.5)

    async def drain(self) -> None:
        """Write all there is. Raises what the port raises when it can't write now."""
        if not await self._redis.llen(KEY):
            return
        mine = secrets.token_hex(8)
        if not await self._redis.set(LOCK, mine, nx=True, px=LOCK_MS):
            return
        try:
            while (raw := await self._redis.lindex(KEY, 0)) is not None:
                try:
                    await self._write(json.loads(raw))
                except Unavailable:
                    raise
                except (BedsideError, KeyError, ValueError) as error:
                    # The other side will never take it; the rest must not wait for it.
                    log.error("record_refused", extra={"error": type(error).__name__})
                await self._redis.lrem(KEY, 1, cast(Any, raw))
                await self._redis.pexpire(LOCK, LOCK_MS)
        finally:
            await asyncio.shield(self._unlock(keys=[LOCK], args=[mine]))

    async def _write(self, entry: dict[str, Any]) -> None:
        visit = UUID(entry["appointment_id"])
        at = datetime.fromtimestamp(entry["at"], UTC)
        match entry["what"]:
            case "waiting_entered":
                await self._visits.waiting_entered(visit, UUID(entry["participant_id"]), at)
            case "joined":
                sat = UUID(entry["by"]) if entry.get("by") else None
                await self._visits.joined(visit, UUID(entry["participant_id"]), entry["role"], at, sat)
            case "left":
                await self._visits.left(visit, UUID(entry["participant_id"]), at, entry["evidence"])
            case "started":
                await self._visits.started(visit, at)
            case "ended":
                await self._visits.ended(visit, at)
            case "recalled":
                await self._visits.recalled(visit, UUID(entry["participant_id"]))
            case "waited":
                who = UUID(entry["participant_id"])
                await self._visits.waited(visit, who, entry["estimated_s"], entry["waited_s"])
            case "removed":
                by = UUID(entry["by"])
                await self._visits.removed(visit, UUID(entry["participant_id"]), by, entry["by_role"])
            case other:
                log.error("record_unknown", extra={"what": other})
