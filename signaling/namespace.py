"""``/consultation``: what a person in a visit may send, and the whole state as they may see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from core.clock import rfc3339
from core.context import Context
from core.errors import Forbidden, InvalidInput, InvalidToken
from core.turn import ice_servers
from signaling import schemas
from signaling.call import Calls
from signaling.chat import VisitChat
from signaling.edge import AWAY, Edge, as_bedside, parse
from signaling.errors import NotAvailable, Removed, SeatTaken
from signaling.media_negotiation import MediaNegotiation
from signaling.modes import Modes
from signaling.ports import Help, Visits
from signaling.presence import in_call, may_join, participant
from signaling.seats import Seat
from signaling.session import NAMESPACE, Sessions
from signaling.store import Store
from signaling.waiting import Waiting


class ConsultationNamespace(Edge):
    def __init__(
        self,
        context: Context,
        *,
        store: Store,
        sessions: Sessions,
        waiting: Waiting,
        calls: Calls,
        negotiation: MediaNegotiation,
        chat: VisitChat,
        visits: Visits,
        modes: Modes,
        help: Help,
    ) -> None:
        super().__init__(NAMESPACE, context.policy, context.clock, context.settings.limits.socket_events_per_second)
        self._context = context
        self._store = store
        self._sessions = sessions
        self._waiting = waiting
        self._calls = calls
        self._negotiation = negotiation
        self._chat = chat
        self._visits = visits
        self._modes = modes
        self._help = help
        sessions.snapshot = self.snapshot
        empty = schemas.Empty
        self.events = {
            "waiting.enter": (empty, self._waiting_enter),
            "waiting.leave": (empty, self._waiting_leave),
            "call.join": (empty, self._join),
            "call.pin": (schemas.CallPin, self._pin),
            "call.mode": (schemas.CallMode, self._mode),
            "interpreter.request": (schemas.InterpreterRequest, self._interpreter),
            "interpreter.cancel": (empty, self._no_interpreter),
            "call.hand": (schemas.Hand, self._hand),
            "call.leave": (empty, self._leave),
            "call.end": (empty, self._end),
            "media.publish": (schemas.MediaPublish, self._publish),
            "media.answer": (schemas.MediaAnswer, self._answer),
            "media.restart": (empty, self._restart),
            "media.prefer": (schemas.MediaPrefer, self._prefer),
            "media.mute": (schemas.MediaMute, self._mute),
            "media.report": (schemas.MediaReport, self._report),
            "chat.send": (schemas.ChatSend, self._chat_send),
            "chat.edit": (schemas.ChatEdit, self._chat_edit),
            "chat.read": (schemas.ChatRead, self._chat_read),
            "chat.delivered": (schemas.ChatRead, self._chat_delivered),
            "chat.history": (schemas.ChatHistory, self._chat_history),
            "seat.take_over": (empty, self._take_over),
        }
        for name in ("recording.request", "recording.consent", "recording.withdraw"):
            self.events[name] = (_Anything, self._not_available)

    # Coming and going

    async def connected(self, sid: str, auth: Any) -> None:
        if isinstance(auth, dict) and "resume_token" in auth:
            resume = parse(schemas.ResumeAuth, auth)
            seat = await self._sessions.resume(sid, resume.resume_token, resume.last_seq)
        else:
            try:
                claims = self._context.tokens.verify(parse(schemas.TokenAuth, auth).token, "visit")
                appointment_id, role = UUID(claims.extra["appointment_id"]), str(claims.extra["role"])
                by = UUID(claims.extra["by"]) if "by" in claims.extra else None
            except (InvalidInput, KeyError, ValueError):
                raise InvalidToken() from None
            person = await self._store.person(str(appointment_id), str(claims.subject))
            if person is not None and person.state == "removed":
                raise Removed()
            info = await self._visits.seat(appointment_id, claims.subject, role, by)
            session_id = str(claims.extra.get("session", ""))
            if session_id and not await self._help.signed_in(session_id):
                raise InvalidToken()
            seat = await self._sessions.open(sid, info, session_id)
        self._sessions.begin(seat)
        if seat.holds:
            await self._calls.state_changed(seat.appointment_id, seat.participant_id)

    def role_of(self, sid: str) -> str:
        seat = self._sessions.by_sid.get(sid)
        return "" if seat is None else seat.role

    async def gone(self, sid: str) -> None:
        seat = await self._sessions.closed(sid)
        if seat is not None:
            self._negotiation.forget(seat)
            await self._calls.state_changed(seat.appointment_id, seat.participant_id)

    async def snapshot(self, seat: Seat) -> dict[str, Any]:
        """The wire shape ``Snapshot``. What can't be read now is left empty: the visit goes on without it."""
        visit = await self._store.visit(seat.appointment_id)
        people = await self._store.people(seat.appointment_id)
        me = next(person for person in people if person.participant_id == seat.participant_id)
        assert visit is not None, "a seat's visit is known"
        place = None
        if me.state == "waiting":
            place = await self._waiting.place(visit.practitioner_id, seat.appointment_id, seat.participant_id)
        try:
            messages, unread = await self._chat.latest(seat, me)
            marks = await self._chat.marks(seat, me)
        except Exception as error:
            if not isinstance(error, AWAY) and as_bedside(error) is None:
                raise
            messages, unread, marks = [], 0, []
        state = await self._modes.current(seat.appointment_id)
        pinned = await self._store.hash_of(f"visit:{seat.appointment_id}:pin")
        allowed = may_join(me) and me.state != "outside"
        return {
            "appointment_id": seat.appointment_id,
            "you": {
                "participant_id": me.participant_id,
                "name": me.name,
                "for_name": me.for_name or None,
                "role": me.role,
                "state": me.state,
            },
            "call": {"state": visit.call, "started_at": _time(visit.started_at)},
            "participants": [participant(each) for each in in_call(people)] if allowed else [],
            "waiting": None
            if place is None
            else {
                "position": place.position,
                "estimated_wait_s": place.estimated_wait_s,
                "late_s": place.late_s,
            },
            "mode": state.mode,
            "mode_reason": state.reason,
            "pinned": pinned.get("participant_id") or None,
            "interpreter": await self._looked_for(seat),
            "generation": await self._negotiation.generation(seat.appointment_id),
            "practitioner": {"name": visit.practitioner_name, "title": visit.practitioner_title},
            "chat_unread": unread,
            "last_messages": messages,
            "chat_marks": marks,
        }

    # Events

    def _seat(self, sid: str) -> Seat:
        seat = self._sessions.by_sid.get(sid)
        if seat is None:
            raise Forbidden()
        if not seat.holds:
            raise SeatTaken()
        return seat

    async def _take_over(self, sid: str, sent: schemas.Empty) -> None:
        seat = self._sessions.by_sid.get(sid)
        if seat is None:
            raise Forbidden()
        await self._sessions.take_over(seat)
        await self._calls.state_changed(seat.appointment_id, seat.participant_id)

    async def _waiting_enter(self, sid: str, sent: schemas.Empty) -> dict[str, Any]:
        return await self._waiting.enter(self._seat(sid))

    async def _waiting_leave(self, sid: str, sent: schemas.Empty) -> dict[str, Any]:
        seat = self._seat(sid)
        await self._waiting.leave(seat.appointment_id, seat.participant_id)
        return {"position": 0, "estimated_wait_s": 0}

    async def _join(self, sid: str, sent: schemas.Empty) -> dict[str, Any]:
        seat = self._seat(sid)
        participants, generation = await self._calls.join(seat)
        media = self._context.settings.media
        return {
            "participants": participants,
            "generation": generation,
            "ice_transport_policy": media.ice_transport_policy,
            "ice_servers": ice_servers(
                media.turn_urls,
                media.turn_secret.get_secret_value(),
                UUID(seat.participant_id),
                self._context.clock.now(),
            ),
        }

    async def _hand(self, sid: str, sent: schemas.Hand) -> None:
        await self._calls.hand(self._seat(sid), sent.raised)

    async def _leave(self, sid: str, sent: schemas.Empty) -> None:
        seat = self._seat(sid)
        await self._calls.leave(seat.appointment_id, seat.participant_id)

    async def _end(self, sid: str, sent: schemas.Empty) -> None:
        await self._calls.end(self._seat(sid))

    async def _publish(self, sid: str, sent: schemas.MediaPublish) -> dict[str, Any]:
        return await self._negotiation.publish(await self._in_call(sid), sent)

    async def _answer(self, sid: str, sent: schemas.MediaAnswer) -> None:
        await self._negotiation.answer(await self._in_call(sid), sent)

    async def _restart(self, sid: str, sent: schemas.Empty) -> None:
        await self._negotiation.restart(await self._in_call(sid))

    async def _prefer(self, sid: str, sent: schemas.MediaPrefer) -> None:
        await self._negotiation.prefer(await self._in_call(sid), sent)

    async def _mute(self, sid: str, sent: schemas.MediaMute) -> None:
        await self._negotiation.mute(await self._in_call(sid), sent)

    async def _report(self, sid: str, sent: schemas.MediaReport) -> None:
        await self._modes.report(await self._in_call(sid), sent)

    async def _mode(self, sid: str, sent: schemas.CallMode) -> dict[str, Any]:
        return {"mode": await self._modes.choose(await self._in_call(sid), sent.mode)}

    async def _pin(self, sid: str, sent: schemas.CallPin) -> None:
        chosen = None if sent.participant_id is None else str(sent.participant_id)
        await self._calls.pin(await self._in_call(sid), chosen)

    async def _interpreter(self, sid: str, sent: schemas.InterpreterRequest) -> dict[str, Any]:
        seat = self._seat(sid)
        await self._calls.require_clinical(seat)
        visit, who = UUID(seat.appointment_id), UUID(seat.participant_id)
        state = await self._help.request_interpreter(visit, who, seat.role, sent.language)
        await self._calls.interpreter(seat.appointment_id, state)
        return {name: state[name] for name in ("request_id", "state", "expires_at")}

    async def _no_interpreter(self, sid: str, sent: schemas.Empty) -> None:
        seat = self._seat(sid)
        await self._calls.require_clinical(seat)
        await self._help.cancel_interpreter(UUID(seat.appointment_id))

    async def _looked_for(self, seat: Seat) -> dict[str, Any] | None:
        """The search for an interpreter, for those who may begin one."""
        if seat.role not in ("patient", "practitioner"):
            return None
        try:
            return await self._help.interpreter(UUID(seat.appointment_id))
        except Exception as error:
            if not isinstance(error, AWAY) and as_bedside(error) is None:
                raise
            return None

    async def _in_call(self, sid: str) -> Seat:
        seat = self._seat(sid)
        await self._calls.require_in_call(seat)
        return seat

    async def _chat_send(self, sid: str, sent: schemas.ChatSend) -> dict[str, Any]:
        return await self._chat.send(self._seat(sid), sent)

    async def _chat_edit(self, sid: str, sent: schemas.ChatEdit) -> None:
        await self._chat.edit(self._seat(sid), sent)

    async def _chat_read(self, sid: str, sent: schemas.ChatRead) -> None:
        await self._chat.mark(self._seat(sid), sent.message_id, read=True)

    async def _chat_delivered(self, sid: str, sent: schemas.ChatRead) -> None:
        await self._chat.mark(self._seat(sid), sent.message_id, read=False)

    async def _chat_history(self, sid: str, sent: schemas.ChatHistory) -> dict[str, Any]:
        return await self._chat.history(self._seat(sid), sent)

    async def _not_available(self, sid: str, sent: BaseModel) -> None:
        raise NotAvailable()


class _Anything(BaseModel):
    """Events that are answered without being read."""


def _time(moment: float | None) -> str | None:
    return None if moment is None else rfc3339(datetime.fromtimestamp(moment, UTC))
