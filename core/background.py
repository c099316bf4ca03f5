"""Tasks that run until they are stopped, and outlive their errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

log = structlog.get_logger(__name__)

RETRY_S = 0.5
# A server that is away fails every loop twice a second: it is told now and then.
TELL_EVERY_S = 30.0
ASK_AGAIN_S = 1.0


class Background:
    """A set of loops with one stop. ``stopping`` is set first, so that a loop can finish what it has in hand."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()

    def run(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Call ``work`` again and again until stopped; after an error, a moment later. Errors are logged by type:
        their texts may quote data."""

        async def loop() -> None:
            clock = asyncio.get_running_loop().time
            told = float("-inf")
            while not self.stopping.is_set():
                try:
                    await work()
                except Exception as error:
                    if clock() - told > TELL_EVERY_S:
                        told = clock()
                        log.warning("background work failed", part=self._name, what=what, error=type(error).__name__)
                    await self.pause(RETRY_S)

        task = asyncio.create_task(loop(), name=f"{self._name} {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until stopping."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            pass

    async def stop(self, grace_s: float = 10.0) -> None:
        """Let the loops finish for ``grace_s`` seconds, then cancel them."""
        self.stopping.set()
        tasks = set(self._tasks)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        await cancel_all(late)


async def cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel and await. A library may swallow a cancellation in the middle of its work, so it is asked again."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=ASK_AGAIN_S)
