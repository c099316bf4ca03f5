"""A receiver behind one bottleneck, simulated: a queue that empties at some rate, loss, delay, jitter.

What is sent is what a worker would send: sound always, pictures as large as the estimate of a while ago allowed,
paced, and probes. The receiver tells what arrived every 50 ms, by the same way back without the queue.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from media.rtp import rtcp
from media.rtp.bandwidth import PROBE_S, Bandwidth
from media.rtp.sent import Sent
from media.rtp.twcc import TwccReceiver, parse

START = 100.0  # on our clock; the receiver's is elsewhere
THEIRS = 5_000.0
STEP_S = 0.001
PACKET, SOUND = 1200, 140
STALE_S = 2.0


class Look(NamedTuple):
    """Ten a second."""

    at: float
    rate: float
    queue: float  # seconds, the longest since the look before
    pictures: float  # bits a second the encoder makes


class Way:
    """One simulated connection."""

    def __init__(
        self,
        capacity: Callable[[float], float],
        *,
        delay: float = 0.02,
        loss: float = 0.0,
        jitter: float = 0.0,
        buffer_s: float = 1.0,
        lag_s: float = 0.6,
        most: float = 2_000_000,
        seed: int = 1,
    ) -> None:
        self.bandwidth = Bandwidth(START)
        self.delay = delay
        self.blocked = False
        """Nothing gets through while set."""
        self._capacity, self._loss, self._jitter, self._buffer = capacity, loss, jitter, buffer_s
        self._lag, self.most = lag_s, most
        self._chance = random.Random(seed)
        self._sent, self._receiver = Sent(), TwccReceiver()
        self._now = self._busy = START
        self._packets = 0
        self._arriving: list[tuple[float, int]] = []
        self._answers: deque[tuple[float, bytes]] = deque()
        self._paced: deque[tuple[float, int]] = deque()
        self._credit = 0.0
        self._rates: deque[tuple[float, float]] = deque()
        self._probe: tuple[float, float, int] | None = None  # (bytes a second, began, bytes sent before)
        self._out = 0
        self._queue = 0.0
        self.looks: list[Look] = []

    def _send(self, size: int) -> None:
        number = self._sent.left(size, self._now)
        self._packets += 1
        self._out += size
        waits = max(0.0, self._busy - self._now)
        self._queue = max(self._queue, waits)
        if self.blocked or waits > self._buffer or self._chance.random() < self._loss:
            return
        self._busy = max(self._busy, self._now) + size * 8 / self._capacity(self._now - START)
        heapq.heappush(self._arriving, (self._busy + self.delay + self._chance.random() * self._jitter, number))

    @property
    def pictures(self) -> float:
        """What the encoder makes: what fitted a while ago."""
        while len(self._rates) > 1 and self._rates[1][0] <= self._now - self._lag:
            self._rates.popleft()
        return min(self.most, max(30_000.0, self._rates[0][1] * 0.95 - 60_000)) if self._rates else 300_000.0

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for step in range(round(seconds / STEP_S)):
            self._now += STEP_S
            if step % 20 == 0:
                self._credit -= SOUND
                self._send(SOUND)
            if step % 33 == 0:
                left = self.pictures * 0.033 / 8
                while left > 0:
                    self._paced.append((self._now, int(min(PACKET, left + 60))))
                    left -= PACKET - 60
            self._pace()
            if step % 5 == 0:
                self._fill()
            while self._arriving and self._arriving[0][0] <= self._now:
                at, number = heapq.heappop(self._arriving)
                self._receiver.arrived(number & 0xFFFF, at + THEIRS)
            if step % 50 == 0:
                self._tell()
            if step % 100 == 0:
                self._look()

    def _pace(self) -> None:
        rate = self.bandwidth.pace / 8
        self._credit = min(max(4000.0, rate * 0.04), self._credit + rate * STEP_S)
        while self._paced and self._now - self._paced[0][0] > STALE_S:
            self._paced.popleft()
        while self._paced and self._credit > 0:
            _, size = self._paced.popleft()
            self._credit -= size
            self._send(size)

    def _fill(self) -> None:
        if self._probe is None:
            return
        rate, began, before = self._probe
        if self._now > began + PROBE_S:
            self._probe = None
            return
        while (lacking := int(rate * (self._now - began)) - (self._out - before)) > 0:
            self._send(PACKET if lacking > 500 else min(lacking, 255) + 60)

    def _tell(self) -> None:
        for packet in self._receiver.feedback(1, 1):
            if not self.blocked and self._chance.random() >= self._loss:
                self._answers.append((self._now + self.delay, packet))
        while self._answers and self._answers[0][0] <= self._now:
            for part in rtcp.parse(self._answers.popleft()[1]):
                if isinstance(part, rtcp.TwccFeedback):
                    self._sent.acknowledge(parse(part.body))

    def _look(self) -> None:
        bandwidth = self.bandwidth
        bandwidth.round_trip = 2 * self.delay + self._jitter / 2
        bandwidth.update(self._sent.told(), self._packets, self._now)
        self._rates.append((self._now, bandwidth.rate))
        pictures = self.pictures
        if not self._paced:
            rate = bandwidth.probe(min(2_500_000.0, max(300_000.0, 3 * pictures)), self._now)
            if rate is not None:
                self._probe = (rate / 8, self._now, self._out)
        self.looks.append(Look(self._now - START, bandwidth.rate, self._queue, pictures))
        self._queue = 0.0

    def between(self, begin: float, end: float) -> list[Look]:
        """What was seen in that part of the time."""
        return [look for look in self.looks if begin <= look.at < end]
