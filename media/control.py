"""The methods of the control channel (docs/protocol.md, "Media control"), on rooms and probes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from core.errors import InvalidInput, NotFound
from core.rpc import Params, Peer
from media import codecs, sdp
from media.errors import Draining, Full, NoSuchProbe
from media.participant import Participant
from media.probe import Probe
from media.router import FEEDBACK_EVERY, REPORT_EVERY, STATS_EVERY, Room
from media.transport import UdpTransport

PHASE_STEP = 7  # shares no factor with the intervals: rooms one after the other are far apart in turn
CAPACITY = 400  # participants of one worker
MAX_PROBES = 40
MAX_IDENTIFIER = 64
MAX_TRACKS = 32
MAX_DRAIN_S = 24 * 3600
LEFT_S = 1.0


class Control:
    """Rooms and probes of one worker, and what may be asked of them."""

    def __init__(
        self,
        transport: UdpTransport,
        candidates: list[str],
        clock: Callable[[], float],
        new_track_id: Callable[[], str],
        preferences: codecs.Preferences = codecs.DEFAULT,
    ) -> None:
        self._preferences = preferences
        self.rooms: dict[str, Room] = {}
        self.probes: dict[str, Probe] = {}
        self.drains = asyncio.Event()
        self._left: dict[str, float] = {}
        self.drain_until: float | None = None
        """When a draining worker ends, empty or not; None: not before it is empty. In the clock's time."""
        self._transport = transport
        self._phases = 0
        self._candidates = candidates
        self._clock = clock
        self._new_track_id = new_track_id
        self._methods: dict[str, Callable[[Params, Peer], Params]] = {
            "join": self._join,
            "publish": self._publish,
            "answer": self._answer,
            "restart": self._restart,
            "attach": self._attach,
            "prefer": self._prefer,
            "mute": self._mute,
            "leave": self._leave,
            "close": self._close,
            "probe": self._probe,
            "probe_close": self._probe_close,
            "stats": self._stats,
            "drain": self._drain,
            "ping": self._ping,
        }

    @property
    def draining(self) -> bool:
        """Whether no new rooms are taken."""
        return self.drains.is_set()

    @property
    def participants(self) -> int:
        return sum(len(room.participants) for room in self.rooms.values())

    async def handle(self, method: str, params: Params, peer: Peer) -> Params:
        """The handler of the RpcServer. Nothing here waits: a method is done when it returns."""
        found = self._methods.get(method)
        if found is None:
            raise NotFound("no such method")
        return found(params, peer)

    def _participant(self, params: Params, peer: Peer) -> Participant:
        room = self.rooms.get(_text(params, "room"))
        if room is None:
            raise NotFound("no such room")
        participant = room.get(_text(params, "participant"))
        participant.peer = peer
        return participant

    def _join(self, params: Params, peer: Peer) -> Params:
        name, identifier = _text(params, "room"), _text(params, "participant")
        room = self.rooms.get(name)
        if room is None:
            if self.draining:
                raise Draining
            phase = self._phases = (self._phases + PHASE_STEP) % STATS_EVERY
            room = Room(
                name, self._transport, self._candidates, self._clock, self._new_track_id, self._preferences, phase
            )
        if identifier not in room.participants and self.participants >= CAPACITY:
            raise Full
        participant = room.join(identifier)
        self.rooms[name] = room
        participant.peer = peer
        participant.send_offer()
        room.welcome(participant)
        return {}

    def _publish(self, params: Params, peer: Peer) -> Params:
        participant = self._participant(params, peer)
        tracks = params.get("tracks")
        if not isinstance(tracks, list) or len(tracks) > MAX_TRACKS:
            raise InvalidInput.of("tracks", "a list is needed")
        sources: dict[str, str] = {}
        for track in tracks:
            if not isinstance(track, dict):
                raise InvalidInput.of("tracks", "objects with mid and source are needed")
            sources[_text(track, "mid")] = _text(track, "source")
        answer, producers = participant.publish(params.get("sdp"), sources)
        return {
            "sdp": answer,
            "tracks": [{"mid": p.mid, "track_id": p.track_id, "source": p.source} for p in producers],
        }

    def _answer(self, params: Params, peer: Peer) -> Params:
        negotiation = params.get("negotiation")
        if type(negotiation) is not int:
            raise InvalidInput.of("negotiation", "a number is needed")
        self._participant(params, peer).answer(negotiation, params.get("sdp"))
        return {}

    def _restart(self, params: Params, peer: Peer) -> Params:
        participant = self._participant(params, peer)
        if participant.outgoing is None:
            self.rooms[participant.room].welcome(participant)  # its connection was lost: build it anew
        else:
            participant.restart()
        return {}

    def _attach(self, params: Params, peer: Peer) -> Params:
        participant = self._participant(params, peer)
        participant.send_offer()
        participant.send_tracks()
        participant.tell_wanted(self._clock(), again=True)
        return {}

    def _prefer(self, params: Params, peer: Peer) -> Params:
        height, paused = params.get("max_height"), params.get("paused")
        if height is not None and (type(height) is not int or not 0 < height <= 8192):
            raise InvalidInput.of("max_height", "lines, up to 8192")
        if paused is not None and type(paused) is not bool:
            raise InvalidInput.of("paused", "true or false")
        participant = self._participant(params, peer)
        participant.prefer(_text(params, "track_id"), height, paused)
        self.rooms[participant.room].unsettle()
        return {}

    def _mute(self, params: Params, peer: Peer) -> Params:
        source, muted = params.get("source"), params.get("muted")
        if source not in ("camera", "microphone", "screen") or type(muted) is not bool:
            raise InvalidInput.of("source", "a source, and muted true or false")
        self._participant(params, peer).mute(source, muted)
        return {}

    def _leave(self, params: Params, peer: Peer) -> Params:
        room = self.rooms.get(_text(params, "room"))
        if room is not None:
            room.leave(_text(params, "participant"))
            self.sweep()
        return {}

    def _close(self, params: Params, peer: Peer) -> Params:
        room = self.rooms.pop(_text(params, "room"), None)
        if room is not None:
            room.close()
        return {}

    def _probe(self, params: Params, peer: Peer) -> Params:
        identifier = _text(params, "probe")
        former = self.probes.pop(identifier, None)
        if former is not None:
            former.close()
        if len(self.probes) >= MAX_PROBES:
            raise Full
        # One way alone is tested: a browser would take another where this one fails.
        tcp = params.get("transport") == "tcp"
        candidates = [each for each in self._candidates if sdp.is_tcp(each) == tcp]
        probe = Probe(identifier, params.get("sdp"), self._transport, candidates, self._clock)
        self.probes[identifier] = probe
        return {"sdp": probe.answer}

    def _probe_close(self, params: Params, peer: Peer) -> Params:
        probe = self.probes.pop(_text(params, "probe"), None)
        if probe is None:
            raise NoSuchProbe
        probe.close()
        return {"packets": probe.packets, "bytes": probe.bytes}

    def _stats(self, params: Params, peer: Peer) -> Params:
        wanted = [self.rooms[params["room"]]] if params.get("room") in self.rooms else []
        rooms = wanted if "room" in params else list(self.rooms.values())
        return {
            "rooms": {room.id: room.stats() for room in rooms},
            "drops": dict(self._transport.drops),
        }

    def _drain(self, params: Params, peer: Peer) -> Params:
        limit = params.get("limit_s")
        if limit is not None and (type(limit) not in (int, float) or not 0 <= limit <= MAX_DRAIN_S):
            raise InvalidInput.of("limit_s", f"seconds, up to {MAX_DRAIN_S}")
        self.drain(None if limit is None else float(limit))
        return {}

    def drain(self, limit_s: float | None = None) -> None:
        """Take no new rooms; end when the rooms have gone elsewhere, or after the limit. The sooner limit counts."""
        self.drains.set()
        if limit_s is not None:
            until = self._clock() + limit_s
            self.drain_until = until if self.drain_until is None else min(until, self.drain_until)

    def forget_left_rooms(self, now: float) -> None:
        """While draining: rooms whose people have all hung up here have gone elsewhere."""
        self._left = {name: self._left.get(name, now) for name, room in self.rooms.items() if not room.connected}
        for name, since in self._left.items():
            if now - since > LEFT_S:
                self.rooms.pop(name).close()

    def _ping(self, params: Params, peer: Peer) -> Params:
        """A sign of life, from the loop that forwards."""
        return {}

    # Timers

    def step(self, count: int, now: float) -> None:
        """Fifty times a second; ``count`` tells the steps apart."""
        for room in list(self.rooms.values()):
            room.step(count, now)
        for probe in list(self.probes.values()):
            probe.mend(now)
            if count % FEEDBACK_EVERY == 0:
                probe.feedback(now)
            if count % REPORT_EVERY == 0:
                probe.report(now)
        if count % REPORT_EVERY == 0:
            self._sweep_all(now)

    def _sweep_all(self, now: float) -> None:
        for connection in self._transport.connections():
            connection.tick(now)
        # A probe that ended by itself keeps its figures for ``probe_close`` a while.
        for identifier, probe in list(self.probes.items()):
            if now > probe.ends_at + 30:
                del self.probes[identifier]
        self.sweep()

    def sweep(self) -> None:
        """Forget empty rooms."""
        for name, room in list(self.rooms.items()):
            if not room.participants:
                del self.rooms[name]

    def close(self) -> None:
        """Everything ends."""
        for room in self.rooms.values():
            room.close()
        for probe in self.probes.values():
            probe.close()
        self.rooms.clear()
        self.probes.clear()


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_IDENTIFIER:
        raise InvalidInput.of(name, f"text of 1 to {MAX_IDENTIFIER} characters is needed")
    return value
