"""One connection that stays: after it broke, and with askers that go away."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ResponseError

from core.context import Context
from core.ids import uuid7
from core.kept_redis import KeptRedis

pytestmark = pytest.mark.integration


async def test_a_broken_connection_is_made_anew(context: Context) -> None:
    key, kept = uuid7().hex, KeptRedis(context.redis)
    await kept.ask("SET", key, "1")
    first = await kept.ask("CLIENT", "ID")
    assert await kept.ask("CLIENT", "ID") == first
    await context.redis.execute_command("CLIENT", "KILL", "ID", first)
    assert await kept.ask("GET", key) == b"1"
    assert await kept.ask("CLIENT", "ID") != first
    await kept.hang_up()


async def test_an_answer_never_goes_to_the_next_one_asking(context: Context) -> None:
    kept = KeptRedis(context.redis)
    gone = asyncio.create_task(kept.ask("ECHO", "first"))
    while kept._connection is None:
        await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(ResponseError):
        await kept.ask("NONSENSE")
    said = await asyncio.gather(*(kept.ask("ECHO", str(number)) for number in range(20)))
    assert said == [str(number).encode() for number in range(20)]
    await kept.hang_up()
