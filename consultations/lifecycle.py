"""The consultation's states, as pure rules. FHIR R4 Encounter words; its ``finished`` is ``completed`` here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from consultations.errors import NotPossibleNow, VisitNotOpen
from core.clock import rfc3339

Status = Literal["planned", "in-progress", "completed", "cancelled"]
Change = Literal["start", "complete", "cancel"]

# From where each change is possible. Completing without a call is right: a visit may happen by phone or chat alone.
_FROM: dict[Change, frozenset[Status]] = {
    "start": frozenset({"planned"}),
    "complete": frozenset({"planned", "in-progress"}),
    "cancel": frozenset({"planned"}),
}
_TO: dict[Change, Status] = {"start": "in-progress", "complete": "completed", "cancel": "cancelled"}

# Appointments in these states have no visit any more.
OVER = frozenset({"cancelled", "noshow", "entered-in-error", "fulfilled"})


def after(status: Status, change: Change) -> Status:
    """The state after ``change``; raises ``NotPossibleNow`` (409 ``invalid_transition``)."""
    if status not in _FROM[change]:
        raise NotPossibleNow(f"A consultation that is {status} can't {change}")
    return _TO[change]


def require_open(appointment_status: str, opens_at: datetime, closes_at: datetime, now: datetime) -> None:
    """Raise ``VisitNotOpen`` unless ``opens_at <= now < closes_at`` and the appointment is still to happen."""
    if appointment_status in OVER or not opens_at <= now < closes_at:
        raise VisitNotOpen(opens_at=rfc3339(opens_at), closes_at=rfc3339(closes_at))


def token_lifetime(now: datetime, closes_at: datetime, longest: timedelta) -> timedelta:
    """How long a token for the visit is good: never past the window's end."""
    return min(longest, closes_at - now)


def waited(waiting_since: datetime | None, started_at: datetime) -> int:
    """Whole seconds between arrival and start; 0 when nobody waited."""
    if waiting_since is None:
        return 0
    return max(0, int((started_at - waiting_since).total_seconds()))
