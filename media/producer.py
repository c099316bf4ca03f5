"""A track coming in: what is decided about it. What happens to each packet is its ``track`` (``media.path``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from media.meter import Look, Meter, Totals
from media.path.api import Link, Source, Tap
from media.rtp import rtcp
from media.sdp import Chosen

if TYPE_CHECKING:
    from media.consumer import Consumer

KEYFRAME_INTERVAL_S = 0.5  # key frames are large: one request serves everybody within this time
NEWCOMER_INTERVAL_S = 0.1  # somebody who has no picture at all waits less
REMIND_S = 0.08  # an encoder needs some 50 ms for a key frame
KEYFRAME_TRIES = 8
REMB_MAX_AGE_S = 5.0
REMB_FLOOR = 150_000  # bit/s; below this a picture is not worth sending, and audio has its own needs


class Feedback(Protocol):
    """The way back to the sender."""

    def send_feedback(self, packet: bytes) -> None: ...
    def watch(self, producer: Producer) -> None:
        """It waits for something: ``tick`` it until that answers False."""
        ...


class Producer:
    """One source of one participant."""

    def __init__(
        self, track_id: str, mid: str, source: str, kind: str, chosen: Chosen, feedback: Feedback, link: Link
    ) -> None:
        self.track_id = track_id
        self.mid = mid
        self.source = source
        self.kind = kind
        self.chosen = chosen
        self.feedback: Feedback | None = feedback
        self.track: Source = link.source(self, kind, chosen.codec.name, chosen.codec.clock_rate)
        self.consumers: list[Consumer] = []
        self.meter = Meter(moving=source == "camera")
        self.told: tuple[Totals, int] | None = None
        """What metrics have counted of it: (totals, key frame requests)."""
        self.red = False
        """Whether its packets carry RED now: when every receiver took it. Else its blocks go out alone."""
        self.ssrc = 0
        self.described: list[int] = []  # SSRCs the description named, and their RTX
        self.described_rtx: list[int] = []
        self.sender_report: tuple[rtcp.SenderReport, float] | None = None
        self.keyframe_requests = 0
        self._requested_at = -KEYFRAME_INTERVAL_S
        self._wants_keyframe = False
        self._newcomer = False
        self._awaited: int | None = None  # key frames had come when one was asked for that has not come yet
        self._tries = 0
        self._fir_number = 0
        self.agree(chosen)

    def agree(self, chosen: Chosen) -> None:
        """The payload types agreed on, first or anew; the codec stays."""
        self.chosen = chosen
        self.settle_red()

    def settle_red(self) -> None:
        """Receivers came, went or answered: RED goes to all of them or to none, so no packet is written twice."""
        red, codec = self.chosen.red, self.chosen.codec.payload_type
        taking = [consumer for consumer in self.consumers if consumer.active]
        self.red = red is not None and bool(taking) and all(consumer.takes_red for consumer in taking)
        if red is None:
            self.track.set_types(codec, self.chosen.rtx)
            self.track.convert(None, None)
        elif self.red:
            self.track.set_types(red.payload_type, None)
            self.track.convert(codec, codec)
        else:
            self.track.set_types(codec, None)
            self.track.convert(red.payload_type, None)
        for consumer in taking:
            consumer.carry(self.red)

    @property
    def muted(self) -> bool:
        return self.track.muted

    @property
    def audio_level(self) -> float:
        """Smoothed, in -dBov: 127 is silence."""
        return 127.0 if self.muted else self.track.level

    def add_tap(self, tap: Tap) -> None:
        """Hand every new packet to ``tap``: (unwrapped sequence, timestamp, marker, payload, time).

        Also while muted: check ``muted`` where that matters.
        """
        self.track.add_tap(tap)

    def remove_tap(self, tap: Tap) -> None:
        """No more packets for ``tap``."""
        self.track.remove_tap(tap)

    def set_ssrc(self, ssrc: int) -> None:
        """The source's SSRC was learned or changed: number anew, receivers notice nothing."""
        if ssrc == self.ssrc:
            return
        had = self.ssrc != 0
        self.ssrc = ssrc
        if had:
            self.track.restart()
            self.sender_report = None
        if self.consumers:
            self._want_keyframe()

    # What the track says

    def attention(self) -> None:
        """Packets are missing."""
        if self.feedback is not None:
            self.feedback.watch(self)

    def gap(self) -> None:
        """Too many are: the picture begins anew."""
        self._want_keyframe()

    def restarted(self) -> None:
        """The sender numbers anew; its clock may be another."""
        self.sender_report = None

    def _want_keyframe(self) -> None:
        if self._can_ask:
            self._wants_keyframe = True
            self.attention()

    @property
    def _can_ask(self) -> bool:
        return self.kind == "video" and ("nack pli" in self.chosen.feedback or "ccm fir" in self.chosen.feedback)

    def set_muted(self, muted: bool) -> None:
        """Enforced here: what a muted source still sends reaches nobody."""
        if muted == self.muted:
            return
        self.track.muted = muted
        if not muted:
            self.track.resync()
            self._want_keyframe()

    def request_keyframe(self, now: float, *, newcomer: bool = False) -> None:
        """A receiver needs a key frame: ask now, or as soon as the throttle allows; again when none comes."""
        if self.feedback is None or not self._can_ask:
            return
        self._newcomer |= newcomer
        interval = NEWCOMER_INTERVAL_S if self._newcomer else KEYFRAME_INTERVAL_S
        if not self.ssrc or now - self._requested_at < interval:
            self._want_keyframe()
            return
        self._wants_keyframe = self._newcomer = False
        self.keyframe_requests += 1
        self._awaited, self._tries = self.track.keyframes, KEYFRAME_TRIES
        self._fir_number += 1  # another number is another request (RFC 5104, 4.3.1.2)
        self._ask_keyframe(now)
        self.attention()

    def _ask_keyframe(self, now: float) -> None:
        if self.feedback is None:
            return
        self._requested_at = now
        self._tries -= 1
        pli = "nack pli" in self.chosen.feedback
        request = rtcp.pli(1, self.ssrc) if pli else rtcp.fir(1, self.ssrc, self._fir_number)
        self.feedback.send_feedback(rtcp.receiver_report(1, []) + request)

    def _remind(self, now: float, round_trip: float) -> None:
        """Ask again: the request may have been lost, and Chromium ignores one within 0.3 s of another."""
        if self.track.keyframes != self._awaited or self._tries <= 0 or self.muted:
            self._awaited = None
        elif now - self._requested_at >= max(REMIND_S, round_trip * 1.2):
            self._ask_keyframe(now)

    def tick(self, now: float, round_trip: float) -> bool:
        """Fifty times a second: requests for what is missing, key frame requests that waited. False: no need."""
        if self.feedback is None:
            return False
        if self.track.waiting:
            missing = self.track.due(now, round_trip)
            if missing and "nack" not in self.chosen.feedback:
                self._want_keyframe()  # nothing else would mend the picture
            elif missing:
                packet = rtcp.nack(1, self.ssrc, [number & 0xFFFF for number in missing])
                self.feedback.send_feedback(rtcp.receiver_report(1, []) + packet)
        if self._awaited is not None:
            self._remind(now, round_trip)
        if self._wants_keyframe and self.ssrc:
            self.request_keyframe(now)
        return self._wants_keyframe or self._awaited is not None or self.track.waiting

    def look(self, now: float) -> None:
        """A few times a second: its counters, for the meter."""
        track = self.track
        self.meter.look(
            Look(now, track.received, track.octets, track.lost, track.keyframes), muted=self.muted or not self.ssrc
        )

    def report_block(self, now: float) -> rtcp.ReportBlock | None:
        """What a receiver report says about this source; None before its first packet."""
        if not self.ssrc or not self.track.started:
            return None
        fraction, lost, highest, jitter = self.track.report()
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
        self.track.close()
        self.feedback = None
