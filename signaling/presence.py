"""Who waits, at which place, for how long, and who sees and hears whom. Pure: ``now`` is passed in, nothing is read.

Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from signaling.estimates import History, told, waits

State = Literal["outside", "waiting", "admitted", "held", "in-call", "left", "removed"]
# Those the practice sees in its list.
LISTED: frozenset[State] = frozenset({"waiting", "held", "admitted", "in-call"})

BEAT_EVERY_S = 2.0
# Three beats missed and the process that held the connection is taken for dead.
BEAT_EXPIRES_S = 6.5
MOST_PEOPLE = 12  # in one call
NEAR, FAR = 20, 200  # places
FAR_EVERY_S = 5.0
RECALL_EVERY_S = 120.0
RECALLED_PLACES = 3  # who is among the first so many and not there is called back without being asked


@dataclass(frozen=True, slots=True)
class Person:
    """One person in one visit, as Redis holds them."""

    appointment_id: str
    participant_id: str
    role: str
    name: str
    state: State = "outside"
    admitted: bool = False
    admitted_at: float | None = None
    since: float | None = None  # entered the waiting room
    joined_at: float | None = None  # this stay in the call
    lost_at: float | None = None  # without a connection since
    hand: bool = False
    tracks: list[dict[str, Any]] = field(default_factory=list)
    readiness: str | None = None
    seat: str = ""
    session_id: str = ""  # the sign-in of the newest connection
    for_name: str = ""  # the patient's, when ``name`` sits there for them
    by: str = ""  # who that is
    transferred_from: str = ""  # the colleague's name
    recalled_at: float | None = None
    checked_in: bool = False
    consented: bool = True  # to care by video, as far as is known here
    told_wait: float | None = None  # the estimate told on coming

    @property
    def connected(self) -> bool:
        return self.lost_at is None


@dataclass(frozen=True, slots=True)
class Waiter:
    """A person in a practitioner's list, with their appointment's start."""

    person: Person
    start: float
    kind: str = "video"


@dataclass(frozen=True, slots=True)
class Place:
    """``position`` counts from 1; 0 for those who no longer wait."""

    position: int
    estimated_wait_s: int
    late_s: int


def queue(waiters: Iterable[Waiter]) -> list[Waiter]:
    """In the order in which they are seen: by appointment, then by arrival. Losing the connection keeps the place."""
    return sorted(waiters, key=lambda each: (each.start, each.person.since or 0.0, each.person.participant_id))


def positions(waiters: Iterable[Waiter]) -> dict[tuple[str, str], int]:
    """(appointment, participant) → place from 1, for those who wait."""
    waiting = [each for each in queue(waiters) if each.person.state == "waiting"]
    return {(w.person.appointment_id, w.person.participant_id): place for place, w in enumerate(waiting, start=1)}


def places(waiters: Sequence[Waiter], now: float, *, history: History, late_s: int) -> dict[tuple[str, str], Place]:
    """The place of each who waits for one practitioner."""
    running = [(w.person.joined_at, w.kind) for w in waiters if w.person.state == "in-call" and w.person.joined_at]
    first = min(running) if running else None
    waiting = [each for each in queue(waiters) if each.person.state == "waiting"]
    likely = waits([each.kind for each in waiting], None if first is None else (first[1], now - first[0]), history)
    return {
        (each.person.appointment_id, each.person.participant_id): Place(
            place, told(wait, each.start + late_s - now), late_s
        )
        for place, (each, wait) in enumerate(zip(waiting, likely, strict=True), start=1)
    }


def told_now(position: int, since_last_s: float) -> bool:
    """Whether a changed place is told in this turn: near the front every second, further back less often."""
    if position <= NEAR:
        return True
    return since_last_s >= (FAR_EVERY_S if position <= FAR else 2 * FAR_EVERY_S)


def may_recall(person: Person, now: float) -> bool:
    """At most one notice in two minutes."""
    return person.recalled_at is None or now - person.recalled_at >= RECALL_EVERY_S


def listed_state(person: Person) -> str:
    """The word on the practice's list."""
    return "reconnecting" if person.state != "admitted" and not person.connected else person.state


def in_call(people: Iterable[Person]) -> list[Person]:
    """Everybody with a seat in the call, connected or not, longest first."""
    return sorted((p for p in people if p.state == "in-call"), key=lambda p: (p.joined_at or 0.0, p.participant_id))


def participant(person: Person) -> dict[str, Any]:
    """The wire shape ``Participant``."""
    return {
        "participant_id": person.participant_id,
        "name": person.name,
        "for_name": person.for_name or None,
        "role": person.role,
        "state": "connected" if person.connected else "reconnecting",
        "hand": person.hand,
        "tracks": person.tracks,
    }


def may_join(person: Person) -> bool:
    """A practitioner is always admitted to their own visit; everybody else once let in, until held or removed."""
    if person.state == "removed":
        return False
    return person.role == "practitioner" or person.admitted


def may_hear(person: Person, audience: str) -> bool:
    """Patient and practitioner hear what is said to all, wherever they are; others only once let in."""
    if person.state == "removed":
        return False
    if audience == "clinicians":
        return person.role == "practitioner"
    return person.role in ("patient", "practitioner") or person.admitted


def may_speak(person: Person, audience: str) -> bool:
    """Who may write to whom: as hearing."""
    return may_hear(person, audience)


def both_present(people: Iterable[Person]) -> bool:
    """Patient and practitioner are both in the call: the consultation has begun."""
    roles = {p.role for p in people if p.state == "in-call"}
    return {"patient", "practitioner"} <= roles
