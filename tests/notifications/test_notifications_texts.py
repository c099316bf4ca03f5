"""Texts and reminder plans: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.ids import uuid7
from notifications import templates
from notifications.reminders import choose, plan
from notifications.service import retry_delay

START = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("kind", sorted(templates.kinds()))
@pytest.mark.parametrize("language", ["en", "fr", "fr-BF", "de"])
def test_every_kind_renders_in_every_language(kind: str, language: str) -> None:
    values = {"other": "Awa Sanou", "when": "WHEN", "until": "UNTIL", "day": "DAY", "count": "2", "amount": "5 XOF"}
    title, body = templates.render(kind, language, values)
    assert title
    assert body
    assert "{" not in title + body
    assert "Awa" not in title, "titles are subjects of emails"


def test_times_are_the_readers() -> None:
    assert templates.when(START, "en", "Asia/Tokyo") == "Saturday 21 November 2026 at 23:30 (Asia/Tokyo)"
    assert templates.when(START, "fr", "Africa/Ouagadougou") == "samedi 21 novembre 2026 à 14:30 (Africa/Ouagadougou)"
    assert templates.when(START, "en", "America/New_York").endswith("at 09:30 (America/New York)")


def test_money_knows_minor_units() -> None:
    assert templates.money(15000, "XOF", "en") == "15,000 XOF"
    assert templates.money(1250, "EUR", "en") == "12.50 EUR"
    assert templates.money(123456, "EUR", "fr") == "1\u202f234,56 EUR"


def test_reminders_are_planned_only_ahead() -> None:
    visit, patient, practitioner = uuid7(), uuid7(), uuid7()

    def planned(before: timedelta) -> list[tuple[bool, int]]:
        found = plan(visit, patient, practitioner, START, START - before)
        return [(each.person_id == patient, each.minutes_before) for each in found]

    assert planned(timedelta(days=2)) == [(True, 1440), (True, 60), (True, 10), (False, 10)]
    assert planned(timedelta(minutes=30)) == [(True, 10), (False, 10)]
    assert planned(timedelta(minutes=5)) == []


def test_after_an_outage_the_nearest_reminder_is_chosen_and_none_after_the_start() -> None:
    due = plan(uuid7(), uuid7(), uuid7(), START, START - timedelta(days=2))
    chosen = choose(due[:2], START - timedelta(minutes=50))
    assert [each.minutes_before for each in chosen] == [60]
    assert choose(due, START) == set()


def test_retries_slow_down() -> None:
    assert [retry_delay(n).total_seconds() for n in (1, 2, 3)] == [15, 30, 60]
    assert retry_delay(30) == timedelta(hours=4)
