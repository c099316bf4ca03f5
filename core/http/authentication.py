"""Who is calling: the bearer token of a request becomes a principal."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from core.errors import InvalidToken, NotSignedIn, SecondFactorNeeded
from core.http.routes import Auth
from core.security.principal import ANONYMOUS, Principal
from core.security.tokens import Tokens

# A signed token of ours has well under 1000 characters.
LONGEST_TOKEN = 4096


class Sessions(Protocol):
    """Supplied by identity: an access token counts only while its session lives."""

    async def authenticate(self, token: str) -> Principal:
        """Raises ``InvalidToken`` when forged, expired, revoked or of another kind."""
        ...


def bearer(request: web.Request) -> str | None:
    """The token of the Authorization header (RFC 6750, section 2.1); never taken from the address."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
        raise InvalidToken()
    return token


def guest_principal(tokens: Tokens, token: str) -> Principal:
    """The invited person behind a guest token: an interpreter or a guest, without an account."""
    claims = tokens.verify(token, "guest")
    name = str(claims.extra.get("name", ""))
    if claims.extra.get("role") == "interpreter":
        return Principal(claims.subject, "interpreter", frozenset({"interpreter"}), name=name)
    return Principal(claims.subject, "guest", frozenset({"guest"}), name=name)


async def authenticate(request: web.Request, auth: Auth, sessions: Sessions, tokens: Tokens) -> Principal:
    """The principal a route with this ``auth`` sees. Raises NotSignedIn, InvalidToken or SecondFactorNeeded."""
    if auth == "none":
        return ANONYMOUS
    token = bearer(request)
    if token is None:
        raise NotSignedIn()
    if auth == "guest":
        return guest_principal(tokens, token)
    principal = await sessions.authenticate(token)
    if principal.role == "enrolling" and auth != "enrolling":
        raise SecondFactorNeeded()
    return principal
