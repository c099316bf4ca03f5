"""Splitting gathered facts into runs of one name."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from core.events import Envelope, runs
from core.ids import uuid7

AT = datetime(2026, 3, 1, tzinfo=UTC)


def fact(name: str, key: int) -> Envelope:
    return Envelope(uuid7(), name, UUID(int=key), AT, {})


def test_facts_of_other_keys_join_an_earlier_run() -> None:
    given_facts = [fact("booked", 1), fact("cancelled", 1), fact("booked", 2), fact("booked", 1)]
    found = runs(given_facts)
    assert [[(each.name, each.order_key.int) for each in run] for run in found] == [
        [("booked", 1), ("booked", 2)],
        [("cancelled", 1)],
        [("booked", 1)],
    ]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=30))
def test_every_fact_once_one_name_a_run_and_keys_in_order(drawn: list[tuple[str, int]]) -> None:
    facts = [fact(name, key) for name, key in drawn]
    found = runs(facts)
    flat = [each for run in found for each in run]
    assert sorted(map(id, flat)) == sorted(map(id, facts))
    assert all(run and len({each.name for each in run}) == 1 for run in found)
    for key in {each.order_key for each in facts}:
        assert [each for each in flat if each.order_key == key] == [each for each in facts if each.order_key == key]
