"""A room: who gets what. Everybody receives every track of everybody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.rpc import Peer
from media import codecs
from media.errors import Full, NotJoined
from media.participant import Participant
from media.producer import Producer
from media.speaking import Speakers
from media.transport import UdpTransport

MAX_PARTICIPANTS = 16  # of one room; visits have up to 12 people
FEEDBACK_EVERY = 5  # steps of 20 ms: transport-wide feedback
LOOK_EVERY = 15
REPORT_EVERY = 50
STATS_EVERY = 100


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
        self._speakers = Speakers()
        self._unsettled = False
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
        self._unsettled = True

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
            self.speakers(now)
            self.allocate(now)
        elif self._unsettled:
            self.allocate(now)
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
        """Ten times a second: feedback both ways, and encodings that came to life or died."""
        for participant in self.participants.values():
            incoming = participant.incoming
            if incoming is not None:
                incoming.feedback()
                self._unsettled |= incoming.look_at_layers(now)
            if participant.outgoing is not None:
                participant.outgoing.look(now)

    def unsettle(self, now: float = 0.0) -> None:
        """Somebody's wishes or bandwidth changed: what everybody gets is decided anew with the next step."""
        self._unsettled = True

    def allocate(self, now: float) -> None:
        """Three times a second, and when something changed: what of each picture everybody gets."""
        self._unsettled = False
        for participant in self.participants.values():
            if participant.outgoing is not None:
                participant.outgoing.on_estimate = self.unsettle
                participant.outgoing.allocate(now, self._speakers.order)
        for participant in self.participants.values():
            participant.tell_wanted(now)

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

    def speakers(self, now: float) -> None:
        """Tell who speaks, the dominant one first, when that changed."""
        levels: dict[str, float] = {}
        for participant in self.participants.values():
            found = [p.audio_level for p in participant.producers() if p.source == "microphone" and not p.muted]
            levels[participant.id] = min(found, default=127.0)
        if self._speakers.look(levels, now):
            self.emit("speakers", {"participants": self._speakers.speaking})

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
