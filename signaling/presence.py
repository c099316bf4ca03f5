"""Who waits, at which place, for how long, and who sees and hears whom. Pure: ``now`` is passed in, nothing is read.

Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["outside", "waiting", "admitted", "held", "in-call", "left", "removed"]
# Those the practice sees in its list.
LISTED: frozenset[State] = frozenset({"waiting", "held", "admitted", "in-call"})

BEAT_EVERY_S = 2.0
# Three beats missed and the process that held the connection is taken for dead.
BEAT_EXPIRES_S = 6.5
DEFAULT_LENGTH_S = 15 * 60  # what a visit takes as long as nothing is known of this practitioner
ESTIMATE_STEP_S = 60  # estimates are told in whole minutes: finer would only flicker


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

    @property
    def connected(self) -> bool:
        return self.lost_at is None


@dataclass(frozen=True, slots=True)
class Waiter:
    """A person in a practitioner's list, with their appointment's start."""

    person: Person
    start: float


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


def estimate(
    position: int, start: float, now: float, *, lengths: Sequence[float], running_for: float | None, late_s: int
) -> int:
    """Seconds until this person is likely let in, rounded up to a minute.

    Those before each take the recent mean; the visit that runs now takes the rest of it; nobody is expected before
    their appointment's start plus the announced delay.
    """
    mean = sum(lengths) / len(lengths) if lengths else DEFAULT_LENGTH_S
    running = 0.0 if running_for is None else max(mean - running_for, ESTIMATE_STEP_S)
    wait = max(running + (position - 1) * mean, start + late_s - now, 0.0)
    return int(-(-wait // ESTIMATE_STEP_S) * ESTIMATE_STEP_S)


def places(
    waiters: Sequence[Waiter], now: float, *, lengths: Sequence[float], late_s: int
) -> dict[tuple[str, str], Place]:
    """The place of each who waits for one practitioner."""
    running = [w.person.joined_at for w in waiters if w.person.state == "in-call" and w.person.joined_at is not None]
    running_for = now - min(running) if running else None
    starts = {(w.person.appointment_id, w.person.participant_id): w.start for w in waiters}
    return {
        key: Place(
            position,
            estimate(position, starts[key], now, lengths=lengths, running_for=running_for, late_s=late_s),
            late_s,
        )
        for key, position in positions(waiters).items()
    }


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
