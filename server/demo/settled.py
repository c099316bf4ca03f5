"""Waits until every published fact has been handled by everybody who listens to it."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from core.context import Context

POLL_S = 0.02


class Settled:
    """Looks at the facts written since it was made or last asked."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seq = 0

    async def begin(self) -> None:
        """Facts written before now are not waited for."""
        async with self._context.database("core").reading() as tx:
            self._seq = await tx.fetchval("SELECT coalesce(max(seq), 0) FROM core.outbox")

    async def wait(self, timeout_s: float = 20.0) -> bool:
        """True once nothing is open any more; False when that took too long."""
        deadline = time.monotonic() + timeout_s
        while True:
            newest, done = await self._look()
            if done:
                self._seq = newest
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)

    async def _look(self) -> tuple[int, bool]:
        subscriptions = self._context.subscriptions
        async with self._context.database("core").reading() as tx:
            facts = await tx.fetch("SELECT seq, fact_id, name FROM core.outbox WHERE seq > $1", self._seq)
        for group in subscriptions.groups():
            wanted = [fact["fact_id"] for fact in facts if subscriptions.of(group, fact["name"])]
            if wanted and not await self._handled(group, wanted):
                return self._seq, False
        # A handler may have written further facts: they are after these, and the next look finds them.
        newest = max((fact["seq"] for fact in facts), default=self._seq)
        async with self._context.database("core").reading() as tx:
            last = await tx.fetchval("SELECT coalesce(max(seq), 0) FROM core.outbox")
        return newest, last <= newest

    async def _handled(self, group: str, wanted: list[UUID]) -> bool:
        async with self._context.database(group).reading() as tx:
            count = await tx.fetchval("SELECT count(*) FROM handled_facts WHERE fact_id = ANY($1)", wanted)
        return bool(count == len(wanted))
