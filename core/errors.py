"""Expected failures. Each has an HTTP status and a stable code, and says what the person can do.

The same errors answer HTTP (RFC 9457 problem documents) and Socket.IO acknowledgements, so a code
means one thing everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class BedsideError(Exception):
    """Base of every expected failure. ``detail`` is shown to people: it never holds health data or secrets."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request can't be carried out"

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = dict(headers or {})
        self.extra = extra


class InvalidInput(BedsideError):
    """Input that does not fit its schema. ``errors`` lists ``{"field", "message"}``."""

    status = 400
    code = "invalid_input"
    title = "Some of what was sent is not valid"

    def __init__(self, errors: list[dict[str, str]], detail: str | None = None) -> None:
        super().__init__(detail, errors=errors)

    @classmethod
    def of(cls, field: str, message: str) -> InvalidInput:
        """One wrong field."""
        return cls([{"field": field, "message": message}])


class MalformedJson(BedsideError):
    status = 400
    code = "malformed_json"
    title = "The body is not valid JSON"


class NotSignedIn(BedsideError):
    status = 401
    code = "not_signed_in"
    title = "Sign in first"


class InvalidToken(BedsideError):
    """A token that is forged, expired, revoked or of another kind."""

    status = 401
    code = "invalid_token"
    title = "This token is not valid here"


class Forbidden(BedsideError):
    status = 403
    code = "forbidden"
    title = "You may not do this"


class SecondFactorNeeded(Forbidden):
    """Signed in, but the role needs a second factor and there is none yet."""

    code = "second_factor_needed"
    title = "Set up a second factor first: your role needs one"


class StepUpRequired(Forbidden):
    """A sensitive act by a session whose person has not proved themselves lately: they do, and try again."""

    code = "step_up_required"
    title = "Confirm that it is you, then try again"


class NotFound(BedsideError):
    status = 404
    code = "not_found"
    title = "There is nothing here"


class Conflict(BedsideError):
    status = 409
    code = "conflict"
    title = "This conflicts with what is there"


class InvalidTransition(Conflict):
    code = "invalid_transition"
    title = "This change is not possible from its present state"


class VersionConflict(Conflict):
    code = "version_conflict"
    title = "Somebody changed this meanwhile: read it again"


class ConsentMissing(Forbidden):
    """Somebody has not agreed to this, or has taken it back."""

    code = "consent_missing"
    title = "The person has not agreed to this"


class ConsentTextChanged(Conflict):
    code = "consent_text_changed"
    title = "The text has a newer version: read it first"


class BodyTooLarge(BedsideError):
    status = 413
    code = "body_too_large"
    title = "The body is too large"


class TooManyRequests(BedsideError):
    status = 429
    code = "too_many_requests"
    title = "Too many requests: wait a moment"


class Unavailable(BedsideError):
    """A part that this needs is away; trying again later is sensible."""

    status = 503
    code = "unavailable"
    title = "A part of the service is away: try again in a moment"
