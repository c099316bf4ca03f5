"""Whether sessions live, asked over one connection: many at once, and after it broke."""

from __future__ import annotations

import asyncio

import pytest

from core.context import Context
from core.errors import Unavailable
from core.ids import uuid7
from core.realtime import connect_redis
from identity.liveness import Liveness

pytestmark = pytest.mark.integration


async def test_each_gets_its_own_answer(context: Context) -> None:
    prefix, liveness = uuid7().hex, Liveness(context.redis)
    for number in range(0, 50, 3):
        await context.redis.set(f"{prefix}:{number}", 1)
    for many in (50, 1, 2):
        found = await asyncio.gather(*(liveness.exists(f"{prefix}:{number}") for number in range(many)))
        assert found == [number % 3 == 0 for number in range(many)]
    await liveness.close()


async def test_a_broken_connection_is_made_anew(context: Context) -> None:
    key, liveness = uuid7().hex, Liveness(context.redis)
    await context.redis.set(key, 1)
    assert await liveness.exists(key)
    assert liveness._connection is not None
    listed = await context.redis.execute_command("CLIENT", "LIST")
    mine = [line for line in listed.decode().splitlines() if "cmd=exists" in line]
    for line in mine:
        await context.redis.execute_command("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))
    assert await liveness.exists(key)
    await liveness.close()


async def test_without_redis_nobody_is_let_in() -> None:
    redis = connect_redis("redis://127.0.0.1:1")
    liveness = Liveness(redis)
    for answer in await asyncio.gather(*(liveness.exists("x") for _ in range(5)), return_exceptions=True):
        assert isinstance(answer, Unavailable)
    await liveness.close()
    await redis.aclose()


async def test_who_asked_may_go(context: Context) -> None:
    key, liveness = uuid7().hex, Liveness(context.redis)
    await context.redis.set(key, 1)
    gone = asyncio.create_task(liveness.exists(key))
    await asyncio.sleep(0)
    gone.cancel()
    assert await liveness.exists(key)
    await liveness.close()
