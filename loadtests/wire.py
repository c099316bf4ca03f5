"""A cheap HTTP/1.1 client: requests are bytes made beforehand, answers are read by their Content-Length.

It shares the cores with the server it measures, so it does no more than that.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast


def request(method: str, path: str, headers: dict[str, str], body: object = None) -> bytes:
    """A whole request; ``body`` as JSON."""
    payload = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: load", *(f"{name}: {value}" for name, value in headers.items())]
    if payload:
        lines.append("Content-Type: application/json")
    lines.append(f"Content-Length: {len(payload)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


class Connection(asyncio.Protocol):
    """One request at a time over a kept connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        status, body = int(self._buffer[9:12]), self._buffer[end + 4 :]
        self._buffer = b""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result((status, body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the server closed the connection"))

    async def ask(self, raw: bytes) -> tuple[int, bytes]:
        """Status and body."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@dataclass
class Outcome:
    """What came of a run. Times in milliseconds, from the moment a request was due, not from when it was sent."""

    wanted_per_s: float
    took_s: float = 0.0
    times_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_s(self) -> float:
        return len(self.times_ms) / self.took_s if self.took_s else 0.0

    def quantile(self, part: float) -> float:
        ordered = sorted(self.times_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")

    def line(self) -> str:
        times = ", ".join(f"p{part * 100:g} {self.quantile(part):.1f}" for part in (0.5, 0.95, 0.99, 0.999))
        return (
            f"{len(self.times_ms)} answers in {self.took_s:.1f} s = {self.per_s:.0f}/s "
            f"(wanted {self.wanted_per_s:.0f}); ms: {times}, most {self.quantile(1):.0f}; "
            + ", ".join(f"{n} × {s}" for s, n in self.statuses.items())
        )


async def at_rate(
    address: tuple[str, int],
    requests: Sequence[bytes],
    per_s: float,
    connections: int,
    check: Callable[[int, bytes], None] | None = None,
) -> Outcome:
    """Send the requests at a steady rate, whether or not earlier ones have been answered."""
    loop = asyncio.get_running_loop()
    free: list[Connection] = []
    for _ in range(connections):
        _, made = await loop.create_connection(Connection, *address)
        free.append(made)
    everybody = list(free)
    vacant = asyncio.Semaphore(connections)
    outcome = Outcome(per_s)
    started = loop.time() + 0.05

    async def one(number: int) -> None:
        due = started + number / per_s
        async with vacant:
            connection = free.pop()
            try:
                status, body = await connection.ask(requests[number])
            finally:
                free.append(connection)
        outcome.times_ms.append((loop.time() - due) * 1000)
        outcome.statuses[status] += 1
        if check is not None:
            check(status, body)

    tasks: set[asyncio.Task[None]] = set()
    for number in range(len(requests)):
        wait = started + number / per_s - loop.time()
        if wait > 0.0005:
            await asyncio.sleep(wait)
        task = loop.create_task(one(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    while tasks:
        done, _ = await asyncio.wait(set(tasks))
        for task in done:
            task.result()
    outcome.took_s = loop.time() - started
    for each in everybody:
        each.close()
    return outcome
