"""One server process: opens what it needs, starts the roles it is given, stops everything in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import aiohttp
import asyncpg
from aiohttp import web

from core.bus import RedisBus
from core.clock import Clock, SystemClock
from core.consumers import Consumers, register_upkeep
from core.context import Context
from core.database import Database, connect, open_database, role_of
from core.events import Subscriptions
from core.http.openapi import describe
from core.jobs import JobRunner, Jobs
from core.outbox import Relay
from core.realtime import build_realtime, connect_redis
from core.security.envelope import EnvelopeVault
from core.security.files import FolderFiles
from core.security.keys import JwtTokens, SigningKeys
from core.security.master import MasterKey
from core.security.policy import Policy
from core.settings import Settings, load
from core.telemetry import configure_logging
from server.composition import compose
from server.demo import demo_routes, ensure_open_visit, fill_once
from server.edge import build_edge
from server.health import health_routes
from server.mailcatcher import mail_routes
from server.modules import MODULES
from server.processes import ProcessError
from server.services import Modules

# Requests in hand when the process is told to stop get this long; longer than any of our own timeouts.
GRACE_S = 15.0
# Of the garbage collector's three generations. Most objects here end with their request and form no circles.
COLLECT_AFTER = (10_000, 20, 50)
Roles = frozenset[str]
DEMONSTRATION = "demo.bedside"  # where the demonstration's people have their addresses


@asynccontextmanager
async def open_context(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Context]:
    """A context over the configured engines; everything it opened is closed again."""
    url = settings.database.url.get_secret_value()
    secret = settings.database.role_secret.get_secret_value()
    redis_url = settings.redis.url.get_secret_value()
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        databases: dict[str, Database] = {}
        for module in ("core", *MODULES):
            if module == "signaling":
                continue
            try:
                database = await open_database(url, module, role_secret=secret, pool_size=settings.database.pool_size)
            except (OSError, asyncpg.PostgresError) as error:
                raise ProcessError(f"PostgreSQL can't be used as {role_of(module)}: {error}") from None
            databases[module] = database
            stack.push_async_callback(database.close)
        redis = connect_redis(redis_url)
        stack.push_async_callback(redis.aclose)
        master = MasterKey.parse(settings.security.master_key.get_secret_value())
        vault = EnvelopeVault(databases["core"], master, clock)
        tokens = JwtTokens(SigningKeys(databases["core"], master, clock), clock)
        await tokens.load()
        stack.push_async_callback(tokens.close)
        yield Context(
            settings=settings,
            clock=clock,
            database=databases.__getitem__,
            redis=redis,
            realtime=build_realtime(redis_url),
            tokens=tokens,
            policy=Policy(),
            vault=vault,
            files=FolderFiles(settings.data_dir / "files", vault),
            subscriptions=Subscriptions(),
            jobs=Jobs(),
        )


@asynccontextmanager
async def background_work(context: Context) -> AsyncIterator[None]:
    """The ``worker`` role: relay, consumers and periodic jobs."""
    settings = context.settings
    bus = RedisBus(settings.redis.url.get_secret_value())
    register_upkeep(context.jobs, bus, context.subscriptions, context.database, context.clock)
    open_connection = _core_connection(settings)
    relay = Relay(open_connection, bus)
    consumers = Consumers(bus, context.subscriptions, context.database)
    jobs = JobRunner(context.jobs, open_connection)
    parts: list[Any] = [relay, consumers, jobs]
    for part in parts:
        part.start()
    try:
        yield
    finally:
        for part in reversed(parts):
            await part.stop()
        await bus.close()


def _core_connection(settings: Settings) -> Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]:
    url = settings.database.url.get_secret_value()
    secret = settings.database.role_secret.get_secret_value()

    async def open_connection() -> asyncpg.Connection[asyncpg.Record]:
        return await connect(url, "core", role_secret=secret)

    return open_connection


@asynccontextmanager
async def open_server(
    settings: Settings, roles: Roles, clock: Clock | None = None
) -> AsyncIterator[tuple[Context, Modules, web.Application]]:
    """A composed and started server without its port. ``worker`` among the roles: facts and jobs are worked on."""
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(open_context(settings, clock))
        modules = compose(context, roles)
        bus = RedisBus(settings.redis.url.get_secret_value())
        stack.push_async_callback(bus.close)
        context.routes.append(health_routes(context, modules, bus))
        if settings.mode == "demo":
            context.routes += [demo_routes(), mail_routes(settings)]
        application = build_edge(context, modules, roles)
        stack.push_async_callback(_stop_all, context)
        for action in context.starting:
            await action()
        if "worker" in roles:
            await stack.enter_async_context(background_work(context))
        yield context, modules, application


async def run_server(settings: Settings, roles: Roles) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is in hand."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    configure_logging(settings, "+".join(sorted(roles)))
    demonstrates = settings.mode == "demo" and "worker" in roles
    if demonstrates:
        await fill_once(settings, lambda clock: _filling(settings, clock))
    async with AsyncExitStack() as stack:
        _, modules, application = await stack.enter_async_context(open_server(settings, roles))
        if demonstrates:
            await ensure_open_visit(modules)
        if settings.mode == "production":
            await refuse_demonstration(modules)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=GRACE_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await _listen(runner, settings)
        _collect_less()
        await stopping.wait()


def _collect_less() -> None:
    """What was made at the start stays, so the garbage collector need not look at it again and again.

    A full collection stops every request of the process for as long as it looks: with thousands of schedules in memory
    some tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def refuse_demonstration(modules: Modules) -> None:
    """Everybody knows the demonstration's passwords: production starts over no database that holds its people."""
    if await modules.identity.administration.has_addresses_in(DEMONSTRATION):
        raise ProcessError(
            f"the database holds the demonstration's people ({DEMONSTRATION}): production needs one of its own"
        )


@asynccontextmanager
async def _filling(settings: Settings, clock: Clock) -> AsyncIterator[tuple[Context, Modules]]:
    async with open_server(settings, frozenset({"worker"}), clock) as (context, modules, _):
        yield context, modules


async def _stop_all(context: Context) -> None:
    for action in reversed(context.stopping):
        await action()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    tls: ssl.SSLContext | None = None
    if settings.http.tls_certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load_cert_chain(settings.http.tls_certificate, settings.http.tls_key)
    site = web.TCPSite(runner, settings.http.host, settings.http.port, ssl_context=tls, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        raise ProcessError(
            f"TCP port {settings.http.port} can't be used ({error.strerror}): set BEDSIDE_HTTP_PORT"
        ) from None


async def is_ready(settings: Settings) -> bool:
    """Whether the server on this machine answers its readiness probe with 200."""
    scheme = "https" if settings.http.tls_certificate else "http"
    url = f"{scheme}://127.0.0.1:{settings.http.port}/health/ready"
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, timeout=aiohttp.ClientTimeout(total=2), ssl=False) as answer,
        ):
            return answer.status == 200
    return False


async def describe_api() -> dict[str, Any]:
    """The OpenAPI document; needs no engine, since setting up asks nothing of them."""

    def unopened(module: str) -> Database:
        return Database(cast(Any, None), role_of(module))

    clock = SystemClock()
    master = MasterKey.parse(MasterKey.generate())
    settings = load(None, {"BEDSIDE_SECURITY_MASTER_KEY": MasterKey.generate()})
    vault = EnvelopeVault(unopened("core"), master, clock)
    context = Context(
        settings=settings,
        clock=clock,
        database=unopened,
        redis=connect_redis("redis://127.0.0.1"),
        realtime=build_realtime("redis://127.0.0.1"),
        tokens=JwtTokens(SigningKeys(unopened("core"), master, clock), clock),
        policy=Policy(),
        vault=vault,
        files=FolderFiles(settings.data_dir / "files", vault),
        subscriptions=Subscriptions(),
        jobs=Jobs(),
    )
    modules = compose(context, frozenset())
    context.routes.append(health_routes(context, modules, RedisBus("redis://127.0.0.1")))
    return describe(context.routes)
