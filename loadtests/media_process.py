"""A process of the benchmark's peers: timers that keep their beat, sockets read between them, a pipe to the parent."""

from __future__ import annotations

import ctypes
import heapq
import itertools
import random
import resource
import select
import time
from array import array
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection as Pipe
from typing import Any

from loadtests import media_native
from loadtests.media_link import Identity, Link
from loadtests.media_peers import (
    AUDIO_S,
    CHECK_S,
    FEEDBACK_S,
    MAX_EVENTS,
    MEND_S,
    OTHERS_BYTES,
    REPORT_S,
    VIDEO_S,
    Publisher,
    Subscriber,
)

CONNECT_S = 0.25  # between tries while there are no keys
TICK_S = 0.0004  # the shortest sleep: waking for each timer alone would cost more than what it does
DRAIN_S = 0.002  # between looks at the sockets: the kernel has noted when a packet came
LATENCIES = 4_000_000
COUNTED = (
    *("published", "sent", "sent_sound", "received", "received_sound"),
    *("datagrams", "octets", "retransmitted", "unsent"),
)
BURST = 30  # of a growth run: frames sent at once


class PeerProcess:
    """A process of peers and its loop. Requests come through a pipe; each is answered at once."""

    def __init__(
        self, pipe: Pipe, library: str, address: str, loss: float, seed: int, rids: tuple[str, ...] = ()
    ) -> None:
        self.rids = rids
        self.random = random.Random(seed)
        self.picture_s = VIDEO_S
        self._latencies = (ctypes.c_float * LATENCIES)()
        self._counts = media_native.Counts(
            latencies=ctypes.cast(self._latencies, ctypes.POINTER(ctypes.c_float)), latency_space=LATENCIES
        )
        self.native = media_native.Native(library, self._counts)
        self.feedback = self.nacks = 0
        self._overflowed_before = 0
        self._lateness = array("f")  # of our own timers: a peer without a core measures itself
        self._others = (ctypes.c_uint8 * OTHERS_BYTES)()
        self._events = (media_native.Event * MAX_EVENTS)()
        self._event_count = ctypes.c_int()
        self._pipe = pipe
        self._address = address
        self._loss = loss
        self._identity = Identity()
        self._poll = select.epoll()
        self._links: dict[int, Link] = {}
        self._readable: dict[int, Callable[[], None]] = {}
        self._publishers: dict[int, Publisher] = {}
        self._subscribers: dict[int, Subscriber] = {}
        self._with_media: set[object] = set()
        self._timers: list[tuple[float, int, Callable[[], float]]] = []
        self._numbers = itertools.count()
        self._running = True
        self._poll.register(pipe.fileno(), select.EPOLLIN)

    def link(self, controlling: bool, on_rtcp: Callable[[bytes], None]) -> Link:
        link = Link(self._identity, self._address, controlling, self._loss, on_rtcp)
        self._links[link.socket.fileno()] = link
        self._poll.register(link.socket.fileno(), select.EPOLLIN)
        return link

    def receive(self, link: Link, streams: Any, count: int) -> Sequence[Any]:
        """Read a link's socket: media is counted, the rest handed on; packets that were out of order."""
        used = self.native.receive(
            ctypes.byref(link.native),
            streams,
            count,
            self._others,
            OTHERS_BYTES,
            self._events,
            ctypes.byref(self._event_count),
            MAX_EVENTS,
        )
        if used:
            data = bytes(memoryview(self._others)[:used])
            at = 0
            while at < used:
                end = at + 2 + (data[at] << 8 | data[at + 1])
                link.other(data[at + 2 : end])
                at = end
        found = self._event_count.value
        return self._events[:found] if found else ()

    def lost(self) -> bool:
        return self._loss > 0 and self.random.random() < self._loss

    def send_rtcp(self, link: Link, packet: bytes) -> None:
        if link.connected and not self.lost():
            link.send(link.protect_rtcp(packet))

    def every(self, work: Callable[[], float], first: float) -> None:
        """Run ``work`` after ``first`` seconds, and then after what it returns, each time; less than 0 ends it."""
        heapq.heappush(self._timers, (time.monotonic() + first, next(self._numbers), work))

    def loop(self) -> None:
        timers, lateness, clock = self._timers, self._lateness, time.monotonic
        self.every(self._check_connecting, CONNECT_S)
        self.every(self._mend, MEND_S)
        drain_at = 0.0
        while self._running:
            now = clock()
            if now >= drain_at:
                self._drain()
                drain_at = now + DRAIN_S
                now = clock()
            while timers[0][0] <= now:
                due, number, work = timers[0]
                lateness.append(now - due)
                after = work()
                if after < 0:
                    heapq.heappop(timers)
                else:
                    heapq.heapreplace(timers, (due + after, number, work))
                now = clock()
            pause = max(min(timers[0][0], drain_at) - now, TICK_S)
            time.sleep(pause)

    def _drain(self) -> None:
        for descriptor, _ in self._poll.poll(0):
            readable = self._readable.get(descriptor)
            if readable is not None:
                readable()
            else:
                self._request(*self._pipe.recv())

    def _check_connecting(self) -> float:
        for link in self._links.values():
            if not link.connected:
                link.check()
        return CONNECT_S

    def _mend(self) -> float:
        now = time.monotonic()
        for subscriber in self._subscribers.values():
            subscriber.mend(now)
        return MEND_S

    def _request(self, method: str, number: int, *arguments: Any) -> None:
        self._pipe.send((number, getattr(self, f"on_{method}")(*arguments)))

    # Requests

    def on_offer(self, person: int, receivers: int) -> str:
        publisher = self._publishers[person] = Publisher(self, receivers)
        self._readable[publisher.link.socket.fileno()] = publisher.readable
        return publisher.offer()

    def on_answered(self, person: int, text: str) -> None:
        self._publishers[person].link.connect(text)

    def on_answer(self, person: int, text: str) -> str:
        if person not in self._subscribers:
            subscriber = self._subscribers[person] = Subscriber(self)
            self._readable[subscriber.link.socket.fileno()] = subscriber.readable
        return self._subscribers[person].answer(text)

    def on_connected(self) -> int:
        return sum(link.connected for link in self._links.values())

    def on_pace(self, picture_s: float) -> None:
        """So long between two pictures of everybody, from the next on."""
        self.picture_s = picture_s

    def on_media(self) -> None:
        """Begin sending, and giving feedback, wherever somebody is connected and that has not begun."""
        spread = self.random.random
        people: list[Publisher | Subscriber] = [*self._publishers.values(), *self._subscribers.values()]
        for one in people:
            if one in self._with_media or not one.link.connected:
                continue
            self._with_media.add(one)
            self._every_of(one, lambda one=one: (one.link.check(), CHECK_S)[1], spread() * CHECK_S)  # type: ignore[misc]
            self._every_of(one, one.report, spread() * REPORT_S)
            if isinstance(one, Publisher):
                self._every_of(one, one.sound, spread() * AUDIO_S)
                self._every_of(one, one.picture, spread() * VIDEO_S)
            else:
                self._every_of(one, one.feedback, spread() * FEEDBACK_S)

    def _every_of(self, one: Publisher | Subscriber, work: Callable[[], float], first: float) -> None:
        """A timer that ends with its owner."""
        with_media = self._with_media
        self.every(lambda: work() if one in with_media else -1.0, first)

    def on_burst(self) -> None:
        """Half a second of media at once."""
        for publisher in self._publishers.values():
            for _ in range(BURST):
                publisher.sound()
                publisher.picture()
            publisher.report()
        for subscriber in self._subscribers.values():
            subscriber.report()

    def on_forget(self, persons: list[int]) -> None:
        """These people are gone, without a goodbye."""
        for person in persons:
            for one in (self._publishers.pop(person, None), self._subscribers.pop(person, None)):
                if one is None:
                    continue
                self._with_media.discard(one)
                descriptor = one.link.socket.fileno()
                self._poll.unregister(descriptor)
                del self._links[descriptor], self._readable[descriptor]
                one.link.close()

    def on_measure(self, begin: float, end: float) -> None:
        counts = self._counts
        for name in (*COUNTED, "latency_count"):
            setattr(counts, name, 0)
        counts.begin, counts.end = begin, end
        self.feedback = self.nacks = 0
        del self._lateness[:]
        self._overflowed_before = self._overflowed()

    def on_figures(self) -> dict[str, Any]:
        """What came of the interval so far."""
        counts = self._counts
        return {name: getattr(counts, name) for name in COUNTED} | {
            "feedback": self.feedback,
            "nacks": self.nacks,
            "overflowed": self._overflowed() - self._overflowed_before,
            "latencies": bytes(memoryview(self._latencies).cast("B")[: 4 * counts.latency_count]),
            "lateness": self._lateness.tobytes(),
        }

    def _overflowed(self) -> int:
        return sum(link.overflowed for link in self._links.values())

    def on_stop(self) -> None:
        self._running = False


def run(pipe: Pipe, library: str, address: str, loss: float, seed: int, rids: tuple[str, ...] = ()) -> None:
    """The process's whole life."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    PeerProcess(pipe, library, address, loss, seed, rids).loop()
