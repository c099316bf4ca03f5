"""Sessions: one person's seat in one visit, its numbered events, and coming back to it.

Every event to a person is numbered into a log in Redis first; the process that holds the person's connection is
nudged and delivers from the log. So events come in order and once, whichever process made them, and a resume is
the same reading from an earlier number.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Literal
from uuid import UUID

import socketio
from redis.exceptions import RedisError

from core.background import cancel_all
from core.context import Context
from core.security.policy import Relation
from signaling.errors import Removed, ResumeExpired, SeatTaken
from signaling.ports import SeatInfo
from signaling.presence import BEAT_EXPIRES_S, Person
from signaling.seats import Seat, hashed, read_resume_token, replay_from, resume_token
from signaling.store import LogEntry, Store, Visit, member

log = logging.getLogger(__name__)

NAMESPACE = "/consultation"
PAGE = 100  # events read from the log at a time
CONNECT_TIMEOUT_S = 10.0
# Nudges travel by pub/sub, which may lose them; every seat looks into its log this often anyway.
LOOK_ANYWAY_S = 10.0
LOOKS_AT_LEAST, LOOKS_SHARE = 20, 4  # in one beat: so many, or this part of all

SignedIn = Callable[[str], Awaitable[bool]]
MayAct = Callable[[UUID, UUID, Relation], Awaitable[bool]]
Snapshot = Callable[["Seat"], Awaitable[dict[str, Any]]]


class Sessions:
    def __init__(self, context: Context, store: Store) -> None:
        self._context = context
        self._store = store
        self._server: socketio.AsyncServer = context.realtime
        self.by_sid: dict[str, Seat] = {}
        self.by_key: dict[str, set[Seat]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.signed_in: SignedIn  # given by the composition: whether a sign-in still stands
        self.may_act: MayAct  # and whether somebody still has authority over a patient
        self.snapshot: Snapshot  # given by the namespace, which knows the whole state
        self.on_returned: list[Callable[[Seat], Awaitable[None]]] = []  # a seat has a connection (again)

    # Coming in

    async def open(self, sid: str, info: SeatInfo, session_id: str = "") -> Seat:
        """A connection with a visit token. A living connection elsewhere keeps the seat until taken over."""
        appointment_id, participant_id = str(info.appointment_id), str(info.participant_id)
        await self._store.enter(
            Visit(
                appointment_id,
                str(info.patient_id),
                str(info.practitioner_id),
                info.practitioner_name,
                info.practitioner_title,
                info.start.timestamp(),
                info.closes_at.timestamp(),
                over=info.over,
                kind=info.kind,
            ),
            Person(
                appointment_id,
                participant_id,
                info.role,
                info.name,
                checked_in=info.checked_in and info.role == "patient",
                consented=info.consented,
            ),
        )
        seat = Seat(
            sid,
            appointment_id,
            participant_id,
            str(info.patient_id),
            str(info.practitioner_id),
            info.role,
            info.name,
            secrets.token_hex(8),
            cursor=0,
            holds=False,
            session_id=session_id,
            for_name=info.for_name,
            by="" if info.by is None else str(info.by),
        )
        try:
            await self._take(seat, "fresh")
        except SeatTaken:
            seat.ready = {"resume_token": "", "replayed": 0, "seq": seat.cursor, "seat": "seat_taken"}
        self._register(seat)
        return seat

    async def resume(self, sid: str, token: str, last_seq: int) -> Seat:
        """A connection with a resume token. Raises ``ResumeExpired`` or ``Removed``."""
        appointment_id, participant_id = read_resume_token(token)
        visit = await self._store.visit(appointment_id)
        person = await self._store.person(appointment_id, participant_id)
        if visit is None or person is None:
            raise ResumeExpired()
        seat = Seat(
            sid,
            appointment_id,
            participant_id,
            visit.patient_id,
            visit.practitioner_id,
            person.role,
            person.name,
            secrets.token_hex(8),
            cursor=0,
            holds=False,
            session_id=person.session_id,
            for_name=person.for_name,
            by=person.by,
        )
        if seat.by and not await self.may_act(UUID(seat.by), UUID(seat.patient_id), "proxy_attend"):
            raise ResumeExpired()
        if person.session_id and not await self.signed_in(person.session_id):
            raise ResumeExpired()
        await self._take(seat, "resume", presented=token, last_seq=last_seq)
        self._register(seat)
        return seat

    async def take_over(self, seat: Seat) -> None:
        """Consent of the newer device: it gets the seat, the older one ``call.displaced``."""
        if seat.holds:
            return
        await self._take(seat, "take_over")
        self.begin(seat)

    async def _take(
        self,
        seat: Seat,
        how: Literal["fresh", "resume", "take_over"],
        *,
        presented: str = "",
        last_seq: int | None = None,
    ) -> None:
        now = self._context.clock.now().timestamp()
        token = resume_token(seat.appointment_id, seat.participant_id)
        claim = await self._store.claim(
            seat.appointment_id,
            seat.participant_id,
            how,
            seat=seat.seat_id,
            now=now,
            oldest_beat=now - BEAT_EXPIRES_S,
            resume_hash=hashed(token),
            presented_hash=hashed(presented) if presented else "",
        )
        seat.cursor = claim.seq
        if claim.outcome == "removed":
            raise Removed()
        if claim.outcome == "expired":
            raise ResumeExpired()
        if claim.outcome == "taken":
            raise SeatTaken()
        seat.holds = True
        await self._store.set_person(
            seat.appointment_id,
            seat.participant_id,
            session=seat.session_id,
            name=seat.name,
            for_name=seat.for_name,
            by=seat.by,
        )
        replayed: int | None = 0
        if last_seq is not None:
            _, _, entries = await self._store.log(seat.appointment_id, seat.participant_id, last_seq, 1)
            replayed = replay_from(last_seq, claim.seq, entries)
            if replayed is None:
                seat.replace_with_snapshot = True
            else:
                seat.cursor = last_seq
        seat.ready = {"resume_token": token, "replayed": replayed or 0, "seq": seat.cursor}

    def _register(self, seat: Seat) -> None:
        self.by_sid[seat.sid] = seat
        self.by_key.setdefault(seat.key, set()).add(seat)

    def begin(self, seat: Seat) -> None:
        """Start delivering, once the connection's own answer has gone out."""
        self._spawn(self._begin(seat))

    async def _begin(self, seat: Seat) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while not self._server.manager.is_connected(seat.sid, NAMESPACE):
                if seat.sid not in self.by_sid:
                    return
                await asyncio.sleep(0.005)  # the answer is written in this very turn of the loop, as a rule
        ready, seat.ready = seat.ready, None
        if ready is None:
            return
        snapshot = await self.snapshot(seat)
        await self._emit(seat, "session.ready", {"participant_id": seat.participant_id, **ready, "snapshot": snapshot})
        if seat.replace_with_snapshot:
            seat.replace_with_snapshot = False
            seat.lost_events = True
            await self._emit(seat, "session.snapshot", {"snapshot": snapshot, "seq": seat.cursor})
        if seat.holds:
            seat.live = True
            self.look(seat)
            for tell in self.on_returned:
                await tell(seat)

    # Going out

    async def closed(self, sid: str) -> Seat | None:
        """The connection is gone. Returns the seat if it was the one that held it."""
        seat = self.by_sid.pop(sid, None)
        if seat is None:
            return None
        others = self.by_key.get(seat.key, set())
        others.discard(seat)
        if not others:
            self.by_key.pop(seat.key, None)
        seat.live = False
        if not seat.holds:
            return None
        now = self._context.clock.now().timestamp()
        held = await self._store.release(seat.appointment_id, seat.participant_id, seat.seat_id, now)
        return seat if held else None

    # Telling

    async def tell(
        self,
        appointment_id: str,
        participant_id: str,
        event: str,
        payload: dict[str, Any],
        *,
        once: tuple[str, str] | None = None,
        seal_for: str | None = None,
    ) -> bool:
        """Send an event to a person, connected or not. ``seal_for``: the patient under whose key it lies in the log.

        False if ``once`` says that it has been sent before.
        """
        body = json.dumps(payload, separators=(",", ":")).encode()
        if seal_for is not None:
            place = _place(appointment_id, participant_id)
            body = await self._context.vault.encrypt(UUID(seal_for), place, body)
        number = await self._store.append(
            appointment_id, participant_id, event, body, sealed=seal_for is not None, once=once
        )
        return number > 0

    async def tell_all(
        self, people: Iterable[Person], event: str, payload: dict[str, Any], *, but: str | None = None
    ) -> None:
        for person in people:
            if person.participant_id != but:
                await self.tell(person.appointment_id, person.participant_id, event, payload)

    def local(self, appointment_id: str, participant_id: str) -> list[Seat]:
        """This process' living connections of a person (one, save for an instant)."""
        found = self.by_key.get(member(appointment_id, participant_id), set())
        return [seat for seat in found if seat.holds and seat.live]

    # Delivering

    def look(self, seat: Seat) -> None:
        """There may be something new for this connection."""
        seat.dirty = True
        if seat.live and (seat.pumping is None or seat.pumping.done()):
            seat.pumping = self._spawn(self._pump(seat))

    def nudged(self, key: str) -> None:
        for seat in list(self.by_key.get(key, ())):
            if seat.holds:
                self.look(seat)

    def look_everywhere(self) -> None:
        for seat in list(self.by_sid.values()):
            if seat.holds:
                self.look(seat)

    async def beat(self) -> None:
        """This process lives and holds these seats."""
        now = self._context.clock.now().timestamp()
        await self._store.beat([seat.key for seat in self.by_sid.values() if seat.holds and seat.live], now)
        oldest = self._context.clock.monotonic() - LOOK_ANYWAY_S
        due = [seat for seat in self.by_sid.values() if seat.holds and seat.looked_at < oldest]
        # Not all in one turn of the loop: words and admissions go between.
        due = due[: max(LOOKS_AT_LEAST, len(self.by_sid) // LOOKS_SHARE)]
        heads = await self._store.heads([(seat.appointment_id, seat.participant_id) for seat in due]) if due else []
        for seat, (holder, newest) in zip(due, heads, strict=True):
            seat.looked_at = self._context.clock.monotonic()
            if holder != seat.seat_id or newest > seat.cursor:
                self.look(seat)

    async def _pump(self, seat: Seat) -> None:
        try:
            while seat.dirty and seat.live:
                seat.dirty = False
                seat.looked_at = self._context.clock.monotonic()
                holder, how, entries = await self._store.log(
                    seat.appointment_id, seat.participant_id, seat.cursor, PAGE
                )
                if holder != seat.seat_id:
                    await self._displaced(seat, how)
                    return
                for entry in entries:
                    await self._deliver(seat, entry)
                if len(entries) == PAGE:
                    seat.dirty = True
        except RedisError:
            seat.dirty = True  # the next look goes on from the same number

    async def _deliver(self, seat: Seat, entry: LogEntry) -> None:
        if entry.seq != seat.cursor + 1:
            # The log was cut while this connection lagged behind: its whole state replaces what is gone.
            seat.cursor = entry.seq
            await self._emit(seat, "session.snapshot", {"snapshot": await self.snapshot(seat), "seq": entry.seq})
            seat.lost_events = True
            for tell in self.on_returned:
                await tell(seat)
            return
        body = entry.payload
        if entry.sealed:
            place = _place(seat.appointment_id, seat.participant_id)
            body = await self._context.vault.decrypt(UUID(seat.patient_id), place, body)
        payload: dict[str, Any] = json.loads(body)
        await self._emit(seat, entry.event, {**payload, "seq": entry.seq})
        seat.cursor = entry.seq
        if entry.event == "call.removed":
            await self.drop(seat)

    async def _displaced(self, seat: Seat, how: str) -> None:
        seat.live = False
        seat.holds = False
        if how == "take_over":
            payload = {"reason": "taken_over", "seq": seat.cursor + 1}
            await self._emit(seat, "call.displaced", payload)
        await self.drop(seat)

    async def drop(self, seat: Seat) -> None:
        """Close the connection; its packets that are on the way go out before."""
        with suppress(RedisError, OSError):
            await self._server.disconnect(seat.sid, namespace=NAMESPACE)

    async def _emit(self, seat: Seat, event: str, payload: dict[str, Any]) -> None:
        # The connection is this process' own: no way round through Redis.
        await self._server.emit(event, payload, to=seat.sid, namespace=NAMESPACE, ignore_queue=True)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("session_task_failed", exc_info=error)

    async def stop(self) -> None:
        await cancel_all(self._tasks)


def _place(appointment_id: str, participant_id: str) -> str:
    return f"live/{appointment_id}/{participant_id}"
