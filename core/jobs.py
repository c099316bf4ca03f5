"""Periodic work, done by one process at a time however many run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import asyncpg
import structlog

from core.background import Background
from core.database import Row

log = structlog.get_logger(__name__)

# How soon another process notices that a job's holder is gone.
STANDBY_S = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]


class Jobs:
    """The registry, filled by each module's ``setup`` and run by the ``worker`` role under an advisory lock each."""

    def __init__(self) -> None:
        self.all: list[Job] = []

    def every(self, seconds: float, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Call ``run`` every ``seconds``; a failure is logged and the next turn comes as usual."""
        assert all(job.name != name for job in self.all), f"job {name} is registered twice"
        self.all.append(Job(name, seconds, run))


class JobRunner:
    """Runs the jobs whose locks this process gets; it keeps them while its connection lives."""

    def __init__(self, jobs: Jobs, connect: Callable[[], Awaitable[asyncpg.Connection[Row]]]) -> None:
        self._jobs = jobs
        self._locks = _Locks(connect)
        self._background = Background("jobs")

    def start(self) -> None:
        for job in self._jobs.all:
            self._background.run(job.name, partial(self._turn, job))

    async def stop(self) -> None:
        """Let running jobs finish, then give the locks to others."""
        await self._background.stop()
        await self._locks.close()

    async def _turn(self, job: Job) -> None:
        if not await self._locks.hold(job.name):
            await self._background.pause(min(job.every_s, STANDBY_S))
            return
        started = asyncio.get_running_loop().time()
        try:
            await job.run()
        except Exception as error:
            log.error("job failed", job=job.name, error=type(error).__name__)
        took = asyncio.get_running_loop().time() - started
        await self._background.pause(max(0.0, job.every_s - took))


class _Locks:
    """Advisory locks of one session: lost all together with its connection, and then asked for anew."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection[Row]]]) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection[Row] | None = None
        self._held: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    async def hold(self, name: str) -> bool:
        async with self._one_at_a_time:
            if self._connection is None or self._connection.is_closed():
                self._held.clear()
                self._connection = await self._connect()
            if name not in self._held and await self._connection.fetchval(
                "SELECT pg_try_advisory_lock(hashtextextended('bedside job ' || $1::text, 0))", name
            ):
                self._held.add(name)
            return name in self._held

    async def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._connection.close(timeout=2)
