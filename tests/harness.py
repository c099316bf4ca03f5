"""The real servers, once per run, and contexts over them.

Tests share one database: they make their own people and appointments (``uuid7()``) instead of emptying tables.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core.bus import RedisBus
from core.clock import Clock, SystemClock
from core.consumers import Consumers
from core.context import Context
from core.database import Database, connect, open_database
from core.events import Subscriptions
from core.http.application import Edge, build_application
from core.http.idempotency import Idempotency
from core.http.ratelimit import RateLimiter
from core.jobs import Jobs
from core.migrations import ROOT, migrate
from core.outbox import Relay
from core.realtime import build_realtime, connect_redis
from core.security.policy import Policy
from core.security.principal import Principal, Role
from core.settings import Settings, load
from core.telemetry import Telemetry
from server.embedded import EmbeddedPostgres, EmbeddedValkey

ROLE_SECRET = "role-secret-of-the-tests"
MASTER_KEY = "dGhpcyBpcyBhIHRlc3Qga2V5IG9mIDMyIGJ5dGVzISE="
MODULES = ("identity", "scheduling", "consultations", "signaling", "records", "billing", "notifications")
MODULES += ("compliance", "analytics")

MakeContext = Callable[..., Awaitable[Context]]


@pytest.fixture(scope="session")
def role_secret() -> str:
    """Roles belong to the whole server: every test that migrates a database of its own uses this secret."""
    return ROLE_SECRET


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Administrator's address of a fresh PostgreSQL."""
    # Not durable: nothing here outlives the run.
    options = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), role_secret=ROLE_SECRET, options=options)
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture(scope="session")
async def valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Address of a fresh Valkey."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture(scope="session")
async def databases(postgres: str) -> AsyncIterator[dict[str, Database]]:
    """Every module migrated, and its database opened as its own role; ``core`` too."""
    await migrate(postgres, [name for name in MODULES if (ROOT / name).is_dir()], ROLE_SECRET)
    opened = {
        name: await open_database(postgres, name, role_secret=ROLE_SECRET, pool_size=10)
        for name in ("core", *MODULES)
        if name == "core" or (ROOT / name).is_dir()
    }
    yield opened
    for database in opened.values():
        await database.close()


@pytest.fixture
async def make_context(
    databases: dict[str, Database], postgres: str, valkey: str, tmp_path: Path
) -> AsyncIterator[MakeContext]:
    """``await make_context(clock=…, settings=…)`` gives a complete Context with nothing set up in it yet."""
    from core.security.envelope import EnvelopeVault
    from core.security.files import FolderFiles
    from core.security.keys import JwtTokens, SigningKeys
    from core.security.master import MasterKey

    closing: list[Callable[[], Awaitable[Any]]] = []

    async def make(clock: Clock | None = None, settings: Settings | None = None) -> Context:
        used_clock = clock or SystemClock()
        used = settings or load(
            environ={
                "BEDSIDE_MODE": "demo",
                "BEDSIDE_DATA_DIR": str(tmp_path),
                "BEDSIDE_DATABASE_URL": postgres,
                "BEDSIDE_DATABASE_ROLE_SECRET": ROLE_SECRET,
                "BEDSIDE_REDIS_URL": valkey,
                "BEDSIDE_SECURITY_MASTER_KEY": MASTER_KEY,
                "BEDSIDE_MEDIA_CONTROL_SECRET": "media-control-secret",
            }
        )
        master = MasterKey.parse(MASTER_KEY)
        vault = EnvelopeVault(databases["core"], master, used_clock)
        tokens = JwtTokens(SigningKeys(databases["core"], master, used_clock), used_clock)
        await tokens.load()
        redis = connect_redis(valkey)
        closing.append(tokens.close)
        closing.append(redis.aclose)
        return Context(
            settings=used,
            clock=used_clock,
            database=databases.__getitem__,
            redis=redis,
            realtime=build_realtime(valkey),
            tokens=tokens,
            policy=Policy(),
            vault=vault,
            files=FolderFiles(tmp_path / "files", vault),
            subscriptions=Subscriptions(),
            jobs=Jobs(),
        )

    yield make
    for close in reversed(closing):
        await close()


@pytest.fixture
async def context(make_context: MakeContext) -> Context:
    """A Context over the real servers, with the machine's clock."""
    return await make_context()


class TokenSessions:
    """Sessions that believe every valid access token; ``sign_in`` makes one."""

    def __init__(self, context: Context) -> None:
        self._tokens = context.tokens

    def sign_in(self, person_id: UUID, role: Role = "patient", name: str = "") -> dict[str, str]:
        """The headers of a signed-in person."""
        token = self._tokens.issue("access", person_id, timedelta(minutes=10), role=role, name=name)
        return {"Authorization": f"Bearer {token}"}

    async def authenticate(self, token: str) -> Principal:
        claims = self._tokens.verify(token, "access")
        role: Role = claims.extra["role"]
        proved = claims.expires_at - timedelta(minutes=10)
        return Principal(claims.subject, role, frozenset({role}), name=claims.extra["name"], authenticated_at=proved)


MakeClient = Callable[..., Awaitable["TestClient[web.Request, web.Application]"]]


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    """``await make_client(context)``: an HTTP client of the context's routes; sign in with ``TokenSessions``.

    ``extend(application)`` adds what is no module's route.
    """
    async with AsyncExitStack() as stack:

        async def make(
            context: Context, extend: Callable[[web.Application], None] = lambda application: None
        ) -> TestClient[web.Request, web.Application]:
            edge = Edge(
                settings=context.settings,
                clock=context.clock,
                tokens=context.tokens,
                sessions=TokenSessions(context),
                policy=context.policy,
                limiter=RateLimiter(context.settings.limits, context.redis),
                idempotency=Idempotency(context.database("core"), context.vault),
                telemetry=Telemetry(),
            )
            application = build_application(context.routes, edge)
            extend(application)
            return await stack.enter_async_context(TestClient(TestServer(application)))

        yield make


@pytest.fixture
async def run_facts(postgres: str, valkey: str) -> AsyncIterator[Callable[[Context], None]]:
    """``run_facts(context)`` starts relay and consumers for the context's subscriptions, until the test ends.

    Facts of earlier tests may arrive too: handlers and asserts look at their own ids.
    """
    async with AsyncExitStack() as stack:

        def run(context: Context) -> None:
            bus = RedisBus(valkey, lease_s=1.0)
            stack.push_async_callback(bus.close)
            relay = Relay(lambda: connect(postgres, "core", role_secret=ROLE_SECRET), bus)
            consumers = Consumers(bus, context.subscriptions, context.database)
            for part in (relay, consumers):
                part.start()
                stack.push_async_callback(part.stop)

        yield run
