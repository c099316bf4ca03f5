"""A room: who gets what. Everybody receives every track of everybody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.rpc import Peer
from media import codecs
from media.errors import Full, NotJoined
from media.participant import Participant
from media.producer import Producer
from media.transport import UdpTransport

MAX_PARTICIPANTS = 16  # of one room; visits have up to 12 people
FEEDBACK_EVERY = 5  # steps of 20 ms: transport-wide feedback
LOOK_EVERY = 15
REPORT_EVERY = 50
STATS_EVERY = 100
SPEAKING_DBOV = 50.0  # quieter than -50 dBov is not speech


class Room:
    """The participants of one visit on this worker."""

    def __init__(
        self,
        identifier: str,
        transport: UdpTransport,
        candidates: list[str],
        clock: Callable[[], float],
        new_track_id: Callable[[], str],
        preferences: codecs.Preferences = codecs.DEFAULT,
        phase: int = 0,
    ) -> None:
        self._preferences = preferences
        self.id = identifier
        self.participants: dict[str, Participant] = {}
        self._transport = transport
        self._candidates = candidates
        self._clock = clock
        self._new_track_id = new_track_id
        self._speakers: list[str] = []
        self._phase = phase
        self.figures: dict[str, Any] = {}
        """What the last statistics said."""

    def join(self, identifier: str) -> Participant:
        """Let somebody in, or find them. Raises Full."""
        present = self.participants.get(identifier)
        if present is not None:
            return present
        if len(self.participants) >= MAX_PARTICIPANTS:
            raise Full
        participant = Participant(
            self.id,
            identifier,
            self._transport,
            self._candidates,
            self._clock,
            self._tracks_changed,
            self._new_track_id,
            self._preferences,
        )
        self.participants[identifier] = participant
        return participant

    def welcome(self, participant: Participant) -> None:
        """Subscribe somebody to all that is not on their subscribe connection yet, and offer it."""
        have = {p.track_id for _, p in participant.outgoing.tracks()} if participant.outgoing is not None else set()
        for other in self.participants.values():
            if other is not participant:
                for producer in other.producers():
                    if producer.track_id not in have:
                        participant.subscribe(producer, other.id)
        participant.negotiate()

    @property
    def connected(self) -> bool:
        """Whether anybody has a connection here."""
        return any(each.incoming is not None or each.outgoing is not None for each in self.participants.values())

    def get(self, identifier: str) -> Participant:
        """Raises NotJoined."""
        participant = self.participants.get(identifier)
        if participant is None:
            raise NotJoined
        return participant

    def leave(self, identifier: str) -> None:
        """Let somebody out; their tracks end for the others."""
        participant = self.participants.pop(identifier, None)
        if participant is not None:
            gone = participant.producers()
            participant.close()
            self._ended(gone)

    def close(self) -> None:
        """Everybody leaves."""
        for participant in list(self.participants.values()):
            participant.close()
        self.participants.clear()

    def _tracks_changed(self, publisher: Participant, added: list[Producer]) -> None:
        for other in self.participants.values():
            if other is publisher:
                continue
            other.forget([])
            for producer in added:
                other.subscribe(producer, publisher.id)
            other.negotiate()

    def _ended(self, gone: list[Producer]) -> None:
        for other in self.participants.values():
            other.forget(gone)
            other.negotiate()

    # Timers

    def step(self, count: int, now: float) -> None:
        """Fifty times a second: what is due. Rooms take turns, so that no packet waits for all their reports."""
        turn = count + self._phase
        self.mend(now)
        if turn % FEEDBACK_EVERY == 0:
            self.feedback(now)
        if turn % LOOK_EVERY == 0:
            self.look(now)
            self.speakers()
        if turn % REPORT_EVERY == 0:
            self.report(now)
        if turn % STATS_EVERY == 0:
            self.figures = self.stats()
            self.emit("stats", {"participants": self.figures})

    def mend(self, now: float) -> None:
        """Fifty times a second."""
        for participant in self.participants.values():
            incoming = participant.incoming
            if incoming is not None and incoming.attention:
                incoming.mend(now, participant.round_trip)

    def feedback(self, now: float) -> None:
        """Ten times a second: ours to publishers, receivers' to us."""
        for participant in self.participants.values():
            if participant.incoming is not None:
                participant.incoming.feedback()
            if participant.outgoing is not None:
                participant.outgoing.look(now)

    def report(self, now: float) -> None:
        """Once a second: reports both ways; people who are nowhere any more are let go."""
        for participant in list(self.participants.values()):
            if participant.incoming is not None:
                participant.incoming.report(now)
            if participant.outgoing is not None:
                participant.outgoing.report(now)
            if participant.abandoned(now):
                self.leave(participant.id)

    def look(self, now: float) -> None:
        """Three times a second: every track's counters."""
        for participant in self.participants.values():
            for producer in participant.producers():
                producer.look(now)

    def speakers(self) -> None:
        """Tell who speaks, loudest first, when that changed."""
        loud: list[tuple[float, str]] = []
        for participant in self.participants.values():
            levels = [p.audio_level for p in participant.producers() if p.source == "microphone" and not p.muted]
            if levels and min(levels) < SPEAKING_DBOV:
                loud.append((min(levels), participant.id))
        speakers = [identifier for _, identifier in sorted(loud)]
        if speakers != self._speakers:
            self._speakers = speakers
            self.emit("speakers", {"participants": speakers})

    def stats(self) -> dict[str, Any]:
        """By participant."""
        return {
            identifier: {**participant.stats(), "tracks": participant.tracks_stats()}
            for identifier, participant in self.participants.items()
        }

    def emit(self, event: str, params: dict[str, Any]) -> None:
        """A room's event, once to every signaling process that has somebody here."""
        peers: set[Peer] = {p.peer for p in self.participants.values() if p.peer is not None}
        for peer in peers:
            peer.event(event, {"room": self.id, **params})
