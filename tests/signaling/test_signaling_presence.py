"""Presence policy: pure functions, given ``now``."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from signaling.edge import spend
from signaling.estimates import History
from signaling.practice import items
from signaling.presence import (
    Person,
    Waiter,
    both_present,
    in_call,
    may_hear,
    may_join,
    places,
    positions,
)
from signaling.quality import judge

NOW = 1_000_000.0


def person(name: str, **more: Any) -> Person:
    values: dict[str, Any] = {"role": "patient", "state": "waiting", "since": NOW - 60, **more}
    return Person(appointment_id=f"visit-{name}", participant_id=name, name=name, **values)


def test_places_follow_appointment_then_arrival() -> None:
    late_comer = Waiter(person("a", since=NOW - 10), NOW + 60)
    early_bird = Waiter(person("b", since=NOW - 900), NOW + 3600)
    same_start = Waiter(person("c", since=NOW - 5), NOW + 60)
    assert positions([early_bird, same_start, late_comer]) == {
        ("visit-a", "a"): 1,
        ("visit-c", "c"): 2,
        ("visit-b", "b"): 3,
    }


def test_those_held_or_let_in_have_no_place_and_those_reconnecting_keep_theirs() -> None:
    lost = Waiter(person("a", lost_at=NOW - 20), NOW)
    held = Waiter(person("b", state="held"), NOW)
    waiting = Waiter(person("c"), NOW + 1)
    assert positions([lost, held, waiting]) == {("visit-a", "a"): 1, ("visit-c", "c"): 2}
    listed = items([lost, held, waiting], NOW, History())
    assert [(each["participant_id"], each["position"], each["state"]) for each in listed] == [
        ("a", 1, "reconnecting"),
        ("b", 0, "held"),
        ("c", 2, "waiting"),
    ]


def test_a_call_that_runs_over_is_expected_to_go_on() -> None:
    waiters = [
        Waiter(person("a", state="in-call", joined_at=NOW - 5000), NOW - 5000),
        Waiter(person("b"), NOW - 60),
    ]
    history = History({"video": [600.0] * 20}, [60.0] * 20)
    assert places(waiters, NOW, history=history, late_s=0)[("visit-b", "b")].estimated_wait_s == 1740


@given(st.lists(st.tuples(st.floats(0, 1e9), st.sampled_from(["waiting", "held", "in-call", "admitted"])), max_size=30))
def test_places_are_one_to_n_without_gaps(rows: list[tuple[float, str]]) -> None:
    waiters = [Waiter(person(str(index), since=since, state=state), NOW) for index, (since, state) in enumerate(rows)]
    numbers = sorted(positions(waiters).values())
    assert numbers == list(range(1, sum(state == "waiting" for _, state in rows) + 1))


def test_admission_decides_who_joins() -> None:
    assert may_join(person("d", role="practitioner", state="outside"))
    assert not may_join(person("p"))
    assert may_join(person("p", state="admitted", admitted=True))
    assert may_join(person("p", state="left", admitted=True))
    assert not may_join(person("p", state="removed", admitted=True))
    assert not may_join(person("p", role="practitioner", state="removed"))


def test_who_hears_whom() -> None:
    assert may_hear(person("p", state="outside"), "all")
    assert not may_hear(person("p"), "clinicians")
    assert may_hear(person("d", role="practitioner"), "clinicians")
    assert not may_hear(person("g", role="guest"), "all")
    assert may_hear(person("g", role="guest", admitted=True), "all")
    assert not may_hear(person("g", role="guest", state="removed", admitted=True), "all")


def test_a_consultation_begins_with_both() -> None:
    patient, guest = person("p", state="in-call", joined_at=2.0), person("g", role="guest", state="in-call")
    doctor = person("d", role="practitioner", state="in-call", joined_at=1.0)
    assert not both_present([patient, guest])
    assert both_present([patient, doctor])
    assert in_call([patient, person("x"), doctor]) == [doctor, patient]


def test_quality_is_the_worse_of_loss_and_delay() -> None:
    assert judge({}) == ("good", None)
    assert judge({"loss_in": 0.05, "round_trip_ms": 20}) == ("fair", "loss")
    assert judge({"loss_out": 0.2}) == ("poor", "loss")
    assert judge({"round_trip_ms": 700, "loss_in": 0.04}) == ("poor", "delay")
    assert judge({"loss_in": "x", "round_trip_ms": None}) == ("good", None)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=300))
def test_no_connection_exceeds_its_rate_for_long(gaps: list[float]) -> None:
    rate, tokens, passed = 10.0, 20.0, 0
    for gap in gaps:
        left = spend(tokens, gap, rate)
        if left >= 0:
            passed += 1
        tokens = left if left >= 0 else left + 1.0
    assert passed <= 20 + rate * sum(gaps) + 1
