"""Control channels to media workers: one a worker, opened when first needed, events handed on in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from core.background import cancel_all
from core.rpc import RpcClient, RpcUnavailable

log = logging.getLogger(__name__)

Event = Callable[["WorkerKey", str, dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WorkerKey:
    """One life of one worker process."""

    id: str
    boot: str


@dataclass(slots=True)
class _Channel:
    client: RpcClient
    events: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class MediaClients:
    """``on_event`` is awaited for each event of a worker, one after another; ``on_closed`` hears of a lost channel."""

    def __init__(self, secret: bytes, on_event: Event, on_closed: Callable[[WorkerKey], None]) -> None:
        self._secret = secret
        self._on_event = on_event
        self._on_closed = on_closed
        self._channels: dict[WorkerKey, _Channel] = {}
        self._locks: dict[WorkerKey, asyncio.Lock] = {}

    def connected(self, key: WorkerKey) -> bool:
        channel = self._channels.get(key)
        return channel is not None and not channel.client.closed.is_set()

    async def call(self, key: WorkerKey, host: str, port: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Raises RpcRefused with the worker's code, or RpcUnavailable."""
        return await (await self._channel(key, host, port)).client.call(method, params)

    async def _channel(self, key: WorkerKey, host: str, port: int) -> _Channel:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            channel = self._channels.get(key)
            if channel is not None and not channel.client.closed.is_set():
                return channel
            if not self._secret:
                raise RpcUnavailable("No control secret is set")
            events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
            client = await RpcClient.connect(
                host, port, self._secret, lambda name, params: events.put_nowait((name, params))
            )
            channel = _Channel(client, events)
            channel.tasks = [
                asyncio.create_task(self._hand_on(key, events)),
                asyncio.create_task(self._watch(key, client)),
            ]
            self._channels[key] = channel
            return channel

    async def _hand_on(self, key: WorkerKey, events: asyncio.Queue[tuple[str, dict[str, Any]]]) -> None:
        while True:
            name, params = await events.get()
            try:
                await self._on_event(key, name, params)
            except Exception:
                log.exception("media_event_failed", extra={"event_name": name[:40]})

    async def _watch(self, key: WorkerKey, client: RpcClient) -> None:
        await client.closed.wait()
        self._on_closed(key)

    async def forget(self, key: WorkerKey) -> None:
        """The worker is gone for good."""
        self._locks.pop(key, None)
        channel = self._channels.pop(key, None)
        if channel is not None:
            await _end(channel)

    async def stop(self) -> None:
        for channel in list(self._channels.values()):
            await _end(channel)
        self._channels.clear()


async def _end(channel: _Channel) -> None:
    await channel.client.close()
    await cancel_all(channel.tasks)
