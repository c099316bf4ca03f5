"""The ladder of modes: pure, over simulated seconds."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from media.downlink import Downlink
from media.dtls import Certificate
from media.outgoing import Outgoing
from media.participant import Participant
from media.transport import Connection, UdpTransport
from signaling.ladder import STEPS, Measure, State, choose, fails, step
from signaling.modes import measure
from tests.media.bottleneck import Way

GOOD = Measure(loss=0.0, round_trip_ms=40, available=2_000_000)
MEASURES = st.builds(
    Measure,
    loss=st.none() | st.floats(0, 1),
    round_trip_ms=st.none() | st.floats(0, 5000),
    available=st.none() | st.floats(0, 5e6),
    concealed=st.none() | st.floats(0, 1),
    silent_s=st.floats(0, 60),
)


def live(state: State, line: Callable[[float], list[Measure]], seconds: float, start: float = 1000.0) -> list[State]:
    """The states of a visit measured every two seconds."""
    states = [state]
    for turn in range(int(seconds // 2)):
        now = start + 2 * turn
        states.append(step(states[-1], line(now - start), now))
    return states


def test_a_good_line_stays_high() -> None:
    assert {each.mode for each in live(State(), lambda at: [GOOD, GOOD], 600)} == {"high"}


def test_a_narrow_line_steps_down_to_what_it_carries_and_says_why() -> None:
    narrow = live(State(), lambda at: [GOOD, Measure(loss=0.01, available=200_000)], 120)[-1]
    assert (narrow.mode, narrow.reason) == ("low", "bandwidth")
    lossy = live(State(), lambda at: [GOOD, Measure(loss=0.2)], 120)[-1]
    assert (lossy.mode, lossy.reason) == ("audio", "loss")
    dead = live(State(), lambda at: [GOOD, Measure(silent_s=at)], 120)[-1]
    assert (dead.mode, dead.reason) == ("phone", "media")


def test_a_short_dip_changes_nothing_and_a_recovery_climbs_back() -> None:
    dip = live(State(), lambda at: [Measure(loss=0.5) if 20 <= at < 24 else GOOD], 120)
    assert {each.mode for each in dip} == {"high"}
    recovered = live(State(), lambda at: [Measure(loss=0.5) if at < 60 else GOOD], 180)
    assert [mode for mode in ("phone", "audio", "low", "high") if mode in {each.mode for each in recovered}]
    assert (recovered[-1].mode, recovered[-1].reason) == ("high", None)


def test_a_line_at_the_edge_does_not_flicker() -> None:
    """Good for 20 s, bad for 10 s, for half an hour: each relapse doubles the while that a step up waits for."""
    states = live(State(), lambda at: [Measure(loss=0.09) if at % 30 >= 20 else GOOD], 1800)
    changes = sum(a.mode != b.mode for a, b in itertools.pairwise(states))
    assert changes <= 8, changes


def test_what_a_person_chose_stands_until_they_say_otherwise() -> None:
    chosen = choose(State(mode="audio", reason="loss"), "phone", 1000)
    assert (chosen.mode, chosen.reason) == ("phone", "chosen")
    assert live(chosen, lambda at: [GOOD], 300)[-1].mode == "phone"
    again = choose(chosen, "auto", 1300)
    assert again.mode == "audio"
    assert live(again, lambda at: [GOOD], 120, 1300)[-1].mode == "high"


@given(st.lists(st.lists(MEASURES, max_size=3), min_size=1, max_size=200))
def test_never_two_steps_at_once_and_always_with_a_reason_below_high(rounds: list[list[Measure]]) -> None:
    state, now = State(), 1000.0
    for each in rounds:
        now += 2
        following = step(state, each, now)
        assert abs(STEPS.index(following.mode) - STEPS.index(state.mode)) <= 1
        assert (following.reason is None) == (following.mode == "high")
        assert State.read(following.text()) == following
        state = following


@given(MEASURES)
def test_a_line_that_carries_a_mode_with_reserve_carries_it_and_all_below(line: Measure) -> None:
    for upper, lower in itertools.pairwise(STEPS):
        if fails(line, upper, strict=True) is None:
            assert fails(line, upper) is None
        if fails(line, upper) is None:
            assert fails(line, lower) is None


def test_odd_numbers_and_old_reports_count_as_unknown() -> None:
    assert measure({}, None, 100) == Measure()
    odd = {"loss_in": float("nan"), "loss_out": "0.5", "round_trip_ms": -1, "available": True}
    assert measure(odd, None, 100) == Measure()
    report = {"at": 50.0, "loss": 0.9, "round_trip_ms": 900, "available": 10.0, "concealed": 0.4}
    assert measure({"loss_in": 0.1}, report, 100) == Measure(loss=0.1)
    fresh = measure({"loss_in": 0.1, "estimate": 5e5, "wanted": 9e5}, {**report, "at": 95.0}, 100)
    assert fresh == Measure(loss=0.9, round_trip_ms=900, available=10.0, concealed=0.4)


def test_an_estimate_counts_only_where_more_is_wanted() -> None:
    assert measure({"estimate": 200_000, "wanted": 900_000}, None, 100).available == 200_000
    assert measure({"estimate": 200_000, "wanted": 240_000}, None, 100).available is None, "it fits, nearly"
    assert measure({"estimate": 50_000, "wanted": 110_000}, None, 100).available is None, "cameras rest"
    assert measure({"estimate": 0, "wanted": 900_000}, None, 100).available is None, "nothing is known yet"


async def test_what_a_media_server_says_of_a_narrow_way_reaches_the_ladder() -> None:
    """Its own figures, as they travel: neither side may rename what the other reads."""
    transport = UdpTransport(Certificate(), time.monotonic)
    transport.open("127.0.0.1", 0)
    person = Participant("room", "person", transport, [], time.monotonic, lambda who, tracks: None, str)
    person.outgoing = Outgoing(Connection(transport, 0.0))
    person.outgoing.wanted = 900_000
    person.outgoing.downlink = downlink = Downlink(person.outgoing.connection, 0.0)
    way = Way(lambda at: 250_000)
    way.run(10.0)
    downlink.bandwidth = way.bandwidth
    figures = json.loads(json.dumps(person.stats()))
    narrow = measure(figures, None, 100)
    assert narrow.available == downlink.estimate
    assert fails(narrow, "high") == "bandwidth"
    person.close()
    await transport.close()
