"""A worker's figures for Prometheus. Labels name kinds of things, never people, visits or tracks."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from core.telemetry import REGISTRY
from media.meter import Totals
from media.participant import Participant
from media.producer import Producer

RATIOS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
SECONDS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
BITRATES = (16e3, 32e3, 64e3, 128e3, 256e3, 512e3, 1e6, 2e6, 4e6)


class Metrics:
    """Brought up to date once an interval, from counters; ``observe`` once for all participants."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"bedside_media_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"bedside_media_{name}", text, labels, buckets=buckets, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"bedside_media_{name}", text, registry=registry)

        self._rooms = gauge("rooms", "Rooms on this worker.")
        self._participants = gauge("participants", "People on this worker.")
        self._path = Gauge("bedside_media_path", "1 for the path that forwards packets.", ["path"], registry=registry)
        self._load = gauge("load", "Share of a processor this worker used lately.")
        self._packets = counter("packets", "RTP packets of tracks received.", "source", "codec")
        self._bytes = counter("payload_bytes", "Payload of tracks received.", "source", "codec")
        self._lost = counter("lost_packets", "Packets of publishers that never came.", "source", "codec")
        self._freezes = counter("freezes", "Times a camera's picture stood still.", "codec")
        self._frozen = counter("frozen_seconds", "Time cameras' pictures stood still.", "codec")
        self._asked = counter("keyframe_requests", "Key frames asked for.", "source", "codec")
        self._resent = counter("resent_packets", "Packets sent again to receivers.")
        self._drops = counter("drops", "Packets dropped, by reason.", "reason")
        self._bitrate = histogram("track_bitrate", "Bits a second of tracks.", BITRATES, "source")
        self._jitter = histogram("track_jitter_seconds", "Jitter of tracks.", SECONDS, "source")
        self._loss_in = histogram("loss_in_ratio", "Loss from publishers.", RATIOS, "source")
        self._loss_out = histogram("loss_out_ratio", "Loss that receivers report.", RATIOS)
        self._round_trip = histogram("round_trip_seconds", "Round trips to receivers.", SECONDS)
        self._estimate = histogram("receiver_estimate", "Bits a second that fit the ways to receivers.", BITRATES)
        self._waiting = gauge("paced_packets", "Packets that wait until their receiver's rate has room.")
        self._probes = counter("probes", "Trains of packets that tried whether more fits.")
        self._probed = counter("probed_bytes", "Bytes sent to try whether more fits.")
        self._dropped: Tally[str] = Tally()

    def forwarding(self, path: str) -> None:
        """Which path the worker took."""
        self._path.labels(path).set(1)

    def observe(self, rooms: int, participants: Iterable[Participant], load: float, drops: dict[str, int]) -> None:
        """One interval has passed."""
        people = list(participants)
        self._rooms.set(rooms)
        self._participants.set(len(people))
        self._load.set(load)
        for reason, count in drops.items():
            self._drops.labels(reason).inc(max(0, count - self._dropped[reason]))
            self._dropped[reason] = max(count, self._dropped[reason])
        waiting = 0
        for participant in people:
            for producer in participant.producers():
                self._track(producer)
            downlink = participant.outgoing.downlink if participant.outgoing is not None else None
            if downlink is not None:
                figures, (probes, probed) = downlink.figures(), downlink.news()
                waiting += figures["waiting"]
                self._probes.inc(probes)
                self._probed.inc(probed)
                if figures["estimate"]:
                    self._estimate.observe(figures["estimate"])
            for consumer in participant.outgoing.consumers if participant.outgoing is not None else []:
                self._resent.inc(consumer.news())
                if consumer.active and consumer.packets:
                    self._loss_out.observe(consumer.fraction_lost)
            if participant.round_trip:
                self._round_trip.observe(participant.round_trip)
        self._waiting.set(waiting)

    def _track(self, producer: Producer) -> None:
        source, codec = producer.source, producer.chosen.codec.name
        asked, before = producer.keyframe_requests, producer.told
        now = producer.meter.totals
        old, told = before if before is not None else (Totals(), 0)
        producer.told = (now, asked)
        self._packets.labels(source, codec).inc(now.received - old.received)
        self._bytes.labels(source, codec).inc(now.octets - old.octets)
        self._lost.labels(source, codec).inc(now.lost - old.lost)
        self._asked.labels(source, codec).inc(asked - told)
        if source == "camera":
            self._freezes.labels(codec).inc(now.freezes - old.freezes)
            self._frozen.labels(codec).inc(now.frozen_s - old.frozen_s)
        if now.received > old.received:
            self._bitrate.labels(source).observe(producer.meter.bitrate)
            self._jitter.labels(source).observe(producer.track.jitter_ms / 1000)
            self._loss_in.labels(source).observe(producer.track.fraction)
