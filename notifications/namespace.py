"""Live notices on Socket.IO: namespace ``/notifications``, room ``user:{id}``.

Who handles a fact tells every process of all its notices at once, sealed; each passes on those of people who are
connected to it. So a notice of somebody who is not there costs next to nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import socketio
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.background import Background
from core.clock import Clock
from core.errors import BedsideError, InvalidToken, TooManyRequests
from core.security.policy import Policy
from core.security.tokens import Tokens
from core.security.vault import InvalidCiphertext, Vault
from notifications.ports import Sessions
from notifications.service import Notice

log = structlog.get_logger(__name__)

NAME = "/notifications"
REFRESH = "auth.refresh"
# Where identity tells of ended sessions: JSON with session_id.
REVOKED_CHANNEL = "identity:revoked"
# Where notices go to every process: sealed JSON, [[person, notice], …].
LIVE_CHANNEL = "notifications:live"
SWEEP_EVERY_S = 0.5
# A session ended while the channel was not heard is noticed by asking again.
CHECK_AGAIN_S = 60.0
EVENTS_PER_MINUTE = 30


def room_of(person_id: UUID) -> str:
    return f"user:{person_id}"


@dataclass(slots=True)
class Seat:
    """One connection."""

    person_id: UUID
    role: str
    session_id: UUID | None
    token: str
    expires_at: datetime
    checked_at: float
    minute: int = 0
    events: int = 0


class LiveNotices(socketio.AsyncNamespace):  # type: ignore[misc]  # python-socketio has no types
    def __init__(
        self,
        server: socketio.AsyncServer,
        sessions: Sessions,
        tokens: Tokens,
        policy: Policy,
        redis: Redis,
        vault: Vault,
        clock: Clock,
    ) -> None:
        super().__init__(NAME)
        self._live = server
        self._sessions = sessions
        self._tokens = tokens
        self._policy = policy
        self._redis = redis
        self._vault = vault
        self._clock = clock
        self._seats: dict[str, Seat] = {}
        self._background = Background("notifications")

    async def start(self) -> None:
        self._background.run("sweep", self._sweep)
        self._background.run("channels", self._hear)

    async def stop(self) -> None:
        await self._background.stop(grace_s=2)

    async def send(self, told: Sequence[tuple[UUID, Notice]]) -> None:
        """To every device of each person, in whichever process; best effort."""
        wire = [[str(person_id), notice.wire()] for person_id, notice in told]
        sealed = self._vault.seal(LIVE_CHANNEL, json.dumps(wire).encode())
        try:
            await self._redis.publish(LIVE_CHANNEL, sealed)
        except (RedisError, OSError):
            await self._deliver(sealed)  # at least to those who are connected here

    async def _deliver(self, sealed: bytes) -> None:
        if not self._seats:
            return
        here = {str(seat.person_id) for seat in self._seats.values()}
        for person_id, notice in json.loads(self._vault.unseal(LIVE_CHANNEL, sealed)):
            if person_id in here:
                room = room_of(UUID(person_id))
                await self._live.emit("notification", notice, room=room, namespace=NAME, ignore_queue=True)

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        try:
            self._seats[sid] = await self._seat(auth)
        except BedsideError as error:
            raise socketio.exceptions.ConnectionRefusedError(
                error.code, {"code": error.code, "message": error.detail}
            ) from None
        await self.enter_room(sid, room_of(self._seats[sid].person_id))

    async def on_disconnect(self, sid: str, reason: Any = None) -> None:
        self._seats.pop(sid, None)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Every client event is acknowledged. Event names have dots, so they are looked up here."""
        if event in ("connect", "disconnect"):
            return await super().trigger_event(event, *args)
        sid, data = args[0], args[1] if len(args) > 1 else None
        try:
            self._count(sid)
            if event != REFRESH:
                return _refused("unknown_event", "There is no such event here")
            self._policy.admit(self._role_of(sid), event)
            await self._refresh(sid, data)
        except BedsideError as error:
            return _refused(error.code, error.detail)
        return {"ok": True}

    def _role_of(self, sid: str) -> str:
        seat = self._seats.get(sid)
        return "" if seat is None else seat.role

    async def _refresh(self, sid: str, data: Any) -> None:
        fresh, seat = await self._seat(data), self._seats.get(sid)
        if seat is None or fresh.person_id != seat.person_id:
            raise InvalidToken()
        fresh.minute, fresh.events = seat.minute, seat.events
        self._seats[sid] = fresh

    async def _seat(self, auth: Any) -> Seat:
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or len(token) > 4096:
            raise InvalidToken()
        principal = await self._sessions.authenticate(token)
        expires_at = self._tokens.verify(token, "access").expires_at
        return Seat(principal.id, principal.role, principal.session_id, token, expires_at, self._clock.monotonic())

    def _count(self, sid: str) -> None:
        seat = self._seats.get(sid)
        if seat is None:
            raise InvalidToken()
        minute = int(self._clock.monotonic() // 60)
        seat.events = seat.events + 1 if seat.minute == minute else 1
        seat.minute = minute
        if seat.events > EVENTS_PER_MINUTE:
            raise TooManyRequests()

    async def _sweep(self) -> None:
        """End connections whose token ran out, and ask about sessions again now and then."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for sid, seat in list(self._seats.items()):
            if seat.expires_at <= now:
                await self.disconnect(sid)
            elif monotonic - seat.checked_at > CHECK_AGAIN_S:
                await self._check(sid, seat)
        await self._background.pause(SWEEP_EVERY_S)

    async def _check(self, sid: str, seat: Seat) -> None:
        seat.checked_at = self._clock.monotonic()
        try:
            await self._sessions.authenticate(seat.token)
        except InvalidToken:
            await self.disconnect(sid)
        except BedsideError:
            return  # Redis is away: nobody is thrown out for that

    async def _hear(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(REVOKED_CHANNEL, LIVE_CHANNEL)
            for sid, seat in list(self._seats.items()):  # what was told while nobody listened
                await self._check(sid, seat)
            while not self._background.stopping.is_set():
                try:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                except (RedisError, OSError):
                    return
                if message is not None:
                    await self._heard(message["channel"], message["data"])

    async def _heard(self, channel: bytes, data: bytes) -> None:
        if channel.decode() == REVOKED_CHANNEL:
            await self._revoked(data)
            return
        try:
            await self._deliver(data)
        except InvalidCiphertext:
            log.warning("notices not understood")

    async def _revoked(self, data: bytes) -> None:
        try:
            told = json.loads(data)
            if "proxy_id" in told:
                return  # somebody acts for another no more: their own notices stay their own
            session_id = UUID(told["session_id"])
        except (ValueError, KeyError, TypeError):
            log.warning("revocation not understood")
            return
        ended = [sid for sid, seat in self._seats.items() if seat.session_id == session_id]
        await asyncio.gather(*(self.disconnect(sid) for sid in ended))


def _refused(code: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}
