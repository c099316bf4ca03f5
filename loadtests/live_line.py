"""A Socket.IO connection for load tests with thousands of them in one process: bare engine.io 4 over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

TIMEOUT_S = 30.0
Hears = Callable[[str, dict[str, Any]], None]


class RefusedError(Exception):
    """The server refused the connection or an event; the message is its code."""


class LiveLine:
    """One connection to one namespace. ``hears(event, payload)`` gets every event, in order, at once."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str, hears: Hears | None = None) -> None:
        self._session = session
        self._namespace = namespace
        self._hears = hears
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self.closed = asyncio.Event()
        self.resume_token = ""
        self.seq = 0
        self.out_of_order = 0
        self.silent = False  # as if the network swallowed everything: pings go unanswered

    async def connect(self, url: str, auth: dict[str, Any], *, ready: bool = True) -> None:
        """Up to ``session.ready``, or only up to the namespace's answer. Raises RefusedError, OSError."""
        self.closed.clear()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wants_ready = ready
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._socket = await self._session.ws_connect(address, max_msg_size=0, timeout=aiohttp.ClientWSTimeout())
        await self._socket.receive_str()
        await self._socket.send_str(f"40{self._namespace},{json.dumps(auth)}")
        self._reading = asyncio.create_task(self._read(self._socket))
        async with asyncio.timeout(TIMEOUT_S):
            await self._ready

    async def call(self, event: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send and wait for the acknowledgement. Raises RefusedError, OSError."""
        if self._socket is None or self._socket.closed:
            raise ConnectionError("the connection is closed")
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        await self._socket.send_str(f"42{self._namespace},{self._number}{json.dumps([event, data or {}])}")
        async with asyncio.timeout(TIMEOUT_S):
            found = await answer
        if not found["ok"]:
            raise RefusedError(found["error"]["code"])
        return found

    async def cut(self) -> None:
        """The network is gone: no goodbye, neither of Socket.IO nor of the WebSocket."""
        if self._socket is not None and self._socket._writer.transport is not None:
            self._socket._writer.transport.abort()
        await self.close()

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None
        if self._socket is not None:
            await self._socket.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                text: str = message.data
                if self.silent:
                    continue
                if text == "2":
                    await socket.send_str("3")
                elif text.startswith("4"):
                    self._packet(text)
        except OSError:
            pass  # the server went away: ``closed`` says so
        finally:
            self.closed.set()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection is closed"))
            self._answers.clear()
            if not self._ready.done():
                self._ready.set_exception(ConnectionError(f"the connection was closed ({socket.close_code})"))

    def _packet(self, text: str) -> None:
        kind, rest = text[1], text[2:]
        if rest.startswith("/"):
            rest = rest.partition(",")[2]
        if kind == "0":
            if not self._wants_ready and not self._ready.done():
                self._ready.set_result(None)
        elif kind == "4":
            if not self._ready.done():
                self._ready.set_exception(RefusedError(json.loads(rest)["message"]))
        elif kind == "3":
            number = len(rest) - len(rest.lstrip("0123456789"))
            answer = self._answers.pop(int(rest[:number]), None)
            if answer is not None and not answer.done():
                answer.set_result(json.loads(rest[number:])[0])
        elif kind == "2":
            event, *payloads = json.loads(rest.lstrip("0123456789"))
            self._event(event, payloads[0] if payloads else {})

    def _event(self, event: str, payload: dict[str, Any]) -> None:
        if event == "session.ready":
            self.resume_token = payload["resume_token"] or self.resume_token
            self.seq = payload["seq"]
            if not self._ready.done():
                self._ready.set_result(None)
        elif "seq" in payload:
            self.out_of_order += event != "session.snapshot" and payload["seq"] != self.seq + 1
            self.seq = payload["seq"]
        if self._hears is not None:
            self._hears(event, payload)
