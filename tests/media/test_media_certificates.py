"""The worker's certificate changes with time, never under a connection; another person's never gets in."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from core.rpc import Params
from loadtests.peer import Caller, stay_on_loopback
from media import sdp
from media.control import Control
from media.dtls import Certificate
from media.transport import UdpTransport

DAY_S = 86_400.0


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
        self._stack = stack

    async def person(self, identifier: str) -> Person:
        person = Person(self.control, identifier)
        self._stack.push_async_callback(person.caller.close)
        await person.ask("join")
        return person


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stay_on_loopback()
    async with AsyncExitStack() as stack:
        made = Stage(stack)
        yield made
        made.control.close()
        await made.transport.close()


def fingerprint(text: str) -> str:
    (found,) = {value for _, value in sdp.parse(text).fingerprints}
    return found


async def test_new_connections_carry_the_new_certificate_and_old_ones_keep_theirs(stage: Stage) -> None:
    now = time.monotonic()
    first = await stage.person("first")
    await first.caller.start(video=False)
    await first.until("connection", connection="publish", state="connected")
    old = fingerprint(first.answers[0])
    assert not stage.transport.rotate(now + DAY_S - 60, DAY_S)
    assert stage.transport.rotate(now + DAY_S + 60, DAY_S)
    assert not stage.transport.rotate(now + DAY_S + 61, DAY_S), "once"
    second = await stage.person("second")
    await second.caller.start(video=False)
    await second.until("connection", connection="publish", state="connected")
    assert fingerprint(second.answers[0]) == stage.transport.certificate.fingerprint != old
    await first.caller.received(tracks=1, frames=5)
    await second.caller.received(tracks=1, frames=5)
    # The old connection is described by the certificate it was made with, however often.
    incoming = stage.control.rooms["r"].participants["first"].incoming
    assert incoming is not None
    assert incoming.connection.fingerprint == old
    outgoing = stage.control.rooms["r"].participants["first"].outgoing
    assert outgoing is not None
    assert fingerprint(outgoing.offer([])) == stage.transport.certificate.fingerprint, "it began after the change"


async def test_a_certificate_that_does_not_match_its_description_never_connects(stage: Stage) -> None:
    honest, other = await stage.person("honest"), await stage.person("impostor")
    other.disguise = ":".join(["AB"] * 32)
    await honest.caller.start(video=False)
    await honest.until("connection", connection="publish", state="connected")
    await other.caller.start(video=False)
    await other.until("connection", connection="publish", state="failed")
    states = [p["state"] for n, p in other.events if n == "connection" and p["connection"] == "publish"]
    assert states == ["failed"]
    assert stage.control.rooms["r"].participants["impostor"].incoming is None
    stats = (await honest.ask("stats"))["rooms"]["r"]
    assert stats["impostor"]["packets_in"] == 0
    await other.caller.received(tracks=1, frames=5)
    assert honest.caller.frames == {}, "nothing of the impostor arrived"
