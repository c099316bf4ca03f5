"""One connection to Redis that stays, for what is asked all the time.

A command through the client's pool pays for getting and giving back a connection each time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError


class KeptRedis:
    """One command at a time; the others wait."""

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()

    async def ask(self, *command: str | int | bytes) -> Any:
        """The answer to one command, which may be sent twice: so only what does no harm then.

        Raises RedisError, OSError.
        """
        async with self._turn:
            kept = self._connection is not None
            try:
                return await self._once(command)
            except (RedisError, OSError):
                if not kept:
                    raise
                return await self._once(command)  # it went stale while nobody asked: a fresh one decides

    async def _once(self, command: tuple[str | int | bytes, ...]) -> Any:
        try:
            if self._connection is None:
                connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py has no types
                await connection.connect()
                self._connection = connection
            connection = self._connection
            await connection.send_packed_command(connection.pack_command(*command))
            return await connection.read_response()
        except BaseException:
            # Whatever answer is still to come must not be taken for the next command's.
            await self.hang_up()
            raise

    async def hang_up(self) -> None:
        """The next command gets a fresh connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
