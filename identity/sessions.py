"""Sessions in Redis. One session is one family of refresh tokens; each token is used once.

A refresh token is ``<session>.<secret>``; only its digest is kept. The next secret is derived from the one presented
(HMAC under a server key), so that a client whose answer got lost, or a second tab, gets the very same token again
within ``GRACE_S``. A retired token after that means that a copy exists: the whole session ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.errors import InvalidToken, Unavailable
from core.ids import uuid7
from identity.errors import RefreshReused

GRACE_S = 10
REVOKED_CHANNEL = "identity:revoked"  # JSON {session_id, person_id}, for open connections

# KEYS: session, sessions of its person. ARGV: presented digest, next digest, now (ms), grace (ms), lifetime (s).
_ROTATE = """
local state = redis.call('HMGET', KEYS[1], 'current', 'previous', 'rotated_at')
if not state[1] then return 'unknown' end
if state[1] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'current', ARGV[2], 'previous', ARGV[1], 'rotated_at', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  return 'rotated'
end
if state[2] == ARGV[1] and tonumber(ARGV[3]) - tonumber(state[3]) <= tonumber(ARGV[4]) then return 'repeated' end
return 'reused'
"""


@dataclass(frozen=True, slots=True)
class Session:
    id: UUID
    person_id: UUID
    role: str
    client: str  # browser or native
    agent: str  # what the client calls itself, shortened
    created_at: datetime
    refreshed_at: datetime


class Sessions:
    """Every method raises Unavailable while Redis is away: nobody is let in unseen."""

    def __init__(self, redis: Redis, key: bytes, lifetime_s: int) -> None:
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command
        self._key = key
        self._lifetime_s = lifetime_s

    async def open(self, person_id: UUID, role: str, client: str, agent: str, now: datetime) -> tuple[UUID, str]:
        """A new session and its first refresh token."""
        session_id, secret = uuid7(), secrets.token_bytes(32)
        millis = _millis(now)
        fields = ["person_id", str(person_id), "role", role, "client", client, "agent", agent[:200]]
        fields += ["created_at", str(millis), "rotated_at", str(millis), "current", _digest(secret), "previous", ""]
        await self._do("HSET", _key(session_id), *fields)
        await self._do("EXPIRE", _key(session_id), self._lifetime_s)
        await self._do("SADD", _of(person_id), str(session_id))
        await self._do("EXPIRE", _of(person_id), self._lifetime_s)
        return session_id, _render(session_id, secret)

    async def rotate(self, token: str, now: datetime) -> tuple[Session, str]:
        """The session and its next refresh token. Raises InvalidToken, or RefreshReused having ended the session."""
        session_id, secret = _parse(token)
        session = await self.get(session_id)
        if session is None:
            raise InvalidToken()
        following = hmac.new(self._key, session_id.bytes + secret, hashlib.sha256).digest()
        outcome = await self._do(
            "EVAL",
            _ROTATE,
            2,
            _key(session_id),
            _of(session.person_id),
            _digest(secret),
            _digest(following),
            _millis(now),
            GRACE_S * 1000,
            self._lifetime_s,
        )
        outcome = _text(outcome)
        if outcome == "unknown":
            raise InvalidToken()
        if outcome == "reused":
            await self.end(session)
            raise RefreshReused()
        return session, _render(session_id, following)

    async def holder(self, token: str) -> Session | None:
        """The session whose newest (or last but one) token this is; for signing out."""
        session_id, secret = _parse(token)
        known = await self._do("HMGET", _key(session_id), "current", "previous")
        return await self.get(session_id) if _digest(secret) in [_text(each) for each in known] else None

    async def alive(self, session_id: UUID) -> bool:
        return bool(await self._do("EXISTS", _key(session_id)))

    async def get(self, session_id: UUID) -> Session | None:
        names = ("person_id", "role", "client", "agent", "created_at", "rotated_at")
        values = [_text(each) for each in await self._do("HMGET", _key(session_id), *names)]
        if not values[0]:
            return None
        person_id, role, client, agent, created, refreshed = values
        return Session(session_id, UUID(person_id), role, client, agent, _moment(created), _moment(refreshed))

    async def of_person(self, person_id: UUID) -> list[Session]:
        """Newest first; forgets those that have run out."""
        found: list[Session] = []
        for each in await self._do("SMEMBERS", _of(person_id)):
            session = await self.get(UUID(_text(each)))
            if session is None:
                await self._do("SREM", _of(person_id), _text(each))
            else:
                found.append(session)
        return sorted(found, key=lambda session: session.created_at, reverse=True)

    async def end(self, session: Session) -> None:
        """Revoke: the next ``alive`` says no, and open connections are told."""
        await self._do("DEL", _key(session.id))
        await self._do("SREM", _of(session.person_id), str(session.id))
        told = json.dumps({"session_id": str(session.id), "person_id": str(session.person_id)})
        await self._do("PUBLISH", REVOKED_CHANNEL, told)

    async def _do(self, *command: Any) -> Any:
        try:
            return await self._command(*command)
        except (RedisError, OSError):
            raise Unavailable() from None


class Attempts:
    """Counts guesses in fixed windows."""

    def __init__(self, redis: Redis) -> None:
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command

    async def count(self, kind: str, who: str, window_s: int) -> tuple[int, int]:
        """Add one; the number in this window and the seconds until it ends."""
        key = self._name(kind, who)
        try:
            await self._command("SET", key, 0, "EX", window_s, "NX")
            number = await self._command("INCR", key)
            left = await self._command("TTL", key)
            if left < 0:  # it ran out between the two: INCR has made it anew, without an end
                await self._command("EXPIRE", key, window_s)
                left = window_s
        except (RedisError, OSError):
            raise Unavailable() from None
        return int(number), max(int(left), 1)

    async def seen(self, kind: str, who: str) -> tuple[int, int]:
        """The number in this window and the seconds until it ends, without adding."""
        key = self._name(kind, who)
        try:
            number = await self._command("GET", key)
            left = await self._command("TTL", key)
        except (RedisError, OSError):
            raise Unavailable() from None
        return int(number or 0), max(int(left), 1)

    async def forget(self, kind: str, who: str) -> None:
        try:
            await self._command("DEL", self._name(kind, who))
        except (RedisError, OSError):
            raise Unavailable() from None

    @staticmethod
    def _name(kind: str, who: str) -> str:
        # A digest: addresses of people are not left lying in Redis.
        return f"identity:attempts:{kind}:{hashlib.sha256(who.encode()).hexdigest()[:32]}"


def _key(session_id: UUID) -> str:
    return f"identity:session:{session_id}"


def _of(person_id: UUID) -> str:
    return f"identity:sessions:{person_id}"


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _render(session_id: UUID, secret: bytes) -> str:
    return f"{session_id.hex}.{base64.urlsafe_b64encode(secret).rstrip(b'=').decode()}"


def _parse(token: str) -> tuple[UUID, bytes]:
    session, _, secret = token.partition(".")
    try:
        raw = base64.b64decode(secret + "=", altchars=b"-_", validate=True)
        if len(session) != 32 or len(raw) != 32:
            raise InvalidToken()
        return UUID(session), raw
    except ValueError:  # binascii.Error is one
        raise InvalidToken() from None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(millis: str) -> datetime:
    return datetime.fromtimestamp(int(millis) / 1000, UTC)
