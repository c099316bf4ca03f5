"""The people of a load test of waiting rooms, and how long they wait for what."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp

from core.context import Context
from loadtests.live_line import LiveLine, RefusedError
from loadtests.practice_house import House

AT_ONCE = 24  # connections opened at the same moment
LIFETIME = timedelta(hours=1)


@dataclass
class Times:
    """Milliseconds."""

    name: str
    values: list[float] = field(default_factory=list)

    def add(self, since: float) -> None:
        self.values.append((time.perf_counter() - since) * 1000)

    def line(self) -> str:
        if not self.values:
            return f"{self.name}: nothing"
        ordered = sorted(self.values)

        def at(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        return (
            f"{self.name}: {len(ordered)} times, p50 {at(0.5):.1f} ms, p95 {at(0.95):.1f} ms, p99 {at(0.99):.1f} ms, "
            f"longest {ordered[-1]:.1f} ms"
        )


class Lateness:
    """How late this very process is, looked at every 10 ms within the ``with``: that much of a figure is its own."""

    def __init__(self) -> None:
        self.times = Times("the people's own process was late")

    async def __aenter__(self) -> Lateness:
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._looking.cancel()

    async def _look(self) -> None:
        while True:
            due = time.perf_counter() + 0.01
            await asyncio.sleep(0.01)
            self.times.add(due)


@dataclass
class Person:
    visit: UUID
    id: UUID
    role: str
    line: LiveLine
    port: int
    waiting_for: dict[str, tuple[Any, Times]] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    told_at: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    marks: bool = False
    """Whether they say what has come."""
    marking: set[asyncio.Task[None]] = field(default_factory=set)

    def hears(self, event: str, payload: dict[str, Any]) -> None:
        self.events[event] += 1
        if event == "waiting.updated":
            self.told_at.append(time.perf_counter())
        elif event == "chat.message":
            text = payload["message"]["text"]
            self.texts.append(text)
            if self.marks:
                task = asyncio.create_task(self._has_come(payload["message"]["message_id"]))
                self.marking.add(task)
                task.add_done_callback(self.marking.discard)
            if text in self.waiting_for:
                since, times = self.waiting_for.pop(text)
                times.add(since)
        if event in self.waiting_for:
            since, times = self.waiting_for.pop(event)
            times.add(since)

    async def _has_come(self, message_id: str) -> None:
        with suppress(OSError, TimeoutError, aiohttp.ClientError, RefusedError):  # the next one says it, too
            await self.line.call("chat.delivered", {"message_id": message_id})


class Crowd:
    """Everybody who is connected, in one event loop."""

    def __init__(self, house: House, context: Context, session: aiohttp.ClientSession) -> None:
        self._house = house
        self._context = context
        self._session = session
        self.people: list[Person] = []

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    async def person(self, visit: UUID, person_id: UUID, role: str, port: int) -> Person:
        made = Person(visit, person_id, role, LiveLine(self._session, "/consultation"), port)
        made.line._hears = made.hears
        token = self._context.tokens.issue("visit", person_id, LIFETIME, appointment_id=str(visit), role=role)
        await made.line.connect(self.url(port), {"token": token})
        self.people.append(made)
        return made

    async def practice(self, practitioner: UUID, port: int) -> LiveLine:
        line = LiveLine(self._session, "/practice")
        token = self._context.tokens.issue("practice", practitioner, LIFETIME, role="practitioner", name="Dr")
        await line.connect(self.url(port), {"token": token}, ready=False)
        return line

    async def resume(self, person: Person, ports: Iterable[int]) -> None:
        """Come back, to any process that answers, as behind a load balancer."""
        auth = {"resume_token": person.line.resume_token, "last_seq": person.line.seq}
        for port in ports:
            try:
                await person.line.connect(self.url(port), auth)
            except (OSError, aiohttp.ClientError, TimeoutError):
                continue
            person.port = port
            return
        raise ConnectionError("no process answers")


async def together(work: Iterable[Awaitable[Any]], at_once: int = AT_ONCE) -> list[Any]:
    """All of it, so many at a time."""
    turns = asyncio.Semaphore(at_once)

    async def one(each: Awaitable[Any]) -> Any:
        async with turns:
            return await each

    return await asyncio.gather(*(one(each) for each in work))
