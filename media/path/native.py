"""The native path: the C of ``media/native`` behind the interfaces of ``api``.

One call a batch. The C side never calls Python: what is unusual comes back as events after a poll.
"""

from __future__ import annotations

import secrets
import socket
import struct
from typing import Any

from media.dtls import function_addresses
from media.path.api import Address, DatagramHandler, LinkHandler, StreamAddress, StreamHandler
from media.path.limits import DROPS
from media.path.native_library import NativeObject, load
from media.path.native_link import NativeLink
from media.path.native_tracks import NativeSource
from media.path.sockets import bind

DATAGRAM, RTCP, UNKNOWN, TAP, ATTENTION, GAP, RESTARTED = range(7)
STREAM = 1  # the family of addresses that are TCP connections
STREAMED = struct.Struct("=IH")  # number of a connection, size of the packet that follows


class NativePath(NativeObject):
    """See ``api.Path``. Raises NotBuilt from the constructor."""

    name = "native"

    def __init__(self, on_datagram: DatagramHandler, on_stream: StreamHandler) -> None:
        ffi, lib = load()
        super().__init__(ffi, lib, lib.bs_path_new(*function_addresses(), secrets.randbits(32)))
        self._figures = self.lib.bs_path_read(self.c)
        self._events = self.lib.bs_path_events(self.c)
        self._on_datagram = on_datagram
        self._on_stream = on_stream
        self._socket: socket.socket | None = None
        self._family = socket.AF_INET
        self._ids = 0
        self._taken: list[tuple[int, int, bytes, Any]] = []
        self.links: dict[int, NativeLink] = {}
        self.sources: dict[int, NativeSource] = {}
        self.by_address: dict[Address, NativeLink] = {}

    def next_id(self) -> int:
        self._ids = (self._ids + 1) & 0xFFFFFFFF
        return self._ids

    @property
    def drops(self) -> dict[str, int]:
        return {name: int(count) for name, count in zip(DROPS, self._figures.drops, strict=True) if count}

    def open(self, host: str, port: int) -> int:
        self._socket = bind(host, port)
        self._family = self._socket.family
        self.lib.bs_path_attach(self.c, self._socket.fileno(), self._family == socket.AF_INET6)
        return int(self._socket.getsockname()[1])

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    def ticker(self) -> int:
        return int(self.lib.bs_path_ticker(self.c))

    def beat(self, period_s: float) -> None:
        if self.c is not None:
            self.lib.bs_path_beat(self.c, int(period_s * 1_000_000))

    def link(self, handler: LinkHandler) -> NativeLink:
        return NativeLink(self, handler)

    def pack(self, address: Address) -> Any:
        """An address for the C side."""
        made = self.ffi.new("bs_address *")
        if isinstance(address, StreamAddress):
            made.family, made.scope = STREAM, address.stream
            return made
        host, port = address[0].partition("%")[0], address[1]
        packed = socket.inet_pton(self._family, host)
        self.ffi.memmove(made.host, packed, len(packed))
        made.port = port
        made.family = 4 if self._family == socket.AF_INET else 6
        made.scope = address[3] if len(address) == 4 else 0
        return made

    def unpack(self, address: Any) -> Address:
        """As Python's sockets tell it."""
        if address.family == 4:
            return socket.inet_ntop(socket.AF_INET, bytes(address.host[0:4])), int(address.port)
        host = socket.inet_ntop(socket.AF_INET6, bytes(address.host))
        return host, int(address.port), 0, int(address.scope)

    def poll(self, now: float) -> int:
        if self._socket is None:
            return 0
        count = int(self.lib.bs_path_poll(self.c, now))
        if self._figures.events or self._taken:
            self.take_events()
            self._dispatch()
            self.lib.bs_path_flush(self.c)
        if self._figures.streamed:
            self._hand_over()
        return count

    def receive(self, data: bytes, address: StreamAddress, now: float) -> None:
        if self.c is None:
            return
        self.lib.bs_path_receive(self.c, data, len(data), self.pack(address), now)
        self.take_events(address)
        self._dispatch()

    def _hand_over(self) -> None:
        """What the C side has for TCP connections."""
        count, self._figures.streamed = self._figures.streamed, 0
        data = bytes(self.ffi.buffer(self.lib.bs_path_streamed(self.c), count))
        at = 0
        while at < count:
            stream, size = STREAMED.unpack_from(data, at)
            at += STREAMED.size + size
            self._on_stream(stream, data[at - size : at])

    def take_events(self, source: StreamAddress | None = None) -> None:
        """Copy the C side's events before anything overwrites them; ``source``: where they all came from."""
        count, self._figures.events = self._figures.events, 0
        unpack_buffer = self.ffi.buffer
        for index in range(count):
            event = self._events[index]
            data = bytes(unpack_buffer(event.data, event.size)) if event.size else b""
            detail: Any = event.now
            if event.kind == DATAGRAM:
                detail = source or self.unpack(event.peer)
            elif event.kind == TAP:
                detail = (event.sequence, event.timestamp, bool(event.marker), data, event.now)
            self._taken.append((event.kind, event.owner, data, detail))

    def _dispatch(self) -> None:
        while self._taken:
            taken, self._taken = self._taken, []
            for kind, owner, data, detail in taken:
                if kind == DATAGRAM:
                    self._on_datagram(data, detail)
                elif kind in (RTCP, UNKNOWN):
                    self._of_link(kind, owner, data, detail)
                else:
                    self._of_source(kind, owner, detail)

    def _of_link(self, kind: int, owner: int, data: bytes, now: float) -> None:
        link = self.links.get(owner)
        if link is None or link.handler is None:
            return
        if kind == RTCP:
            link.handler.rtcp(data, now)
        else:
            link.handler.unknown(data, now)

    def _of_source(self, kind: int, owner: int, detail: Any) -> None:
        source = self.sources.get(owner)
        if source is None or source.handler is None:
            return
        if kind == TAP:
            for tap in list(source.taps):
                tap(*detail)
        elif kind == ATTENTION:
            source.handler.attention()
        elif kind == GAP:
            source.handler.gap()
        else:
            source.handler.restarted()

    def send(self, data: bytes, address: Address) -> None:
        if isinstance(address, StreamAddress):
            self._on_stream(address.stream, data)
        elif self._socket is not None:
            self.lib.bs_path_send(self.c, data, len(data), self.pack(address))

    def flush(self) -> None:
        if self._socket is not None:
            self.lib.bs_path_flush(self.c)
            if self._figures.streamed:
                self._hand_over()

    @property
    def pacing(self) -> bool:
        return bool(self._figures.pacing)

    def pace(self, now: float) -> None:
        if self._socket is not None:
            self.lib.bs_path_pace(self.c, now)
            self.flush()

    def close(self) -> None:
        udp, self._socket = self._socket, None
        for link in list(self.links.values()):
            link.close()
        for source in list(self.sources.values()):
            source.close()
        c, self.c = self.c, None
        if c is not None:
            self._figures = self.ffi.new("bs_path_figures *", self._figures[0])
            self.lib.bs_path_free(c)
        if udp is not None:
            udp.close()
