"""Whether authority over somebody is in force at a moment: a pure question."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.authority import Authority, Kind, Majority, birthday, ends_by_itself, of_age_at, relations, state

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAJORITY = Majority(18, {"SG": 21})
LONG_AGO = NOW - timedelta(days=400)


def authority(kind: Kind = "carer", **changes: object) -> Authority:
    made = Authority(
        UUID(int=1),
        UUID(int=2),
        UUID(int=3),
        kind,
        ("book",),
        "SN",
        LONG_AGO,
        None,
        UUID(int=2),
        "patient",
        "invited",
        LONG_AGO,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # each test names fields that there are


def test_it_is_in_force_from_its_beginning_up_to_its_end() -> None:
    until = NOW + timedelta(days=1)
    made = authority(since=NOW, until=until)
    assert state(made, None, NOW - timedelta(microseconds=1)) == "to_come"
    assert state(made, None, NOW) == "in_force"
    assert state(made, None, until - timedelta(microseconds=1)) == "in_force"
    assert state(made, None, until) == "ended"


def test_what_was_ended_is_over_whatever_its_dates_say() -> None:
    ended = authority(ended_at=NOW, end_reason="patient", until=NOW + timedelta(days=9))
    assert state(ended, None, NOW) == "ended"
    assert state(ended, None, NOW + timedelta(days=1)) == "ended"
    assert state(replace(ended, since=NOW + timedelta(days=3)), None, NOW) == "ended"


def test_a_parents_authority_ends_on_the_birthday_and_a_guardians_does_not() -> None:
    grown_up = of_age_at(date(2008, 11, 21), "SN", "UTC", MAJORITY)
    assert grown_up == datetime(2026, 11, 21, tzinfo=UTC)
    assert state(authority("parent"), grown_up, grown_up - timedelta(seconds=1)) == "in_force"
    assert state(authority("parent"), grown_up, grown_up) == "ended"
    for kind in ("legal", "carer"):
        assert state(authority(kind), grown_up, NOW + timedelta(days=3650)) == "in_force"


def test_the_age_is_the_countrys_and_the_midnight_is_where_the_patient_lives() -> None:
    assert of_age_at(date(2008, 5, 1), "SG", "UTC", MAJORITY).year == 2029
    in_auckland = of_age_at(date(2008, 5, 1), "SN", "Pacific/Auckland", MAJORITY)
    assert in_auckland.astimezone(UTC) == datetime(2026, 4, 30, 12, tzinfo=UTC)


def test_who_was_born_on_29_february_is_of_age_on_1_march() -> None:
    assert birthday(date(2008, 2, 29), 18) == date(2026, 3, 1)
    assert birthday(date(2008, 2, 29), 20) == date(2028, 2, 29)


def test_the_earlier_end_counts_and_says_why() -> None:
    grown_up = NOW + timedelta(days=10)
    assert ends_by_itself(authority("parent", until=NOW), grown_up) == (NOW, "until")
    assert ends_by_itself(authority("parent", until=NOW + timedelta(days=20)), grown_up) == (grown_up, "of_age")
    assert ends_by_itself(authority(), grown_up) is None


def test_scopes_are_relations_of_their_own() -> None:
    assert relations(("book",)) == {"proxy_book"}
    assert relations(("attend", "read")) == {"proxy_attend", "proxy_read"}


MOMENTS = st.integers(-2500, 5000).map(lambda days: NOW + timedelta(days=days))


@pytest.mark.parametrize("kind", ["parent", "carer", "legal"])
@given(since=MOMENTS, until=st.none() | MOMENTS, of_age=st.none() | MOMENTS, at=MOMENTS, later=MOMENTS)
def test_once_over_it_never_comes_back(
    kind: Kind, since: datetime, until: datetime | None, of_age: datetime | None, at: datetime, later: datetime
) -> None:
    made = authority(kind, since=since, until=until)
    first, second = sorted((at, later))
    if state(made, of_age, first) == "ended":
        assert state(made, of_age, second) == "ended"
    if state(made, of_age, first) == "in_force":
        assert state(made, of_age, second) != "to_come"
