"""What one process answers on its port, by its roles: HTTP, Socket.IO, pages, health."""

from __future__ import annotations

from aiohttp import web

from core.context import Context
from core.http.application import Edge, build_application
from core.http.docs_page import add_documentation
from core.http.idempotency import Idempotency
from core.http.pages import add_pages
from core.http.ratelimit import RateLimiter
from core.migrations import ROOT
from core.security.envelope import EnvelopeVault
from core.telemetry import Health, Telemetry, add_health_routes
from server.services import Modules

FORGET_KEYS_EVERY_S = 3600.0


def build_edge(context: Context, modules: Modules, roles: frozenset[str]) -> web.Application:
    """The application of these roles. ``gateway`` serves pages, ``api`` the HTTP API, ``signaling`` Socket.IO."""
    assert isinstance(context.vault, EnvelopeVault)
    limiter = RateLimiter(context.settings.limits, context.redis)
    context.starting.append(limiter.start)
    context.stopping.append(limiter.stop)
    tables = context.routes if "api" in roles else []
    idempotency = Idempotency(context.database("core"), context.vault)
    context.jobs.every(FORGET_KEYS_EVERY_S, "core.forget_idempotency_keys", idempotency.purge)
    edge = Edge(
        settings=context.settings,
        clock=context.clock,
        tokens=context.tokens,
        sessions=modules.identity.sign_in,
        policy=context.policy,
        limiter=limiter,
        idempotency=idempotency,
        telemetry=Telemetry(),
    )
    application = build_application(tables, edge)
    health = _health(context, modules, roles)
    add_health_routes(application, health)
    if "api" in roles:
        add_documentation(application, context.routes)
    if "signaling" in roles:
        context.realtime.attach(application)
    if "gateway" in roles:
        add_pages(application, ROOT / "web" / "dist")

    async def drain() -> None:
        health.draining = True

    context.stopping.append(drain)
    return application


def _health(context: Context, modules: Modules, roles: frozenset[str]) -> Health:
    health = Health()

    async def database() -> str | None:
        async with context.database("core").reading() as tx:
            await tx.fetchval("SELECT 1")
        return None

    async def redis() -> str | None:
        await context.redis.ping()
        return None

    async def media() -> str | None:
        workers = len(await modules.signaling.workers.registered())
        if not workers:
            raise LookupError("no media worker is registered")
        return f"{workers} registered"

    health.add("database", database, hard=True)
    health.add("redis", redis, hard=True)
    if "signaling" in roles:
        # Everything but the picture works without one.
        health.add("media", media, hard=False)
    return health
