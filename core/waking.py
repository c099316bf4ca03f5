"""Telling the relay that facts have been written, after the commit."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg

from core.background import cancel_all

CHANNEL = "bedside_outbox"
# One notice serves all commits of this long.
EVERY_S = 0.02


class Waker:
    """Notifies for a process's commits. A notice that is lost (a crash after the commit) delays facts until the relay
    looks by itself."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool
        self._due = False
        self._task: asyncio.Task[None] | None = None

    def facts_written(self) -> None:
        self._due = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell(), name="wake the relay")

    async def _tell(self) -> None:
        while self._due:
            self._due = False
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._pool.execute(f"NOTIFY {CHANNEL}")
            await asyncio.sleep(EVERY_S)

    async def close(self) -> None:
        if self._task is not None:
            await cancel_all([self._task])
