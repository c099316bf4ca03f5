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
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.errors import InvalidToken, Unavailable
from core.ids import uuid7
from core.settings import Security
from identity.errors import RefreshReused
from identity.liveness import Liveness

GRACE_S = 10
REVOKED_CHANNEL = "identity:revoked"  # JSON {session_id, person_id}, for open connections

# KEYS: session, sessions of its person. ARGV: presented digest, next digest, now (ms), grace (ms), life left (s),
# lifetime of the list (s).
_ROTATE = """
local state = redis.call('HMGET', KEYS[1], 'current', 'previous', 'rotated_at')
if not state[1] then return 'unknown' end
if state[1] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'current', ARGV[2], 'previous', ARGV[1], 'rotated_at', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
  return 'rotated'
end
if state[2] == ARGV[1] and tonumber(ARGV[3]) - tonumber(state[3]) <= tonumber(ARGV[4]) then return 'repeated' end
return 'reused'
"""
# Only what still lives is written to: a session must not come back without its tokens.
_MARK = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return 1
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
    authenticated_at: datetime  # when its person last proved who they are: at sign-in, or stepping up
    methods: frozenset[str]  # by what


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long sessions of a role live, in seconds: unused, and at all."""

    idle_s: int
    absolute_s: int

    @classmethod
    def of(cls, role: str, settings: Security) -> Lifetimes:
        if role == "patient":
            return cls(settings.refresh_token_s, settings.session_s)
        return cls(settings.staff_idle_s, settings.staff_session_s)

    def left_s(self, created_at: datetime, now: datetime) -> int:
        """What a session used now may still live; pure."""
        return min(self.idle_s, self.absolute_s - int((now - created_at).total_seconds()))

    def over(self, session: Session, now: datetime) -> bool:
        unused = (now - session.refreshed_at).total_seconds()
        return unused >= self.idle_s or self.left_s(session.created_at, now) <= 0


class Sessions:
    """Every method raises Unavailable while Redis is away: nobody is let in unseen."""

    def __init__(self, redis: Redis, key: bytes, settings: Security) -> None:
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command
        self._liveness = Liveness(redis)
        self._key = key
        self._settings = settings
        self._list_s = max(settings.session_s, settings.staff_session_s)

    async def open(
        self, person_id: UUID, role: str, client: str, agent: str, methods: Iterable[str], now: datetime
    ) -> tuple[Session, str]:
        """A new session and its first refresh token."""
        secret, millis = secrets.token_bytes(32), _millis(now)
        session = Session(uuid7(), person_id, role, client, agent[:200], now, now, now, frozenset(methods))
        fields = ["person_id", str(person_id), "role", role, "client", client, "agent", session.agent]
        fields += ["created_at", str(millis), "rotated_at", str(millis), "current", _digest(secret), "previous", ""]
        fields += ["authenticated_at", str(millis), "methods", ",".join(sorted(session.methods))]
        await self._do("HSET", _key(session.id), *fields)
        await self._do("EXPIRE", _key(session.id), self.lifetimes(role).left_s(now, now))
        await self._do("SADD", _of(person_id), str(session.id))
        await self._do("EXPIRE", _of(person_id), self._list_s)
        return session, _render(session.id, secret)

    async def close(self) -> None:
        await self._liveness.close()

    def lifetimes(self, role: str) -> Lifetimes:
        return Lifetimes.of(role, self._settings)

    async def authenticated(self, session: Session, methods: Iterable[str], now: datetime) -> Session:
        """Its person has proved again who they are. Raises InvalidToken for a session that ended meanwhile."""
        proved = session.methods | frozenset(methods)
        fields = ("authenticated_at", str(_millis(now)), "methods", ",".join(sorted(proved)))
        if not await self._do("EVAL", _MARK, 1, _key(session.id), *fields):
            raise InvalidToken()
        return replace(session, authenticated_at=now, methods=proved)

    async def rotate(self, token: str, now: datetime) -> tuple[Session, str]:
        """The session and its next refresh token. Raises InvalidToken, or RefreshReused having ended the session."""
        session_id, secret = _parse(token)
        session = await self.get(session_id)
        if session is None:
            raise InvalidToken()
        lifetimes = self.lifetimes(session.role)
        if lifetimes.over(session, now):
            await self.end(session)
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
            lifetimes.left_s(session.created_at, now),
            self._list_s,
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
        return await self._liveness.exists(_key(session_id))

    async def get(self, session_id: UUID) -> Session | None:
        names = ("person_id", "role", "client", "agent", "created_at", "rotated_at", "authenticated_at", "methods")
        values = [_text(each) for each in await self._do("HMGET", _key(session_id), *names)]
        if not values[0]:
            return None
        person_id, role, client, agent, created, refreshed, proved, methods = values
        return Session(
            id=session_id,
            person_id=UUID(person_id),
            role=role,
            client=client,
            agent=agent,
            created_at=_moment(created),
            refreshed_at=_moment(refreshed),
            authenticated_at=_moment(proved or created),
            methods=frozenset(methods.split(",")) - {""},
        )

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

    async def end_all(self, person_id: UUID, but: UUID | None = None) -> int:
        """End every session of a person except ``but``; how many ended."""
        others = [each for each in await self.of_person(person_id) if each.id != but]
        for each in others:
            await self.end(each)
        return len(others)

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
