"""What reaches a log: never a secret, never what somebody sent."""

from __future__ import annotations

import asyncpg

from core.telemetry import REDACTED, describe, redact


def test_secrets_and_health_data_are_emptied_at_any_depth() -> None:
    event = redact(
        None,
        "info",
        {
            "event": "kept",
            "access_token": "x",
            "Reset-Token": "x",
            "reason": "chest pain",
            "fields": {"email": "a@b", "count": 3, "deep": [{"password": "x"}]},
            "route": "/api/v1/appointments/{id}",
        },
    )
    assert event == {
        "event": "kept",
        "access_token": REDACTED,
        "Reset-Token": REDACTED,
        "reason": REDACTED,
        "fields": {"email": REDACTED, "count": 3, "deep": [{"password": REDACTED}]},
        "route": "/api/v1/appointments/{id}",
    }


def test_an_exception_is_described_without_its_values() -> None:
    assert describe(ValueError("chest pain")) == "ValueError"
    assert describe(KeyError("chest pain")) == "KeyError"
    assert describe(ConnectionRefusedError("refused")) == "ConnectionRefusedError: refused"
    error = asyncpg.UniqueViolationError("Key (email)=(a@b) already exists")
    assert "a@b" not in describe(error)
