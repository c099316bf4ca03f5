"""The benchmark's people: synthetic Opus and VP8 in real SRTP, and the feedback a browser gives.

They live in processes of their own (``loadtests.media_process``), so that their cost is not the
server's; what happens with each packet is in ``native/peers.c``. A person has two connections, as our page
has: one that publishes, one that subscribes. Payloads carry the time of sending; receivers count what came
and how long it took.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import byref
from typing import TYPE_CHECKING

from loadtests import media_native, media_sdp
from media.rtp import rtcp
from media.rtp.nack import NackGenerator
from media.rtp.receive_stats import ReceiveStats
from media.rtp.twcc import TwccReceiver

if TYPE_CHECKING:
    from loadtests.media_process import PeerProcess

AUDIO_S = 0.02
AUDIO_BYTES = 80  # 32 kbit/s
VIDEO_S = 1 / 30
VIDEO_PACKETS = 4  # of a frame
VIDEO_BYTES = 1042  # with four packets and thirty frames: 1 Mbit/s
# By rid, smallest first: packets of a frame, bytes of a packet. 100, 300 and 1000 kbit/s.
ENCODINGS = {"q": (1, 417), "h": (2, 625), "f": (VIDEO_PACKETS, VIDEO_BYTES)}
PACKETS_S = 1 / AUDIO_S + VIDEO_PACKETS / VIDEO_S  # of one publisher
MEND_S = 0.02
FEEDBACK_S = 0.1
REPORT_S = 1.0
CHECK_S = 2.5  # as Chromium
REMB_BITRATE = 3_000_000
LATE_NACK_S = 0.4  # for sound
OTHERS_BYTES = 1 << 18
MAX_EVENTS = 512


class Source:
    """A track being published: a ``native.Track`` and what Python decides about it."""

    def __init__(
        self,
        process: PeerProcess,
        link: media_native.Link,
        plan: media_sdp.Planned,
        ssrcs: tuple[int, int],
        rid: str = "",
    ) -> None:
        dice = process.random
        self.ssrc = ssrcs[0]
        self._native = process.native
        video = plan.kind == "video"
        self._step = 3000 if video else 960
        self._count, size = ENCODINGS[rid or "f"] if video else (1, AUDIO_BYTES)
        self.clock_rate = 90_000 if video else 48_000
        self.track = media_native.Track(
            link=ctypes.pointer(link),
            ssrc=self.ssrc,
            rtx_ssrc=ssrcs[1],
            timestamp=dice.randrange(1 << 31),
            size=size,
            sequence=dice.randrange(30_000),
            rtx_sequence=dice.randrange(30_000),
            type=plan.payload_type,
            rtx_type=plan.rtx_type or 0,
            video=video,
            mid=ord(plan.mid),
            wants_keyframe=video,
            rid=ord(rid or "\0"),
            counted=not rid or rid == plan.rids[-1],
            last=time.time(),
        )
        self._reference = byref(self.track)

    def frame(self) -> None:
        """Send 20 ms of sound, or a picture."""
        self._native.send_frame(self._reference, self._count, self._step)

    def resend(self, number: int) -> None:
        """Answer a NACK."""
        self._native.send_again(self._reference, number)

    def report(self, now: float) -> bytes:
        """A sender report with its CNAME."""
        track = self.track
        moved = int((now - track.last) * self.clock_rate)
        timestamp = (track.timestamp + moved) & 0xFFFFFFFF
        report = rtcp.SenderReport(self.ssrc, rtcp.ntp(now), timestamp, track.packets, track.octets)
        return rtcp.sender_report(report) + rtcp.cname(self.ssrc, "peer")


class Publisher:
    """The publishing connection of a person."""

    def __init__(self, process: PeerProcess, receivers: int) -> None:
        self._process = process
        self.receivers = receivers
        self.link = process.link(True, self._rtcp)
        microphone, camera = self._plans = media_sdp.plan(process.random, process.rids)
        native = self.link.native
        self._audio = Source(process, native, microphone, (microphone.ssrc, 0))
        if camera.rids:
            named = zip(camera.rids, camera.encodings, strict=True)
            self._videos = [Source(process, native, camera, ssrcs, rid) for rid, ssrcs in named]
        else:
            self._videos = [Source(process, native, camera, (camera.ssrc, camera.rtx_ssrc))]
        self._sources = {source.ssrc: source for source in (self._audio, *self._videos)}

    def offer(self) -> str:
        return media_sdp.offer(self.link, self._plans)

    def sound(self) -> float:
        """A packet of 20 ms."""
        self._audio.frame()
        return AUDIO_S

    def picture(self) -> float:
        """A frame of each encoding, its packets at once."""
        for video in self._videos:
            video.frame()
        return self._process.picture_s

    def report(self) -> float:
        now = time.time()
        for source in self._sources.values():
            self._process.send_rtcp(self.link, source.report(now))
        return REPORT_S

    def readable(self) -> None:
        """Take what the server told us."""
        self._process.receive(self.link, None, 0)

    def _rtcp(self, data: bytes) -> None:
        plain = None if self._process.lost() else self.link.unprotect_rtcp(data)
        if plain is None:
            return
        for part in rtcp.parse(plain):
            if isinstance(part, rtcp.Nack):
                if source := self._sources.get(part.media_ssrc):
                    for number in part.sequences:
                        source.resend(number)
            elif isinstance(part, rtcp.KeyframeRequest):
                if source := self._sources.get(part.media_ssrc):
                    source.track.wants_keyframe = 1
            elif isinstance(part, rtcp.ReportBlock):
                if source := self._sources.get(part.ssrc):
                    source.track.acknowledged = 1  # MID and RID are no longer sent
            elif isinstance(part, rtcp.TwccFeedback):
                self._process.feedback += 1


class Stream:
    """A track being received: what of it Python decides about."""

    def __init__(self, expected: media_sdp.Expected) -> None:
        self.expected = expected
        self.stats = ReceiveStats(48_000 if expected.kind == "audio" else 90_000)
        self.nack = NackGenerator(LATE_NACK_S) if expected.kind == "audio" else NackGenerator()
        self.sender_report: tuple[int, float] | None = None


class Subscriber:
    """The subscribing connection of a person."""

    def __init__(self, process: PeerProcess) -> None:
        self._process = process
        self.link = process.link(False, self._rtcp)
        self._streams: list[Stream] = []
        self._native = (media_native.Stream * 0)()
        self._twcc = TwccReceiver()
        self._remb = False

    def answer(self, offer: str) -> str:
        """Take an offer: the answer. A later offer adds to what is there."""
        text, expected = media_sdp.answer(self.link, offer)
        known = {stream.expected.ssrc for stream in self._streams}
        self._streams += [Stream(one) for one in expected if one.ssrc not in known]
        former, self._native = self._native, (media_native.Stream * len(self._streams))()
        for index, stream in enumerate(self._streams):
            if index < len(former):
                self._native[index] = former[index]
                continue
            own = self._native[index]
            own.ssrc, own.rtx_ssrc = stream.expected.ssrc, stream.expected.rtx_ssrc
            own.clock_rate = stream.stats.clock_rate
            own.base = own.highest = -1
        self.link.native.transport_id = max((one.transport_id for one in expected if one.transport_id > 0), default=0)
        self._remb = not self.link.native.transport_id and any(one.remb for one in expected)
        self.link.connect(offer)
        return text

    def readable(self) -> None:
        """Take what came; what is out of order is looked at for what is missing."""
        now = time.monotonic()
        for event in self._process.receive(self.link, self._native, len(self._streams)):
            nack = self._streams[event.stream].nack
            nack.expected = event.expected
            nack.received(event.sequence, now)

    def _rtcp(self, data: bytes) -> None:
        plain = None if self._process.lost() else self.link.unprotect_rtcp(data)
        if plain is None:
            return
        for part in rtcp.parse(plain):
            if isinstance(part, rtcp.SenderReport):
                for stream in self._streams:
                    if stream.expected.ssrc == part.ssrc:
                        stream.sender_report = (part.ntp >> 16 & 0xFFFFFFFF, time.monotonic())

    def mend(self, now: float) -> None:
        """Ask for what is missing."""
        for index, stream in enumerate(self._streams):
            if stream.expected.nack and stream.nack.waiting and (missing := stream.nack.due(now, MEND_S)):
                self._process.nacks += 1
                request = rtcp.nack(1, stream.expected.ssrc, [number & 0xFFFF for number in missing])
                self._process.send_rtcp(self.link, self._report([index]) + request)

    def feedback(self) -> float:
        """Transport-wide feedback, where the server numbers its packets."""
        native = self.link.native
        if native.arrived_count and self._streams:
            for number, at in zip(native.arrived[: native.arrived_count], native.arrived_at, strict=False):
                self._twcc.arrived(number, at % 1_000_000)  # only differences count
            native.arrived_count = 0
            for packet in self._twcc.feedback(1, self._streams[0].expected.ssrc):
                self._process.send_rtcp(self.link, self._report([0]) + packet)
        return FEEDBACK_S

    def _report(self, indices: list[int]) -> bytes:
        """With blocks, which Janus needs to know whom a compound packet is about."""
        now = time.monotonic()
        blocks = []
        for index in indices:
            stream, own = self._streams[index], self._native[index]
            if own.base < 0:
                continue
            stats = stream.stats
            stats.base, stats.highest, stats.received, stats.jitter = own.base, own.highest, own.received, own.jitter
            middle, arrived = stream.sender_report or (0, now)
            delay = int((now - arrived) * 65536) & 0xFFFFFFFF
            blocks.append(rtcp.ReportBlock(stream.expected.ssrc, *stats.report(), middle, delay))
        return rtcp.receiver_report(1, blocks[:31])

    def report(self) -> float:
        """A receiver report, and an estimate where the server wants one."""
        packet = self._report(list(range(len(self._streams))))
        if self._remb:
            videos = [stream.expected.ssrc for stream in self._streams if stream.expected.kind == "video"]
            packet += rtcp.remb(1, REMB_BITRATE, videos)
        self._process.send_rtcp(self.link, packet)
        return REPORT_S
