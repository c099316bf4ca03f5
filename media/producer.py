"""A track coming in: numbers made endless, duplicates dropped, loss mended, handed to its consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from media.rtp import rtcp
from media.rtp.history import History, Kept
from media.rtp.keyframe import DETECTORS
from media.rtp.nack import NackGenerator
from media.rtp.receive_stats import ReceiveStats
from media.rtp.sequence import Unwrapper
from media.sdp import Chosen

if TYPE_CHECKING:
    from media.consumer import Consumer

VIDEO_HISTORY = 512  # two seconds of 2.5 Mbit/s
AUDIO_HISTORY = 128  # 2.5 s of 20 ms packets
AUDIO_NACK_AGE_S = 0.4
KEYFRAME_INTERVAL_S = 0.5  # key frames are large: one request serves everybody within this time
RESTART_AFTER = 50  # packets in a row from far behind: the sender began its numbering anew
FAR_BEHIND = 1_000
REMB_MAX_AGE_S = 5.0
REMB_FLOOR = 150_000  # bit/s; below this a picture is not worth sending, and audio has its own needs

new_tuple = tuple.__new__


class Feedback(Protocol):
    """The way back to the sender."""

    def send_feedback(self, packet: bytes) -> None: ...


class Producer:
    """One source of one participant. ``receive`` is on the path of every packet."""

    def __init__(self, track_id: str, mid: str, source: str, kind: str, chosen: Chosen, feedback: Feedback) -> None:
        self.track_id = track_id
        self.mid = mid
        self.source = source
        self.kind = kind
        self.chosen = chosen
        self.feedback: Feedback | None = feedback
        self.consumers: list[Consumer] = []
        self.muted = False
        self.ssrc = 0
        self.described: list[int] = []  # SSRCs the description named, and their RTX
        self.described_rtx: list[int] = []
        self.history = History(VIDEO_HISTORY if kind == "video" else AUDIO_HISTORY)
        self.stats = ReceiveStats(chosen.codec.clock_rate)
        self.sender_report: tuple[rtcp.SenderReport, float] | None = None
        self.audio_level = 127.0  # -dBov, smoothed: 127 is silence
        self.keyframes = 0
        self.keyframe_requests = 0
        self.duplicates = 0
        self.recovered = 0
        self._unwrapper = Unwrapper()
        self._nack = NackGenerator() if kind == "video" else NackGenerator(AUDIO_NACK_AGE_S)
        self._is_keyframe = DETECTORS.get(chosen.codec.name)
        self._requested_at = -KEYFRAME_INTERVAL_S
        self._wants_keyframe = False
        self._behind = 0

    def set_ssrc(self, ssrc: int) -> None:
        """The source's SSRC was learned or changed: number anew, receivers notice nothing."""
        if ssrc == self.ssrc:
            return
        had = self.ssrc != 0
        self.ssrc = ssrc
        if had:
            self._restart()
        if self.consumers:
            self._wants_keyframe = self.kind == "video"

    def _restart(self) -> None:
        self._unwrapper = Unwrapper()
        self._nack.reset()
        self.history.clear()
        self.stats = ReceiveStats(self.chosen.codec.clock_rate)
        self.sender_report = None
        self._behind = 0
        for consumer in self.consumers:
            consumer.resync()

    def receive(
        self, number: int, timestamp: int, marker: int, padding: int, payload: bytes, level: int, now: float
    ) -> None:
        """One packet, from the source itself or mended. ``level`` is the audio level byte, -1 without."""
        unwrapper = self._unwrapper
        sequence = unwrapper.peek(number)
        if sequence < unwrapper.highest - FAR_BEHIND:
            self._behind += 1
            if self._behind < RESTART_AFTER:
                return
            self._restart()
            unwrapper = self._unwrapper
            sequence = unwrapper.peek(number)
        self._behind = 0
        # A named tuple's own constructor is a Python function: on this path its price shows.
        kept = new_tuple(Kept, (sequence, timestamp, marker, padding, payload, now))
        if not self.history.add(kept):
            self.duplicates += 1
            return
        if sequence > unwrapper.highest:
            unwrapper.highest = sequence
        self.stats.packet(sequence, timestamp, len(payload), now)
        nack = self._nack
        if sequence == nack.expected:  # in order, as nearly always
            nack.expected = sequence + 1
        elif nack.received(sequence, now):
            self._wants_keyframe = self.kind == "video"
        if level >= 0:
            self.audio_level += ((level & 0x7F) - self.audio_level) * 0.1
        elif self._is_keyframe is not None and self._is_keyframe(payload):
            self.keyframes += 1
        if self.muted:
            return
        for consumer in self.consumers:
            consumer.forward(kept, level, now)

    def set_muted(self, muted: bool) -> None:
        """Enforced here: what a muted source still sends reaches nobody."""
        if muted == self.muted:
            return
        self.muted = muted
        self.audio_level = 127.0
        if not muted:
            for consumer in self.consumers:
                consumer.resync()
            self._wants_keyframe = self.kind == "video"

    def request_keyframe(self, now: float) -> None:
        """A receiver needs a key frame: ask now, or as soon as the throttle allows."""
        if self.kind != "video" or not self.ssrc or self.feedback is None:
            self._wants_keyframe = self.kind == "video"
            return
        if now - self._requested_at < KEYFRAME_INTERVAL_S:
            self._wants_keyframe = True
            return
        self._wants_keyframe = False
        self._requested_at = now
        self.keyframe_requests += 1
        self.feedback.send_feedback(rtcp.receiver_report(1, []) + rtcp.pli(1, self.ssrc))

    def tick(self, now: float, round_trip: float) -> None:
        """Fifty times a second: requests for what is missing, key frame requests that waited."""
        if self._nack.waiting and self.feedback is not None:
            missing = self._nack.due(now, round_trip)
            if missing:
                packet = rtcp.nack(1, self.ssrc, [number & 0xFFFF for number in missing])
                self.feedback.send_feedback(rtcp.receiver_report(1, []) + packet)
        if self._wants_keyframe and self.ssrc:
            self.request_keyframe(now)

    def report_block(self, now: float) -> rtcp.ReportBlock | None:
        """What a receiver report says about this source; None before its first packet."""
        if not self.ssrc or self.stats.base < 0:
            return None
        fraction, lost, highest, jitter = self.stats.report()
        last, delay = 0, 0
        if self.sender_report is not None:
            report, arrived = self.sender_report
            last = report.ntp >> 16 & 0xFFFFFFFF
            delay = int((now - arrived) * 65536) & 0xFFFFFFFF
        return rtcp.ReportBlock(self.ssrc, fraction, lost, highest, jitter, last, delay)

    def on_sender_report(self, report: rtcp.SenderReport, now: float) -> None:
        """The source's clock: receivers get it at once when they had none, so that lips match soon."""
        self.sender_report = (report, now)
        for consumer in self.consumers:
            if not consumer.reported:
                consumer.send_report(now)

    def ceiling(self, now: float) -> int | None:
        """The bitrate (bit/s) the slowest receiver's estimate leaves for this source; None without one."""
        limits = [limit for consumer in self.consumers if (limit := consumer.ceiling(now)) is not None]
        return max(REMB_FLOOR, min(limits)) if limits else None

    def close(self) -> None:
        """End its consumers and let go of the way back."""
        for consumer in list(self.consumers):
            consumer.close()
        self.consumers.clear()
        self.history.clear()
        self.feedback = None
