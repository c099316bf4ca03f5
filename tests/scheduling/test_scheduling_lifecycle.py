"""The appointment's state machine: what it refuses, and what is owed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidTransition
from scheduling.lifecycle import (
    NEXT,
    OPEN,
    STATUSES,
    CancelPolicy,
    Status,
    move,
    require_reschedulable,
    require_time_for,
)

START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
END = START + timedelta(minutes=30)
OPENS = START - timedelta(minutes=30)


def test_the_usual_way() -> None:
    status: Status = "booked"
    for following in ("arrived", "checked-in", "fulfilled"):
        status = move(status, following)
    assert status == "fulfilled"


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_nothing_leads_back_and_what_is_closed_stays_closed(wanted: list[Status]) -> None:
    status: Status = "booked"
    for following in wanted:
        before = status
        try:
            status = move(status, following)
        except InvalidTransition:
            assert following not in NEXT[before]
            continue
        assert status != before
        if before not in OPEN:
            assert status == "entered-in-error"


@pytest.mark.parametrize("status", [each for each in STATUSES if each != "booked"])
def test_only_what_has_not_begun_moves(status: Status) -> None:
    with pytest.raises(InvalidTransition):
        require_reschedulable(status)


def test_nobody_is_absent_before_the_start_nor_present_before_the_opening() -> None:
    times = {"start": START, "end": END, "opens_at": OPENS}
    with pytest.raises(InvalidTransition):
        require_time_for("noshow", now=START - timedelta(seconds=1), **times)
    require_time_for("noshow", now=START, **times)
    for status in ("arrived", "checked-in", "fulfilled"):
        with pytest.raises(InvalidTransition):
            require_time_for(status, now=OPENS - timedelta(seconds=1), **times)
        require_time_for(status, now=OPENS, **times)


def test_a_patient_owes_nothing_a_day_before_or_on_second_thoughts() -> None:
    long_ago = START - timedelta(days=30)

    def in_time(by: str, before: timedelta, booked: datetime = long_ago) -> bool:
        policy = CancelPolicy(timedelta(hours=24), timedelta(minutes=30))
        return policy.in_time(by=by, start=START, booked_at=booked, now=START - before)

    assert in_time("patient", timedelta(hours=24))
    assert not in_time("patient", timedelta(hours=23, minutes=59))
    assert in_time("patient", timedelta(hours=2), booked=START - timedelta(hours=2, minutes=20))
    assert not in_time("patient", timedelta(0), booked=START)
    assert in_time("practitioner", timedelta(0))
    assert in_time("desk", timedelta(minutes=-5))
