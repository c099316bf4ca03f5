"""A track coming in: what is decided about it. What happens to each packet is its layers' sources (``media.path``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from media.allocation import wish
from media.demand import Demand, Wanted, wanted
from media.follower import Follower
from media.layer import LIKELY_LINES, Layer, Option
from media.meter import Look, Meter, Totals
from media.path.api import Link, Source, Tap
from media.rtp import rtcp
from media.sdp import DEPENDENCY, Chosen

if TYPE_CHECKING:
    from media.consumer import Consumer

RED_MOST = 4  # receivers: with more voices their copies cost each of them a picture
REMB_MAX_AGE_S = 5.0
REMB_FLOOR = 150_000  # bit/s; below this a picture is not worth sending, and audio has its own needs


class Feedback(Protocol):
    """The way back to the sender."""

    def send_feedback(self, packet: bytes) -> None: ...
    def watch(self, layer: Layer) -> None:
        """It waits for something: ``tick`` it until that answers False."""
        ...


class Producer:
    """One source of one participant."""

    def __init__(
        self,
        track_id: str,
        mid: str,
        source: str,
        kind: str,
        chosen: Chosen,
        feedback: Feedback,
        link: Link,
        rids: Iterable[str] = (),
    ) -> None:
        self.track_id = track_id
        self.mid = mid
        self.source = source
        self.kind = kind
        self.chosen = chosen
        self.feedback: Feedback | None = feedback
        self.consumers: list[Consumer] = []
        self.rids = tuple(rids)
        self.layers = [Layer(self, rid, link) for rid in self.rids or ("",)]
        """Its encodings, in the order of the offer: browsers list the smallest first."""
        for layer in self.layers:
            layer.track.layered = self.layered
        self.meter = Meter(moving=source == "camera")
        self.told: tuple[Totals, int] | None = None
        """What metrics have counted of it: (totals, key frame requests)."""
        self.red = False
        """Whether its packets carry RED now: when every receiver took it. Else its blocks go out alone."""
        self.described: list[int] = []  # SSRCs the description named, and their RTX
        self.described_rtx: list[int] = []
        self.demand = Demand()
        self._clock: tuple[int, int] | None = None  # (NTP, timestamp) of one moment: what layers have in common
        self._taps: dict[Tap, Follower | None] = {}  # what follows the best layer for them, where there are several
        self._followed: Layer | None = None
        self.agree(chosen)

    @property
    def layered(self) -> bool:
        """Whether it may come in several encodings."""
        return len(self.layers) > 1

    @property
    def best(self) -> Layer:
        """The largest encoding that comes, else the first."""
        if not self.layered:
            return self.layers[0]
        return next((layer for layer in reversed(self.layers) if layer.live), self.layers[0])

    @property
    def track(self) -> Source:
        """The source of the best layer."""
        return self.best.track

    @property
    def ssrc(self) -> int:
        """Of the first layer that has one; 0 before."""
        return next((layer.ssrc for layer in self.layers if layer.ssrc), 0)

    @property
    def sender_report(self) -> tuple[rtcp.SenderReport, float] | None:
        """What the sender said of the clock in which taps are told."""
        if self._followed is None or self._followed.sender_report is None:
            return self.best.sender_report
        report, arrived = self._followed.sender_report
        follower = next((each for each in self._taps.values() if each is not None), None)
        return (follower.told(report) if follower is not None else report), arrived

    @property
    def keyframe_requests(self) -> int:
        return sum(layer.keyframe_requests for layer in self.layers)

    def options(self) -> list[Option]:
        """What can be sent of it now, smallest first: encodings that come, and layers of them."""
        if not self.layered:
            return self.layers[0].options(self.layers[0].track.lines or LIKELY_LINES)
        last = len(self.layers) - 1
        found = [
            (layer.track.lines or LIKELY_LINES >> (last - index), layer)
            for index, layer in enumerate(self.layers)
            if layer.live
        ]
        options: list[Option] = []
        for lines, layer in sorted(found, key=lambda each: each[0]):
            offered = layer.options(lines)
            options += offered[-1:] if options else offered
        return options

    @property
    def scalable(self) -> bool:
        """Whether something of it can be left out."""
        return self.layered or len(self.layers[0].targets) > 1

    def wanted(self) -> Wanted:
        """What receivers show of it, and recordings keep."""
        showing = [consumer for consumer in self.consumers if not (consumer.unwanted or consumer.refused)]
        if self._taps:
            return Wanted(True, self.rids)
        lines = [
            layer.track.lines or LIKELY_LINES >> (len(self.layers) - 1 - at) for at, layer in enumerate(self.layers)
        ]
        return wanted(self.rids, [wish(lines, consumer.max_height) for consumer in showing])

    @property
    def resting(self) -> bool:
        """Whether its sender was told that nobody wants it."""
        return self.demand.told is not None and not self.demand.told.any

    def layer_of(self, track: Source | None) -> Layer | None:
        """Whose source this is."""
        return next((layer for layer in self.layers if layer.track is track), None)

    def agree(self, chosen: Chosen) -> None:
        """The payload types agreed on, first or anew; the codec stays."""
        self.chosen = chosen
        self.settle_red()

    def settle_red(self) -> None:
        """Receivers came, went or answered: RED goes to all of them or to none, so no packet is written twice."""
        red, codec = self.chosen.red, self.chosen.codec.payload_type
        taking = [consumer for consumer in self.consumers if consumer.active]
        able = 0 < len(taking) <= RED_MOST and all(consumer.takes_red for consumer in taking)
        self.red = red is not None and able
        for layer in self.layers:
            track = layer.track
            if red is None:
                track.set_types(codec, self.chosen.rtx)
                track.convert(None, None)
            elif self.red:
                track.set_types(red.payload_type, None)
                track.convert(codec, codec)
            else:
                track.set_types(codec, None)
                track.convert(red.payload_type, None)
        for consumer in taking:
            consumer.carry(self.red)

    @property
    def muted(self) -> bool:
        return self.layers[0].track.muted

    @property
    def audio_level(self) -> float:
        """Smoothed, in -dBov: 127 is silence."""
        return 127.0 if self.muted else self.layers[0].track.level

    def add_tap(self, tap: Tap) -> None:
        """Hand every new packet of the best layer to ``tap``: (unwrapped sequence, timestamp, marker, payload, time).

        Also while muted: check ``muted`` where that matters.
        """
        if not self.layered:
            self._taps[tap] = None
            self.track.add_tap(tap)
            return
        codec = self.chosen.codec
        follower = self._taps[tap] = Follower(tap, codec.name, codec.clock_rate)
        self._followed = self._followed or self.best
        follower.follow(self._followed)

    def remove_tap(self, tap: Tap) -> None:
        """No more packets for ``tap``."""
        follower = self._taps.pop(tap, None)
        if follower is not None:
            follower.follow(None)
        elif not self.layered:
            self.track.remove_tap(tap)
        if not self._taps:
            self._followed = None

    def set_ssrc(self, ssrc: int, layer: Layer | None = None) -> None:
        """A layer's SSRC was learned or changed."""
        (layer or self.layers[0]).set_ssrc(ssrc)

    @property
    def can_ask(self) -> bool:
        """Whether its sender takes requests for key frames."""
        return self.kind == "video" and ("nack pli" in self.chosen.feedback or "ccm fir" in self.chosen.feedback)

    def set_muted(self, muted: bool) -> None:
        """Enforced here: what a muted source still sends reaches nobody."""
        if muted == self.muted:
            return
        for layer in self.layers:
            layer.track.muted = muted
            if not muted:
                layer.track.resync()
                if layer.ssrc:
                    layer.want_keyframe()

    def request_keyframe(self, now: float) -> None:
        """Somebody needs a key frame of the best layer."""
        self.best.request_keyframe(now)

    def look(self, now: float) -> None:
        """A few times a second: its counters, for the meter."""
        tracks = [layer.track for layer in self.layers]
        received, octets = sum(track.received for track in tracks), sum(track.octets for track in tracks)
        lost, keyframes = sum(track.lost for track in tracks), sum(track.keyframes for track in tracks)
        self.meter.look(Look(now, received, octets, lost, keyframes), muted=self.muted or not self.ssrc or self.resting)
        if not self.layered:
            self.layers[0].bitrate = self.meter.bitrate

    def look_at_layers(self, now: float) -> bool:
        """Ten times a second: True when an encoding came to life or died, or other layers can be sent."""
        news = [layer.has_news for layer in self.layers]
        changed = [
            layer.look(now, any(news[:at] + news[at + 1 :])) for at, layer in enumerate(self.layers) if self.layered
        ]
        if DEPENDENCY in self.chosen.extensions:
            changed += [layer.look_at_targets(now) for layer in self.layers]
        best = self.best
        if self._followed is not None and best is not self._followed and best.live:
            self._followed = best
            for follower in self._taps.values():
                if follower is not None:
                    follower.follow(best)
            best.request_keyframe(now)
        return any(changed)

    def on_sender_report(self, layer: Layer, report: rtcp.SenderReport, now: float) -> None:
        """A layer's clock: receivers get it at once when they had none, so that lips match soon."""
        layer.sender_report = (report, now)
        if self.layered:
            rate = self.chosen.codec.clock_rate
            self._clock = self._clock or (report.ntp, report.timestamp)
            ntp, timestamp = self._clock
            # Every layer's clock begins anywhere; what they have in common is the sender's time of day.
            common = timestamp + (report.ntp - ntp) * rate // (1 << 32)
            layer.track.shift = (common - report.timestamp) & 0xFFFFFFFF
        for consumer in self.consumers:
            if not consumer.reported:
                consumer.send_report(now)

    def ceiling(self, now: float) -> int | None:
        """The bitrate (bit/s) the slowest receiver's estimate leaves for this source; None without one.

        With several encodings no receiver limits the sender: each gets the one that fits.
        """
        if sum(layer.live for layer in self.layers) > 1:
            return None
        limits = [limit for consumer in self.consumers if (limit := consumer.ceiling(now)) is not None]
        if not limits:
            return None
        targets = self.layers[0].targets
        if len(targets) > 1 and targets[0][3]:
            # Whoever can take less gets less of the layers, but the least must fit everybody.
            share = targets[-1][3] / targets[0][3]
            return max(REMB_FLOOR, int(min(max(limits), min(limits) * max(1.0, share))))
        return max(REMB_FLOOR, min(limits))

    def close(self) -> None:
        """End its consumers and let go of the way back."""
        for consumer in list(self.consumers):
            consumer.close()
        self.consumers.clear()
        for layer in self.layers:
            layer.close()
        self._taps.clear()
        self.feedback = None
