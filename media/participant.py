"""One person in a room: a connection to publish, a connection to subscribe, and their negotiation.

Offers never collide: the client offers on publish, the server on subscribe, one offer at a time. What
changes while an offer is outstanding goes into the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.rpc import Peer
from media import codecs, sdp
from media.connection import Connection, Owner
from media.errors import NotJoined, StaleNegotiation
from media.incoming import Incoming
from media.outgoing import Outgoing
from media.producer import Producer
from media.transport import UdpTransport

ABANDONED_S = 60.0  # without any connection and without signaling, a participant is let go


class Outstanding:
    """The offer the client has not answered yet."""

    def __init__(self, number: int, text: str, tracks: list[dict[str, Any]]) -> None:
        self.number = number
        self.text = text
        self.tracks = tracks
        self.mids = {track["mid"] for track in tracks}


class Participant:
    """Wires one person's connections; the room decides who hears whom."""

    def __init__(
        self,
        room: str,
        identifier: str,
        transport: UdpTransport,
        candidates: list[str],
        clock: Callable[[], float],
        on_tracks: Callable[[Participant, list[Producer]], None],
        new_track_id: Callable[[], str],
        preferences: codecs.Preferences = codecs.DEFAULT,
    ) -> None:
        self._preferences = preferences
        self.room = room
        self.id = identifier
        self.peer: Peer | None = None
        self.incoming: Incoming | None = None
        self.outgoing: Outgoing | None = None
        self.abandoned_at: float | None = None
        self._transport = transport
        self._candidates = candidates
        self._clock = clock
        self._on_tracks: Callable[[Participant, list[Producer]], None] | None = on_tracks
        self._new_track_id = new_track_id
        self._negotiation = 0
        self._remote_ufrag = ""  # another one with the same fingerprint is an ICE restart
        self._outstanding: Outstanding | None = None
        self._dirty = False
        self._muted: dict[str, bool] = {}  # by source: outlives a republish
        self._owner_of: dict[str, str] = {}  # track id -> participant id, for offers
        self._wishes: dict[str, tuple[int | None, bool]] = {}  # by track: (max height, paused); outlive a connection

    # Publish

    def publish(self, text: Any, sources: Mapping[str, str]) -> tuple[str, list[Producer]]:
        """Answer the client's offer: (answer, all tracks). A new fingerprint means a new peer connection."""
        offer = sdp.parse(text)
        now = self._clock()
        incoming = self.incoming
        fresh = incoming is None or not incoming.connection.same_peer(offer.fingerprints)
        if incoming is None or fresh:
            candidate = self._new_incoming()
            try:
                answer, added, _ = candidate.negotiate(offer, sources, self._candidates, self._track_id)
            except Exception:
                candidate.close()
                raise
            former, self.incoming = incoming, candidate
            if former is not None:
                former.connection.owner = None
                former.close()
            incoming = candidate
        else:
            if self._remote_ufrag not in ("", offer.ufrag):
                incoming.connection.renew_credentials()
            answer, added, _ = incoming.negotiate(offer, sources, self._candidates, self._track_id)
        self._remote_ufrag = offer.ufrag
        incoming.connection.set_remote(offer.fingerprints, now)
        for producer in added:
            if self._muted.get(producer.source):
                producer.set_muted(True)
        if self._on_tracks is not None:
            self._on_tracks(self, added)
        self.send_tracks()
        return answer, list(incoming.producers.values())

    def _track_id(self, source: str) -> str:
        return self._new_track_id()

    def _new_incoming(self) -> Incoming:
        connection = Connection(self._transport, self._clock())
        incoming = Incoming(connection, self._preferences)
        connection.owner = Owner(incoming.unknown, incoming.parts, lambda state: self._publish_state(incoming, state))
        return incoming

    def _publish_state(self, incoming: Incoming, state: str) -> None:
        if self.incoming is not incoming:
            return
        self.emit("connection", {"connection": "publish", "state": state})
        if state != "connected":
            self.incoming = None
            incoming.close()
            self.send_tracks()

    def producers(self) -> list[Producer]:
        return list(self.incoming.producers.values()) if self.incoming is not None else []

    def mute(self, source: str, muted: bool) -> None:
        """Enforced in the forwarding path; remembered for tracks published later."""
        self._muted[source] = muted
        for producer in self.producers():
            if producer.source == source:
                producer.set_muted(muted)
        self.send_tracks()

    def send_tracks(self) -> None:
        """Tell signaling what this person publishes now."""
        tracks = [{"track_id": p.track_id, "source": p.source, "muted": p.muted} for p in self.producers()]
        self.emit("tracks", {"tracks": tracks})

    def tell_wanted(self, now: float, *, again: bool = False) -> None:
        """Tell the sender which pictures, and which encodings of them, are of use, when that changed."""
        pictures = [p for p in self.producers() if p.kind == "video"]
        changed = [p.demand.update(p.wanted(), now) for p in pictures if p.consumers]
        told = [(p, p.demand.told) for p in pictures if p.demand.told is not None]
        if any(changed) or (again and told):
            tracks = [
                {"track_id": p.track_id, "source": p.source, "wanted": each.any, "rids": list(each.rids)}
                for p, each in told
            ]
            self.emit("wanted", {"tracks": tracks})

    # Subscribe

    def subscribe(self, producer: Producer, owner: str) -> None:
        """Add a consumer for somebody's track; ``negotiate`` tells the client."""
        outgoing = self.outgoing
        if outgoing is None:
            connection = Connection(self._transport, self._clock())
            outgoing = self.outgoing = Outgoing(connection)
            made = outgoing
            connection.owner = Owner(_ignore, made.parts, lambda state: self._subscribe_state(made, state))
        # A screen is not in step with its owner's voice: it goes at its own pace.
        stream = f"{owner}-screen" if producer.source == "screen" else owner
        consumer = outgoing.add(producer, stream)
        if consumer is not None:
            consumer.owner = owner
            if producer.track_id in self._wishes:
                consumer.max_height, consumer.unwanted = self._wishes[producer.track_id]
                consumer.track.paused = consumer.unwanted
            self._owner_of[producer.track_id] = owner
            self._dirty = True

    def forget(self, producers: list[Producer]) -> None:
        """Somebody's tracks ended (their consumers closed themselves)."""
        for producer in producers:
            self._owner_of.pop(producer.track_id, None)
            self._wishes.pop(producer.track_id, None)
        self._dirty = self.outgoing is not None

    def negotiate(self) -> None:
        """Send an offer if something changed and none is outstanding."""
        outgoing = self.outgoing
        if outgoing is None or not self._dirty or self._outstanding is not None:
            return
        self._dirty = False
        self._negotiation += 1
        tracks = [
            {
                "mid": mid,
                "track_id": producer.track_id,
                "participant_id": self._owner_of.get(producer.track_id, ""),
                "source": producer.source,
            }
            for mid, producer in outgoing.tracks()
        ]
        self._outstanding = Outstanding(self._negotiation, outgoing.offer(self._candidates), tracks)
        self.send_offer()

    def send_offer(self) -> None:
        """Send the outstanding offer (again)."""
        offer = self._outstanding
        if offer is not None:
            self.emit("offer", {"negotiation": offer.number, "sdp": offer.text, "tracks": offer.tracks})

    def answer(self, negotiation: int, text: Any) -> None:
        """The client's answer. Raises StaleNegotiation, InvalidSdp (the offer then stays outstanding)."""
        offer, outgoing = self._outstanding, self.outgoing
        if offer is None or outgoing is None or negotiation != offer.number:
            raise StaleNegotiation
        refused = outgoing.answer(sdp.parse(text), offer.mids, self._clock())
        self._outstanding = None
        if refused:
            tracks = [{"track_id": p.track_id, "codec": p.chosen.codec.name} for p in refused]
            self.emit("refused", {"tracks": tracks})
        self.negotiate()

    def restart(self) -> None:
        """Offer the subscribe connection anew with fresh ICE credentials, replacing an outstanding offer."""
        if self.outgoing is None:
            return
        self.outgoing.connection.renew_credentials()
        self._outstanding = None
        self._dirty = True
        self.negotiate()

    def _subscribe_state(self, outgoing: Outgoing, state: str) -> None:
        if self.outgoing is not outgoing:
            return
        self.emit("connection", {"connection": "subscribe", "state": state})
        if state == "connected":
            outgoing.connected(self._clock())
            return
        self._end_subscribe()

    def _end_subscribe(self) -> None:
        outgoing, self.outgoing = self.outgoing, None
        self._outstanding = None
        self._dirty = False
        self._owner_of.clear()
        if outgoing is not None:
            outgoing.connection.owner = None
            outgoing.close()

    def prefer(self, track_id: str, max_height: int | None, paused: bool | None) -> None:
        """What the receiver shows of a track."""
        for consumer in self.outgoing.consumers if self.outgoing is not None else []:
            if consumer.producer is not None and consumer.producer.track_id == track_id:
                if max_height is not None:
                    consumer.max_height = max_height
                if paused is not None:
                    consumer.set_paused(paused, self._clock())
                self._wishes[track_id] = consumer.max_height, consumer.unwanted
                return
        raise NotJoined("There is no such track")

    # Both

    @property
    def round_trip(self) -> float:
        """Seconds, from what receivers answer to our reports; 0 while unknown."""
        trips = [c.round_trip for c in self.outgoing.consumers if c.round_trip] if self.outgoing is not None else []
        return sum(trips) / len(trips) if trips else 0.0

    def emit(self, event: str, params: dict[str, Any]) -> None:
        """An event about this person, to the signaling process that last spoke for them."""
        if self.peer is not None:
            self.peer.event(event, {"room": self.room, "participant": self.id, **params})

    def abandoned(self, now: float) -> bool:
        """Whether neither media nor signaling has been there for a while."""
        if self.incoming is not None or self.outgoing is not None or (self.peer is not None and not self.peer.closed):
            self.abandoned_at = None
            return False
        if self.abandoned_at is None:
            self.abandoned_at = now
        return now - self.abandoned_at > ABANDONED_S

    def stats(self) -> dict[str, Any]:
        """As docs/protocol.md, event ``stats``."""
        producers = self.producers()
        consumers = self.outgoing.consumers if self.outgoing is not None else []
        received = self.incoming.connection if self.incoming is not None else None
        sent = self.outgoing.connection if self.outgoing is not None else None
        losses = [c.fraction_lost for c in consumers if c.active and c.packets]
        answer: dict[str, Any] = {
            "packets_in": received.link.packets_in if received is not None else 0,
            "bytes_in": received.link.bytes_in if received is not None else 0,
            "packets_out": sent.link.packets_out if sent is not None else 0,
            "bytes_out": sent.link.bytes_out if sent is not None else 0,
            "loss_in": round(max((p.track.fraction for p in producers), default=0.0), 4),
            "loss_out": round(sum(losses) / len(losses), 4) if losses else 0.0,
            "jitter_ms": round(max((p.track.jitter_ms for p in producers), default=0.0), 2),
            "round_trip_ms": round(self.round_trip * 1000, 2),
            "bitrate_in": sum(p.meter.bitrate for p in producers),
            "freezes": sum(p.meter.totals.freezes for p in producers),
        }
        if self.outgoing is not None and (downlink := self.outgoing.downlink) is not None:
            answer |= {**downlink.figures(), "wanted": self.outgoing.wants()}
        levels = [p.audio_level for p in producers if p.source == "microphone"]
        if levels:
            answer["audio_level"] = round(-min(levels), 1)  # dBov
        return answer

    def tracks_stats(self) -> list[dict[str, Any]]:
        """Per published track."""
        return [
            {
                "track_id": p.track_id,
                "source": p.source,
                "codec": p.chosen.codec.name,
                "red": p.red,
                "muted": p.muted,
                "packets": sum(layer.track.received for layer in p.layers),
                "bytes": sum(layer.track.octets for layer in p.layers),
                "lost": sum(layer.track.lost for layer in p.layers),
                "recovered": sum(layer.track.recovered for layer in p.layers),
                "duplicates": sum(layer.track.duplicates for layer in p.layers),
                "keyframes": sum(layer.track.keyframes for layer in p.layers),
                "keyframe_requests": p.keyframe_requests,
                "bitrate": p.meter.bitrate,
                "layers": _layers(p),
                "loss": round(p.track.fraction, 4),
                "jitter_ms": round(p.track.jitter_ms, 2),
                "freezes": p.meter.totals.freezes,
                "frozen_ms": round(p.meter.totals.frozen_s * 1000),
                "frozen": p.meter.frozen,
                "consumers": len(p.consumers),
                "refused": sum(1 for c in p.consumers if c.refused),
                "resent": sum(c.resent for c in p.consumers),
            }
            for p in self.producers()
        ]

    def close(self) -> None:
        """Leave: every connection, producer and consumer goes, and every way back to the room."""
        incoming, self.incoming = self.incoming, None
        if incoming is not None:
            incoming.connection.owner = None
            incoming.close()
        self._end_subscribe()
        self.peer = None
        self._on_tracks = None


def _layers(producer: Producer) -> list[dict[str, Any]]:
    """The encodings of a track that may have several."""
    if not producer.layered:
        return []
    sent = [consumer.sends for consumer in producer.consumers]
    return [
        {
            "rid": layer.rid,
            "live": layer.live,
            "height": layer.track.lines,
            "bitrate": layer.bitrate,
            "consumers": sent.count(layer),
        }
        for layer in producer.layers
    ]


def _ignore(data: bytes, now: float) -> None:
    """A subscribe connection takes no media: what a client sends there is not forwarded."""
