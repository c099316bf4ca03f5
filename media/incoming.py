"""The receiving half of a connection: SDP answers, packets to producers, reports and feedback back."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from media import codecs, sdp
from media.connection import Connection
from media.errors import InvalidSdp
from media.layer import Layer
from media.producer import Producer
from media.rtp import rtcp
from media.rtp.estimate import LossEstimate
from media.rtp.packet import HEADER, Malformed, payload_start

MAX_TRACKS = 8  # of one participant: camera, microphone, screen with sound, and room to spare
MAX_ROUTES = 64  # SSRCs of one connection
DEFAULT_ROUND_TRIP_S = 0.1
SOURCES = frozenset({"camera", "microphone", "screen"})
REMB_AUDIO = 64_000  # bit/s, on top of the pictures' limit


class Incoming:
    """Owns a connection's incoming tracks; is the ``Feedback`` of its producers."""

    def __init__(self, connection: Connection, preferences: codecs.Preferences = codecs.DEFAULT) -> None:
        self.connection = connection
        self._preferences = preferences
        self.producers: dict[str, Producer] = {}  # by mid
        self.attention: set[Layer] = set()
        """Those who wait for packets or a key frame: only they get ticks."""
        self._routes: dict[int, tuple[Layer, bool]] = {}  # SSRC -> (layer, is RTX)
        self._told: dict[tuple[str, str, bool], int] = {}  # (mid, rid, is RTX) -> SSRC: browsers say it once
        self._mid_id = self._rid_id = self._repaired_id = -1
        self._estimate = LossEstimate()
        self._reported_at = 0.0
        self._session = secrets.randbits(62)
        self._version = 0
        self._order: list[str] = []  # mids by media section: the order never changes (RFC 8829, 5.2.2)

    # Negotiation

    def negotiate(
        self,
        offer: sdp.Description,
        sources: Mapping[str, str],
        candidates: list[str],
        new_track: Callable[[str], str],
        *,
        echo: Mapping[str, tuple[int, int]] | None = None,
    ) -> tuple[str, list[Producer], list[Producer]]:
        """Answer an offer: (answer, producers added, producers that ended).

        ``sources`` says by mid what each wanted track is. With ``echo``, (ssrc, rtx ssrc) by mid are
        offered back on the same section. Raises InvalidSdp.
        """
        if len(sources) > MAX_TRACKS:
            raise InvalidSdp("too many tracks")
        known = {media.mid for media in offer.media}
        if not all(mid in known and source in SOURCES for mid, source in sources.items()):
            raise InvalidSdp("a track names no media section, or an unknown source")
        sections: list[sdp.Section] = []
        added: list[Producer] = []
        alive: set[str] = set()
        extensions: dict[str, int] = {}
        for media in offer.media:
            chosen = codecs.choose(media, self._preferences, mixed=offer.mixed)
            sending = media.direction in ("sendonly", "sendrecv") and media.mid in sources
            section = sdp.Section(
                media.kind, media.protocol, media.mid, "inactive", chosen, media.formats, start_bitrate=True
            )
            sections.append(section)
            if chosen is None:
                continue
            _keep_consistent(chosen, extensions)
            if not sending:
                continue
            section.direction = "recvonly"
            if echo is not None and media.direction == "sendrecv" and media.mid in echo:
                section.direction = "sendrecv"
                section.ssrc, section.rtx_ssrc = echo[media.mid]
                section.rtx_ssrc = section.rtx_ssrc if chosen.rtx is not None else 0
                section.stream, section.track = "echo", f"echo-{media.mid}"
                chosen.red = None
            alive.add(media.mid)
            section.rids = [] if echo is not None else codecs.rids(media)
            present = self.producers.get(media.mid)
            source, link, rids = sources[media.mid], self.connection.link, section.rids
            if present is None or _another(present, source, chosen, rids):
                producer = Producer(new_track(source), media.mid, source, media.kind, chosen, self, link, rids)
                added.append(producer)
            else:
                producer = present
                producer.agree(chosen)
            self._describe(producer, media)
        self._told = {key: ssrc for key, ssrc in self._told.items() if key[0] in known}
        replaced = {producer.mid for producer in added}
        ended = [p for mid, p in self.producers.items() if mid not in alive or mid in replaced]
        for producer in ended:
            self._drop(producer)
        for producer in added:
            self.producers[producer.mid] = producer
            self._learn_as_before(producer)
        self._learn_described(offer)
        self._mid_id = extensions.get(sdp.MID, -1)
        self._rid_id, self._repaired_id = extensions.get(sdp.RID, -1), extensions.get(sdp.REPAIRED_RID, -1)
        level, number, dependency = (
            extensions.get(uri, -1) for uri in (sdp.AUDIO_LEVEL, sdp.TRANSPORT_CC, sdp.DEPENDENCY)
        )
        self.connection.link.listen(level, number, dependency)
        self._version += 1
        credentials = self.connection.credentials
        local = sdp.Local(
            self._session,
            self._version,
            credentials.ufrag,
            credentials.password,
            self.connection.fingerprint,
            candidates,
            offer.mixed,
        )
        return sdp.write(local, "passive", sections), added, ended

    def _describe(self, producer: Producer, media: sdp.Media) -> None:
        if producer.layered:
            return  # a description can't say which SSRC is which encoding
        producer.described = [ssrc for ssrc in media.ssrcs if ssrc not in media.retransmission][:1]
        producer.described_rtx = [rtx for rtx, ssrc in media.retransmission.items() if ssrc in producer.described][:1]

    def _learn_as_before(self, producer: Producer) -> None:
        """A section that went on after a pause has the SSRCs it had; which encoding each is, is never said again."""
        for layer in producer.layers if producer.layered else ():
            for retransmission in (False, True):
                ssrc = self._told.get((producer.mid, layer.rid, retransmission))
                if ssrc is not None and ssrc not in self._routes:
                    self._route(ssrc, layer, retransmission)

    def _learn_described(self, offer: sdp.Description) -> None:
        for producer in self.producers.values():
            for ssrc in producer.described:
                self._route(ssrc, producer.layers[0], False)
            for ssrc in producer.described_rtx:
                self._route(ssrc, producer.layers[0], True)

    def _route(self, ssrc: int, layer: Layer, retransmission: bool) -> tuple[Layer, bool] | None:
        present = self._routes.get(ssrc)
        if present is not None and present[0] is layer:
            return present
        if len(self._routes) >= MAX_ROUTES:
            return None
        if not retransmission:
            for other, route in list(self._routes.items()):
                if route == (layer, False) and other != ssrc:
                    self._unroute(other)
            layer.set_ssrc(ssrc)
        self._routes[ssrc] = (layer, retransmission)
        if layer.producer is not None and layer.producer.layered:
            self._told[layer.producer.mid, layer.rid, retransmission] = ssrc
        self.connection.link.route(ssrc, layer.track, retransmission)
        return self._routes[ssrc]

    def _unroute(self, ssrc: int) -> None:
        del self._routes[ssrc]
        self.connection.link.unroute(ssrc)

    def _drop(self, producer: Producer) -> None:
        self.producers.pop(producer.mid, None)
        self.attention.difference_update(producer.layers)
        for ssrc in [ssrc for ssrc, route in self._routes.items() if route[0].producer is producer]:
            self._unroute(ssrc)
        producer.close()

    # What arrives

    def unknown(self, packet: bytes, now: float) -> None:
        """A decrypted RTP packet of an SSRC not routed yet: learn whose it is."""
        try:
            _, extensions = payload_start(packet)
        except Malformed:
            return
        _, second, _, _, ssrc = HEADER.unpack_from(packet)
        found = {identifier: packet[begin:end] for identifier, begin, end in extensions}
        mid, rid = found.get(self._mid_id, b""), found.get(self._rid_id, b"")
        repaired = found.get(self._repaired_id, b"")
        # One of the same batch may have taught it meanwhile.
        if ssrc in self._routes or self._learn(ssrc, second & 0x7F, mid, repaired or rid) is not None:
            self.connection.link.inject(packet, now)

    def _learn(self, ssrc: int, payload_type: int, mid: bytes, rid: bytes) -> tuple[Layer, bool] | None:
        """Whose SSRC is this? By MID and RID, else by a payload type only one track has (RFC 9143, 9.2)."""
        if mid:
            producer = self.producers.get(mid.decode("ascii", "replace"))
        else:
            fitting = [p for p in self.producers.values() if payload_type in _types(p)]
            producer = fitting[0] if len(fitting) == 1 else None
        if producer is None or payload_type not in _types(producer):
            return None
        layer: Layer | None = producer.layers[0]
        if producer.layered:
            name = rid.decode("ascii", "replace")
            layer = next((layer for layer in producer.layers if layer.rid == name), None)
        return self._route(ssrc, layer, payload_type == producer.chosen.rtx) if layer is not None else None

    def parts(self, parts: list[rtcp.Part], now: float) -> None:
        """Sender reports of its sources."""
        for part in parts:
            if isinstance(part, rtcp.SenderReport):
                route = self._routes.get(part.ssrc)
                if route is not None and not route[1] and (producer := route[0].producer) is not None:
                    producer.on_sender_report(route[0], part, now)

    def send_feedback(self, packet: bytes) -> None:
        """RTCP towards the sender."""
        self.connection.send_rtcp(packet)

    def watch(self, layer: Layer) -> None:
        """It waits for something: ``tick`` it until it does no more."""
        self.attention.add(layer)

    # Timers

    def mend(self, now: float, round_trip: float) -> None:
        """Fifty times a second."""
        for layer in list(self.attention):
            if not layer.tick(now, round_trip or DEFAULT_ROUND_TRIP_S):
                self.attention.discard(layer)

    def feedback(self) -> None:
        """Ten times a second: transport-wide feedback."""
        # Chromium reads feedback only where the media SSRC is one of its own, whichever.
        ssrc = next((p.ssrc for p in self.producers.values() if p.ssrc), 0)
        self.connection.feedback(ssrc)

    def look_at_layers(self, now: float) -> bool:
        """Ten times a second: True when an encoding of a picture came to life or died, or its layers changed."""
        changed = [producer.look_at_layers(now) for producer in self.producers.values() if producer.kind == "video"]
        return any(changed)

    def report(self, now: float) -> None:
        """Once a second: receiver report, and the receivers' limits as REMB."""
        layers = [layer for p in self.producers.values() for layer in p.layers]
        blocks = [block for layer in layers if (block := layer.report_block(now)) is not None]
        if not blocks:
            return
        packet = rtcp.receiver_report(1, blocks[:31])
        limits = {
            p.ssrc: limit
            for p in self.producers.values()
            if p.kind == "video" and "goog-remb" in p.chosen.feedback and (limit := p.ceiling(now)) is not None
        }
        # REMB limits all listed sources together; sound rides on top of the pictures' limit.
        limit = sum(limits.values()) + REMB_AUDIO if limits else None
        uncounted = [p for p in self.producers.values() if p.ssrc and _estimated_here(p)]
        if uncounted:
            loss = max(layer.track.fraction for p in uncounted for layer in p.layers)
            estimate = self._estimate.update(self.connection.link.bytes_in, loss, now - self._reported_at)
            limit = estimate if limit is None else min(limit, estimate)
        self._reported_at = now
        if limit is not None:
            packet += rtcp.remb(1, limit, list(dict.fromkeys([*limits, *(p.ssrc for p in uncounted)])))
        self.connection.send_rtcp(packet)

    def close(self) -> None:
        """End every producer and the connection."""
        for producer in list(self.producers.values()):
            self._drop(producer)
        self.connection.close()


def _estimated_here(producer: Producer) -> bool:
    """Whether its sender leaves the estimate to us: it offered REMB, and no transport-wide feedback."""
    feedback = producer.chosen.feedback
    return producer.kind == "video" and "goog-remb" in feedback and "transport-cc" not in feedback


def _another(producer: Producer, source: str, chosen: sdp.Chosen, rids: list[str]) -> bool:
    """Whether what is described now is another track than this."""
    described = source, chosen.codec.name, tuple(rids)
    return (producer.source, producer.chosen.codec.name, producer.rids) != described


def _types(producer: Producer) -> tuple[int | None, ...]:
    chosen = producer.chosen
    red = chosen.red.payload_type if chosen.red is not None else None
    return chosen.codec.payload_type, chosen.rtx, red


def _keep_consistent(chosen: sdp.Chosen, known: dict[str, int]) -> None:
    """In a bundle a number means one extension everywhere (RFC 8843, 15): a section that differs goes without."""
    numbers = {identifier: uri for uri, identifier in known.items()}
    for uri, identifier in list(chosen.extensions.items()):
        if known.get(uri, identifier) != identifier or numbers.get(identifier, uri) != uri:
            del chosen.extensions[uri]
            if uri == sdp.TRANSPORT_CC:
                chosen.feedback.remove("transport-cc")
    known.update(chosen.extensions)
