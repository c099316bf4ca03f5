"""What signing in and being signed in cost: a token's check, a policy's decision, sign-ins beside readings.

    python -m loadtests.identity [--seconds 20] [--readings 100]

The checks are timed in this process over a real Valkey; sign-ins and readings go over HTTP to a demonstration of its
own, from as many connections as are needed, and readings are measured from the moment they were due.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from core.clock import SystemClock
from core.ids import uuid7
from core.realtime import connect_redis
from core.security.keys import JwtTokens, SigningKey
from core.security.policy import Policy
from core.security.principal import Principal
from core.settings import Settings
from identity.sessions import Sessions
from identity.signin import principal_of
from loadtests.demonstration import Demonstration
from server.embedded import EmbeddedValkey

ROUNDS = 5000
EMAIL, PASSWORD = "patient@demo.bedside", "bedside-demo"
LOGIN = {"email": EMAIL, "password": PASSWORD, "client": "native"}
WARM_S = 2.0


def row(name: str, values: list[float], unit: str, bar: str) -> None:
    """One line of the table: median and 99th percentile."""
    ranked = sorted(values)
    p99 = ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
    print(f"| {name} | {bar} | {statistics.median(ranked):.1f} | {p99:.1f} {unit} |", flush=True)


class OneKey:
    def __init__(self, key: SigningKey) -> None:
        self._key = key

    async def load(self) -> list[SigningKey]:
        return [self._key]


async def timed(act: Callable[[], Awaitable[Any]]) -> list[float]:
    """Microseconds of each of ROUNDS."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await act()
        found.append((time.perf_counter() - began) * 1e6)
    return found


async def checks() -> None:
    """A token's check as each request has it, its parts, and a decision."""
    clock, settings = SystemClock(), Settings()
    with tempfile.TemporaryDirectory(prefix="bedside-load-") as folder:
        valkey = EmbeddedValkey(Path(folder))
        await valkey.start()
        redis = connect_redis(valkey.url)
        tokens = JwtTokens(OneKey(SigningKey.generate(clock.now())), clock)
        await tokens.load()
        sessions = Sessions(redis, b"k" * 32, settings.security)
        person = uuid7()
        session, _ = await sessions.open(person, "patient", "browser", "load", {"pwd"}, clock.now())
        claims: dict[str, Any] = {"session": session.id, "role": "patient", "roles": ["patient"], "name": "Awa"}
        claims |= {"auth_time": int(clock.now().timestamp()), "amr": ["pwd"]}
        token = tokens.issue("access", person, timedelta(minutes=10), **claims)

        async def check() -> None:
            found = tokens.verify(token, "access")
            principal = principal_of(found.subject, found.extra)
            assert principal.session_id is not None
            assert await sessions.alive(principal.session_id)

        row("token check, seen before", await timed(check), "µs", "150 µs")
        fresh = iter([tokens.issue("access", person, timedelta(minutes=10), **claims) for _ in range(ROUNDS)])

        async def first() -> None:
            tokens.verify(next(fresh), "access")

        row("signature of a token not seen before", await timed(first), "µs", "")

        async def together() -> None:
            await asyncio.gather(*(check() for _ in range(20)))

        row("20 token checks at once, each", [each / 20 for each in await timed(together)], "µs", "150 µs")
        policy = Policy()
        for number in range(100):
            policy.allow(f"thing.{number}", "patient", "practitioner", relation=("self", "care"))
        principal = Principal(person, "patient", frozenset({"patient"}))

        async def decide() -> None:
            policy.require(principal, "thing.50", {"self"})

        row("policy decision", await timed(decide), "µs", "50 µs")
        await sessions.close()
        await redis.aclose()
        await valkey.stop()


async def sign_ins(url: str, seconds: float, readings: float) -> None:
    """Sign-ins as fast as they go, beside readings at a fixed rate."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:

        async def sign_in() -> str:
            async with client.post("/api/v1/auth/login", json=LOGIN) as answer:
                assert answer.status == 200, await answer.text()
                return str((await answer.json())["access_token"])

        headers = {"Authorization": f"Bearer {await sign_in()}"}

        async def read(due: float, kept: list[float]) -> None:
            async with client.get("/api/v1/me", headers=headers) as answer:
                assert answer.status == 200
                await answer.read()
            kept.append((time.perf_counter() - due) * 1000)

        async def paced(kept: list[float], until: float) -> None:
            due = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                while due < until:
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                    group.create_task(read(due, kept))
                    due += 1 / readings

        async def keep_signing_in(kept: list[float], until: float) -> None:
            while time.perf_counter() < until:
                began = time.perf_counter()
                await sign_in()
                kept.append((time.perf_counter() - began) * 1000)

        quiet: list[float] = []
        await paced([], time.perf_counter() + WARM_S)
        await paced(quiet, time.perf_counter() + seconds / 2)
        row(f"reading, {readings:.0f}/s alone", quiet, "ms", "")
        busy: list[float] = []
        took: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(paced(busy, until), *(keep_signing_in(took, until) for _ in range(8)))
        row(f"reading, {readings:.0f}/s beside sign-ins", busy, "ms", "p99 20 ms")
        row("sign-in", took, "ms", "")
        print(f"| sign-ins a second, all cores | 20 a core | {len(took) / seconds:.1f} | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--readings", type=float, default=100, help="a second")
    chosen = parser.parse_args()
    print("| | wanted | median | p99 |\n|---|---|---:|---:|", flush=True)
    uvloop.run(checks())
    with Demonstration() as demo:
        uvloop.run(sign_ins(demo.url, chosen.seconds, chosen.readings))


if __name__ == "__main__":
    main()
