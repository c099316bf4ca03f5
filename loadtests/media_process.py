"""A process of the benchmark's peers: one small event loop, timers that keep their beat, and a pipe to the parent."""

from __future__ import annotations

import heapq
import itertools
import random
import select
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from typing import Any

from loadtests.media_link import Identity, Link
from loadtests.media_peers import (
    AUDIO_S,
    CHECK_S,
    FEEDBACK_S,
    MEND_S,
    REPORT_S,
    VIDEO_S,
    Counts,
    Publisher,
    Subscriber,
)

CONNECT_S = 0.25  # between tries while there are no keys


class PeerProcess:
    """A process of peers and its loop. Requests come through a pipe; each is answered at once."""

    def __init__(self, pipe: Pipe, address: str, loss: float, seed: int) -> None:
        self.random = random.Random(seed)
        self.counts = Counts()
        self._pipe = pipe
        self._address = address
        self._loss = loss
        self._identity = Identity()
        self._poll = select.epoll()
        self._links: dict[int, Link] = {}
        self._publishers: dict[int, Publisher] = {}
        self._subscribers: dict[int, Subscriber] = {}
        self._timers: list[tuple[float, int, Callable[[], float]]] = []
        self._numbers = itertools.count()
        self._running = True
        self._poll.register(pipe.fileno(), select.EPOLLIN)

    def link(self, controlling: bool, on_rtp: Callable[[bytes, float], None], on_rtcp: Callable[[bytes], None]) -> Link:
        link = Link(self._identity, self._address, controlling, on_rtp, on_rtcp)
        self._links[link.socket.fileno()] = link
        self._poll.register(link.socket.fileno(), select.EPOLLIN)
        return link

    def lost(self) -> bool:
        return self._loss > 0 and self.random.random() < self._loss

    def send_rtcp(self, link: Link, packet: bytes) -> None:
        if not self.lost():
            link.send(link.protect_rtcp(packet))

    def every(self, work: Callable[[], float], first: float) -> None:
        """Run ``work`` after ``first`` seconds, and then after what it returns, each time."""
        heapq.heappush(self._timers, (time.monotonic() + first, next(self._numbers), work))

    def loop(self) -> None:
        timers = self._timers
        self.every(self._check_connecting, CONNECT_S)
        while self._running:
            wait = timers[0][0] - time.monotonic()
            for descriptor, _ in self._poll.poll(max(0.0, wait)):
                link = self._links.get(descriptor)
                if link is not None:
                    link.readable()
                else:
                    self._request(*self._pipe.recv())
            now = time.monotonic()
            while timers[0][0] <= now:
                due, number, work = timers[0]
                self.counts.lateness.append(now - due)
                heapq.heapreplace(timers, (due + work(), number, work))
                now = time.monotonic()

    def _check_connecting(self) -> float:
        for link in self._links.values():
            if not link.connected:
                link.check()
        return CONNECT_S

    def _request(self, method: str, number: int, *arguments: Any) -> None:
        if method == "offer":
            person, receivers = arguments
            self._publishers[person] = Publisher(self, receivers)
            self._pipe.send((number, self._publishers[person].offer()))
        elif method == "answered":
            person, text = arguments
            self._publishers[person].link.connect(text)
            self._pipe.send((number, None))
        elif method == "answer":
            person, text = arguments
            if person not in self._subscribers:
                self._subscribers[person] = Subscriber(self)
            self._pipe.send((number, self._subscribers[person].answer(text)))
        elif method == "connected":
            self._pipe.send((number, sum(link.connected for link in self._links.values())))
        elif method == "media":
            self._start_media()
            self._pipe.send((number, None))
        elif method == "measure":
            self.counts = Counts()
            self.counts.begin, self.counts.end = arguments
            self._pipe.send((number, None))
        elif method == "stop":
            self._running = False
            self._pipe.send((number, self.counts.result()))

    def _start_media(self) -> None:
        spread = self.random.random
        for publisher in self._publishers.values():
            self.every(publisher.sound, spread() * AUDIO_S)
            self.every(publisher.picture, spread() * VIDEO_S)
            self.every(publisher.report, spread() * REPORT_S)
        for subscriber in self._subscribers.values():
            self.every(subscriber.mend, spread() * MEND_S)
            self.every(subscriber.feedback, spread() * FEEDBACK_S)
            self.every(subscriber.report, spread() * REPORT_S)
        for link in self._links.values():
            self.every(lambda link=link: (link.check(), CHECK_S)[1], spread() * CHECK_S)  # type: ignore[misc]


def run(pipe: Pipe, address: str, loss: float, seed: int) -> None:
    """The process's whole life."""
    PeerProcess(pipe, address, loss, seed).loop()
