"""A small client of WebDriver BiDi (W3C), the protocol that a stock Firefox speaks: commands, events, errors."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import aiohttp

COMMAND_TIMEOUT_S = 60.0
BIGGEST_MESSAGE = 64 * 1024 * 1024

Event = Callable[[dict[str, Any]], None]


class BidiError(Exception):
    """The browser refused a command, or a script threw: its own words."""


class Bidi:
    """One session. Commands may be in flight at the same time."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, list[Event]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, url: str, connector: aiohttp.BaseConnector | None = None) -> Bidi:
        """``url`` as Firefox prints it; ``connector`` where the browser is in another network namespace."""
        session = aiohttp.ClientSession(connector=connector)
        try:
            socket = await session.ws_connect(f"{url}/session", max_msg_size=BIGGEST_MESSAGE)
        except BaseException:
            await session.close()
            raise
        made = cls(session, socket)
        await made.call("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        return made

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's result. Raises BidiError."""
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                return await waiting
        finally:
            del self._waiting[number]

    async def listen(self, event: str, listener: Event) -> None:
        self._listeners.setdefault(event, []).append(listener)
        await self.call("session.subscribe", events=[event])

    async def _read(self) -> None:
        async for message in self._socket:
            said = message.json()
            if said["type"] == "event":
                for listener in self._listeners.get(said["method"], []):
                    listener(said["params"])
            elif (waiting := self._waiting.get(said["id"])) is not None and not waiting.done():
                if said["type"] == "success":
                    waiting.set_result(said["result"])
                else:
                    waiting.set_exception(BidiError(f"{said['error']}: {said['message']}"))
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(BidiError("the browser has closed the connection"))

    async def close(self) -> None:
        await self._socket.close()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._session.close()


def plain(value: dict[str, Any]) -> Any:
    """A script's result (the protocol's typed values) as Python has it."""
    kind, inner = value["type"], value.get("value")
    if kind in ("undefined", "null"):
        return None
    if kind == "number" and isinstance(inner, str):
        return float(inner.replace("Infinity", "inf"))  # NaN, -0, Infinity and -Infinity come as text
    if kind in ("array", "set"):
        return [plain(each) for each in inner or []]
    if kind in ("object", "map"):
        return {key if isinstance(key, str) else plain(key): plain(each) for key, each in inner or []}
    return inner


def typed(value: Any) -> dict[str, Any]:
    """A Python value as a script's argument."""
    if value is None:
        return {"type": "null"}
    if isinstance(value, bool):
        return {"type": "boolean", "value": value}
    if isinstance(value, int | float):
        return {"type": "number", "value": value}
    if isinstance(value, str):
        return {"type": "string", "value": value}
    if isinstance(value, list | tuple):
        return {"type": "array", "value": [typed(each) for each in value]}
    if isinstance(value, dict):
        return {"type": "object", "value": [[key, typed(each)] for key, each in value.items()]}
    raise TypeError(f"no script value: {type(value).__name__}")
