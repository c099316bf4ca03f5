"""Asking an OpenID Connect provider: discovery, authorization code with PKCE, and its word about who came.

OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700. Signatures and claims are checked by PyJWT.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import jwt
import structlog

from core.settings import Provider
from identity.errors import ProviderFailed

MOST_BYTES = 1_000_000
MOST_SECONDS = 10.0
KEPT_S = 3600.0  # the provider's description and keys
REFETCH_AFTER_S = 10.0  # unknown key ids must not become a flood of requests
LEEWAY_S = 60
ALGORITHMS = ("RS256", "ES256", "EdDSA", "PS256", "RS384", "RS512", "ES384", "ES512", "PS384", "PS512")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outsider:
    """Who a provider says has come. ``email`` only when the provider has verified it."""

    issuer: str
    subject: str
    email: str | None


def challenge_of(verifier: str) -> str:
    """RFC 7636, section 4.2 (S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class ProviderClient:
    """One provider. Its methods raise ProviderFailed; why is logged, without what was sent or received."""

    def __init__(self, provider: Provider, redirect_uri: str) -> None:
        self.provider = provider
        self._redirect_uri = redirect_uri
        self._description: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, jwt.PyJWKSet] | None = None

    async def address(self, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser."""
        described = await self._described()
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = self._endpoint(described, "authorization_endpoint")
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    async def exchange(self, code: str, verifier: str, nonce: str) -> Outsider:
        """Who came with this code."""
        described = await self._described()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {}
        secret = self.provider.secret
        methods = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret and "client_secret_basic" in methods:
            # RFC 6749, section 2.3.1: both are form-encoded first.
            pair = f"{quote_plus(self.provider.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self.provider.client_id
            if secret:
                form["client_secret"] = secret
        answer = await self._ask("POST", self._endpoint(described, "token_endpoint"), data=form, headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise self._failed("no id token")
        return self._read(await self._verified(token, described), nonce)

    async def _verified(self, token: str, described: dict[str, Any]) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            # Never what is symmetric, never "none": the key is public.
            if algorithm not in ALGORITHMS:
                raise self._failed("algorithm")
            key = await self._key(header.get("kid"), described)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self.provider.client_id,
                issuer=self.provider.issuer,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise self._failed(type(error).__name__) from None
        return claims

    def _read(self, claims: dict[str, Any], nonce: str) -> Outsider:
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self.provider.client_id:
            raise self._failed("authorised party")
        if claims.get("azp", self.provider.client_id) != self.provider.client_id or claims.get("nonce") != nonce:
            raise self._failed("nonce or authorised party")
        subject, email = claims["sub"], claims.get("email")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise self._failed("subject")
        verified = isinstance(email, str) and claims.get("email_verified") is True
        return Outsider(self.provider.issuer, subject, email if verified else None)

    async def _key(self, kid: str | None, described: dict[str, Any]) -> jwt.PyJWK:
        for _ in range(2):
            kept = self._keys
            if kept is None or time.monotonic() - kept[0] > KEPT_S:
                answer = await self._ask("GET", self._endpoint(described, "jwks_uri"))
                kept = self._keys = (time.monotonic(), jwt.PyJWKSet.from_dict(answer))
            usable = [key for key in kept[1].keys if key.public_key_use in (None, "sig")]
            fitting = [key for key in usable if kid in (None, key.key_id)]
            if len(fitting) == 1 or (fitting and kid is not None):
                return fitting[0]
            if time.monotonic() - kept[0] < REFETCH_AFTER_S:
                break
            self._keys = None  # rotated since
        raise self._failed("unknown key")

    async def _described(self) -> dict[str, Any]:
        kept = self._description
        if kept is None or time.monotonic() - kept[0] > KEPT_S:
            issuer = self.provider.issuer
            described = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if described.get("issuer") != issuer:
                raise self._failed("issuer")
            kept = self._description = (time.monotonic(), described)
        return kept[1]

    def _endpoint(self, described: dict[str, Any], name: str) -> str:
        address = described.get(name)
        schemes = ("https", "http") if self.provider.allow_http else ("https",)
        if not isinstance(address, str) or urlsplit(address).scheme not in schemes:
            raise self._failed(name)
        return address

    async def _ask(
        self, method: str, address: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=MOST_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client,
                client.request(
                    method,
                    address,
                    allow_redirects=False,
                    headers={"Accept": "application/json", **(headers or {})},
                    **more,
                ) as answer,
            ):
                body = await answer.content.read(MOST_BYTES + 1)
                while len(body) <= MOST_BYTES and (part := await answer.content.read(MOST_BYTES)):
                    body += part
                status = answer.status
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failed(type(error).__name__) from None
        if status != 200 or len(body) > MOST_BYTES:
            raise self._failed(f"answered {status}")
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._failed("no JSON object")
        return found

    def _failed(self, why: str) -> ProviderFailed:
        log.warning("sign-in provider failed", provider=self.provider.id, why=why)
        return ProviderFailed()
