"""Signed tokens (JWT, EdDSA with Ed25519; RFC 7519, RFC 8037). Each kind passes for nothing else.

The kind is in the header's ``typ`` and in ``aud``; both are checked. Public keys are published as a JWKS.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

# ``pending``: between the password and the second factor; ``link``: between a provider's sign-in and one's own.
Kind = Literal["access", "visit", "probe", "guest", "practice", "pending", "link"]


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token's content. ``extra`` holds what the issuer added (roles, appointment_id, …)."""

    subject: UUID
    token_id: UUID
    expires_at: datetime
    extra: dict[str, Any]


class Tokens(Protocol):
    """Issues and verifies. Raises ``InvalidToken`` with no reason given to the outside."""

    def issue(self, kind: Kind, subject: UUID, lifetime: timedelta, **extra: Any) -> str: ...

    def verify(self, token: str, kind: Kind) -> Claims: ...

    def jwks(self) -> dict[str, Any]: ...
