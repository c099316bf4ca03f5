"""Whether sessions live, asked by every request: one connection to Redis, the questions of a moment sent together.

A command through the client's pool pays for getting and giving back a connection each time.
Here the connection stays, and what is asked while an answer is on its way goes out as one batch.
"""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from core.errors import Unavailable

# One answer for many questions: reading each by itself is what costs.
_EACH = "local found = {} for place, key in ipairs(KEYS) do found[place] = redis.call('EXISTS', key) end return found"


class Liveness:
    """``exists`` raises Unavailable while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._connection: AbstractConnection | None = None
        self._limit_s: float | None = None
        self._waiting: list[tuple[str, asyncio.Future[bool]]] = []
        self._asking = False
        self._pump: asyncio.Task[None] | None = None

    async def exists(self, key: str) -> bool:
        if self._asking or not (self._pump is None or self._pump.done()):
            return await self._with_the_next(key)
        # Nobody else asks: without a task in between this costs half.
        self._asking = True
        try:
            return (await self._ask([key]))[0]
        except (RedisError, OSError):
            await self._hang_up()
            raise Unavailable() from None
        except BaseException:
            await self._hang_up()  # an answer that nobody reads must not become the next one's
            raise
        finally:
            self._asking = False
            if self._waiting:
                self._pump = asyncio.create_task(self._answer_all(), name="liveness of sessions")

    async def _with_the_next(self, key: str) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        return await answer

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        await self._hang_up()

    async def _answer_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                for (_, answer), lives in zip(batch, await self._ask([key for key, _ in batch]), strict=True):
                    if not answer.done():  # whoever asked may have gone
                        answer.set_result(lives)
            except BaseException as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(Unavailable())
                await self._hang_up()
                if not isinstance(error, (RedisError, OSError)):
                    raise

    async def _ask(self, keys: list[str]) -> list[bool]:
        kept = self._connection is not None
        try:
            return await self._ask_once(keys)
        except (RedisError, OSError):
            if not kept:
                raise
            await self._hang_up()  # it went stale while nobody asked: a fresh one decides
            return await self._ask_once(keys)

    async def _ask_once(self, keys: list[str]) -> list[bool]:
        if self._connection is None:
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py has no types
            await connection.connect()
            self._limit_s = connection.socket_timeout
            connection.socket_timeout = None  # its own limits cost a task each time: one of ours does for both ways
            self._connection = connection
        connection = self._connection
        command: tuple[str | int, ...] = ("EXISTS", keys[0]) if len(keys) == 1 else ("EVAL", _EACH, len(keys), *keys)
        try:
            async with asyncio.timeout(self._limit_s):
                await connection.send_packed_command(connection.pack_command(*command), check_health=False)
                answer = await connection.read_response()
        except TimeoutError:
            raise RedisTimeout() from None
        return [bool(each) for each in answer] if len(keys) > 1 else [bool(answer)]

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
