"""The sending half of a subscribe connection: SDP offers, consumers, what receivers report and ask for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from media import sdp
from media.allocation import LAST_N, Allocator, Encoding, Shown
from media.codecs import OPUS_TYPE, RED_TYPE, compatible
from media.connection import Connection
from media.consumer import Consumer
from media.downlink import Downlink
from media.errors import InvalidSdp
from media.layer import Option
from media.producer import REMB_MAX_AGE_S, Producer
from media.rtp import rtcp

EXTENSION_IDS = {sdp.AUDIO_LEVEL: 1, sdp.ABS_SEND_TIME: 2, sdp.TRANSPORT_CC: 3, sdp.MID: 4, sdp.DEPENDENCY: 5}
OFFERED_EXTENSIONS = {
    "audio": (sdp.AUDIO_LEVEL, sdp.TRANSPORT_CC, sdp.MID),
    "video": (sdp.ABS_SEND_TIME, sdp.TRANSPORT_CC, sdp.MID),
}
OFFERED_FEEDBACK = {
    "audio": ["nack", "transport-cc"],
    "video": ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"],
}
CEILING_GROWTH = 1.08  # a second, once the congestion is over
CEILING_GONE = 5_000_000  # bit/s; no sender reaches it
CEILING_STEP = 0.85  # of what left, where a receiver reports congestion and tells no rate
CEILING_FLOOR = 100_000
SOUND_BITRATE = 48_000  # of the estimate, for each voice
WANTED_MOST, WANTED_LEAST = 3_000_000, 300_000  # bit/s of one picture
WANTED_GROWTH = 3  # times what a picture has now: as its estimate grows it may grow
VIDEO_PAYLOAD_TYPES = tuple(range(96, 110)) + tuple(range(112, 127))


@dataclass
class Slot:
    """One media section of the subscribe connection; it outlives its consumer and is used again."""

    mid: str
    kind: str
    consumer: Consumer | None
    chosen: sdp.Chosen  # what was last offered here
    stream: str = ""


class Outgoing:
    """Owns a connection's outgoing tracks."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.slots: list[Slot] = []
        self._by_ssrc: dict[int, Consumer] = {}
        self._payload_types: dict[tuple[str, str], tuple[int, int]] = {}  # (codec, parameters) -> (its, its RTX's)
        self._remb: tuple[int, float] | None = None
        self._ceiling: float | None = None
        self._left = (0, 0.0)  # bytes, when
        self.downlink: Downlink | None = None
        """Of a receiver that gives transport-wide feedback."""
        self.wanted: int | None = None
        """Bits a second that would be sent if they fit; None: guessed from what is sent."""
        self.on_estimate: Callable[[float], None] | None = None
        """Called with the time when ``estimate`` has changed much."""
        self._allocator = Allocator()
        self._session = secrets.randbits(62)
        self._version = 0

    def add(self, producer: Producer, stream: str) -> Consumer | None:
        """A consumer for the producer, in a free section or a new one; the next offer tells of it."""
        free = next((slot for slot in self.slots if slot.consumer is None and slot.kind == producer.kind), None)
        if free is None and len(self.slots) >= sdp.MAX_MEDIA:
            return None
        mid = free.mid if free is not None else f"s{len(self.slots)}"
        ssrc, rtx_ssrc = self._new_ssrc(), 0
        chosen = self._offerable(producer)
        if chosen is None:
            return None
        if chosen.rtx is not None:
            rtx_ssrc = self._new_ssrc()
        consumer = Consumer(producer, self, mid, ssrc, rtx_ssrc, secrets.randbelow(32768))
        self._by_ssrc[ssrc] = consumer
        if free is None:
            self.slots.append(Slot(mid, producer.kind, consumer, chosen, stream))
        else:
            free.consumer, free.chosen, free.stream = consumer, chosen, stream
        producer.consumers.append(consumer)
        return consumer

    def _new_ssrc(self) -> int:
        while True:
            ssrc = secrets.randbits(32)
            if ssrc > 1 and ssrc not in self._by_ssrc:
                return ssrc

    def _offerable(self, producer: Producer) -> sdp.Chosen | None:
        codec = producer.chosen.codec
        extensions = {uri: EXTENSION_IDS[uri] for uri in OFFERED_EXTENSIONS[producer.kind]}
        if sdp.DEPENDENCY in producer.chosen.extensions:
            extensions[sdp.DEPENDENCY] = EXTENSION_IDS[sdp.DEPENDENCY]
        feedback = OFFERED_FEEDBACK[producer.kind]
        if producer.kind == "audio":
            mine = sdp.Codec(OPUS_TYPE, codec.name, codec.clock_rate, codec.channels, codec.parameters)
            red = producer.chosen.red
            if red is not None:
                red = sdp.Codec(RED_TYPE, red.name, red.clock_rate, red.channels)
            return sdp.Chosen(mine, None, extensions, feedback, red)
        key = (codec.name, codec.parameters)
        if key not in self._payload_types:
            at = 2 * len(self._payload_types)
            if at + 1 >= len(VIDEO_PAYLOAD_TYPES):
                return None
            self._payload_types[key] = VIDEO_PAYLOAD_TYPES[at], VIDEO_PAYLOAD_TYPES[at + 1]
        own, rtx = self._payload_types[key]
        return sdp.Chosen(sdp.Codec(own, codec.name, codec.clock_rate, 1, codec.parameters), rtx, extensions, feedback)

    def remove(self, consumer: Consumer) -> None:
        """Called by a consumer that closes; its section becomes inactive with the next offer."""
        self._by_ssrc.pop(consumer.ssrc, None)
        for slot in self.slots:
            if slot.consumer is consumer:
                slot.consumer = None

    @property
    def consumers(self) -> list[Consumer]:
        return list(self._by_ssrc.values())

    def offer(self, candidates: list[str]) -> str:
        """The whole connection as it should be now."""
        self._version += 1
        credentials = self.connection.credentials
        local = sdp.Local(
            self._session,
            self._version,
            credentials.ufrag,
            credentials.password,
            self.connection.fingerprint,
            candidates,
            mixed=True,
        )
        sections = []
        for slot in self.slots:
            consumer = slot.consumer
            section = sdp.Section(slot.kind, "UDP/TLS/RTP/SAVPF", slot.mid, "inactive", slot.chosen)
            if consumer is not None and consumer.producer is not None:
                section.direction = "sendonly"
                section.ssrc, section.rtx_ssrc = consumer.ssrc, consumer.rtx_ssrc
                section.stream, section.track = slot.stream, consumer.producer.track_id
            sections.append(section)
        return sdp.write(local, "actpass", sections)

    def tracks(self) -> list[tuple[str, Producer]]:
        """(mid, producer) of every section in use."""
        return [(s.mid, s.consumer.producer) for s in self.slots if s.consumer is not None and s.consumer.producer]

    def answer(self, description: sdp.Description, offered: set[str], now: float) -> list[Producer]:
        """Apply an answer to the offer that had the mids ``offered``. Raises InvalidSdp.

        Returns the tracks that this answer refuses: their codec is not one the receiver decodes.
        """
        if description.setup not in ("active", "actpass", ""):
            raise InvalidSdp("the answer must take the active DTLS role")
        new_peer = not self.connection.same_peer(description.fingerprints)
        self.connection.set_remote(description.fingerprints, now)
        by_mid = {media.mid: media for media in description.media}
        refused: list[Producer] = []
        for slot in self.slots:
            consumer, media = slot.consumer, by_mid.get(slot.mid)
            if consumer is None or slot.mid not in offered or consumer.producer is None:
                continue
            accepted = media is not None and _accepted(slot.chosen, media)
            if not accepted or media is None:
                if not consumer.refused:
                    refused.append(consumer.producer)
                consumer.refuse()
                continue
            began = not consumer.active or new_peer
            agreed = _agreed(slot.chosen, media)
            if not description.mixed:
                agreed.extensions.pop(sdp.DEPENDENCY, None)
            consumer.accept(agreed)
            if new_peer:
                consumer.resync()
            if self.downlink is None and sdp.TRANSPORT_CC in agreed.extensions and agreed.rtx is not None:
                self.downlink = Downlink(self.connection, now)
            if began:
                consumer.begin(now)
            if began and self.connection.ready:  # else `connected` asks: sooner it would be spent on nobody
                consumer.request_keyframe(now, newcomer=True)
        return refused

    # What the receiver says

    def parts(self, parts: list[rtcp.Part], now: float) -> None:
        """Reports and requests about our SSRCs; others are ignored."""
        for part in parts:
            if isinstance(part, rtcp.ReportBlock):
                if (consumer := self._by_ssrc.get(part.ssrc)) is not None:
                    consumer.on_report(part, now)
            elif isinstance(part, rtcp.Nack):
                if (consumer := self._by_ssrc.get(part.media_ssrc)) is not None:
                    consumer.resend(part.sequences, now)
            elif isinstance(part, rtcp.KeyframeRequest):
                consumer = self._by_ssrc.get(part.media_ssrc)
                if consumer is not None:
                    consumer.request_keyframe(now)
            elif isinstance(part, rtcp.TwccFeedback):
                self.connection.link.acknowledge(part.body)
            elif isinstance(part, rtcp.Remb):
                self._remb = (part.bitrate, now)

    def estimate(self, now: float) -> int | None:
        """Bits a second that fit the way to this receiver; None where nothing limits it or nothing is known."""
        if self.downlink is not None and self.downlink.estimate is not None:
            return self.downlink.estimate
        return None if self._ceiling is None else int(self._ceiling)

    def allocate(self, now: float, spoke: Sequence[str]) -> None:
        """Choose what goes out of every picture. ``spoke``: whose, the one who speaks first."""
        estimate, sound = self.estimate(now), 0
        consumers: dict[str, Consumer] = {}
        for consumer in self._by_ssrc.values():
            producer = consumer.producer
            if producer is None or consumer.refused:
                continue
            if producer.kind == "audio":
                sound += producer.meter.bitrate
            elif not consumer.unwanted and not producer.muted:
                consumers[producer.track_id] = consumer
        if estimate is None and len(consumers) <= LAST_N and not any(one.has_choice for one in consumers.values()):
            self.wanted = None
            return  # as in most visits: everything fits, and there is one encoding of everything
        shown: list[Shown] = []
        options: dict[str, list[Option]] = {}
        self.wanted = sound
        for key, consumer in consumers.items():
            if (producer := consumer.producer) is not None and (found := producer.options()):
                one = _shown(key, consumer, found, spoke)
                adapts = one.adapts or not producer.layered
                self.wanted += _likely(one.encodings[-1].bitrate) if adapts else one.encodings[one.wish].cost
                shown.append(one)
                options[key] = found
        for key, index in self._allocator.decide(estimate, sound, shown, now).items():
            consumers[key].choose(options[key][index] if index is not None else None, now)

    def share(self, now: float) -> int | None:
        """What the way to this receiver leaves for each picture; None without an estimate."""
        estimate = self.estimate(now)
        if estimate is None:
            return None
        playing = [c for c in self._by_ssrc.values() if c.active and not c.paused]
        videos = sum(1 for c in playing if c.rtx_ssrc)
        return max(0, estimate - SOUND_BITRATE * (len(playing) - videos)) // max(1, videos)

    def look(self, now: float) -> None:
        """Ten times a second: what the receiver's feedback tells."""
        downlink = self.downlink
        if downlink is None:
            return
        padding = next((c.track for c in self._by_ssrc.values() if c.repeats), None)
        if downlink.look(self.wants(), padding, now) and self.on_estimate is not None:
            self.on_estimate(now)
        if downlink.choked():
            for consumer in self._by_ssrc.values():
                if consumer.choked() and consumer.producer is not None:
                    consumer.producer.request_keyframe(now)

    def wants(self) -> int:
        """Bits a second that would be sent if they fitted."""
        return self.wanted if self.wanted is not None else self._guess()

    def _guess(self) -> int:
        """The same, where nobody says."""
        wanted = 0
        for consumer in self._by_ssrc.values():
            producer = consumer.producer
            if producer is not None and producer.kind == "video" and consumer.active and not consumer.paused:
                wanted += _likely(producer.meter.bitrate)
        return wanted

    def _limit(self, now: float) -> None:
        """Without transport-wide feedback: believe the receiver's own estimate (REMB), or its reports where it
        gives none, only while it loses packets or its round trip grows.

        Without congestion a REMB merely follows what is sent, and would hold it down for good.
        """
        left, since = self._left
        self._left = (self.connection.link.bytes_out, now)
        former = self._ceiling
        if any(consumer.congested(now) for consumer in self._by_ssrc.values()):
            if self._remb is not None and now - self._remb[1] < REMB_MAX_AGE_S:
                self._ceiling = float(self._remb[0])
            elif since:
                rate = (self._left[0] - left) * 8 / max(0.1, now - since) * CEILING_STEP
                self._ceiling = max(CEILING_FLOOR, rate if former is None else min(former, rate))
        elif self._ceiling is not None:
            self._ceiling *= CEILING_GROWTH
            if self._ceiling > CEILING_GONE:
                self._ceiling = None
        if self._ceiling != former and self.downlink is None and self.on_estimate is not None:
            self.on_estimate(now)

    def connected(self, now: float) -> None:
        """Media can flow: every picture wants to begin with a key frame."""
        for consumer in self._by_ssrc.values():
            consumer.begin(now)
            consumer.request_keyframe(now, newcomer=True)

    def report(self, now: float) -> None:
        """Once a second: the ceiling, and a sender report for each track."""
        self._limit(now)
        trips = [consumer.round_trip for consumer in self._by_ssrc.values() if consumer.round_trip]
        if self.downlink is not None and trips:
            self.downlink.bandwidth.round_trip = min(trips)
        for consumer in self._by_ssrc.values():
            consumer.send_report(now)

    def close(self) -> None:
        """End every consumer and the connection."""
        for consumer in self.consumers:
            consumer.close()
        self.slots.clear()
        self.on_estimate = None
        if self.downlink is not None:
            self.downlink.close()
        self.connection.close()


def _likely(bitrate: int) -> int:
    """What a picture with one encoding may want: it grows as its receiver's limit does."""
    return min(WANTED_MOST, max(WANTED_LEAST, WANTED_GROWTH * bitrate))


def _shown(key: str, consumer: Consumer, found: list[Option], spoke: Sequence[str]) -> Shown:
    """What allocation needs to know of a picture."""
    place = spoke.index(consumer.owner) if consumer.owner in spoke else len(spoke)
    source = consumer.producer.source if consumer.producer is not None else ""
    encodings = tuple(Encoding(each.lines, each.bitrate) for each in found)
    sends, current = consumer.sends, None
    if sends is not None:
        # One that has stopped counts as the next smaller one: that is no way up.
        smaller = [at for at, each in enumerate(found) if each.layer is sends or each.lines < sends.track.lines]
        current = max(smaller, default=0)
        own = [(at, each.aim) for at, each in enumerate(found) if each.layer is sends]
        if own:
            fitting = [at for at, aim in own if consumer.aim is None or aim is None or aim <= consumer.aim]
            current = max(fitting, default=own[0][0])
    return Shown(key, source, encodings, consumer.max_height, place, current)


def _accepted(offered: sdp.Chosen, media: sdp.Media) -> bool:
    return (
        not media.rejected
        and media.direction in ("recvonly", "sendrecv")
        and (codec := media.codecs.get(offered.codec.payload_type)) is not None
        and compatible(offered.codec, codec)
    )


def _agreed(offered: sdp.Chosen, media: sdp.Media) -> sdp.Chosen:
    """The offer reduced to what the answer repeats."""
    extensions: dict[str, int] = {}
    for uri, identifier in offered.extensions.items():
        if media.extensions.get(identifier) == uri:
            extensions[uri] = identifier
    if "transport-cc" not in media.codecs[offered.codec.payload_type].feedback:
        extensions.pop(sdp.TRANSPORT_CC, None)
    rtx = offered.rtx if offered.rtx is not None and offered.rtx in media.codecs else None
    red = offered.red
    if red is not None and (red.payload_type not in media.codecs or str(red.payload_type) not in media.formats):
        red = None
    return sdp.Chosen(offered.codec, rtx, extensions, offered.feedback, red)
