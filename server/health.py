"""``GET /api/v1/admin/health``: every part that can fail, by name, for the administrator.

Only ``server`` sees all of them. One check that fails or hangs says nothing about the others: each is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from core.bus import Bus
from core.context import Context
from core.errors import Forbidden
from core.http.routes import Call, Routes, Wire
from core.outbox import unpublished
from core.parking import Parking
from server.services import Modules
from signaling.live import Overview

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_S = 3.0
# A fact is on the bus within milliseconds; the relay looks once a second at the latest.
OLDEST_UNPUBLISHED_S = 10.0
# A burst is worked off within seconds; more than this means that handlers don't keep up.
MOST_WAITING_FACTS = 1000
# The trail is sealed each second.
OLDEST_UNSEALED_S = 10.0

Run = Callable[[], Awaitable[str | None]]


class CheckFailed(Exception):
    """What is wrong, in words for the administrator: no health data, no secrets."""


class CheckView(Wire):
    name: str
    status: Literal["ok", "failed"]
    detail: str | None


class QualityView(Wire):
    """A worker's calls in the last seconds: rates added up (bit/s), shares and times as means over people."""

    bitrate_in: float = 0
    loss_in: float = 0
    loss_out: float = 0
    jitter_ms: float = 0
    round_trip_ms: float = 0
    frozen: int = 0


class WorkerView(Wire):
    """A media worker as it registered itself; ``load`` and ``capacity`` are its own measures."""

    id: str
    rooms: int
    participants: int
    load: float
    capacity: float
    draining: bool
    quality: QualityView


class HealthView(Wire):
    """``calls``: visits with somebody in the call; ``waiting``: people in waiting rooms."""

    checks: list[CheckView]
    workers: list[WorkerView]
    calls: int
    waiting: int


def health_routes(context: Context, modules: Modules, bus: Bus) -> Routes:
    routes = Routes("operation")
    context.policy.allow("health.read", "admin")
    checks = _checks(context, modules, bus)

    @routes.get("/admin/health", action="health.read", returns=HealthView, errors=(Forbidden,))
    async def health(call: Call[None, None]) -> HealthView:
        """What works and what does not, and how much is going on"""
        context.policy.require(call.principal, "health.read")
        results = await asyncio.gather(*(_run(name, check) for name, check in checks.items()))
        overview = await _overview(modules)
        workers = [
            WorkerView(
                id=each.key.id,
                rooms=each.rooms,
                participants=each.participants,
                load=each.load,
                capacity=each.capacity,
                draining=each.draining,
                quality=QualityView(**{name: each.quality.get(name, 0) for name in QualityView.model_fields}),
            )
            for each in overview.workers
        ]
        return HealthView(checks=list(results), workers=workers, calls=overview.calls, waiting=overview.waiting)

    return routes


def _checks(context: Context, modules: Modules, bus: Bus) -> dict[str, Run]:
    core = context.database("core")

    async def database() -> str | None:
        async with core.reading() as tx:
            await tx.fetchval("SELECT 1")
        return None

    async def redis() -> str | None:
        await context.redis.ping()
        return None

    async def media() -> str | None:
        workers = (await modules.signaling.overview()).workers
        if not workers:
            raise CheckFailed("no media worker is registered: visits have chat but no picture")
        draining = sum(each.draining for each in workers)
        return f"{len(workers)} registered" + (f", {draining} of them draining" if draining else "")

    async def mail() -> str | None:
        wrong = await modules.notifications.check_mail()
        if wrong is not None:
            raise CheckFailed(wrong)
        return None

    async def facts() -> str | None:
        count, age = await unpublished(core)
        waiting = sum((await bus.waiting()).values())
        detail = f"{count} to publish, the oldest for {age:.1f} s; {waiting} to handle"
        if age > OLDEST_UNPUBLISHED_S or waiting > MOST_WAITING_FACTS:
            raise CheckFailed(detail)
        return detail

    async def troubled_facts() -> str | None:
        parked, dead = await Parking(core).counts()
        if parked or dead:
            raise CheckFailed(f"{parked} parked, {dead} given up: see `bedside events parked`")
        return None

    async def audit() -> str | None:
        unsealed, age = await modules.compliance.audit.tail()
        detail = f"{unsealed} rows to seal, the oldest for {age:.1f} s"
        if age > OLDEST_UNSEALED_S:
            raise CheckFailed(detail)
        return detail

    return {
        "database": database,
        "redis": redis,
        "media": media,
        "mail": mail,
        "facts": facts,
        "troubled facts": troubled_facts,
        "audit trail": audit,
    }


async def _run(name: str, check: Run) -> CheckView:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return CheckView(name=name, status="ok", detail=await check())
    except CheckFailed as failure:
        return CheckView(name=name, status="failed", detail=str(failure))
    except TimeoutError:
        return CheckView(name=name, status="failed", detail=f"no answer within {CHECK_TIMEOUT_S:.0f} s")
    except Exception as error:
        log.warning("health check failed", check=name, error=type(error).__name__)
        return CheckView(name=name, status="failed", detail=type(error).__name__)


async def _overview(modules: Modules) -> Overview:
    """Nothing to count while Redis is away; the check named so says why."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await modules.signaling.overview()
    except Exception as error:
        log.warning("live visits can't be counted", error=type(error).__name__)
        return Overview([], 0, 0)
