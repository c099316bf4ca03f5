"""The chain notices every change, and says where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from compliance.chain import START, AuditRow, Link, check, content, seal
from core.audit_rows import is_genuine, marked_id
from core.ids import uuid7

KEY = b"k" * 32
ROWS = b"r" * 32


def rows(number: int) -> list[AuditRow]:
    at = datetime(2026, 11, 21, 8, tzinfo=UTC)
    return [
        genuine(
            AuditRow(10 + n, uuid7(), at, "m", "record.read", uuid7(), "practitioner", "record", "r", uuid7(), None, {})
        )
        for n in range(number)
    ]


def genuine(row: AuditRow) -> AuditRow:
    """As the program would have written it."""
    return replace(row, id=marked_id(ROWS, content(row)))


def test_a_row_under_an_id_that_does_not_vouch_for_it_was_inserted() -> None:
    trail = rows(5)
    trail[3] = replace(trail[3], id=uuid7())
    broken = check(KEY, ROWS, START, 1, chained(trail))[2]
    assert broken is not None
    assert (broken.audit_seq, broken.what) == (13, "inserted")
    trail[3] = genuine(trail[3])
    assert check(KEY, ROWS, START, 1, chained(trail))[2] is None
    assert check(KEY, b"another", START, 1, chained(trail))[2] is not None
    for field, value in (
        ("action", "x"),
        ("reason", "x"),
        ("details", {"a": 1}),
        ("patient_id", None),
        ("module", "x"),
    ):
        changed = replace(trail[3], **{field: value})
        assert not is_genuine(ROWS, changed.id, content(changed)), field


def chained(trail: list[AuditRow], key: bytes = KEY) -> list[Link]:
    return [
        Link(position, seq, digest, row)
        for (position, seq, digest), row in zip(seal(key, START, 1, trail), trail, strict=True)
    ]


def test_an_untouched_trail_is_intact_in_pieces_too() -> None:
    trail = rows(10)
    links = chained(trail)
    head, position, broken = check(KEY, ROWS, START, 1, links)
    assert (head, position, broken) == (links[-1].digest, 11, None)
    half = check(KEY, ROWS, START, 1, links[:4])
    assert check(KEY, ROWS, half[0], half[1], links[4:]) == (head, 11, None)
    first = seal(KEY, START, 1, trail[:4])
    assert seal(KEY, first[-1][2], 5, trail[4:])[-1][2] == head


@pytest.mark.parametrize(
    "change",
    [
        {"action": "record.updated"},
        {"actor_id": None},
        {"patient_id": uuid7()},
        {"reason": ""},
        {"details": {"a": 1}},
        {"at": datetime(2026, 11, 21, 8, 0, 0, 1, tzinfo=UTC)},
    ],
)
def test_an_altered_row_is_named(change: dict[str, Any]) -> None:
    links = chained(rows(5))
    row = links[2].row
    assert row is not None
    links[2] = replace(links[2], row=replace(row, **change))
    broken = check(KEY, ROWS, START, 1, links)[2]
    assert broken is not None
    assert (broken.audit_seq, broken.what) == (12, "altered")


def test_deleted_rows_missing_links_and_swaps_are_named() -> None:
    links = chained(rows(5))
    deleted = check(KEY, ROWS, START, 1, [*links[:1], replace(links[1], row=None), *links[2:]])[2]
    missing = check(KEY, ROWS, START, 1, [*links[:1], *links[2:]])[2]
    swapped = check(KEY, ROWS, START, 1, [replace(links[0], row=links[1].row), replace(links[1], row=links[0].row)])[2]
    assert [each and each.what for each in (deleted, missing, swapped)] == ["deleted", "unsealed", "altered"]


def test_a_chain_made_without_the_key_does_not_fit() -> None:
    assert check(KEY, ROWS, START, 1, chained(rows(2), b"x" * 32))[2] is not None
