"""The native path: the C of ``media/native`` behind the interfaces of ``api``.

One call a batch; figures are read from the C structs when somebody asks. The C side never calls Python:
what is unusual comes back as events after a poll.
"""

from __future__ import annotations

import secrets
import socket
from functools import cache
from typing import Any

from cffi import FFI

from media.dtls import Srtp, function_addresses
from media.path.api import (
    AUDIO_HISTORY,
    AUDIO_NACK_AGE_S,
    DROPS,
    MAX_BYTES_PER_INTERVAL,
    MAX_PACKETS_PER_INTERVAL,
    VIDEO_HISTORY,
    Address,
    DatagramHandler,
    Link,
    LinkHandler,
    Source,
    SourceHandler,
    Tap,
)
from media.path.build import SOURCES, library
from media.path.python_path import bind
from media.rtp.nack import MAX_AGE_S, MAX_MISSING

CODECS = {"vp8": 1, "h264": 2, "vp9": 3, "av1": 4}
DATAGRAM, RTCP, UNKNOWN, TAP, ATTENTION, GAP, RESTARTED = range(7)


class NotBuilt(Exception):
    """There is no native library for these sources; the message says why."""


@cache
def _load() -> tuple[Any, Any]:
    """cffi's interface and the library. Raises NotBuilt."""
    path = library()
    if not path.exists():
        raise NotBuilt("not built: python -m media.path.build")
    ffi = FFI()
    ffi.cdef((SOURCES / "path.h").read_text())
    try:
        return ffi, ffi.dlopen(str(path))
    except OSError as error:
        raise NotBuilt(str(error)) from None


class NativeSink:
    """See ``api.Sink``."""

    def __init__(self, source: NativeSource, link: NativeLink, ssrc: int, first_sequence: int) -> None:
        self._ffi: Any = source._ffi
        self._lib: Any = source._lib
        self._c: Any = self._lib.bs_sink_new(source._c, link._c, ssrc, first_sequence)
        if not self._c:
            raise MemoryError
        self._figures = self._lib.bs_sink_read(self._c)
        self._source: NativeSource | None = source

    @property
    def active(self) -> bool:
        return bool(self._figures.active)

    @active.setter
    def active(self, value: bool) -> None:
        self._figures.active = value

    @property
    def paused(self) -> bool:
        return bool(self._figures.paused)

    @paused.setter
    def paused(self, value: bool) -> None:
        self._figures.paused = value

    @property
    def packets(self) -> int:
        return int(self._figures.packets)

    @property
    def octets(self) -> int:
        return int(self._figures.octets)

    @property
    def resent(self) -> int:
        return int(self._figures.resent)

    @property
    def resend_misses(self) -> int:
        return int(self._figures.resend_misses)

    def configure(
        self, payload_type: int, rtx_type: int | None, rtx_ssrc: int, prefix: bytes, changes: int, keep: int
    ) -> None:
        if self._c is None:
            return
        rtx = -1 if rtx_type is None else rtx_type
        if self._lib.bs_sink_configure(self._c, payload_type, rtx, rtx_ssrc, prefix, len(prefix), changes, keep):
            raise ValueError("keep must be a power of two, and the prefix short")

    def resync(self) -> None:
        if self._c is not None:
            self._lib.bs_sink_resync(self._c)

    def resend(self, numbers: list[int], now: float, guard: float) -> None:
        if self._c is not None:
            self._lib.bs_sink_resend(self._c, self._ffi.new("uint16_t[]", numbers), len(numbers), now, guard)

    def close(self) -> None:
        c, self._c = self._c, None
        source, self._source = self._source, None
        if c is None:
            return
        self._figures = self._ffi.new("bs_sink_figures *", self._figures[0])  # the last ones
        self._figures.active = 0
        self._lib.bs_sink_free(c)
        if source is not None and self in source._sinks:
            source._sinks.remove(self)


class NativeSource:
    """See ``api.Source``."""

    def __init__(self, link: NativeLink, handler: SourceHandler, kind: str, codec: str, clock_rate: int) -> None:
        self._ffi: Any = link._ffi
        self._lib: Any = link._lib
        self._path: NativePath | None = link._path
        self._id = link._path._next_id()
        video = kind == "video"
        self._c: Any = self._lib.bs_source_new(
            link._c,
            self._id,
            VIDEO_HISTORY if video else AUDIO_HISTORY,
            MAX_AGE_S if video else AUDIO_NACK_AGE_S,
            CODECS.get(codec, 0),
            clock_rate,
        )
        if not self._c:
            raise MemoryError
        self._figures = self._lib.bs_source_read(self._c)
        self._clock_rate = clock_rate
        self._sinks: list[NativeSink] = []
        self.taps: list[Tap] = []
        self.handler: SourceHandler | None = handler
        link._path.sources[self._id] = self

    @property
    def muted(self) -> bool:
        return bool(self._figures.muted)

    @muted.setter
    def muted(self, value: bool) -> None:
        self._figures.muted = value

    @property
    def started(self) -> bool:
        return bool(self._figures.base >= 0)

    @property
    def received(self) -> int:
        return int(self._figures.received)

    @property
    def octets(self) -> int:
        return int(self._figures.octets)

    @property
    def lost(self) -> int:
        figures = self._figures
        return max(0, int(figures.highest - figures.base + 1 - figures.received)) if figures.base >= 0 else 0

    @property
    def fraction(self) -> float:
        return float(self._figures.fraction)

    @property
    def jitter_ms(self) -> float:
        return float(self._figures.jitter) * 1000 / self._clock_rate

    @property
    def duplicates(self) -> int:
        return int(self._figures.duplicates)

    @property
    def recovered(self) -> int:
        return int(self._figures.recovered)

    @property
    def keyframes(self) -> int:
        return int(self._figures.keyframes)

    @property
    def level(self) -> float:
        return float(self._figures.level)

    @property
    def waiting(self) -> bool:
        return bool(self._figures.missing)

    def due(self, now: float, round_trip: float) -> list[int]:
        if self._c is None:
            return []
        numbers = self._ffi.new("int64_t[]", MAX_MISSING)
        count = self._lib.bs_source_due(self._c, now, round_trip, numbers, MAX_MISSING)
        return [int(numbers[index]) for index in range(count)]

    def report(self) -> tuple[int, int, int, int]:
        if self._c is None:
            return 0, 0, 0, 0
        report = self._ffi.new("bs_report *")
        self._lib.bs_source_report(self._c, report)
        return int(report.fraction), int(report.lost), int(report.highest), int(report.jitter)

    def set_types(self, payload_type: int, rtx_type: int | None) -> None:
        if self._c is not None:
            self._lib.bs_source_types(self._c, payload_type, -1 if rtx_type is None else rtx_type)

    def convert(self, other_type: int | None, block_type: int | None) -> None:
        if self._c is not None:
            other = -1 if other_type is None else other_type
            self._lib.bs_source_convert(self._c, other, -1 if block_type is None else block_type)

    def restart(self) -> None:
        if self._c is not None:
            self._lib.bs_source_restart(self._c)

    def resync(self) -> None:
        if self._c is not None:
            self._lib.bs_source_resync(self._c)

    def sink(self, link: Link, ssrc: int, first_sequence: int) -> NativeSink:
        if not isinstance(link, NativeLink):
            raise TypeError("a link of another path")
        made = NativeSink(self, link, ssrc, first_sequence)
        self._sinks.append(made)
        return made

    def add_tap(self, tap: Tap) -> None:
        self.taps.append(tap)
        self._figures.tapped = 1

    def remove_tap(self, tap: Tap) -> None:
        if tap in self.taps:
            self.taps.remove(tap)
        self._figures.tapped = bool(self.taps)

    def close(self) -> None:
        c, self._c = self._c, None
        if c is None:
            return
        for sink in list(self._sinks):
            sink.close()
        self.taps.clear()
        self.handler = None
        path, self._path = self._path, None
        if path is not None:
            path.sources.pop(self._id, None)
        self._figures = self._ffi.new("bs_source_figures *", self._figures[0])
        self._figures.missing = 0
        self._lib.bs_source_free(c)


class NativeLink:
    """See ``api.Link``."""

    def __init__(self, path: NativePath, handler: LinkHandler) -> None:
        self._ffi: Any = path._ffi
        self._lib: Any = path._lib
        self._path = path
        self._id = path._next_id()
        self._c: Any = self._lib.bs_link_new(path._c, self._id)
        if not self._c:
            raise MemoryError
        self._figures = self._lib.bs_link_read(self._c)
        self._srtp: Srtp | None = None
        self.handler: LinkHandler | None = handler
        self.address: Address | None = None
        path.links[self._id] = self
        self.limit(MAX_BYTES_PER_INTERVAL)

    @property
    def packets_in(self) -> int:
        return int(self._figures.packets_in)

    @property
    def bytes_in(self) -> int:
        return int(self._figures.bytes_in)

    @property
    def packets_out(self) -> int:
        return int(self._figures.packets_out)

    @property
    def bytes_out(self) -> int:
        return int(self._figures.bytes_out)

    @property
    def ready(self) -> bool:
        return self.address is not None and self._srtp is not None

    def move(self, address: Address | None) -> None:
        if self._c is None:
            return
        by_address = self._path.by_address
        if self.address is not None:
            by_address.pop(self.address, None)
        if address is not None:
            former = by_address.get(address)
            if former is not None:
                former.move(None)
            by_address[address] = self
        self.address = address
        c_address = self._ffi.NULL if address is None else self._path.pack(address)
        self._lib.bs_link_move(self._c, c_address)

    def use(self, srtp: Srtp | None) -> None:
        if self._c is None:
            return
        incoming, outgoing = (0, 0) if srtp is None else srtp.addresses
        self._lib.bs_link_use(self._c, incoming, outgoing)
        self._srtp = srtp  # the former sessions may go only now

    def limit(self, bytes_per_interval: int) -> None:
        if self._c is not None:
            self._lib.bs_link_limit(self._c, bytes_per_interval, MAX_PACKETS_PER_INTERVAL)

    def listen(self, level_id: int, twcc_id: int) -> None:
        if self._c is not None:
            self._lib.bs_link_listen(self._c, level_id, twcc_id)

    def source(self, handler: SourceHandler, kind: str, codec: str, clock_rate: int) -> NativeSource:
        return NativeSource(self, handler, kind, codec, clock_rate)

    def route(self, ssrc: int, source: Source, retransmission: bool) -> None:
        if not isinstance(source, NativeSource):
            raise TypeError("a source of another path")
        if self._c is not None and source._c is not None:
            self._lib.bs_link_route(self._c, ssrc, source._c, retransmission)

    def unroute(self, ssrc: int) -> None:
        if self._c is not None:
            self._lib.bs_link_unroute(self._c, ssrc)

    def inject(self, packet: bytes, now: float) -> None:
        if self._c is not None:
            self._lib.bs_link_inject(self._c, packet, len(packet), now)
            self._path.take_events()  # another would overwrite what they point to

    def send_rtcp(self, packet: bytes) -> None:
        if self._c is not None:
            self._lib.bs_link_send_rtcp(self._c, packet, len(packet))

    def feedback(self, media_ssrc: int) -> None:
        if self._c is not None:
            self._lib.bs_link_feedback(self._c, media_ssrc)

    def close(self) -> None:
        if self._c is None:
            return
        self.move(None)
        self.use(None)
        c, self._c = self._c, None
        self.handler = None
        self._path.links.pop(self._id, None)
        self._figures = self._ffi.new("bs_link_figures *", self._figures[0])
        self._lib.bs_link_free(c)


class NativePath:
    """See ``api.Path``. Raises NotBuilt from the constructor."""

    name = "native"

    def __init__(self, on_datagram: DatagramHandler) -> None:
        self._ffi: Any
        self._lib: Any
        self._ffi, self._lib = _load()
        self._c: Any = self._lib.bs_path_new(*function_addresses(), secrets.randbits(32))
        if not self._c:
            raise MemoryError
        self._figures = self._lib.bs_path_read(self._c)
        self._events = self._lib.bs_path_events(self._c)
        self._on_datagram = on_datagram
        self._socket: socket.socket | None = None
        self._family = socket.AF_INET
        self._ids = 0
        self._taken: list[tuple[int, int, bytes, Any]] = []
        self.links: dict[int, NativeLink] = {}
        self.sources: dict[int, NativeSource] = {}
        self.by_address: dict[Address, NativeLink] = {}

    def _next_id(self) -> int:
        self._ids = (self._ids + 1) & 0xFFFFFFFF
        return self._ids

    @property
    def drops(self) -> dict[str, int]:
        return {name: int(count) for name, count in zip(DROPS, self._figures.drops, strict=True) if count}

    def open(self, host: str, port: int) -> int:
        self._socket = bind(host, port)
        self._family = self._socket.family
        self._lib.bs_path_attach(self._c, self._socket.fileno(), self._family == socket.AF_INET6)
        return int(self._socket.getsockname()[1])

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    def ticker(self) -> int:
        return int(self._lib.bs_path_ticker(self._c))

    def beat(self, period_s: float) -> None:
        if self._c is not None:
            self._lib.bs_path_beat(self._c, int(period_s * 1_000_000))

    def link(self, handler: LinkHandler) -> NativeLink:
        return NativeLink(self, handler)

    def pack(self, address: Address) -> Any:
        """An address for the C side."""
        host, port = address[0].partition("%")[0], address[1]
        made = self._ffi.new("bs_address *")
        packed = socket.inet_pton(self._family, host)
        self._ffi.memmove(made.host, packed, len(packed))
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
        count = int(self._lib.bs_path_poll(self._c, now))
        if self._figures.events or self._taken:
            self.take_events()
            self._dispatch()
            self._lib.bs_path_flush(self._c)
        return count

    def take_events(self) -> None:
        """Copy the C side's events before anything overwrites them."""
        count, self._figures.events = self._figures.events, 0
        unpack_buffer = self._ffi.buffer
        for index in range(count):
            event = self._events[index]
            data = bytes(unpack_buffer(event.data, event.size)) if event.size else b""
            detail: Any = event.now
            if event.kind == DATAGRAM:
                detail = self.unpack(event.peer)
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
        if self._socket is not None:
            self._lib.bs_path_send(self._c, data, len(data), self.pack(address))

    def flush(self) -> None:
        if self._socket is not None:
            self._lib.bs_path_flush(self._c)

    def close(self) -> None:
        udp, self._socket = self._socket, None
        for link in list(self.links.values()):
            link.close()
        for source in list(self.sources.values()):
            source.close()
        c, self._c = self._c, None
        if c is not None:
            self._figures = self._ffi.new("bs_path_figures *", self._figures[0])
            self._lib.bs_path_free(c)
        if udp is not None:
            udp.close()
