"""The worker's TCP port (RFC 6544, passive): who may connect, how many, and how long without proving anything.

A connection costs its maker little and us a descriptor, so they are limited by address and in total, and one
over which no authenticated ICE check came within ``PROVE_S`` is cut. Every cut is counted by its reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from media.connection import CONSENT_S
from media.path.api import Path, StreamAddress
from media.stream import READ_BYTES, Stream

if TYPE_CHECKING:
    from media.connection import Connection

BACKLOG = 512
ACCEPTS = 64  # at once; then the loop gets its turn
PROVE_S = 5.0
LOOK_S = 1.0
MOST = 2_000
MOST_UNPROVEN = 256
MOST_OF_ADDRESS = 256  # a hospital behind one address; an IPv6 client has its /64
MOST_UNPROVEN_OF_ADDRESS = 32
MOST_OF_CONNECTION = 8  # a device with several networks tries from each
DESCRIPTORS = 16_384


class StreamServer:
    """The listening socket and its streams; packets of theirs go to the path."""

    def __init__(self, path: Path, now: Callable[[], float], accepts: Callable[[StreamAddress], bool]) -> None:
        self.cut: Counter[str] = Counter()
        """By reason."""
        self._path = path
        self.now = now
        self._accepts = accepts
        self._listener: socket.socket | None = None
        self._listening = False
        self._numbers = 0
        self._streams: dict[int, Stream] = {}
        self._unproven: dict[int, Stream] = {}  # the oldest first
        self._of_address: Counter[str] = Counter()
        self._unproven_of_address: Counter[str] = Counter()
        self._buffer = bytearray(READ_BYTES)
        self._look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._streams)

    def bind(self, host: str, port: int) -> int:
        """Take the port; ``start`` accepts. Raises OSError."""
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if listener.family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" is everything, IPv4 too
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self._listener = listener
        return int(listener.getsockname()[1])

    def unbind(self) -> None:
        """Leave the port."""
        self._pause()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def start(self) -> None:
        """Accept connections."""
        raise_limit()
        self._resume()
        self._look = asyncio.get_running_loop().call_later(LOOK_S, self._tick)

    def close(self) -> None:
        """Close the port and every stream."""
        if self._look is not None:
            self._look.cancel()
        self.unbind()
        for stream in list(self._streams.values()):
            stream.close()

    def _resume(self) -> None:
        if self._listener is not None and not self._listening:
            self._listening = True
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._acceptable)

    def _pause(self) -> None:
        if self._listener is not None and self._listening:
            self._listening = False
            asyncio.get_running_loop().remove_reader(self._listener.fileno())

    # Who may connect

    def _acceptable(self) -> None:
        for _ in range(ACCEPTS):
            if self._listener is None:
                return
            try:
                accepted, peer = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self.cut["tcp_no_descriptors"] += 1
                    self._pause()  # until the next look
                    return
                continue  # it went before it was accepted
            self._accepted(accepted, plain(peer[0]), peer[1])

    def _accepted(self, accepted: socket.socket, host: str, port: int) -> None:
        self._numbers += 1
        address = StreamAddress(host, port, self._numbers)
        source = network(host)
        if (
            len(self._streams) >= MOST
            or self._of_address[source] >= MOST_OF_ADDRESS
            or self._unproven_of_address[source] >= MOST_UNPROVEN_OF_ADDRESS
        ):
            self.cut["tcp_too_many"] += 1
            accepted.close()
            return
        if not self._accepts(address):
            accepted.close()
            return
        if len(self._unproven) >= MOST_UNPROVEN:
            # The honest prove themselves within a round trip or two: the oldest is not one of them.
            next(iter(self._unproven.values())).close("tcp_too_many")
        try:
            stream = Stream(self, accepted, address, self.now())
        except OSError:  # it is gone already
            accepted.close()
            return
        self._streams[address.stream] = self._unproven[address.stream] = stream
        self._of_address[source] += 1
        self._unproven_of_address[source] += 1
        asyncio.get_running_loop().add_reader(accepted.fileno(), stream.readable, self._buffer)

    def proven(self, address: StreamAddress, connection: Connection) -> None:
        """An authenticated check of that connection came from there."""
        stream = self._streams.get(address.stream)
        if stream is None:
            return
        former = stream.connection
        stream.prove(connection, self.now())
        if self._unproven.pop(address.stream, None) is not None:
            self._fewer(self._unproven_of_address, network(address.host))
        if former is None:
            mine = [each for each in self._streams.values() if each.connection is connection]
            if len(mine) > MOST_OF_CONNECTION:
                mine[0].close("tcp_too_many")

    def refused(self, address: StreamAddress) -> None:
        """A check from there proved nothing."""
        stream = self._streams.get(address.stream)
        if stream is not None:
            stream.refuse()

    def _tick(self) -> None:
        self._look = asyncio.get_running_loop().call_later(LOOK_S, self._tick)
        now = self.now()
        for stream in list(self._streams.values()):
            if stream.connection is None:
                if now - stream.opened_at > PROVE_S:
                    stream.close("tcp_silent")
            elif stream.connection.state == "closed":
                stream.close()
            elif now - stream.heard_at > CONSENT_S:
                stream.close("tcp_no_consent")
        self._resume()

    # Packets

    def send(self, stream: int, packet: bytes) -> None:
        """Send over that stream, if it is still there."""
        found = self._streams.get(stream)
        if found is not None:
            found.send(packet)

    # What streams ask for (``media.stream.Streams``)

    def arrived(self, packet: bytes, address: StreamAddress) -> None:
        self._path.receive(packet, address, self.now())

    def read(self) -> None:
        self._path.flush()

    def late(self) -> None:
        self.cut["tcp_late"] += 1

    def soon(self, work: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(work)

    def watch(self, stream: Stream, *, writing: bool) -> None:
        loop = asyncio.get_running_loop()
        if writing:
            loop.add_writer(stream.socket.fileno(), stream.writable)
        else:
            loop.remove_writer(stream.socket.fileno())

    def ended(self, stream: Stream, reason: str | None) -> None:
        loop, number = asyncio.get_running_loop(), stream.socket.fileno()
        loop.remove_reader(number)
        loop.remove_writer(number)
        source = network(stream.address.host)
        if self._streams.pop(stream.address.stream, None) is not None:
            self._fewer(self._of_address, source)
        if self._unproven.pop(stream.address.stream, None) is not None:
            self._fewer(self._unproven_of_address, source)
        if reason is not None:
            self.cut[reason] += 1
        if stream.connection is not None:
            stream.connection.left(stream.address)

    @staticmethod
    def _fewer(counts: Counter[str], source: str) -> None:
        counts[source] -= 1
        if counts[source] <= 0:
            del counts[source]


def plain(host: str) -> str:
    """An IPv4 address as such, where a socket of both families tells it inside an IPv6 one."""
    host = host.partition("%")[0]
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return host if mapped is None else str(mapped)


def network(host: str) -> str:
    """What counts as one address: an IPv6 client chooses freely within its /64."""
    address = ip_address(host)
    return host if address.version == 4 else str(IPv6Address(int(address) >> 64 << 64))


def raise_limit() -> None:
    """Let this process have as many descriptors as connections may need, where the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
