"""A leg of the laboratory with delay: everything that passes waits here, for kernels without netem.

A process holds both ends of the leg (TUN devices, one in each namespace) and hands each packet over when its
time has come. Started by ``loadtests.laboratory``; ``hold`` alone has no I/O.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
MOST_HELD = 4_000  # packets of a direction: over five seconds of a fast call; more are dropped, as a router would
LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class Delay:
    """Of one direction: each packet waits ``ms`` ± ``jitter_ms``, and in order unless it is one of ``reorder``."""

    ms: float
    jitter_ms: float = 0.0
    reorder: float = 0.0
    """% of packets that overtake: they wait the least there is."""


@dataclass(slots=True)
class Held:
    """The packets of one direction that wait. Time is passed in."""

    delay: Delay
    random: random.Random
    _waiting: list[tuple[float, int, bytes]] = field(default_factory=list)
    _last: float = 0.0
    _count: int = 0
    dropped: int = 0

    def hold(self, packet: bytes, now: float) -> None:
        """Take a packet; dropped where too many wait."""
        if len(self._waiting) >= MOST_HELD:
            self.dropped += 1
            return
        delay = self.delay
        self._count += 1
        if self.random.random() * 100 < delay.reorder:
            due = now + (delay.ms - delay.jitter_ms) / 1000
        else:
            wait = delay.ms + self.random.uniform(-delay.jitter_ms, delay.jitter_ms)
            due = self._last = max(self._last, now + wait / 1000)
        heapq.heappush(self._waiting, (due, self._count, packet))

    def due(self, now: float) -> list[bytes]:
        """Those whose time has come."""
        found = []
        while self._waiting and self._waiting[0][0] <= now:
            found.append(heapq.heappop(self._waiting)[2])
        return found

    def next(self) -> float | None:
        """When the next one is due."""
        return self._waiting[0][0] if self._waiting else None


def tun(namespace: Path, name: str) -> int:
    """A TUN device there: packets written to the descriptor arrive in that network. Raises OSError."""
    made: list[int] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            with namespace.open() as opened:
                if ctypes.CDLL(None, use_errno=True).setns(opened.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
            made.append(descriptor)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=make)  # a thread can leave the process's namespace alone
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def carry(ends: tuple[int, int], delay: Delay) -> None:
    """Both directions, until a device is gone."""
    ways = {end: (Held(delay, random.Random()), other) for end, other in (ends, ends[::-1])}
    poller = select.poll()
    for end in ends:
        poller.register(end, select.POLLIN)
    while True:
        nearest = min((due for held, _ in ways.values() if (due := held.next()) is not None), default=None)
        wait = None if nearest is None else max(0.0, nearest - time.monotonic()) * 1000
        for end, events in poller.poll(wait):
            if events & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                return
            held = ways[end][0]
            try:
                while True:
                    held.hold(os.read(end, LARGEST), time.monotonic())
            except BlockingIOError:
                pass
            except OSError:
                return
        now = time.monotonic()
        for held, other in ways.values():
            for packet in held.due(now):
                try:
                    os.write(other, packet)
                except BlockingIOError:
                    held.dropped += 1
                except OSError:
                    return


if __name__ == "__main__":
    first, second = int(sys.argv[1]), int(sys.argv[2])
    carry((first, second), Delay(*(float(value) for value in sys.argv[3:6])))
