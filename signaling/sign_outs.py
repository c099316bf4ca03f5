"""Ends live connections whose sign-in has ended (signing out, a blocked account, a stolen token's family), and those
of people who acted for a patient and may not any more."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.errors import BedsideError
from signaling.call import Calls
from signaling.edge import Acting, Edge, as_bedside
from signaling.ports import Help
from signaling.presence import BEAT_EXPIRES_S
from signaling.seats import Seat
from signaling.session import Sessions
from signaling.store import Store

log = logging.getLogger(__name__)

REVOKED_CHANNEL = "identity:revoked"  # JSON with session_id, or with proxy_id and patient_id
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
        sessions.may_act = help.may_act

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
        for acting in self._acting():
            await self._look_again(acting, sure=True)

    async def _told(self, data: bytes) -> None:
        try:
            told = json.loads(data)
            if "proxy_id" in told:
                await self._authority_ended(UUID(told["proxy_id"]), UUID(told["patient_id"]))
                return
            session_id = told["session_id"]
        except (ValueError, KeyError, TypeError):
            log.warning("revocation_not_understood")
            return
        await self.end(str(session_id))

    async def end(self, session_id: str) -> None:
        """Take the seats' resume tokens and media, then close. Whoever waits keeps the place for its grace."""
        await self._leave([each for each in self._sessions.by_sid.values() if each.session_id == session_id])
        for edge in self._edges:
            await edge.cut(session_id)

    async def _authority_ended(self, by: UUID, patient_id: UUID) -> None:
        for acting in self._acting():
            if (acting.by, acting.patient_id) == (by, patient_id):
                await self._look_again(acting, sure=False)

    def _acting(self) -> set[Acting]:
        """Who is here for a patient, in this process."""
        found = {each for edge in self._edges for each in edge.acting.values()}
        return found | {acting for each in self._sessions.by_sid.values() if (acting := _acting_in(each)) is not None}

    async def _look_again(self, acting: Acting, *, sure: bool) -> None:
        """Whether they may still. ``sure``: nobody is thrown out because it can't be known now."""
        try:
            if await self._help.may_act(acting.by, acting.patient_id, acting.relation):
                return
        except Exception as error:
            if as_bedside(error) is None:
                raise
            if sure:
                return
        await self._leave([each for each in self._sessions.by_sid.values() if _acting_in(each) == acting])
        for edge in self._edges:
            await edge.cut_acting(acting)

    async def _leave(self, seats: list[Seat]) -> None:
        for seat in seats:
            if seat.holds:
                await self._store.forget_resume(seat.appointment_id, seat.participant_id)
                await self._calls.leave(seat.appointment_id, seat.participant_id)
            await self._sessions.drop(seat)


def _acting_in(seat: Seat) -> Acting | None:
    return Acting(UUID(seat.by), UUID(seat.patient_id), "proxy_attend") if seat.by else None
