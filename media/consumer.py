"""A track going out to one receiver: its own SSRC, numbers and extensions; retransmission on request."""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Protocol

from media.rtp import rtcp, rtx
from media.rtp.history import Kept
from media.rtp.packet import HEADER, ONE_BYTE_PROFILE, abs_send_time
from media.rtp.sequence import Unwrapper
from media.sdp import ABS_SEND_TIME, AUDIO_LEVEL, MID, Chosen

if TYPE_CHECKING:
    from media.producer import Producer
    from media.transport import Connection

MAX_MAPPINGS = 8  # changes of numbering a late NACK can still be translated through
CIPHERTEXTS_AUDIO = 128
CIPHERTEXTS_VIDEO = 512  # only for the rare receiver without RTX
RESEND_INTERVAL_S = 0.015  # the same packet is not sent again sooner: two NACKs crossed
MAX_RESENT_KEPT = 512
RESENDS_PER_INTERVAL = 150  # in 100 ms; a NACK flood can't turn us into an amplifier
CONGESTED_LOSS = 0.04
CONGESTED_DELAY_S = 0.15  # over the lowest round trip seen
REPORT_MAX_AGE_S = 3.0
SR_MEMORY = 8  # sender reports a receiver's answer can refer to


class Sink(Protocol):
    """The connection side a consumer belongs to."""

    @property
    def connection(self) -> Connection: ...
    def share(self, now: float) -> int | None:
        """Bits a second the receiver's estimate leaves for one video; None without an estimate."""
        ...

    def remove(self, consumer: Consumer) -> None:
        """The consumer ended."""
        ...


class Consumer:
    """Forwards one producer to one connection. ``forward`` is on the path of every packet."""

    def __init__(self, producer: Producer, sink: Sink, mid: str, ssrc: int, rtx_ssrc: int, first_sequence: int) -> None:
        self.producer: Producer | None = producer
        self.sink: Sink | None = sink
        self.connection = sink.connection
        self.mid = mid
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.active = False  # until an answer accepted it
        self.paused = False
        self.max_height: int | None = None  # what the receiver shows; chooses the layer where there are several
        self.reported = False
        self.packets = 0
        self.octets = 0
        self.fraction_lost = 0.0
        self.lost = 0
        self.jitter = 0
        self.round_trip = 0.0
        self._lowest_round_trip = 10.0
        self._reported_at = -REPORT_MAX_AGE_S
        self.resent = 0
        self.resend_misses = 0
        self._payload_type = 0
        self._rtx_type: int | None = None
        self._prefix = b""
        self._level = False
        self._send_time = False
        self._next = first_sequence + 65536  # numbers of ours are endless too
        self._rtx_sequence = first_sequence
        self._mappings: deque[tuple[int, int]] = deque(maxlen=MAX_MAPPINGS)  # (from this incoming number, offset)
        self._offset = 0
        self._floor = 0
        self._resync = True
        self._unwrapper = Unwrapper()
        self._ciphertexts: dict[int, bytes] | None = None
        self._ciphertexts_kept = 0
        self._resent_at: dict[int, float] = {}
        self._budget = RESENDS_PER_INTERVAL
        self._last_timestamp = 0
        self._last_forwarded_at = 0.0
        self._reports: deque[tuple[int, float]] = deque(maxlen=SR_MEMORY)  # (middle of NTP, sent at)

    def accept(self, chosen: Chosen) -> None:
        """What the receiver agreed to: payload types and extension ids."""
        self._payload_type = chosen.codec.payload_type
        self._rtx_type = chosen.rtx
        mid = self.mid.encode()
        elements = b""
        if (identifier := chosen.extensions.get(MID)) is not None:
            elements = bytes((identifier << 4 | len(mid) - 1,)) + mid
        level = chosen.extensions.get(AUDIO_LEVEL)
        send_time = chosen.extensions.get(ABS_SEND_TIME)
        self._level, self._send_time = level is not None, send_time is not None
        # The element that changes per packet comes last, so that the rest is one constant prefix.
        changing = 2 if level is not None else 4 if send_time is not None else 0
        self._send_time = self._send_time and not self._level
        size = len(elements) + changing
        padding = bytes(-size % 4)
        if level is not None:
            head = bytes((level << 4,))
        elif send_time is not None:
            head = bytes((send_time << 4 | 2,))
        else:
            head = b""
        if size:
            words = (size + len(padding)) // 4
            self._prefix = struct.pack("!HH", ONE_BYTE_PROFILE, words) + padding + elements + head
        else:
            self._prefix = b""
        if self._rtx_type is None and self._ciphertexts is None:
            self._ciphertexts = {}
            video = self.producer is not None and self.producer.kind == "video"
            self._ciphertexts_kept = CIPHERTEXTS_VIDEO if video else CIPHERTEXTS_AUDIO
        self.active = True

    def resync(self) -> None:
        """The next packet continues our numbering, whatever its own number is."""
        self._resync = True

    def set_paused(self, paused: bool, now: float) -> None:
        """Stop or go on; going on begins at a key frame that is asked for."""
        if paused == self.paused:
            return
        self.paused = paused
        if not paused:
            self._resync = True
            if self.producer is not None:
                self.producer.request_keyframe(now)

    def forward(self, kept: Kept, level: int, now: float) -> None:
        """Write and send one packet."""
        if not self.active or self.paused:
            return
        if self._resync:
            if not self.connection.ready:
                return
            self._resync = False
            self._offset = self._next - kept.sequence
            self._floor = kept.sequence
            self._mappings.append((kept.sequence, self._offset))
        if kept.sequence < self._floor:
            return  # from before the source was switched on: the receiver does not miss it
        number = kept.sequence + self._offset
        size = self.connection.send_rtp(self._write(kept, self._payload_type, number, self.ssrc, level, now))
        if size < 0:
            return
        if number >= self._next:
            self._next = number + 1
            self._last_timestamp = kept.timestamp
            self._last_forwarded_at = now
        self.packets += 1
        self.octets += len(kept.payload)
        ciphertexts = self._ciphertexts
        if ciphertexts is not None:
            ciphertexts[number] = self.connection.copy_sent(size)
            if len(ciphertexts) > self._ciphertexts_kept:
                del ciphertexts[next(iter(ciphertexts))]

    def _write(
        self,
        kept: Kept,
        payload_type: int,
        number: int,
        ssrc: int,
        level: int,
        now: float,
        payload: bytes | None = None,
    ) -> bytes:
        prefix = self._prefix
        header = HEADER.pack(
            (0x90 if prefix else 0x80) | kept.padding,
            kept.marker | payload_type,
            number & 0xFFFF,
            kept.timestamp,
            ssrc,
        )
        body = kept.payload if payload is None else payload
        if self._send_time:
            return header + prefix + abs_send_time(now).to_bytes(3, "big") + body
        if self._level:
            return header + prefix + bytes((level if level >= 0 else 127,)) + body
        return header + prefix + body

    def resend(self, numbers: list[int], now: float) -> None:
        """Answer a NACK: by RTX where agreed, else by the identical ciphertext."""
        if not self.active or self.producer is None:
            return
        self._unwrapper.highest = self._next - 1
        for wire in numbers:
            if self._budget <= 0:
                return
            number = self._unwrapper.peek(wire)
            if now - self._resent_at.get(number, -1.0) < RESEND_INTERVAL_S:
                continue
            if not self._resend_one(number, now):
                self.resend_misses += 1  # lost upstream too: mended there, it is forwarded late
                continue
            self._budget -= 1
            self.resent += 1
            self._resent_at[number] = now
            if len(self._resent_at) > MAX_RESENT_KEPT:
                del self._resent_at[next(iter(self._resent_at))]

    def _resend_one(self, number: int, now: float) -> bool:
        if self._ciphertexts is not None:
            ciphertext = self._ciphertexts.get(number)
            if ciphertext is not None:
                self.connection.send_again(ciphertext)
            return ciphertext is not None
        producer = self.producer
        if producer is None or self._rtx_type is None:
            return False
        for first, offset in reversed(self._mappings):
            if number - offset >= first:
                kept = producer.history.get(number - offset)
                break
        else:
            return False
        if kept is None:
            return False
        self._rtx_sequence += 1
        payload = rtx.wrap(number, kept.payload)
        self.connection.send_rtp(self._write(kept, self._rtx_type, self._rtx_sequence, self.rtx_ssrc, -1, now, payload))
        return True

    def renew_budget(self) -> None:
        """Ten times a second."""
        self._budget = RESENDS_PER_INTERVAL

    def send_report(self, now: float) -> None:
        """A sender report in the source's own clock: all its tracks share it, so lips match sound."""
        producer = self.producer
        if producer is None or producer.sender_report is None or not self.packets:
            return
        report, arrived = producer.sender_report
        elapsed = now - arrived
        ntp = (report.ntp + int(elapsed * 4294967296)) & 0xFFFFFFFFFFFFFFFF
        timestamp = (report.timestamp + int(elapsed * producer.chosen.codec.clock_rate)) & 0xFFFFFFFF
        self._reports.append((ntp >> 16 & 0xFFFFFFFF, now))
        self.reported = True
        mine = rtcp.SenderReport(self.ssrc, ntp, timestamp, self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF)
        self.connection.send_rtcp(rtcp.sender_report(mine) + rtcp.cname(self.ssrc, "bedside"))

    def on_report(self, block: rtcp.ReportBlock, now: float) -> None:
        """What the receiver says: loss, jitter, and the round trip by our own clock."""
        self.fraction_lost = block.fraction_lost / 256
        self.lost = block.lost
        self.jitter = block.jitter
        self._reported_at = now
        for middle, sent in self._reports:
            if block.last_sr and middle == block.last_sr:
                measured = now - sent - block.delay / 65536
                if 0 <= measured < 10:
                    self._lowest_round_trip = min(self._lowest_round_trip, measured)
                    self.round_trip = measured if not self.round_trip else self.round_trip * 0.75 + measured * 0.25

    def congested(self, now: float) -> bool:
        """Whether the last report shows loss, or a round trip far over the lowest."""
        if now - self._reported_at > REPORT_MAX_AGE_S:
            return False
        return self.fraction_lost > CONGESTED_LOSS or self.round_trip > self._lowest_round_trip + CONGESTED_DELAY_S

    def ceiling(self, now: float) -> int | None:
        """Its share of the receiver's bandwidth estimate, in bit/s."""
        if not self.active or self.paused or self.sink is None:
            return None
        return self.sink.share(now)

    def close(self) -> None:
        """Leave producer and connection."""
        producer, self.producer = self.producer, None
        sink, self.sink = self.sink, None
        self.active = False
        if producer is not None and self in producer.consumers:
            producer.consumers.remove(self)
        if sink is not None:
            sink.remove(self)
        if self._ciphertexts is not None:
            self._ciphertexts.clear()
