"""The estimate of what fits the way to a receiver, on simulated ways: it falls in time and climbs back."""

from __future__ import annotations

import pytest

from media.rtp.bandwidth import CEILING, FLOOR, START, Bandwidth
from media.rtp.delay import Delay
from media.rtp.sent import Group, Told
from tests.media.bottleneck import Look, Way

CAPACITY = 2_000_000.0
NARROW = 300_000.0
FALLS, RISES, END = 12.0, 27.0, 45.0


def narrowing(at: float) -> float:
    """From 2 Mbit/s to 300 kbit/s and back."""
    return NARROW if FALLS <= at < RISES else CAPACITY


def mean(looks: list[Look]) -> float:
    return sum(look.rate for look in looks) / len(looks)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("delay", "jitter", "buffer_s", "up_within"),
    [(0.02, 0.0, 1.0, 15.0), (0.02, 0.0, 0.05, 15.0), (0.05, 0.01, 0.5, 15.0), (0.15, 0.05, 1.0, 18.0)],
    ids=["long queue", "short queue", "100 ms", "300 ms and jitter"],
)
def test_it_follows_a_rate_that_falls_and_comes_back(
    delay: float, jitter: float, buffer_s: float, up_within: float, seed: int
) -> None:
    way = Way(narrowing, delay=delay, jitter=jitter, buffer_s=buffer_s, seed=seed)
    way.run(END)
    assert max(look.rate for look in way.between(4, FALLS)) > 0.75 * CAPACITY
    under = next(look.at for look in way.between(FALLS, RISES) if look.rate < 1.1 * NARROW)
    assert under - FALLS < 3.0
    assert max(look.rate for look in way.between(under + 2, RISES)) < 1.6 * NARROW
    assert mean(way.between(under + 2, RISES)) > 0.55 * NARROW, "it does not give up more than it must"
    assert max(look.queue for look in way.between(FALLS + 5, RISES)) < 0.3
    again = next(look.at for look in way.between(RISES, END) if look.rate > 0.7 * CAPACITY)
    assert again - RISES < up_within


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("delay", "jitter", "loss"),
    [(0.02, 0.0, 0.05), (0.02, 0.0, 0.1), (0.02, 0.05, 0.0), (0.15, 0.05, 0.0), (0.15, 0.05, 0.1), (0.02, 0.0, 0.25)],
)
def test_loss_and_jitter_of_the_way_itself_do_not_pull_it_down(
    delay: float, jitter: float, loss: float, seed: int
) -> None:
    way = Way(lambda at: CAPACITY, delay=delay, jitter=jitter, loss=loss, seed=seed)
    way.run(40)
    assert mean(way.between(15, 40)) > (0.7 if loss <= 0.1 else 0.5) * CAPACITY
    assert min(look.rate for look in way.between(15, 40)) > 0.35 * CAPACITY
    assert max(look.queue for look in way.between(5, 40)) < 0.3


def test_a_narrow_way_from_the_beginning() -> None:
    way = Way(lambda at: 200_000.0)
    way.run(20)
    assert way.between(2.5, 3)[0].rate < 220_000
    assert mean(way.between(5, 20)) > 120_000
    assert max(look.queue for look in way.between(8, 20)) < 0.3


def test_a_quiet_picture_is_not_probed_and_not_forgotten() -> None:
    way = Way(lambda at: CAPACITY, most=200_000)
    way.run(20)
    assert way.bandwidth.probes == 0
    assert way.bandwidth.rate >= START, "little was sent: that is no reason"


def test_a_way_that_got_longer_for_good_is_no_queue() -> None:
    way = Way(lambda at: CAPACITY, most=1_000_000)
    way.run(10)
    way.delay += 0.25
    way.run(25)
    assert way.looks[-1].rate > 0.5 * CAPACITY
    assert min(look.rate for look in way.between(10, 35)) > 0.15 * CAPACITY


def test_silence_lowers_it_and_its_end_brings_it_back() -> None:
    way = Way(lambda at: CAPACITY)
    way.run(8)
    before = way.looks[-1].rate
    way.blocked = True
    way.run(20)
    assert 0.1 * before < way.looks[-1].rate < 0.3 * before
    way.blocked = False
    way.run(0.5)
    assert way.looks[-1].rate > 0.8 * min(before, START), "a network that was away is not a narrow one"
    way.run(10)
    assert way.looks[-1].rate > 0.6 * before


def test_a_rate_that_falls_under_what_is_used_is_followed_at_once() -> None:
    """More was known to fit than was used; a router's short queue loses sound until what is sent fits."""
    way = Way(narrowing, most=600_000, buffer_s=0.2)
    way.run(FALLS)
    assert way.looks[-1].rate > 1_200_000
    way.run(3)
    assert max(look.rate for look in way.between(FALLS + 0.6, RISES)) < 1.3 * NARROW


def test_nothing_sent_is_no_silence() -> None:
    bandwidth = Bandwidth(0.0)
    bandwidth.update(Told([Group(0.0, 9.0, 500)], 1, 0, 500, 1), 1, 0.1)
    for step in range(100):
        bandwidth.update(Told([], 0, 0, 0, 0), 1, 0.2 + step / 10)
    assert bandwidth.rate >= START


def test_another_clock_of_the_receiver_is_a_new_beginning() -> None:
    delay = Delay()
    for index in range(60):
        delay.add(Group(index * 0.02, 50 + index * 0.02, 1200))
    for index in range(60, 120):
        delay.add(Group(index * 0.02, 9000 + index * 0.02, 1200))
    assert not delay.over
    assert delay.standing < 0.001


def test_nonsense_from_a_receiver_keeps_it_within_bounds() -> None:
    bandwidth = Bandwidth(0.0)
    for index in range(300):
        groups = [Group(index * 0.1, (index * 7919 % 101) * 1e3, 1 + index * 37 % 9000)]
        bandwidth.update(Told(groups, index % 3, index % 50 - 10, index, 1), index * 30, index * 0.1)
        bandwidth.probe(1e9, index * 0.1)
        assert FLOOR <= bandwidth.rate <= CEILING
