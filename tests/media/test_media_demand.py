"""What a sender is told that it need not send: more at once, less after a while."""

from __future__ import annotations

import pytest

from media.demand import LESS_AFTER_S, Demand, Wanted, wanted

RIDS = ("q", "h", "f")


@pytest.mark.parametrize(
    ("wishes", "rids"),
    [([2], ["f"]), ([0], ["q"]), ([2, 2], ["q", "h", "f"]), ([0, 1, 0], ["q", "h"]), ([0, 0], ["q"])],
)
def test_one_receiver_needs_one_encoding_and_several_need_a_choice(wishes: list[int], rids: list[str]) -> None:
    assert wanted(RIDS, wishes) == Wanted(True, tuple(rids))


def test_nobody_needs_none_and_a_single_encoding_has_no_name() -> None:
    assert wanted(RIDS, []) == Wanted(False)
    assert wanted((), [0, 0]) == Wanted(True)


def test_more_is_told_at_once_and_less_after_a_while() -> None:
    demand = Demand()
    small, large, none = Wanted(True, ("q",)), Wanted(True, ("f",)), Wanted(False)
    assert demand.update(small, 0.0)
    assert demand.told == small
    assert not demand.update(small, 1.0)
    assert demand.update(large, 2.0)
    assert demand.told == Wanted(True, ("f", "q")), "what goes out now goes on until the other has come"
    assert not demand.update(large, 2.1)
    assert not demand.update(large, 2.0 + LESS_AFTER_S)
    assert demand.update(large, 2.1 + LESS_AFTER_S)
    assert demand.told == large
    assert not demand.update(none, 20.0)
    assert not demand.update(large, 21.0), "back in time: nothing was said"
    assert not demand.update(none, 22.0)
    assert not demand.update(none, 21.9 + LESS_AFTER_S)
    assert demand.update(none, 22.0 + LESS_AFTER_S)
    assert demand.told == none
    assert demand.update(small, 40.0)
    assert demand.told == small
