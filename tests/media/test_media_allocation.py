"""Which pictures a receiver gets: by what it shows, by who speaks, by what fits; and calmly."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.allocation import FLOOR, LAST_N, UP_AFTER_S, UP_AGAIN_AFTER_S, Allocator, Encoding, Plan, Shown, plan

QHF = (Encoding(180, 100_000), Encoding(360, 400_000), Encoding(720, 1_500_000))


def camera(name: str, spoke: int = 0, max_height: int | None = None, current: int | None = None) -> Shown:
    return Shown(name, "camera", QHF, max_height, spoke, current)


def cost(shown: list[Shown], found: Plan) -> int:
    """Of what is sent, in bit/s; a single encoding follows its receiver and may cost as little as the floor."""
    total = 0
    for one in shown:
        index = found[one.key]
        if index is not None:
            total += min(one.encodings[index].cost, FLOOR) if one.adapts else one.encodings[index].cost
    return total


@pytest.mark.parametrize(
    ("height", "index"), [(None, 2), (90, 0), (180, 0), (220, 0), (240, 1), (360, 1), (540, 2), (720, 2), (1080, 2)]
)
def test_what_is_shown_decides_while_all_fits(height: int | None, index: int) -> None:
    assert plan(None, [camera("a", max_height=height)]) == {"a": index}


def test_twelve_people_in_a_megabit_and_a_half() -> None:
    room = 1_500_000
    shown = [camera(f"p{index}", spoke=index, max_height=720 if index == 0 else 180) for index in range(11)]
    assert list(plan(room, shown).values()) == [1] + [0] * 10
    assert list(plan(2_500_000, shown).values()) == [2] + [0] * 10
    assert list(plan(700_000, shown).values()) == [1] + [0] * 3 + [None] * 7, "who spoke last, before the others"
    assert list(plan(50_000, shown).values()) == [None] * 11, "sound goes on"


def test_the_largest_picture_comes_before_who_speaks() -> None:
    shown = [camera("speaks", 0, 180), camera("pinned", 5, 720)]
    assert plan(600_000, shown) == {"speaks": 0, "pinned": 1}


def test_a_screen_comes_after_the_first_camera_and_adapts() -> None:
    screen = Shown("screen", "screen", (Encoding(1080, 2_000_000),))
    shown = [camera("a", 0), camera("b", 1), screen]
    assert plan(5_000_000, shown) == {"a": 2, "b": 2, "screen": 0}
    assert plan(500_000, shown) == {"a": 0, "b": None, "screen": 0}
    assert plan(FLOOR + 50_000, shown) == {"a": 0, "b": None, "screen": None}


def test_a_camera_without_siblings_is_stopped_only_for_sound() -> None:
    single = Shown("a", "camera", (Encoding(720, 1_500_000),))
    assert plan(300_000, [single]) == {"a": 0}, "its sender hears the limit"
    assert plan(FLOOR - 1, [single]) == {"a": None}


def test_only_the_last_to_speak_are_seen_in_a_crowd() -> None:
    shown = [camera(f"p{index}", spoke=index) for index in range(LAST_N + 3)]
    found = plan(None, shown)
    assert [key for key, index in found.items() if index is None] == ["p12", "p13", "p14"]


def test_down_at_once_and_up_only_with_room_to_spare_for_a_while() -> None:
    allocator = Allocator()
    now, current = 0.0, 2

    def decide(estimate: int | None) -> int | None:
        nonlocal current
        current = allocator.decide(estimate, 30_000, [camera("a", current=current)], now)["a"]  # type: ignore[assignment]
        return current

    assert decide(2_000_000) == 2
    now += 0.3
    assert decide(500_000) == 1, "at once"
    now += 0.3
    assert decide(1_600_000) == 1, "it fits, but without room to spare"
    for _ in range(int(UP_AGAIN_AFTER_S / 0.3)):
        now += 0.3
        assert decide(2_000_000) == 1, "it fell a moment ago"
    now += 0.6
    assert decide(2_000_000) == 2
    assert decide(None) == 2


def test_a_larger_wish_is_granted_at_once_where_there_is_plenty() -> None:
    allocator = Allocator()
    assert allocator.decide(3_000_000, 0, [camera("a", max_height=180, current=0)], 0.0) == {"a": 0}
    assert allocator.decide(3_000_000, 0, [camera("a", max_height=720, current=0)], 0.3) == {"a": 2}
    assert allocator.decide(2_000_000, 0, [camera("b", max_height=720, current=0)], 0.3)["b"] == 1, "as far as ample"
    waits = Allocator()
    assert waits.decide(500_000, 0, [camera("c", current=0)], 0.0) == {"c": 0}
    assert waits.decide(500_000, 0, [camera("c", current=0)], UP_AFTER_S) == {"c": 1}


def test_a_swinging_estimate_does_not_make_pictures_flap() -> None:
    allocator, current, changes = Allocator(), 2, 0
    for step in range(400):  # two minutes
        estimate = 1_650_000 + (400_000 if step % 7 < 3 else -400_000)
        chosen = allocator.decide(estimate, 30_000, [camera("a", current=current)], step * 0.3)["a"]
        changes += chosen != current
        current = chosen if chosen is not None else -1
    assert changes == 1


encodings = st.lists(st.integers(20_000, 3_000_000), min_size=1, max_size=4).map(
    lambda rates: tuple(Encoding(90 << at, rate) for at, rate in enumerate(sorted(rates)))
)


@st.composite
def pictures(draw: st.DrawFn) -> list[Shown]:
    found = []
    for index in range(draw(st.integers(0, 14))):
        made = draw(encodings)
        source = draw(st.sampled_from(("camera", "camera", "camera", "screen")))
        height = draw(st.none() | st.integers(1, 2160))
        current = draw(st.none() | st.integers(0, len(made) - 1))
        found.append(Shown(f"t{index}", source, made, height, draw(st.integers(0, 12)), current))
    return found


@given(pictures(), st.integers(0, 10_000_000))
def test_nothing_beyond_the_room_and_nothing_beyond_the_wish(shown: list[Shown], room: int) -> None:
    found = plan(room, shown)
    assert found.keys() == {one.key for one in shown}
    assert cost(shown, found) <= room
    for one in shown:
        index = found[one.key]
        assert index is None or index <= one.wish
    cameras = [one for one in shown if one.source == "camera"]
    assert sum(1 for one in cameras if found[one.key] is not None) <= LAST_N
    if cameras and not any(one.source == "screen" for one in shown):
        first = min(cameras, key=lambda one: (-(one.max_height or 8192), one.spoke))
        if first.spoke == 0 and first.encodings[0].cost <= room and len(cameras) <= LAST_N:
            assert found[first.key] is not None, "who matters most is the last to go"


@given(pictures(), st.lists(st.none() | st.integers(0, 6_000_000), min_size=1, max_size=30), st.integers(0, 500_000))
def test_over_time_it_never_exceeds_the_estimate_nor_falls_for_nothing(
    shown: list[Shown], estimates: list[int | None], sound: int
) -> None:
    allocator = Allocator()
    present: Plan = {one.key: None for one in shown}
    for step, estimate in enumerate(estimates):
        now = [Shown(s.key, s.source, s.encodings, s.max_height, s.spoke, present[s.key]) for s in shown]
        found = allocator.decide(estimate, sound, now, step * 0.3)
        if estimate is not None:
            assert cost(now, found) <= max(0, estimate - sound)
        steady = allocator.decide(estimate, sound, [_with(s, found[s.key]) for s in shown], step * 0.3)
        for one in shown:
            assert (steady[one.key] is None) <= (found[one.key] is None), "the same again takes nothing away"
        present = steady


def _with(one: Shown, current: int | None) -> Shown:
    return Shown(one.key, one.source, one.encodings, one.max_height, one.spoke, current)


def test_an_order_of_steps_for_each_room() -> None:
    """More room never makes the first picture worse."""
    shown = [camera("a", 0, 720), camera("b", 1, 360), camera("c", 2, 180)]
    levels = [plan(room, shown)["a"] for room in range(0, 4_000_000, 50_000)]
    assert all((after or 0) >= (before or 0) for before, after in itertools.pairwise(levels))
