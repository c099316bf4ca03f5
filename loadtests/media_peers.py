"""The benchmark's people: synthetic Opus and VP8 in real SRTP, and the feedback a browser gives.

They live in processes of their own (``loadtests.media_process``), so that their cost is not the
server's. A person has two connections, as our page has: one that publishes, one that subscribes.
Payloads carry the time of sending; receivers count what came and how long it took.
"""

from __future__ import annotations

import random
import struct
import time
from array import array
from typing import TYPE_CHECKING, Any

from loadtests import media_sdp
from media.rtp import rtcp, rtx
from media.rtp.nack import NackGenerator
from media.rtp.packet import HEADER, Malformed, abs_send_time, payload_start
from media.rtp.receive_stats import ReceiveStats
from media.rtp.sequence import Unwrapper
from media.rtp.twcc import TwccReceiver

if TYPE_CHECKING:
    from loadtests.media_process import PeerProcess

AUDIO_S = 0.02
AUDIO_BYTES = 80  # 32 kbit/s
VIDEO_S = 1 / 30
VIDEO_PACKETS = 4  # of a frame
VIDEO_BYTES = 1042  # with four packets and thirty frames: 1 Mbit/s
KEPT_VIDEO = 256
KEPT_AUDIO = 64
STAMP = struct.Struct("!d")
STAMP_AT = 11  # after what a VP8 key frame begins with; sound carries it at the same place
VP8_KEY = b"\x10\x50\x00\x00\x9d\x01\x2a\x00\x05\xd0\x02"
VP8_INTER = b"\x10\x51\x00\x00" + bytes(7)
VP8_CONTINUED = b"\x00" + bytes(10)
FILLING = bytes(random.Random(0).randbytes(VIDEO_BYTES))  # one pattern for all: servers don't look inside
MEND_S = 0.02
FEEDBACK_S = 0.1
REPORT_S = 1.0
CHECK_S = 2.5  # as Chromium
REMB_BITRATE = 3_000_000
LATE_NACK_S = 0.4  # for sound


class Counts:
    """What one process saw between two moments of the wall clock."""

    def __init__(self) -> None:
        self.begin = self.end = 0.0
        self.sent = 0
        self.expected = 0  # sent, times the people who should get it
        self.received = 0  # different packets sent in the interval, at receivers
        self.datagrams = 0  # RTP datagrams the server sent in the interval
        self.octets = 0
        self.retransmitted = 0
        self.nacks = 0
        self.feedback = 0
        self.latencies = array("f")
        self.lateness = array("f")  # of our own timers: a peer without a core measures itself

    def result(self) -> dict[str, Any]:
        return {
            "sent": self.sent,
            "expected": self.expected,
            "received": self.received,
            "datagrams": self.datagrams,
            "octets": self.octets,
            "retransmitted": self.retransmitted,
            "nacks": self.nacks,
            "feedback": self.feedback,
            "latencies": self.latencies.tobytes(),
            "lateness": self.lateness.tobytes(),
        }


class Source:
    """A track being published: numbers, extensions, and what is kept for retransmission."""

    def __init__(self, publisher: Publisher, plan: media_sdp.Planned) -> None:
        self._publisher = publisher
        self.plan = plan
        self.ssrc = plan.ssrc
        self._sequence = publisher.random.randrange(30_000)
        self._rtx_sequence = publisher.random.randrange(30_000)
        self._timestamp = publisher.random.randrange(1 << 31)
        self._clock = 48_000 if plan.kind == "audio" else 90_000
        self._kept: dict[int, tuple[int, int, bytes]] = {}  # number -> (marker, timestamp, payload or ciphertext)
        self.packets = self.octets = 0
        self.acknowledged = False  # a report came: the MID is no longer sent
        self.wants_keyframe = True
        self._last: tuple[int, float] = (self._timestamp, time.time())

    def next_frame(self, step: int) -> None:
        """Move the timestamp."""
        self._timestamp = (self._timestamp + step) & 0xFFFFFFFF
        self._last = (self._timestamp, time.time())

    def send(self, payload: bytes, marker: int) -> None:
        """One new packet."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        ciphertext = self._publisher.send(
            self, self._sequence, self.plan.payload_type, marker, self._timestamp, payload
        )
        # Sound has no RTX: the identical ciphertext is sent again, as browsers do.
        kept = payload if self.plan.rtx_type is not None else ciphertext
        self._kept[self._sequence] = (marker, self._timestamp, kept)
        if len(self._kept) > (KEPT_VIDEO if self.plan.kind == "video" else KEPT_AUDIO):
            del self._kept[next(iter(self._kept))]
        self.packets += 1
        self.octets += len(payload)

    def resend(self, number: int) -> None:
        """Answer a NACK."""
        found = self._kept.get(number)
        if found is None:
            return
        marker, timestamp, kept = found
        if self.plan.rtx_type is None:
            self._publisher.transmit(kept)
            return
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        self._publisher.send(
            self, self._rtx_sequence, self.plan.rtx_type, marker, timestamp, rtx.wrap(number, kept), retransmission=True
        )

    def report(self, now: float) -> bytes:
        """A sender report with its CNAME."""
        timestamp, at = self._last
        moved = int((now - at) * self._clock)
        report = rtcp.SenderReport(
            self.ssrc, rtcp.ntp(now), (timestamp + moved) & 0xFFFFFFFF, self.packets, self.octets & 0xFFFFFFFF
        )
        return rtcp.sender_report(report) + rtcp.cname(self.ssrc, "peer")


class Publisher:
    """The publishing connection of a person."""

    def __init__(self, process: PeerProcess, receivers: int) -> None:
        self.random = process.random
        self._process = process
        self._receivers = receivers
        self.link = process.link(True, self._rtp, self._rtcp)
        self._transport_number = self.random.randrange(30_000)
        self.plans = media_sdp.plan(self.random)
        self.audio, self.video = (Source(self, plan) for plan in self.plans)

    def offer(self) -> str:
        return media_sdp.offer(self.link, self.plans)

    def send(
        self,
        source: Source,
        sequence: int,
        payload_type: int,
        marker: int,
        timestamp: int,
        payload: bytes,
        *,
        retransmission: bool = False,
    ) -> bytes:
        """Write, encrypt, and send unless the dice say that the network lost it."""
        self._transport_number = (self._transport_number + 1) & 0xFFFF
        ssrc = source.plan.rtx_ssrc if retransmission else source.ssrc
        elements = b"\x31" + self._transport_number.to_bytes(2, "big")
        if source.plan.kind == "audio":
            elements += b"\x10\xa0"  # voice at -32 dBov
        else:
            elements += b"\x22" + abs_send_time(time.monotonic()).to_bytes(3, "big")
        if not source.acknowledged:
            elements += b"\x40" + source.plan.mid.encode()
        elements += bytes(-len(elements) % 4)
        header = HEADER.pack(0x90, marker | payload_type, sequence, timestamp, ssrc)
        ciphertext = self.link.protect(
            header + b"\xbe\xde" + (len(elements) // 4).to_bytes(2, "big") + elements + payload
        )
        self.transmit(ciphertext)
        return ciphertext

    def transmit(self, ciphertext: bytes) -> None:
        if not self._process.lost():
            self.link.send(ciphertext)

    def sound(self) -> float:
        """A packet of 20 ms."""
        self.audio.next_frame(960)
        now = time.time()
        self.audio.send(FILLING[:STAMP_AT] + STAMP.pack(now) + FILLING[: AUDIO_BYTES - STAMP_AT - 8], 0)
        self._count(now)
        return AUDIO_S

    def picture(self) -> float:
        """A frame of four packets at once."""
        video = self.video
        video.next_frame(3000)
        head, video.wants_keyframe = VP8_KEY if video.wants_keyframe else VP8_INTER, False
        for index in range(VIDEO_PACKETS):
            now = time.time()
            body = STAMP.pack(now) + FILLING[: VIDEO_BYTES - STAMP_AT - 8]
            video.send((VP8_CONTINUED if index else head) + body, 0x80 if index == VIDEO_PACKETS - 1 else 0)
            self._count(now)
        return VIDEO_S

    def _count(self, now: float) -> None:
        counts = self._process.counts
        if counts.begin <= now < counts.end:
            counts.sent += 1
            counts.expected += self._receivers

    def report(self) -> float:
        now = time.time()
        for source in (self.audio, self.video):
            self._process.send_rtcp(self.link, source.report(now))
        return REPORT_S

    def _rtp(self, data: bytes, at: float) -> None:
        pass  # nobody sends to a publisher

    def _rtcp(self, data: bytes) -> None:
        plain = None if self._process.lost() else self.link.unprotect_rtcp(data)
        if plain is None:
            return
        for part in rtcp.parse(plain):
            if isinstance(part, rtcp.Nack):
                for source in (self.audio, self.video):
                    if source.ssrc == part.media_ssrc:
                        for number in part.sequences:
                            source.resend(number)
            elif isinstance(part, rtcp.KeyframeRequest):
                self.video.wants_keyframe = True
            elif isinstance(part, rtcp.ReportBlock):
                for source in (self.audio, self.video):
                    source.acknowledged = source.acknowledged or source.ssrc == part.ssrc
            elif isinstance(part, rtcp.TwccFeedback):
                self._process.counts.feedback += 1


class Stream:
    """A track being received."""

    def __init__(self, expected: media_sdp.Expected) -> None:
        self.expected = expected
        self.stats = ReceiveStats(48_000 if expected.kind == "audio" else 90_000)
        self.unwrapper = Unwrapper()
        self.nack = NackGenerator(LATE_NACK_S) if expected.kind == "audio" else NackGenerator()
        self.seen: set[int] = set()
        self.sender_report: tuple[int, float] | None = None


class Subscriber:
    """The subscribing connection of a person."""

    def __init__(self, process: PeerProcess) -> None:
        self._process = process
        self.link = process.link(False, self._rtp, self._rtcp)
        self._streams: dict[int, Stream] = {}
        self._retransmissions: dict[int, Stream] = {}
        self._twcc = TwccReceiver()
        self._twcc_id = -1
        self._remb = False

    def answer(self, offer: str) -> str:
        """Take an offer: the answer. A later offer adds to what is there."""
        text, expected = media_sdp.answer(self.link, offer)
        for one in expected:
            if one.ssrc not in self._streams:
                self._streams[one.ssrc] = Stream(one)
                if one.rtx_ssrc:
                    self._retransmissions[one.rtx_ssrc] = self._streams[one.ssrc]
        self._twcc_id = max((one.transport_id for one in expected), default=-1)
        self._remb = self._twcc_id < 0 and any(one.remb for one in expected)
        self.link.connect(offer)
        return text

    def _rtp(self, data: bytes, at: float) -> None:
        counts = self._process.counts
        measured = counts.begin <= at < counts.end
        if measured:
            counts.datagrams += 1
            counts.octets += len(data)
        packet = None if self._process.lost() else self.link.unprotect(data)
        if packet is None:
            return
        now = time.monotonic()
        try:
            start, extensions = payload_start(packet)
        except Malformed:
            return
        _, _, number, timestamp, ssrc = HEADER.unpack_from(packet)
        if self._twcc_id > 0:
            for identifier, begin, end in extensions:
                if identifier == self._twcc_id and end - begin == 2:
                    self._twcc.arrived(packet[begin] << 8 | packet[begin + 1], now)
        payload = packet[start:]
        stream = self._streams.get(ssrc)
        if stream is None:
            stream = self._retransmissions.get(ssrc)
            if stream is None or (found := rtx.unwrap(payload)) is None:
                return
            number, payload = found
            counts.retransmitted += 1
        full = stream.unwrapper.unwrap(number)
        if full in stream.seen or len(payload) < STAMP_AT + 8:
            return
        stream.seen.add(full)
        stream.stats.packet(full, timestamp, len(payload), now)
        stream.nack.received(full, now)
        sent = STAMP.unpack_from(payload, STAMP_AT)[0]
        if counts.begin <= sent < counts.end:
            counts.received += 1
            counts.latencies.append(at - sent)

    def _rtcp(self, data: bytes) -> None:
        plain = None if self._process.lost() else self.link.unprotect_rtcp(data)
        if plain is None:
            return
        for part in rtcp.parse(plain):
            if isinstance(part, rtcp.SenderReport) and (stream := self._streams.get(part.ssrc)) is not None:
                stream.sender_report = (part.ntp >> 16 & 0xFFFFFFFF, time.monotonic())

    def mend(self) -> float:
        """Ask for what is missing."""
        now = time.monotonic()
        for ssrc, stream in self._streams.items():
            if stream.expected.nack and stream.nack.waiting and (missing := stream.nack.due(now, MEND_S)):
                self._process.counts.nacks += 1
                request = rtcp.nack(1, ssrc, [number & 0xFFFF for number in missing])
                self._process.send_rtcp(self.link, self._report([ssrc]) + request)
        return MEND_S

    def feedback(self) -> float:
        """Transport-wide feedback, where the server numbers its packets."""
        if self._twcc_id > 0 and self._streams:
            for packet in self._twcc.feedback(1, next(iter(self._streams))):
                self._process.send_rtcp(self.link, self._report(list(self._streams)[:1]) + packet)
        return FEEDBACK_S

    def _report(self, ssrcs: list[int]) -> bytes:
        """With blocks, which Janus needs to know whom a compound packet is about."""
        now = time.monotonic()
        blocks = []
        for ssrc in ssrcs:
            stream = self._streams[ssrc]
            if stream.stats.base < 0:
                continue
            middle, arrived = stream.sender_report or (0, now)
            delay = int((now - arrived) * 65536) & 0xFFFFFFFF
            blocks.append(rtcp.ReportBlock(ssrc, *stream.stats.report(), middle, delay))
        return rtcp.receiver_report(1, blocks[:31])

    def report(self) -> float:
        """A receiver report, and an estimate where the server wants one."""
        packet = self._report(list(self._streams))
        if self._remb and self._streams:
            videos = [ssrc for ssrc, stream in self._streams.items() if stream.expected.kind == "video"]
            packet += rtcp.remb(1, REMB_BITRATE, videos)
        self._process.send_rtcp(self.link, packet)
        return REPORT_S
