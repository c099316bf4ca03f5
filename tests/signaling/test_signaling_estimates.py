"""The estimate of a wait: what it is made of, and that it beats the mean length times the place on a simulated day."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from signaling.estimates import DEFAULT_GAP_S, DEFAULT_LENGTH_S, History, told, waits

LENGTHS = st.lists(st.floats(1, 4 * 3600), max_size=40)


def test_without_visits_the_defaults_are_told() -> None:
    assert waits([], None, History()) == []
    assert waits(["video", "video"], None, History()) == [0, DEFAULT_LENGTH_S + DEFAULT_GAP_S]
    assert told(0, 301) == 360, "nobody is seen before their appointment"
    assert told(61, -500) == 120


def test_a_visit_that_is_on_counts_with_what_is_left_of_it() -> None:
    history = History({"video": [600.0] * 20}, [60.0] * 20)
    assert waits(["video"], ("video", 0.0), history) == [660]
    assert waits(["video"], ("video", 500.0), history) == [160]
    assert waits(["video"], ("video", 1200.0), history) == [460], "the longer it took, the longer it takes"


def test_one_forgotten_call_does_not_spoil_the_day() -> None:
    history = History({"video": [*[600.0] * 19, 3 * 3600.0]}, [60.0] * 20)
    assert waits(["video", "video"], None, history)[1] == 660


def test_kinds_are_learned_apart() -> None:
    history = History({"video": [1200.0] * 20, "drop_in": [300.0] * 20}, [0.0] * 20)
    assert waits(["video", "drop_in", "drop_in"], None, history) == [0, 1200, 1500]
    assert list(History({"video": [60.0]}).of("drop_in")) == [60.0]


@given(LENGTHS, LENGTHS, st.integers(1, 30), st.none() | st.floats(0, 8 * 3600))
def test_a_place_further_back_never_waits_less(
    lengths: list[float], gaps: list[float], places: int, elapsed: float | None
) -> None:
    running = None if elapsed is None else ("video", elapsed)
    found = waits(["video"] * places, running, History({"video": lengths}, gaps))
    assert found == sorted(found)
    assert len(found) == places
    assert found[0] == 0 if elapsed is None else found[0] >= 60


@dataclass
class Day:
    """One practitioner, patients who come as they like and are seen in order. Errors of both ways to estimate."""

    random: random.Random
    lengths: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    simple: list[float] = field(default_factory=list)

    def length(self) -> float:
        """Lognormal about eleven minutes."""
        return min(self.random.lognormvariate(6.5, 0.45), 3000)

    def recorded(self, length: float) -> float:
        """As the visit is written down: one in thirty is ended an hour or more after the patient has left."""
        return length + (self.random.uniform(3600, 2 * 3600) if self.random.random() < 1 / 30 else 0.0)

    def gap(self) -> float:
        return self.random.uniform(30, 240)

    def run(self, patients: int) -> None:
        """Arrivals come in bursts, so that there is a queue; each is told both estimates on coming."""
        arrivals: list[float] = []
        now = 0.0
        for _ in range(patients):
            now += self.random.expovariate(1 / 800)
            arrivals.append(now)
        free = 0.0
        schedule: list[tuple[float, float]] = []
        written: list[float] = []
        for arrival in arrivals:
            length, gap = self.length(), self.gap()
            start = max(arrival, free + gap if schedule else arrival)
            schedule.append((start, start + length))
            free = start + length
            written.append(self.recorded(length))
        for number, arrival in enumerate(arrivals):
            history = [(begun, over) for begun, over in schedule if over <= arrival]
            lengths = (self.lengths + written[: len(history)])[-40:]
            gaps = (self.gaps + [b[0] - a[1] for a, b in itertools.pairwise(history) if b[0] - a[1] < 300])[-40:]
            on = next(((begun, over) for begun, over in schedule if begun <= arrival < over), None)
            ahead = sum(1 for each, (begun, _) in enumerate(schedule) if each < number and begun > arrival)
            running = None if on is None else ("video", arrival - on[0])
            actual = schedule[number][0] - arrival
            mean = sum(lengths) / len(lengths) if lengths else DEFAULT_LENGTH_S
            place = ahead + (1 if on else 0)
            guess = told(waits(["video"] * (ahead + 1), running, History({"video": lengths}, gaps))[-1], 0)
            self.ours.append(abs(guess - actual))
            self.simple.append(abs(mean * place - actual))
        self.lengths = (self.lengths + written)[-40:]
        self.gaps = (self.gaps + [b[0] - a[1] for a, b in itertools.pairwise(schedule) if b[0] - a[1] < 300])[-40:]


def test_simulated_days_are_estimated_better_than_by_mean_times_place() -> None:
    ours: list[float] = []
    simple: list[float] = []
    better = 0
    for seed in range(30):
        day = Day(random.Random(seed))
        day.run(40)  # yesterday
        day.ours.clear()
        day.simple.clear()
        day.run(40)
        ours += day.ours
        simple += day.simple
        better += sum(day.ours) < sum(day.simple)
    mean_ours, mean_simple = sum(ours) / len(ours), sum(simple) / len(simple)
    print(f"mean error {mean_ours:.0f} s, by mean times place {mean_simple:.0f} s; better on {better} of 30 days")
    assert mean_ours < 0.9 * mean_simple
    assert better >= 20
