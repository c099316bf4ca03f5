"""What waiting visitors expect to be told."""

from __future__ import annotations

from loadtests.line import TOLD_WITHIN_S, Line


def test_those_behind_somebody_who_leaves_are_told() -> None:
    line = Line()
    for place, who in enumerate(("a", "b", "c"), start=1):
        line.entered(who, place)
    line.leaves("b", 10.0)
    assert line.told("c", 2) == 10.0
    assert line.told("a", 1) is None


def test_two_changes_told_at_once_count_from_the_first() -> None:
    line = Line()
    for place, who in enumerate(("a", "b", "c"), start=1):
        line.entered(who, place)
    line.leaves("a", 10.0)
    line.leaves("b", 10.1)
    assert line.told("c", 1) == 10.0
    assert line.told("c", 1) is None


def test_an_untold_change_is_overdue_once() -> None:
    line = Line()
    line.entered("a", 1)
    line.entered("b", 2)
    line.leaves("a", 10.0)
    assert not line.overdue("b", 10.0 + TOLD_WITHIN_S / 2)
    assert line.overdue("b", 10.0 + TOLD_WITHIN_S)
    assert not line.overdue("b", 10.0 + TOLD_WITHIN_S)


def test_who_has_left_expects_nothing() -> None:
    line = Line()
    line.entered("a", 1)
    line.entered("b", 2)
    line.leaves("b", 9.0)
    line.leaves("a", 10.0)
    assert not line.overdue("b", 100.0)
    assert line.told("b", 1) is None
