"""One TCP connection of a client that can't send datagrams: packets in frames (RFC 4571), both ways.

Nothing is believed of a stream until an authenticated ICE check came over it. What cannot leave in time is
dropped, pictures before sound: late media is worth less than the delay it makes for what follows.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from media.path.api import StreamAddress
from media.path.limits import MAX_DATAGRAM

if TYPE_CHECKING:
    from media.connection import Connection

PREFIX = 2  # bytes of a frame's length
READ_BYTES = 65_536
PICTURES_LATE_S = 0.4
LATE_S = 1.0
MOST_QUEUED = 512 * 1024  # bytes
MOST_FRAMES = 64  # of one write
UNSENT_BYTES = 16_384  # what the kernel takes ahead of what left: more would be out of our hands
MOST_REFUSED = 8  # checks that prove nothing
DEAD_AFTER_MS = 30_000  # sent and never acknowledged


class Streams(Protocol):
    """What a stream needs of those who made it."""

    def arrived(self, packet: bytes, address: StreamAddress) -> None:
        """A packet of a frame."""
        ...

    def read(self) -> None:
        """All packets of a read have arrived."""
        ...

    def ended(self, stream: Stream, reason: str | None) -> None:
        """It is closed; the reason where it was cut."""
        ...

    def watch(self, stream: Stream, *, writing: bool) -> None:
        """Call ``writable`` when the socket takes more, or no longer."""
        ...

    def soon(self, work: Callable[[], None]) -> None:
        """Call it once everybody had their turn."""
        ...

    def now(self) -> float: ...
    def late(self) -> None:
        """A packet could not leave in time."""
        ...


class Stream:
    """A connection that was accepted. Reads and writes when its socket says so."""

    __slots__ = (
        "_bytes",
        "_closed",
        "_first",
        "_partial",
        "_pictures",
        "_refused",
        "_rest",
        "_scheduled",
        "_streams",
        "_writing",
        "address",
        "connection",
        "heard_at",
        "opened_at",
        "socket",
    )

    def __init__(self, streams: Streams, accepted: socket.socket, address: StreamAddress, now: float) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option, value in (("TCP_NOTSENT_LOWAT", UNSENT_BYTES), ("TCP_USER_TIMEOUT", DEAD_AFTER_MS)):
            if hasattr(socket, option):  # Linux
                accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self.socket = accepted
        self.address = address
        self.opened_at = self.heard_at = now
        self.connection: Connection | None = None
        """Whose it is, once a check proved it."""
        self._streams = streams
        self._rest = b""  # of a frame that has not come whole
        self._first: deque[tuple[float, bytes]] = deque()  # everything but pictures
        self._pictures: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._partial = b""  # of a frame that the socket took in part
        self._refused = 0
        self._scheduled = self._writing = self._closed = False

    def prove(self, connection: Connection, now: float) -> None:
        """An authenticated check of this connection came over it."""
        self.connection = connection
        self.heard_at = now

    def refuse(self) -> None:
        """A check that proved nothing."""
        self._refused += 1
        if self.connection is None and self._refused >= MOST_REFUSED:
            self.close("tcp_refused")

    def close(self, reason: str | None = None) -> None:
        """Close it; ``reason`` is counted."""
        if self._closed:
            return
        self._closed = True
        self._first.clear()
        self._pictures.clear()
        self._streams.ended(self, reason)
        self.socket.close()

    # In

    def readable(self, buffer: bytearray) -> None:
        """Read once and hand up the packets that are whole."""
        try:
            size = self.socket.recv_into(buffer)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if size == 0:
            self.close()
            return
        data = self._rest + memoryview(buffer)[:size]
        at, end = 0, len(data)
        while end - at >= PREFIX:
            length = data[at] << 8 | data[at + 1]
            if length > MAX_DATAGRAM:
                self.close("tcp_oversized")
                return
            if end - at - PREFIX < length:
                break
            if length and not self._packet(data[at + PREFIX : at + PREFIX + length]):
                break
            at += PREFIX + length
        self._rest = data[at:]
        self._streams.read()

    def _packet(self, packet: bytes) -> bool:
        """Whether to go on."""
        first = packet[0]
        if first >= 4 and self.connection is None:
            self.close("tcp_not_stun")
        elif not (first < 4 or 19 < first < 64 or 127 < first < 192):  # RFC 7983; lengths that lie end here
            self.close("tcp_framing")
        else:
            self._streams.arrived(packet, self.address)
        return not self._closed

    # Out

    def send(self, packet: bytes) -> None:
        """Queue a packet; it leaves once everybody had their turn."""
        if self._closed:
            return
        now = self._streams.now()
        self._shed(now)
        frame = len(packet).to_bytes(PREFIX) + packet
        if self._bytes + len(frame) > MOST_QUEUED:
            self._streams.late()
            return
        (self._pictures if self._is_picture(packet) else self._first).append((now, frame))
        self._bytes += len(frame)
        if not (self._writing or self._scheduled):
            self._scheduled = True
            self._streams.soon(self._turn)

    def _is_picture(self, packet: bytes) -> bool:
        if self.connection is None or len(packet) < 12 or not 127 < packet[0] < 192 or 192 <= packet[1] <= 223:
            return False
        return int.from_bytes(packet[8:12]) in self.connection.pictures

    def _shed(self, now: float) -> None:
        for queue, age in ((self._pictures, PICTURES_LATE_S), (self._first, LATE_S)):
            while queue and now - queue[0][0] > age:
                self._bytes -= len(queue.popleft()[1])
                self._streams.late()

    def _turn(self) -> None:
        self._scheduled = False
        self.writable()

    def writable(self) -> None:
        """Write what the socket takes."""
        if self._closed:
            return
        self._shed(self._streams.now())
        while self._partial or self._first or self._pictures:
            if not self._write():
                break
        waiting = not self._closed and bool(self._partial or self._first or self._pictures)
        if waiting != self._writing and not self._closed:
            self._writing = waiting
            self._streams.watch(self, writing=waiting)

    def _write(self) -> bool:
        """One write; whether the socket may take more."""
        waiting = [frame for queue in (self._first, self._pictures) for _, frame in islice(queue, MOST_FRAMES)]
        frames = [self._partial, *waiting[:MOST_FRAMES]]
        try:
            sent = self.socket.sendmsg(frames)
        except BlockingIOError:
            return False
        except OSError:
            self.close()
            return False
        everything = sent == sum(map(len, frames))
        left = self._partial[sent:]
        sent -= len(self._partial)
        while sent > 0:
            _, frame = (self._first or self._pictures).popleft()
            self._bytes -= len(frame)
            left = frame[sent:]
            sent -= len(frame)
        self._partial = left
        return everything
