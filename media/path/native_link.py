"""Connections of the native path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.dtls import Srtp
from media.path.api import Address, LinkHandler, Source, SourceHandler
from media.path.limits import MAX_BYTES_PER_INTERVAL, MAX_PACKETS_PER_INTERVAL
from media.path.native_library import NativeObject
from media.path.native_tracks import NativeSource
from media.rtp.sent import Group, Told

if TYPE_CHECKING:
    from media.path.native import NativePath


class NativeLink(NativeObject):
    """See ``api.Link``."""

    def __init__(self, path: NativePath, handler: LinkHandler) -> None:
        self.path = path
        self._id = path.next_id()
        super().__init__(path.ffi, path.lib, path.lib.bs_link_new(path.c, self._id))
        self._figures = self.lib.bs_link_read(self.c)
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
        if self.c is None:
            return
        by_address = self.path.by_address
        if self.address is not None:
            by_address.pop(self.address, None)
        if address is not None:
            former = by_address.get(address)
            if former is not None:
                former.move(None)
            by_address[address] = self
        self.address = address
        c_address = self.ffi.NULL if address is None else self.path.pack(address)
        self.lib.bs_link_move(self.c, c_address)

    def use(self, srtp: Srtp | None) -> None:
        if self.c is None:
            return
        incoming, outgoing = (0, 0) if srtp is None else srtp.addresses
        self.lib.bs_link_use(self.c, incoming, outgoing)
        self._srtp = srtp  # the former sessions may go only now

    def limit(self, bytes_per_interval: int) -> None:
        if self.c is not None:
            self.lib.bs_link_limit(self.c, bytes_per_interval, MAX_PACKETS_PER_INTERVAL)

    def listen(self, level_id: int, twcc_id: int, dependency_id: int = -1) -> None:
        if self.c is not None:
            self.lib.bs_link_listen(self.c, level_id, twcc_id, dependency_id)

    def source(self, handler: SourceHandler, kind: str, codec: str, clock_rate: int) -> NativeSource:
        return NativeSource(self, handler, kind, codec, clock_rate)

    def route(self, ssrc: int, source: Source, retransmission: bool) -> None:
        if not isinstance(source, NativeSource):
            raise TypeError("a source of another path")
        if self.c is not None and source.c is not None:
            self.lib.bs_link_route(self.c, ssrc, source.c, retransmission)

    def unroute(self, ssrc: int) -> None:
        if self.c is not None:
            self.lib.bs_link_unroute(self.c, ssrc)

    def inject(self, packet: bytes, now: float) -> None:
        if self.c is not None:
            self.lib.bs_link_inject(self.c, packet, len(packet), now)
            self.path.take_events()  # another would overwrite what they point to

    def send_rtcp(self, packet: bytes) -> None:
        if self.c is not None:
            self.lib.bs_link_send_rtcp(self.c, packet, len(packet))

    def feedback(self, media_ssrc: int) -> None:
        if self.c is not None:
            self.lib.bs_link_feedback(self.c, media_ssrc)

    def acknowledge(self, feedback: bytes) -> bool:
        return self.c is not None and self.lib.bs_link_acknowledge(self.c, feedback, len(feedback)) == 0

    def told(self) -> Told:
        if self.c is None:
            return Told([], 0, 0, 0, 0)
        told = self.ffi.new("bs_told *")
        self.lib.bs_link_told(self.c, told)
        groups = [Group(each.sent, each.arrived, each.size) for each in told.group[0 : told.groups]]
        return Told(groups, told.received, told.lost, told.octets, told.feedbacks)

    def pace(self, rate: float) -> None:
        if self.c is not None:
            self.lib.bs_link_pace(self.c, rate)

    @property
    def paced_packets(self) -> int:
        return int(self._figures.paced_packets)

    @property
    def paced_bytes(self) -> int:
        return int(self._figures.paced_bytes)

    @property
    def choked(self) -> int:
        return int(self._figures.choked)

    def close(self) -> None:
        if self.c is None:
            return
        self.move(None)
        self.use(None)
        c, self.c = self.c, None
        self.handler = None
        self.path.links.pop(self._id, None)
        self._figures = self.ffi.new("bs_link_figures *", self._figures[0])
        self.lib.bs_link_free(c)
