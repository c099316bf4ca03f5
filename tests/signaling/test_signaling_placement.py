"""Which worker a room goes to: pure, by example and by property."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.media_client import WorkerKey
from signaling.placement import Worker, choose, distance, filling, parse_worker, used


def worker(
    name: str,
    people: int = 0,
    *,
    load: float = 0.0,
    packets: float = 0.0,
    capacity: float = 400,
    draining: bool = False,
    zone: str = "",
) -> Worker:
    return Worker(WorkerKey(name, "1"), "h", 1, load, people // 2, people, capacity, draining, packets, zone)


ZONES = st.sampled_from(["", "dakar", "dakar/1", "dakar/2", "paris/1"])
WORKERS = st.lists(
    st.builds(
        worker,
        st.uuids().map(str),
        st.integers(0, 500),
        load=st.floats(0, 1),
        packets=st.floats(0, 80_000),
        capacity=st.sampled_from([100.0, 400.0]),
        draining=st.booleans(),
        zone=ZONES,
    ),
    max_size=8,
)


def test_a_registration_is_read_and_nonsense_is_not() -> None:
    raw = (
        '{"id": "a", "boot": "1", "control_host": "h", "control_port": 1, "load": 0.5, "participants": 4, "rooms": 2,'
        ' "capacity": 400, "draining": false, "packets": 700, "zone": "dakar/1"}'
    )
    parsed = parse_worker(raw)
    assert parsed == worker("a", 4, load=0.5, packets=700, zone="dakar/1")
    for nonsense in (b"", b"{}", b"[]", b"3", b'{"id": 1, "boot": 2, "control_host": "h", "control_port": "x"}'):
        assert parse_worker(nonsense) is None


@pytest.mark.parametrize(
    ("workers", "placed", "zone", "chosen"),
    [
        ([], {}, "", None),
        ([worker("a", draining=True)], {}, "", None),
        ([worker("a", 10), worker("b", 4), worker("c", draining=True)], {}, "", "b"),
        ([worker("a", 10), worker("b", 4)], {"b": 4}, "", "a"),  # what b was given just now counts
        ([worker("a", 4, packets=9000), worker("b", 20)], {}, "", "b"),  # a few people in a large room are much work
        ([worker("a", 6, packets=4500), worker("b", 26, packets=3900)], {}, "", "a"),  # but cost less than in pairs
        ([worker("a", 10, capacity=400), worker("b", 8, capacity=100)], {}, "", "a"),
        ([worker("a", 50, zone="dakar/1"), worker("b", 0, zone="paris/1")], {}, "dakar/1", "a"),
        ([worker("a", 50, zone="dakar/2"), worker("b", 0, zone="paris/1")], {}, "dakar/1", "a"),
        ([worker("a", 360, zone="dakar/1"), worker("b", 0, zone="paris/1")], {}, "dakar/1", "b"),
        ([worker("a", 10, load=0.95, zone="dakar/1"), worker("b", 0, zone="paris/1")], {}, "dakar/1", "b"),
        ([worker("a", 390, zone="dakar/1"), worker("b", 395, zone="paris/1")], {}, "dakar/1", "a"),  # both busy: near
    ],
)
def test_the_least_filled_one_near_enough_is_chosen(
    workers: list[Worker], placed: dict[str, int], zone: str, chosen: str | None
) -> None:
    found = choose(workers, {WorkerKey(name, "1"): count for name, count in placed.items()}, zone)
    assert (None if found is None else found.key.id) == chosen


@given(WORKERS, ZONES)
def test_nobody_better_is_passed_over(workers: list[Worker], zone: str) -> None:
    chosen = choose(workers, {}, zone)
    able = [each for each in workers if not each.draining]
    assert (chosen is None) == (not able)
    if chosen is None:
        return
    assert not chosen.draining
    calm = [each for each in able if used(each, 0) < 0.85 and each.load < 0.85]
    if calm:
        assert chosen in calm
        assert distance(zone, chosen.zone) == min(distance(zone, each.zone) for each in calm)
        as_near = [each for each in calm if distance(zone, each.zone) == distance(zone, chosen.zone)]
        assert filling(chosen, 0) == min(filling(each, 0) for each in as_near)


@given(WORKERS, ZONES)
def test_the_order_of_the_workers_does_not_matter(workers: list[Worker], zone: str) -> None:
    shuffled = sorted(workers, key=lambda each: each.key.id[::-1])
    assert choose(workers, {}, zone) == choose(shuffled, {}, zone)


@given(st.integers(1, 8), st.integers(1, 100))
def test_rooms_placed_at_once_spread_evenly(machines: int, rooms: int) -> None:
    """Before any worker reports the first of them."""
    workers = [worker(str(index)) for index in range(machines)]
    placed: Counter[WorkerKey] = Counter()
    for _ in range(rooms):
        chosen = choose(workers, placed)
        assert chosen is not None
        placed[chosen.key] += 1
    counts = [placed[each.key] for each in workers]
    assert max(counts) - min(counts) <= 1


@given(st.lists(ZONES, min_size=2, max_size=2))
def test_distance_is_symmetric_and_nothing_is_nearer_than_itself(zones: list[str]) -> None:
    one, other = zones
    assert distance(one, other) == distance(other, one)
    assert distance(one, one) == 0
