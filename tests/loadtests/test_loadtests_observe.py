"""Reading the server's metrics and judging a call."""

from __future__ import annotations

import pytest

from loadtests.call import Received, judge
from loadtests.observe import facts_handled, handled_badly, lags, parse_metrics
from loadtests.run import Crowd

BEFORE = """
# HELP bedside_fact_lag_seconds From a fact's writing to the end of its handling
# TYPE bedside_fact_lag_seconds histogram
bedside_fact_lag_seconds_bucket{group="billing",le="0.1"} 5.0
bedside_fact_lag_seconds_bucket{group="billing",le="1.0"} 5.0
bedside_fact_lag_seconds_bucket{group="billing",le="+Inf"} 5.0
bedside_facts_handled_total{group="billing",outcome="handled"} 5.0
process_open_fds 12.0
"""
AFTER = """
bedside_fact_lag_seconds_bucket{group="billing",le="0.1"} 14.0
bedside_fact_lag_seconds_bucket{group="billing",le="1.0"} 15.0
bedside_fact_lag_seconds_bucket{group="billing",le="+Inf"} 15.0
bedside_facts_handled_total{group="billing",outcome="handled"} 15.0
bedside_facts_handled_total{group="billing",outcome="parked"} 2.0
"""


def test_lag_is_that_of_the_facts_in_between() -> None:
    before, after = parse_metrics(BEFORE), parse_metrics(AFTER)
    assert lags(before, after) == {"billing": (10, 0.1, 1.0)}
    assert lags(after, after) == {}


def test_facts_that_failed_are_counted() -> None:
    before, after = parse_metrics(BEFORE), parse_metrics(AFTER)
    assert handled_badly(before, after) == 2
    assert facts_handled(after) == 17
    assert before["process_open_fds", ()] == 12.0


@pytest.mark.parametrize(
    ("other", "wrong"),
    [
        (Received(650, 650, 150, 500), ""),
        (Received(650, 500, 150, 500), "packets were lost"),
        (Received(650, 650, 20, 500), "pictures"),
        (Received(650, 650, 150, 30), "sound"),
        (Received(0, 0, 0, 0), "packets were lost"),
    ],
)
def test_a_call_is_judged_by_what_arrived(other: Received, wrong: str) -> None:
    _, problem = judge(10, [Received(other.packets_sent, other.packets_sent, 150, 500), other])
    assert wrong in problem
    assert bool(problem) == bool(wrong)


@pytest.mark.parametrize("users", [1, 7, 10, 30, 100])
def test_every_kind_of_user_takes_part(users: int) -> None:
    crowd = Crowd.of(users)
    assert min(crowd.booking, crowd.waiting_rooms, crowd.pairs) >= 1
    assert crowd.users == max(users, 8)
