"""One encoding of a track coming in: an SSRC, a source of the path, key frames asked for, reports.

Most tracks have one. A camera with simulcast has up to four, of the same pictures in several sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from media.path.api import Link, Source
from media.rtp import rtcp

if TYPE_CHECKING:
    from media.producer import Producer

KEYFRAME_INTERVAL_S = 0.5  # key frames are large: one request serves everybody within this time
NEWCOMER_INTERVAL_S = 0.1  # somebody who has no picture at all waits less
REMIND_S = 0.08  # an encoder needs some 50 ms for a key frame
KEYFRAME_TRIES = 8
LIKELY_LINES = 720  # of the largest encoding, each smaller one having half: where packets don't tell
STOPPED_S = 0.4  # an encoding that says nothing while others go on for so long: its sender has stopped it
GONE_S = 10.0  # none says anything
RATE_WINDOW_S = 1.0


class Option(NamedTuple):
    """What can be sent of a picture: an encoding, whole or only some of its layers."""

    layer: Layer
    lines: int
    bitrate: int
    """Measured, in bit/s; 0 while unknown."""
    aim: tuple[int, int] | None = None
    """The highest (spatial, temporal) layers; None: all."""


class Layer:
    """Owned by its producer; the handler of its source."""

    def __init__(self, producer: Producer, rid: str, link: Link) -> None:
        codec = producer.chosen.codec
        self.producer: Producer | None = producer
        """None once closed."""
        self.rid = rid
        self.track: Source = link.source(self, producer.kind, codec.name, codec.clock_rate)
        self.ssrc = 0
        self.sender_report: tuple[rtcp.SenderReport, float] | None = None
        self.keyframe_requests = 0
        self.live = False
        """Whether packets come: only looked at where there are several."""
        self.bitrate = 0
        """Bits a second of payload, lately."""
        self.targets: list[tuple[int, int, int, int]] = []
        """What of its layers can be sent, smallest first: (spatial, temporal, lines, bit/s lately)."""
        self._targets_from: tuple[float, dict[tuple[int, int], int]] = 0.0, {}
        self._heard = 0.0, 0  # when packets came last, and how many had by then
        self._outrun_at: float | None = None  # others sent since then, this one nothing
        self._rate_from: tuple[float, int] | None = None
        self._requested_at = -KEYFRAME_INTERVAL_S
        self._wants_keyframe = False
        self._newcomer = False
        self._awaited: int | None = None  # key frames had come when one was asked for that has not come yet
        self._tries = 0
        self._fir_number = 0

    def set_ssrc(self, ssrc: int) -> None:
        """Its SSRC was learned or changed: number anew, receivers notice nothing."""
        if ssrc == self.ssrc:
            return
        had = self.ssrc != 0
        self.ssrc = ssrc
        if had:
            self.track.restart()
            self._forget_clock()
        if self.producer is not None and self.producer.consumers:
            self.want_keyframe()

    @property
    def has_news(self) -> bool:
        """Whether packets have come since the last look."""
        return self.track.received != self._heard[1]

    def look(self, now: float, others: bool) -> bool:
        """Ten times a second where there are several: whether it lives, its rate. True when it came to life or died.

        ``others``: another one has news. A slow computer sends a picture a second and less: only against its
        siblings can be told whether an encoding has stopped.
        """
        received, octets = self.track.received, self.track.octets
        stopped = False
        if received != self._heard[1]:
            self._heard, self._outrun_at = (now, received), None
        elif others:
            self._outrun_at = now if self._outrun_at is None else self._outrun_at
            stopped = now - self._outrun_at >= STOPPED_S
        stopped |= not self.live and self._outrun_at is not None
        live = bool(self.ssrc) and received > 0 and not stopped and now - self._heard[0] < GONE_S
        if not live:
            self.bitrate, self._rate_from = 0, None
        elif self._rate_from is None or octets < self._rate_from[1]:
            self._rate_from = now, octets
        elif now - self._rate_from[0] >= RATE_WINDOW_S:
            since, before = self._rate_from
            self.bitrate = int((octets - before) * 8 / (now - since))
            self._rate_from = now, octets
        changed, self.live = live != self.live, live
        return changed

    def look_at_targets(self, now: float) -> bool:
        """Ten times a second: the rates of what of its layers can be sent. True when others can."""
        found = self.track.targets
        if not found and not self.targets:
            return False
        since, before = self._targets_from
        octets = {(each.spatial, each.temporal): each.octets for each in found}
        known = {(spatial, temporal): rate for spatial, temporal, _, rate in self.targets}
        rates = known
        if octets.keys() != before.keys() or any(octets[key] < before[key] for key in octets):
            self._targets_from = now, octets
        elif now - since >= RATE_WINDOW_S:
            rates = {key: int((octets[key] - before[key]) * 8 / (now - since)) for key in octets}
            self._targets_from = now, octets
        largest = max((each.spatial for each in found), default=0)
        self.targets = [
            (
                each.spatial,
                each.temporal,
                each.lines or (self.track.lines or LIKELY_LINES) >> (largest - each.spatial),
                rates.get((each.spatial, each.temporal), 0),
            )
            for each in found
        ]
        return known.keys() != octets.keys()

    def options(self, lines: int) -> list[Option]:
        """What can be sent of it, smallest first. ``lines``: of all of it, where it does not tell.

        Pictures are left out of the smallest size alone: where there is room for a larger one it moves well, too.
        """
        if not self.targets:
            return [Option(self, lines, self.bitrate)]
        smallest = self.targets[0][0]
        best = {spatial: temporal for spatial, temporal, _, _ in self.targets}
        return [
            Option(self, height, rate, (spatial, temporal))
            for spatial, temporal, height, rate in self.targets
            if spatial == smallest or temporal == best[spatial]
        ]

    # What the source says

    def attention(self) -> None:
        """Packets are missing."""
        if self.producer is not None and self.producer.feedback is not None:
            self.producer.feedback.watch(self)

    def gap(self) -> None:
        """Too many are: the picture begins anew."""
        self.want_keyframe()

    def restarted(self) -> None:
        """The sender numbers anew; its clock may be another."""
        self._forget_clock()

    def _forget_clock(self) -> None:
        self.sender_report = None
        self.track.shift = None

    # Key frames

    def want_keyframe(self) -> None:
        """Ask for a key frame as soon as the throttle allows."""
        if self.producer is not None and self.producer.can_ask:
            self._wants_keyframe = True
            self.attention()

    def request_keyframe(self, now: float, *, newcomer: bool = False) -> None:
        """A receiver needs a key frame: ask now, or as soon as the throttle allows; again when none comes."""
        if self.producer is None or not self.producer.can_ask:
            return
        self._newcomer |= newcomer
        interval = NEWCOMER_INTERVAL_S if self._newcomer else KEYFRAME_INTERVAL_S
        if not self.ssrc or now - self._requested_at < interval:
            self.want_keyframe()
            return
        self._wants_keyframe = self._newcomer = False
        self.keyframe_requests += 1
        self._awaited, self._tries = self.track.keyframes, KEYFRAME_TRIES
        self._fir_number += 1  # another number is another request (RFC 5104, 4.3.1.2)
        self._ask_keyframe(now)
        self.attention()

    @property
    def awaits_keyframe(self) -> bool:
        """Whether one has been asked for that has not come."""
        return self._wants_keyframe or self._awaited is not None

    def _ask_keyframe(self, now: float) -> None:
        producer = self.producer
        if producer is None or producer.feedback is None:
            return
        self._requested_at = now
        self._tries -= 1
        pli = "nack pli" in producer.chosen.feedback
        request = rtcp.pli(1, self.ssrc) if pli else rtcp.fir(1, self.ssrc, self._fir_number)
        producer.feedback.send_feedback(rtcp.receiver_report(1, []) + request)

    def _remind(self, now: float, round_trip: float) -> None:
        """Ask again: the request may have been lost, and Chromium ignores one within 0.3 s of another."""
        if self.track.keyframes != self._awaited or self._tries <= 0 or self.track.muted:
            self._awaited = None
        elif now - self._requested_at >= max(REMIND_S, round_trip * 1.2):
            self._ask_keyframe(now)

    def tick(self, now: float, round_trip: float) -> bool:
        """Fifty times a second: requests for what is missing, key frame requests that waited. False: no need."""
        producer = self.producer
        if producer is None or producer.feedback is None:
            return False
        if self.track.waiting:
            missing = self.track.due(now, round_trip)
            if missing and "nack" not in producer.chosen.feedback:
                self.want_keyframe()  # nothing else would mend the picture
            elif missing:
                packet = rtcp.nack(1, self.ssrc, [number & 0xFFFF for number in missing])
                producer.feedback.send_feedback(rtcp.receiver_report(1, []) + packet)
        if self._awaited is not None:
            self._remind(now, round_trip)
        if self._wants_keyframe and self.ssrc:
            self.request_keyframe(now)
        return self._wants_keyframe or self._awaited is not None or self.track.waiting

    # Reports

    def report_block(self, now: float) -> rtcp.ReportBlock | None:
        """What a receiver report says about it; None before its first packet."""
        if not self.ssrc or not self.track.started:
            return None
        fraction, lost, highest, jitter = self.track.report()
        last, delay = 0, 0
        if self.sender_report is not None:
            report, arrived = self.sender_report
            last = report.ntp >> 16 & 0xFFFFFFFF
            delay = int((now - arrived) * 65536) & 0xFFFFFFFF
        return rtcp.ReportBlock(self.ssrc, fraction, lost, highest, jitter, last, delay)

    def close(self) -> None:
        """The track ends."""
        self.track.close()
        self.producer = None
