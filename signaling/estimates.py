"""How long somebody will wait, learned from a practitioner's recent visits. Pure; seconds throughout."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

DEFAULT_LENGTH_S = 15 * 60.0  # what a visit takes as long as nothing is known of this practitioner
LINE_PACE_S = 5 * 60.0  # between two takes of a shared line, as long as little is known
DEFAULT_GAP_S = 60.0  # and the pause between two
# What is not known counts as this many visits of the default length: two short visits do not make a short day.
PRIOR_WEIGHT = 2.0
STEP_S = 60  # estimates are told in whole minutes: finer would only flicker
LEAST_LEFT_S = 60.0  # a visit that is on takes this much longer at least
FEW = 8  # as long as so few visits are known, the default length counts among them
PLAYS = 64
PLAYED = 30  # places for which the day is played through
SEED = 20_261_121
_PLAYS = range(PLAYS)


@dataclass(frozen=True, slots=True)
class History:
    """Recent visits of one practitioner, newest first: lengths by the kind of appointment, and the pauses between."""

    lengths: Mapping[str, Sequence[float]] = field(default_factory=dict)
    gaps: Sequence[float] = ()

    def of(self, kind: str) -> Sequence[float]:
        """Lengths of this kind; of all kinds, as long as there is none of this one."""
        return self.lengths.get(kind) or [each for lengths in self.lengths.values() for each in lengths]


def waits(kinds: Sequence[str], running: tuple[str, float] | None, history: History) -> list[float]:
    """Seconds until each of a queue is likely let in, the first first.

    ``kinds`` are theirs; ``running`` is the kind of the visit that is on and how long it has been. The day is played
    ``PLAYS`` times with lengths and pauses as they were lately, and the middle of what came out is told: for the next
    in line a call that somebody once forgot to end counts for nothing, for the twentieth it counts as often as it
    happens.
    """
    if not kinds:
        return []
    draw = random.Random(SEED)  # noqa: S311  # no secret: the same past gives the same estimate
    now = [_left(draw, history.of(running[0]), running[1]) + _pause(draw, history) if running else 0.0 for _ in _PLAYS]
    found: list[float] = []
    for kind in kinds[:PLAYED]:
        found.append(median(now))
        lengths = history.of(kind)
        now = [each + _one(draw, lengths, DEFAULT_LENGTH_S) + _pause(draw, history) for each in now]
    if len(kinds) > PLAYED:  # that far back chance evens out: the mean goes on from there
        begun, step = median(now), (median(now) - found[0]) / PLAYED
        found += [begun + each * step for each in range(len(kinds) - PLAYED)]
    return found


def line_wait(place: int, takes: Sequence[float], now: float) -> float:
    """Seconds until the ``place``-th of a shared line is likely taken, from when the last ones were (newest first).

    A line moves as fast as all who serve it together; who has just been taken counts for the next one's patience.
    """
    gaps = sorted(earlier - later for earlier, later in itertools.pairwise(takes))
    kept = gaps[: max(len(gaps) - len(gaps) // 6, 1)]  # without the pauses in which nobody served it
    pace = (sum(kept) + PRIOR_WEIGHT * LINE_PACE_S) / (len(kept) + PRIOR_WEIGHT)
    since_last = min(now - takes[0], pace) if takes else 0.0
    return max(place * pace - since_last, 0.0)


def told(wait: float, until_earliest: float) -> int:
    """A wait as it is told, in whole minutes: nobody is expected before their time has come."""
    return int(-(-max(wait, until_earliest, 0.0) // STEP_S) * STEP_S)


def _one(draw: random.Random, values: Sequence[float], default: float) -> float:
    """One of the recent values; the default as often as ``PRIOR_WEIGHT`` more values would come up."""
    chosen = draw.random() * (len(values) + PRIOR_WEIGHT)
    return values[int(chosen)] if chosen < len(values) else default


def _pause(draw: random.Random, history: History) -> float:
    return _one(draw, history.gaps, DEFAULT_GAP_S)


def _left(draw: random.Random, lengths: Sequence[float], elapsed: float) -> float:
    """What is left of a visit: as much as of one of those that ran longer. One that outlasted nearly all of them goes
    on for a third of what it took so far, as long visits do."""
    longer = [each for each in lengths if each > elapsed]
    if elapsed < DEFAULT_LENGTH_S and len(lengths) < FEW:
        longer.append(DEFAULT_LENGTH_S)
    if len(longer) * 8 < len(lengths) or not longer:
        return max(elapsed / 3, LEAST_LEFT_S)
    return max(longer[draw.randrange(len(longer))] - elapsed, LEAST_LEFT_S)
