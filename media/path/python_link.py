"""One connection of the path in Python: decrypts what comes, routes it, and sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.dtls import Buffer, Srtp
from media.path.api import Address, LinkHandler, Source, SourceHandler
from media.path.limits import (
    INTERVAL_S,
    MAX_BYTES_PER_INTERVAL,
    MAX_PACKETS_PER_INTERVAL,
    MAX_UNKNOWN_PER_INTERVAL,
    SMALLEST_RTCP,
    SMALLEST_RTP,
    SOUND,
    UDP_IP,
)
from media.path.python_pacer import Composed, Pacer
from media.path.python_source import PythonSource
from media.rtp import rtcp, rtx, twcc
from media.rtp.packet import HEADER, PADDING_BIT, Malformed, abs_send_time, payload_end, payload_start
from media.rtp.sent import Sent, Told

if TYPE_CHECKING:
    from media.path.python_path import PythonPath
    from media.path.python_sink import PythonSink


class PythonLink:
    """See ``api.Link``. ``media`` and ``_rtp`` run once a packet."""

    def __init__(self, path: PythonPath, handler: LinkHandler) -> None:
        self.packets_in = self.bytes_in = self.packets_out = self.bytes_out = 0
        self.address: Address | None = None
        self.ready = False
        self._path = path
        self._handler: LinkHandler | None = handler
        self._srtp: Srtp | None = None
        self._most_bytes = MAX_BYTES_PER_INTERVAL
        self._interval_at = -INTERVAL_S
        self._interval_bytes = self._interval_packets = self._interval_unknown = 0
        self._listening = False
        self._level_id = self._twcc_id = self._dependency_id = -1
        self._routes: dict[int, tuple[PythonSource, bool]] = {}  # SSRC -> (source, is RTX)
        self._twcc = twcc.TwccReceiver()
        self._sent: Sent | None = None  # made with the first number
        self._pacer = Pacer()

    # Control

    def move(self, address: Address | None) -> None:
        by_address = self._path.by_address
        if self.address is not None and by_address.get(self.address) is self:
            del by_address[self.address]
        if address is not None:
            former = by_address.get(address)
            if former is not None:
                former.move(None)  # its client left this port to another; its next check finds it again
            by_address[address] = self
        self.address = address
        self.ready = address is not None and self._srtp is not None

    def use(self, srtp: Srtp | None) -> None:
        self._srtp = srtp
        self.ready = srtp is not None and self.address is not None

    def limit(self, bytes_per_interval: int) -> None:
        self._most_bytes = bytes_per_interval

    def listen(self, level_id: int, twcc_id: int, dependency_id: int = -1) -> None:
        self._listening = True
        self._level_id, self._twcc_id, self._dependency_id = level_id, twcc_id, dependency_id

    def source(self, handler: SourceHandler, kind: str, codec: str, clock_rate: int) -> PythonSource:
        return PythonSource(self._path, handler, kind, codec, clock_rate)

    def route(self, ssrc: int, source: Source, retransmission: bool) -> None:
        if not isinstance(source, PythonSource):
            raise TypeError("a source of another path")
        self._routes[ssrc] = (source, retransmission)

    def unroute(self, ssrc: int) -> None:
        self._routes.pop(ssrc, None)

    def close(self) -> None:
        self.move(None)
        self.use(None)
        self._handler = None
        self._routes.clear()
        self._pacer.forget(None)
        self._path.paced.pop(self, None)

    # In

    def is_sound(self, packet: memoryview, size: int) -> bool:
        """Whether an encrypted packet is of a microphone: what its header says."""
        route = self._routes.get(int.from_bytes(packet[8:12], "big")) if size >= SMALLEST_RTP else None
        return route is not None and route[0].sound

    def media(self, buffer: Buffer, size: int, now: float) -> None:
        """An encrypted packet in ``buffer``, from our address."""
        path = self._path
        if now - self._interval_at >= INTERVAL_S:
            self._interval_at = now
            self._interval_bytes = self._interval_packets = self._interval_unknown = 0
        self._interval_bytes += size
        self._interval_packets += 1
        if self._interval_bytes > self._most_bytes or self._interval_packets > MAX_PACKETS_PER_INTERVAL:
            path.drops["over_rate"] += 1
            return
        srtp, view = self._srtp, buffer.view
        if srtp is None:
            path.drops["before_dtls"] += 1
            return
        if size > 1 and 192 <= view[1] <= 223:
            size = srtp.unprotect_rtcp(buffer, size) if size >= SMALLEST_RTCP else -1
            if size < SMALLEST_RTCP:
                path.drops["srtcp"] += 1
            elif self._handler is not None:
                handler, data = self._handler, bytes(view[:size])
                path.later(lambda: handler.rtcp(data, now))
            return
        size = srtp.unprotect(buffer, size) if size >= SMALLEST_RTP else -1
        if size < SMALLEST_RTP:
            path.drops["srtp"] += 1
            return
        self.packets_in += 1
        self.bytes_in += size
        self._rtp(bytes(view[:size]), now, True)

    def inject(self, packet: bytes, now: float) -> None:
        self._rtp(packet, now, False)

    def _rtp(self, data: bytes, now: float, first_time: bool) -> None:
        path = self._path
        try:
            start, extensions = payload_start(data)
        except Malformed:
            path.drops["rtp_malformed"] += 1
            return
        first, second, number, timestamp, ssrc = HEADER.unpack_from(data)
        level = transport = -1
        descriptor = b""
        for identifier, begin, end in extensions:
            if identifier == self._twcc_id:
                if end - begin == 2:
                    transport = data[begin] << 8 | data[begin + 1]
            elif identifier == self._level_id and end > begin:
                level = data[begin]
            elif identifier == self._dependency_id:
                descriptor = data[begin:end]
        if transport >= 0 and first_time:  # before the SSRC is looked up: probes count too
            self._twcc.arrived(transport, now)
        route = self._routes.get(ssrc)
        if route is None:
            self._unknown(data, now, first_time)
            return
        source, retransmission = route
        payload_type = second & 0x7F
        if not retransmission:
            if payload_type == source.payload_type:
                padding = first & PADDING_BIT
                source.receive(number, timestamp, second & 0x80, padding, data[start:], level, now, descriptor)
            elif payload_type == source.other_type:
                self._convert(source, data, start, level, now)
            else:
                path.drops["unrouted"] += 1
            return
        if payload_type != source.rtx_type:
            path.drops["unrouted"] += 1
            return
        try:
            found = rtx.unwrap(data[start : payload_end(data, start)])
        except Malformed:
            path.drops["rtp_malformed"] += 1
            return
        if found is not None:
            source.recovered += 1
            source.receive(found[0], timestamp, second & 0x80, 0, found[1], level, now, descriptor)

    def _convert(self, source: PythonSource, data: bytes, start: int, level: int, now: float) -> None:
        _, second, number, timestamp, _ = HEADER.unpack_from(data)
        try:
            payload = source.converted(data[start : payload_end(data, start)])
        except Malformed:
            payload = None
        if payload is None:
            self._path.drops["rtp_malformed"] += 1
            return
        source.receive(number, timestamp, second & 0x80, 0, payload, level, now)

    def _unknown(self, data: bytes, now: float, first_time: bool) -> None:
        handler = self._handler
        self._interval_unknown += 1
        if handler is None or not (first_time and self._listening) or self._interval_unknown > MAX_UNKNOWN_PER_INTERVAL:
            self._path.drops["unrouted"] += 1
            return
        self._path.later(lambda: handler.unknown(data, now))

    # Out

    def send_paced(self, packet: Composed, priority: int, now: float) -> bool:
        """Send it now or when its turn comes; False: it was dropped."""
        pacer = self._pacer
        if pacer.rate > 0:
            pacer.refill(now)
            if priority != SOUND and (pacer.packets or pacer.credit <= 0):
                waits, dropped = pacer.hold(packet, priority, now)
                if dropped:
                    self._path.drops["paced"] += dropped
                self._path.paced[self] = None
                return waits
        size = self.emit(packet, now)
        if size and pacer.rate > 0:
            pacer.spend(size)
        return size > 0

    def emit(self, packet: Composed, now: float) -> int:
        """Stamp, encrypt, send: the bytes on the way; 0: it was dropped."""
        srtp, address = self._srtp, self.address
        if srtp is None or address is None:
            return 0
        path, data = self._path, packet.data
        if at := packet.send_time:
            data[at : at + 3] = abs_send_time(now).to_bytes(3, "big")
        sent = self._sent
        if at := packet.number:
            if sent is None:
                sent = self._sent = Sent()
            data[at : at + 2] = (sent.next & 0xFFFF).to_bytes(2, "big")
        out = path.out
        size = srtp.protect(data, out)
        if size < 0:
            path.drops["protect"] += 1
            return 0
        number = sent.left(size + UDP_IP, now) if at and sent is not None else -1
        if packet.sink is not None:
            packet.sink.emitted(packet.own, number, out.view[:size])
        self._wire(out.view[:size], address)
        return size + UDP_IP

    def drop(self, reason: str) -> None:
        """Count a packet that can't be sent."""
        self._path.drops[reason] += 1

    def spent(self, size: int, now: float) -> None:
        """Something went past the queue."""
        if self._pacer.rate > 0 and size:
            self._pacer.refill(now)
            self._pacer.spend(size)

    def send_again(self, ciphertext: bytes, number: int, now: float) -> bool:
        """Send the identical ciphertext: the only safe way to repeat a sequence number under GCM."""
        if self.address is None:
            return False
        if self._sent is not None:
            self._sent.repeated(number)
        self._wire(ciphertext, self.address)
        self.spent(len(ciphertext) + UDP_IP, now)
        return True

    def _wire(self, datagram: bytes | memoryview, address: Address) -> None:
        self.packets_out += 1
        self.bytes_out += len(datagram)
        self._path.send(datagram, address)

    def pace(self, rate: float) -> None:
        self._pacer.rate = rate

    @property
    def paced_packets(self) -> int:
        return self._pacer.packets

    @property
    def paced_bytes(self) -> int:
        return self._pacer.octets

    @property
    def choked(self) -> int:
        return self._pacer.choked

    def release(self, now: float) -> bool:
        """What waits and may go by now; whether anything still waits."""
        pacer = self._pacer
        if stale := pacer.drop_stale(now):
            self._path.drops["paced"] += stale
        if pacer.rate > 0:
            pacer.refill(now)
        while pacer.packets and (pacer.rate <= 0 or pacer.credit > 0):
            size = self.emit(pacer.take(), now)
            if size and pacer.rate > 0:
                pacer.spend(size)
        return pacer.packets > 0

    def forget(self, sink: PythonSink) -> None:
        """A sink that closes: what waits of it goes nowhere."""
        self._pacer.forget(sink)
        if not self._pacer.packets:
            self._path.paced.pop(self, None)

    def acknowledge(self, feedback: bytes) -> bool:
        try:
            arrivals = twcc.parse(feedback)
        except Malformed:
            return False
        if self._sent is not None:
            self._sent.acknowledge(arrivals)
        return True

    def told(self) -> Told:
        return self._sent.told() if self._sent is not None else Told([], 0, 0, 0, 0)

    def send_rtcp(self, packet: bytes) -> None:
        srtp, address = self._srtp, self.address
        if srtp is None or address is None:
            return
        out = self._path.out
        size = srtp.protect_rtcp(packet, out)
        if size > 0:
            self._path.send(out.view[:size], address)

    def feedback(self, media_ssrc: int) -> None:
        for packet in self._twcc.feedback(1, media_ssrc):
            self.send_rtcp(rtcp.receiver_report(1, []) + packet)
