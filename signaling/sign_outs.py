"""Ends live connections whose sign-in has ended: signing out, a blocked account, a stolen token's family."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.errors import BedsideError
from signaling.call import Calls
from signaling.edge import Edge
from signaling.ports import Help
from signaling.presence import BEAT_EXPIRES_S
from signaling.session import Sessions
from signaling.store import Store

log = logging.getLogger(__name__)

REVOKED_CHANNEL = "identity:revoked"  # JSON with session_id
# An end that was told while nobody here listened is noticed by asking.
ASK_EVERY_S = 30.0
assert ASK_EVERY_S > BEAT_EXPIRES_S


class SignOuts:
    def __init__(
        self, redis: Redis, help: Help, store: Store, sessions: Sessions, calls: Calls, edges: Iterable[Edge]
    ) -> None:
        self._redis = redis
        self._help = help
        self._store = store
        self._sessions = sessions
        self._calls = calls
        self._edges = tuple(edges)
        sessions.signed_in = help.signed_in

    async def hear(self) -> None:
        """Never ends by itself."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(REVOKED_CHANNEL)
                    await self.ask()
                    async for message in pubsub.listen():
                        await self._told(message["data"])
            except (RedisError, OSError):
                await asyncio.sleep(0.5)

    async def ask(self) -> None:
        """Look at every sign-in that has connections here."""
        known = {each for edge in self._edges for each in edge.session_of.values()}
        known |= {seat.session_id for seat in self._sessions.by_sid.values() if seat.session_id}
        for session_id in known:
            try:
                stands = await self._help.signed_in(session_id)
            except BedsideError:
                return  # not to be known now: nobody is thrown out for that
            if not stands:
                await self.end(session_id)

    async def _told(self, data: bytes) -> None:
        try:
            session_id = json.loads(data)["session_id"]
        except (ValueError, KeyError, TypeError):
            log.warning("revocation_not_understood")
            return
        await self.end(str(session_id))

    async def end(self, session_id: str) -> None:
        """Take the seats' resume tokens and media, then close. Whoever waits keeps the place for its grace."""
        for seat in [each for each in self._sessions.by_sid.values() if each.session_id == session_id]:
            if seat.holds:
                await self._store.forget_resume(seat.appointment_id, seat.participant_id)
                await self._calls.leave(seat.appointment_id, seat.participant_id)
            await self._sessions.drop(seat)
        for edge in self._edges:
            await edge.cut(session_id)
