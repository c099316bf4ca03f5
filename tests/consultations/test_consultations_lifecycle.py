"""The consultation's rules as pure functions."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consultations.errors import NotPossibleNow, UnsupportedFile, VisitNotOpen
from consultations.lifecycle import Change, Status, after, require_open, token_lifetime, waited
from consultations.uploads import MAX_NAME, content_type_of, safe_name
from core.turn import LIFETIME, ice_servers

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
STATUSES: tuple[Status, ...] = ("planned", "in-progress", "completed", "cancelled")
CHANGES: tuple[Change, ...] = ("start", "complete", "cancel")


@given(st.lists(st.sampled_from(CHANGES), max_size=6))
def test_nothing_leads_out_of_completed_or_cancelled(changes: list[Change]) -> None:
    status: Status = "planned"
    for change in changes:
        before = status
        try:
            status = after(status, change)
        except NotPossibleNow:
            continue
        else:
            assert before not in ("completed", "cancelled")


@pytest.mark.parametrize("seconds", [-1, 3600, 99999])
def test_outside_the_window_the_visit_is_not_open(seconds: int) -> None:
    with pytest.raises(VisitNotOpen) as caught:
        require_open("booked", NOW, NOW + timedelta(hours=1), NOW + timedelta(seconds=seconds))
    assert caught.value.extra == {"opens_at": "2026-11-21T08:00:00.000Z", "closes_at": "2026-11-21T09:00:00.000Z"}


def test_within_the_window_only_a_living_appointment_has_a_visit() -> None:
    for status in ("booked", "arrived", "checked-in"):
        require_open(status, NOW, NOW + timedelta(hours=1), NOW)
    for status in ("cancelled", "noshow", "fulfilled", "entered-in-error"):
        with pytest.raises(VisitNotOpen):
            require_open(status, NOW, NOW + timedelta(hours=1), NOW)


def test_tokens_end_with_the_window() -> None:
    assert token_lifetime(NOW, NOW + timedelta(minutes=2), timedelta(minutes=5)) == timedelta(minutes=2)
    assert token_lifetime(NOW, NOW + timedelta(hours=2), timedelta(minutes=5)) == timedelta(minutes=5)


def test_waiting_is_counted_in_whole_seconds_and_never_negative() -> None:
    assert waited(None, NOW) == 0
    assert waited(NOW, NOW + timedelta(seconds=61.9)) == 61
    assert waited(NOW + timedelta(seconds=5), NOW) == 0


def test_turn_credentials_are_what_the_relay_computes() -> None:
    person = UUID(int=7)
    assert ice_servers([], "secret", person, NOW) == []
    assert ice_servers(["turn:relay"], "", person, NOW) == []
    (server,) = ice_servers(["turn:relay:3478"], "secret", person, NOW)
    expiry, _, name = server["username"].partition(":")
    assert int(expiry) == int((NOW + LIFETIME).timestamp())
    assert name == person.hex
    expected = hmac.new(b"secret", server["username"].encode(), hashlib.sha1).digest()
    assert base64.b64decode(server["credential"]) == expected


def test_files_are_known_by_their_content() -> None:
    assert content_type_of(b"%PDF-1.7 ...") == "application/pdf"
    assert content_type_of(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert content_type_of(b"\x89PNG\r\n\x1a\n") == "image/png"
    for hostile in (b"", b"<svg onload=x>", b"MZ\x90", b"GIF89a", b" %PDF-"):
        with pytest.raises(UnsupportedFile):
            content_type_of(hostile)


@given(st.text(max_size=300))
def test_a_shown_name_has_no_path_and_no_control_characters(name: str) -> None:
    shown = safe_name(name)
    assert 0 < len(shown) <= MAX_NAME
    assert not set(shown) & set("/\\\r\n\x00\u202e")
