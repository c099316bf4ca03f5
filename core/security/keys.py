"""``JwtTokens`` and its signing keys: Ed25519 pairs in ``core.signing_keys``, rotated with overlap.

A new key is published before it signs, and an old one verifies until the last token it signed has expired; so
rotation signs nobody out, and another process always knows a key before it meets it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core.clock import Clock
from core.database import Database
from core.errors import InvalidToken
from core.ids import uuid7
from core.security.master import MasterKey, open_with, seal_with
from core.security.tokens import Claims, Kind

log = structlog.get_logger()

ISSUER = "bedside"
ALGORITHM = "EdDSA"
SIGNS_FOR = timedelta(days=30)
PUBLISHED_BEFORE_SIGNING = timedelta(minutes=10)  # longer than RELOAD_S and than a JWKS is cached
LONGEST_TOKEN = timedelta(days=1)  # no token outlives this; refresh tokens are not JWTs
LEEWAY_S = 5  # clocks of several machines
RELOAD_S = 300.0
RELOAD_AT_MOST_EVERY_S = 2.0  # forged key ids must not become database load
VERIFIED_TOKENS = 10_000  # remembered as good, some 10 MB
RESERVED = frozenset({"iss", "sub", "aud", "jti", "iat", "exp"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    private: Ed25519PrivateKey
    public: Ed25519PublicKey
    created_at: datetime
    retires_at: datetime | None  # set once a successor exists

    @classmethod
    def generate(cls, now: datetime) -> SigningKey:
        private = Ed25519PrivateKey.generate()
        return cls(uuid7().hex, private, private.public_key(), now, None)

    def public_jwk(self) -> dict[str, Any]:
        """The public part (RFC 8037, section 2)."""
        x = base64.urlsafe_b64encode(self.public.public_bytes_raw()).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig", "alg": ALGORITHM}


def signing_key(keys: Sequence[SigningKey], now: datetime) -> SigningKey:
    """The newest key that has been published long enough, else the oldest there is. Pure."""
    ready = [key for key in keys if key.created_at + PUBLISHED_BEFORE_SIGNING <= now]
    if ready:
        return max(ready, key=lambda key: (key.created_at, key.kid))
    return min(keys, key=lambda key: (key.created_at, key.kid))


class KeyStore(Protocol):
    async def load(self) -> list[SigningKey]:
        """All keys that still verify; at least one."""
        ...


class SigningKeys:
    """The keys in PostgreSQL; private parts are wrapped under the master key and bound to their kid."""

    def __init__(self, database: Database, master: MasterKey, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._wrapping = master.cipher("wrapping of signing keys")

    async def load(self) -> list[SigningKey]:
        """All keys that still verify; makes the first one, or the next one when it is due."""
        async with self._database.transaction() as tx:
            # Two processes starting at once must not both make a key.
            await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('bedside signing keys', 0))")
            now = self._clock.now()
            rows = await tx.fetch(
                "SELECT kid, wrapped_private, created_at, retires_at FROM core.signing_keys"
                " WHERE retires_at IS NULL OR retires_at > $1 ORDER BY created_at, kid",
                now,
            )
            keys = [self._open(*row.values()) for row in rows]
            if not keys or keys[-1].created_at + SIGNS_FOR <= now:
                fresh = SigningKey.generate(now)
                await tx.execute(
                    "INSERT INTO core.signing_keys (kid, public_jwk, wrapped_private, created_at)"
                    " VALUES ($1, $2, $3, $4)",
                    fresh.kid,
                    fresh.public_jwk(),
                    seal_with(self._wrapping, fresh.private.private_bytes_raw(), fresh.kid.encode()),
                    now,
                )
                await tx.execute(
                    "UPDATE core.signing_keys SET retires_at = $1 WHERE kid <> $2 AND retires_at IS NULL",
                    now + PUBLISHED_BEFORE_SIGNING + LONGEST_TOKEN + timedelta(seconds=RELOAD_S + LEEWAY_S),
                    fresh.kid,
                )
                keys.append(fresh)
        return keys

    def _open(self, kid: str, wrapped: bytes, created_at: datetime, retires_at: datetime | None) -> SigningKey:
        private = Ed25519PrivateKey.from_private_bytes(open_with(self._wrapping, wrapped, kid.encode()))
        return SigningKey(kid, private, private.public_key(), created_at, retires_at)


class JwtTokens:
    """Tokens over loaded keys. ``issue``, ``verify`` and ``jwks`` are synchronous and never wait for the database."""

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._verified: dict[bytes, tuple[Claims, str]] = {}
        self.reloading: asyncio.Task[None] | None = None  # the background load, if one ever ran
        self._loaded_at = float("-inf")

    async def load(self) -> None:
        """Read the keys; call at start. Afterwards use itself reloads them, so that rotation happens."""
        keys = await self._store.load()
        self._keys = {key.kid: key for key in keys}
        self._loaded_at = self._clock.monotonic()

    def issue(self, kind: Kind, subject: UUID, lifetime: timedelta, **extra: Any) -> str:
        """A signed token. ``extra`` holds JSON values; UUIDs and sets are rendered."""
        assert timedelta(0) < lifetime <= LONGEST_TOKEN, "a token lives at most a day"
        assert not RESERVED & extra.keys(), "reserved claim"
        self._reload_when_old()
        now = self._clock.now()
        issued = int(now.timestamp())
        payload = {name: _json(value) for name, value in extra.items()} | {
            "iss": ISSUER,
            "sub": str(subject),
            "aud": _audience(kind),
            "jti": str(uuid7()),
            "iat": issued,
            "exp": issued + int(lifetime.total_seconds()),
        }
        key = signing_key(list(self._keys.values()), now)
        return jwt.encode(payload, key.private, ALGORITHM, headers={"kid": key.kid, "typ": _type(kind)})

    def verify(self, token: str, kind: Kind) -> Claims:
        """Raises InvalidToken for whatever reason; the reason is not told.

        A signature check costs some 200 µs, and an access token comes many times: what was once found good is
        remembered by its digest, and only its time and its key are looked at again.
        """
        self._reload_when_old()
        digest = hashlib.sha256(f"{kind} {token}".encode(errors="replace")).digest()
        remembered = self._verified.get(digest)
        if remembered is None:
            remembered = self._check(token, kind)
            if len(self._verified) >= VERIFIED_TOKENS:
                self._verified.clear()
            self._verified[digest] = remembered
        claims, kid = remembered
        now = self._clock.now()
        key = self._keys.get(kid)
        if key is None or claims.expires_at <= now or (key.retires_at is not None and key.retires_at <= now):
            raise InvalidToken()
        return claims

    def _check(self, token: str, kind: Kind) -> tuple[Claims, str]:
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(str(header.get("kid", "")))
            if header.get("typ") != _type(kind) or key is None:
                if key is None:
                    self._reload_soon()
                raise InvalidToken()
            payload = jwt.decode(token, key.public, [ALGORITHM], options=_OPTIONS, audience=_audience(kind))
            if payload.get("iss") != ISSUER:
                raise InvalidToken()
            now = self._clock.now()
            expires, issued = payload["exp"], payload["iat"]
            if type(expires) is not int or type(issued) is not int:
                raise InvalidToken()
            if issued > now.timestamp() + LEEWAY_S:
                raise InvalidToken()
            claims = Claims(
                subject=UUID(payload["sub"]),
                token_id=UUID(payload["jti"]),
                expires_at=datetime.fromtimestamp(expires, now.tzinfo),
                extra={name: value for name, value in payload.items() if name not in RESERVED},
            )
            return claims, key.kid
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise InvalidToken() from None

    def jwks(self) -> dict[str, Any]:
        """Every key that still verifies, as a JWK set (RFC 7517, section 5)."""
        return {"keys": [key.public_jwk() for key in self._keys.values()]}

    async def close(self) -> None:
        if self.reloading is not None:
            self.reloading.cancel()
            await asyncio.gather(self.reloading, return_exceptions=True)

    def _reload_when_old(self) -> None:
        if self._clock.monotonic() - self._loaded_at > RELOAD_S:
            self._reload_soon()

    def _reload_soon(self) -> None:
        busy = self.reloading is not None and not self.reloading.done()
        if busy or self._clock.monotonic() - self._loaded_at < RELOAD_AT_MOST_EVERY_S:
            return
        self._loaded_at = self._clock.monotonic()  # also after a failure: no more often than that
        try:
            self.reloading = asyncio.get_running_loop().create_task(self._reload_quietly())
        except RuntimeError:  # outside the loop: the periodic reload will do
            return

    async def _reload_quietly(self) -> None:
        try:
            await self.load()
        except Exception as error:  # the database is away: the keys at hand go on, the next unknown kid tries again
            log.warning("signing keys not reloaded", error=type(error).__name__)


# Expiry is checked against our own clock above; signature and audience by the library.
_OPTIONS: Any = {
    "require": ["iss", "sub", "aud", "jti", "iat", "exp"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "strict_aud": True,
}


def _type(kind: Kind) -> str:
    return f"bedside-{kind}+jwt"


def _audience(kind: Kind) -> str:
    return f"bedside:{kind}"


def _json(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(_json(each) for each in value)
    return value
