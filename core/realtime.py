"""The Socket.IO server. Emits reach every process through Redis; what must not be lost is sequenced by its owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import engineio
import socketio
import structlog
from aiohttp import web
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

# A client is lost after both, at most: 4 + 6 s without a pong.
PING_INTERVAL_S = 4
PING_TIMEOUT_S = 6
# An SDP offer with simulcast of three sources is about 20 kB; chat files go by HTTP.
MAX_MESSAGE_BYTES = 200_000
RETRY_S = 0.5
# Below the 511 callers that Valkey lets wait for its door.
CONNECTIONS = 200
# What the libraries' parsers raise on bytes that are no packet.
NONSENSE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
CHANNEL = "bedside:socketio"

log = structlog.get_logger(__name__)
LIBRARY_LOG = logging.getLogger("socketio.library")
LIBRARY_LOG.setLevel(logging.WARNING)  # below it they write whole payloads


class RedisManager(socketio.AsyncRedisManager):  # type: ignore[misc]  # python-socketio has no types
    """python-socketio's Redis manager, back within a second of Redis' return (its own backs off to a minute)."""

    async def _redis_listen_with_retries(self) -> AsyncIterator[Any]:
        while True:
            try:
                self._redis_connect()
                await self.pubsub.subscribe(self.channel)
                async for message in self.pubsub.listen():
                    yield message
            except (RedisError, OSError):
                self._get_logger().warning("Redis is away: other processes' events are not heard")
            await asyncio.sleep(RETRY_S)


class RealtimeServer(socketio.AsyncServer):  # type: ignore[misc]  # python-socketio has no types
    """Ends a connection at its first packet that is no Socket.IO; the library would log a trace and go on."""

    def _engineio_server_class(self) -> type:
        return TransportServer

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        # Events run in tasks of their own, so what fails here is the packet.
        try:
            await super()._handle_eio_message(eio_sid, data)
        except NONSENSE as error:
            log.warning("packet refused", error=type(error).__name__)
            await self.eio.disconnect(eio_sid)


class TransportServer(engineio.AsyncServer):  # type: ignore[misc]  # python-engineio has no types
    async def handle_request(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().handle_request(*args, **kwargs)
        except NONSENSE as error:
            log.warning("frame refused", error=type(error).__name__)
            refusal = web.Response(status=400)
            refusal.force_close()
            return refusal


def same_origin(origin: str | None, environ: dict[str, Any]) -> bool:
    """Whether a browser's page comes from the host it asks; the scheme may differ behind a proxy that ends TLS."""
    if origin is None:
        return True  # not a browser
    hosts = {environ.get("HTTP_HOST"), environ.get("HTTP_X_FORWARDED_HOST")} - {None}
    return urlsplit(origin).netloc in hosts


def build_realtime(redis_url: str) -> socketio.AsyncServer:
    """A server for aiohttp. Same-origin pages only: no CORS answer is ever given."""
    return RealtimeServer(
        async_mode="aiohttp",
        client_manager=RedisManager(redis_url, channel=CHANNEL),
        cors_allowed_origins=same_origin,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        max_http_buffer_size=MAX_MESSAGE_BYTES,
        logger=LIBRARY_LOG,  # with False they would write past our logging, messages and all
        engineio_logger=LIBRARY_LOG,
    )


def connect_redis(url: str) -> Redis:
    """A client that waits a bounded time and comes back by itself. Answers are bytes.

    A rush of callers shares ``CONNECTIONS``: as many new ones at once would overflow the server's queue.
    """
    pool = BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS, timeout=10, socket_connect_timeout=3, health_check_interval=15
    )
    return Redis.from_pool(pool)
