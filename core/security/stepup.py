"""Sensitive acts need a fresh proof of who is acting (OWASP ASVS 5.0, 7.5.1 to 7.5.3; as RFC 9470 means ``max_age``).

``POST /auth/step-up`` gives it: the password, with the second factor where the person has one, or a passkey.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from core.errors import StepUpRequired
from core.security.principal import Principal

WITHIN = timedelta(minutes=10)


def require_recent(principal: Principal, now: datetime, within: timedelta = WITHIN) -> None:
    """Raise StepUpRequired (403 ``step_up_required``) unless the person proved who they are within that time."""
    at = principal.authenticated_at
    if at is None or now - at > within:
        raise StepUpRequired(max_age=int(within.total_seconds()))
