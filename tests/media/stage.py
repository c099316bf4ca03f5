"""A worker's transport and control in the test's own process, with callers that need no control channel."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import AsyncExitStack
from typing import Any

from core.rpc import Params
from loadtests.peer import Caller
from media import sdp
from media.control import Control
from media.dtls import Certificate
from media.transport import UdpTransport


class Person:
    """A caller with a control channel that is only a function call."""

    closed = False

    def __init__(self, control: Control, identifier: str) -> None:
        self.id = identifier
        self.answers: list[str] = []
        self.events: list[tuple[str, Params]] = []
        self.changed = asyncio.Event()
        self.disguise: str | None = None
        self.caller = Caller(self._publish, self._answer)
        self._control = control
        self._tasks: set[asyncio.Task[None]] = set()

    def event(self, name: str, params: Params) -> bool:
        self.events.append((name, params))
        self.changed.set()
        if name == "offer":
            task = asyncio.create_task(self.caller.on_offer(params))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    async def ask(self, method: str, **params: Any) -> Params:
        return await self._control.handle(method, {"room": "r", "participant": self.id, **params}, self)  # type: ignore[arg-type]  # enough of a peer

    async def until(self, name: str, **fits: Any) -> None:
        async with asyncio.timeout(20):
            while not any(n == name and fits.items() <= params.items() for n, params in self.events):
                self.changed.clear()
                await self.changed.wait()

    async def _publish(self, text: str, tracks: list[dict[str, str]]) -> str:
        if self.disguise is not None:
            text = re.sub(r"a=fingerprint:sha-256 \S+", f"a=fingerprint:sha-256 {self.disguise}", text)
            text = "\r\n".join(line for line in text.split("\r\n") if not re.match("a=fingerprint:(?!sha-256)", line))
        self.answers.append((await self.ask("publish", sdp=text, tracks=tracks))["sdp"])
        return self.answers[-1]

    async def _answer(self, negotiation: int, text: str) -> None:
        await self.ask("answer", negotiation=negotiation, sdp=text)


class Stage:
    """A worker's transport and control in this process, with a clock of its own for certificates."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.transport = UdpTransport(Certificate(), time.monotonic)
        self.transport.open("127.0.0.1", 0)
        names = iter(range(1000))
        candidates = sdp.candidates([("127.0.0.1", self.transport.port)])
        self.control = Control(self.transport, candidates, time.monotonic, lambda: f"t{next(names)}")
        self.clock = time.monotonic
        self._stack = stack
        self._timer = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        count = 0
        while True:
            await asyncio.sleep(0.02)
            count += 1
            now = time.monotonic()
            self.control.step(count, now)

    async def close(self) -> None:
        self._timer.cancel()
        await asyncio.gather(self._timer, return_exceptions=True)
        self.control.close()
        await self.transport.close()

    async def person(self, identifier: str) -> Person:
        person = Person(self.control, identifier)
        self._stack.push_async_callback(person.caller.close)
        await person.ask("join")
        return person
