"""The call of a visit: joining, leaving, ending. Admission is decided here, before anything of media is asked."""

from __future__ import annotations

import logging
from typing import Any, Literal

import asyncpg

from core.clock import Clock
from core.errors import Forbidden, NotFound
from core.security.vault import KeyDestroyed
from signaling.consents import Consents
from signaling.errors import CallFull, MediaUnavailable, NotAdmitted, VisitOver
from signaling.lists import Lists
from signaling.media_negotiation import MediaNegotiation
from signaling.presence import MOST_PEOPLE, Person, State, both_present, in_call, may_join, participant
from signaling.records import Records
from signaling.seats import Seat
from signaling.session import Sessions
from signaling.store import KEEP_S, Store, Visit

CLINICAL = ("patient", "practitioner")

log = logging.getLogger(__name__)


class Calls:
    def __init__(
        self,
        store: Store,
        lists: Lists,
        sessions: Sessions,
        negotiation: MediaNegotiation,
        records: Records,
        clock: Clock,
        consents: Consents,
    ) -> None:
        self._lists = lists
        self._consents = consents
        self._store = store
        self._sessions = sessions
        self._negotiation = negotiation
        self._records = records
        self._clock = clock

    async def join(self, seat: Seat) -> tuple[list[dict[str, Any]], int]:
        """Take a place in the call; joining again changes nothing. Returns participants and generation.

        Raises NotAdmitted, VisitOver, ConsentMissing. Without a media server the call goes on by chat: generation 0
        until there is one, then ``media.reset``.
        """
        visit, person = await self._both(seat.appointment_id, seat.participant_id)
        if visit.over:
            raise VisitOver()
        await self._consents.require(person)
        if not may_join(person):
            raise NotAdmitted()
        now = self._clock.now().timestamp()
        practitioner = seat.role == "practitioner"
        joining = person.state != "in-call"
        if joining:
            if len(in_call(await self._store.people(seat.appointment_id))) >= MOST_PEOPLE:
                raise CallFull()
            moved, _ = await self._store.move(
                seat.appointment_id,
                seat.participant_id,
                ("outside", "left") if practitioner else ("admitted", "left"),
                {"state": "in-call", "joined_at": now, "hand": None, "tracks": None},
                needs_admission=not practitioner,
            )
            if not moved and (await self._person(seat.appointment_id, seat.participant_id)).state != "in-call":
                raise NotAdmitted()  # held or removed in this very moment
            await self._records.add(
                "joined", visit.appointment_id, now, participant_id=seat.participant_id, role=seat.role, by=seat.by
            )
        if visit.call != "open":
            await self._store.set_visit(seat.appointment_id, call="open")
        try:
            generation = await (self._negotiation.joined if joining else self._negotiation.rejoined)(seat)
        except MediaUnavailable:
            generation = 0
        people = in_call(await self._store.people(seat.appointment_id))
        if joining:
            me = await self._person(seat.appointment_id, seat.participant_id)
            news = {"change": "joined", "participant": participant(me)}
            await self._sessions.tell_all(people, "call.participant", news, but=seat.participant_id)
            await self._store.nudge(f"q|{visit.practitioner_id}")
        if both_present(people) and visit.started_at is None:
            await self._store.set_visit(seat.appointment_id, started_at=now)
            await self._records.add("started", seat.appointment_id, now)
        return [participant(each) for each in people], generation

    async def hand(self, seat: Seat, raised: bool) -> None:
        person = await self._person(seat.appointment_id, seat.participant_id)
        if person.state != "in-call":
            raise NotAdmitted()
        await self._store.set_person(seat.appointment_id, seat.participant_id, hand="1" if raised else "")
        await self.updated(seat.appointment_id, seat.participant_id)

    async def pin(self, seat: Seat, participant_id: str | None) -> None:
        """The practitioner keeps somebody large for all, such as a sign-language interpreter."""
        if seat.role != "practitioner":
            raise Forbidden()
        people = in_call(await self._store.people(seat.appointment_id))
        if participant_id is not None and participant_id not in {each.participant_id for each in people}:
            raise NotFound()
        key = f"visit:{seat.appointment_id}:pin"
        await self._store.keep(key, {"participant_id": participant_id or ""}, KEEP_S)
        await self._sessions.tell_all(people, "call.pinned", {"participant_id": participant_id})

    async def interpreter(self, appointment_id: str, state: dict[str, Any]) -> None:
        """What has become of the search for an interpreter; patient and practitioner are told."""
        asked = [each for each in await self._store.people(appointment_id) if each.role in CLINICAL]
        await self._sessions.tell_all(asked, "interpreter.state", state)

    async def require_clinical(self, seat: Seat) -> None:
        """Patient or practitioner, and not removed. Raises Forbidden, NotAdmitted."""
        if seat.role not in CLINICAL:
            raise Forbidden()
        if (await self._person(seat.appointment_id, seat.participant_id)).state == "removed":
            raise NotAdmitted()

    async def updated(self, appointment_id: str, participant_id: str) -> None:
        """Something about this person changed: the others in the call are told."""
        people = in_call(await self._store.people(appointment_id))
        for person in people:
            if person.participant_id == participant_id:
                news = {"change": "updated", "participant": participant(person)}
                await self._sessions.tell_all(people, "call.participant", news, but=participant_id)

    async def leave(self, appointment_id: str, participant_id: str) -> None:
        """Leave the call, by choice or because the seat's grace is over. Whoever was admitted may come back."""
        visit, person = await self._both(appointment_id, participant_id)
        moved, _ = await self._store.move(
            appointment_id,
            participant_id,
            ("in-call",),
            {"state": "left", "joined_at": None, "tracks": None, "hand": None},
        )
        if not moved:
            return
        await self._gone(visit, person)
        await self._lists.step_out(visit.practitioner_id, appointment_id, participant_id)
        await self._close_if_empty(visit)

    async def expel(
        self,
        visit: Visit,
        participant_id: str,
        to: Literal["held", "removed", "waiting", "outside"],
        event: Literal["call.held", "call.removed"] | None,
        reason: str | None,
    ) -> None:
        """Take admission and media from somebody: first the right, then the packets, then the word."""
        person = await self._person(visit.appointment_id, participant_id)
        holdable: tuple[State, ...] = ("waiting", "admitted", "in-call", "left", "held")
        moved, before = await self._store.move(
            visit.appointment_id,
            participant_id,
            None if to == "removed" else holdable,
            {"state": to, "admitted": None, "joined_at": None, "tracks": None, "hand": None},
        )
        if not moved:
            raise NotFound()
        if before == "in-call":
            await self._gone(visit, person)
        if event is not None:
            await self._tell_why(visit, participant_id, event, reason)
        await self._close_if_empty(visit)

    async def _tell_why(self, visit: Visit, participant_id: str, event: str, reason: str | None) -> None:
        """A reason is free text, so it lies sealed in the log. Without the key the word goes without its reason:
        what it tells must not wait."""
        if reason is not None:
            try:
                await self._sessions.tell(
                    visit.appointment_id, participant_id, event, {"reason": reason}, seal_for=visit.patient_id
                )
                return
            except (KeyDestroyed, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                log.warning("reason_not_told")
        await self._sessions.tell(visit.appointment_id, participant_id, event, {"reason": None})

    async def end(self, seat: Seat) -> None:
        """The practitioner ends the media for everybody; joining anew reopens it, admissions are given anew."""
        visit, _ = await self._both(seat.appointment_id, seat.participant_id)
        if seat.role != "practitioner":
            raise Forbidden()
        await self.finish(visit, "ended_by_practitioner")

    async def completed(self, appointment_id: str) -> None:
        """The consultation was completed: everybody leaves, nobody comes in again."""
        visit = await self._store.visit(appointment_id)
        if visit is None:
            return
        await self._store.set_visit(appointment_id, over="1")
        await self.finish(visit, "completed", everybody=True)

    async def finish(self, visit: Visit, reason: str, *, everybody: bool = False) -> None:
        """Take everybody out of the call; with ``everybody`` out of the waiting room, too."""
        now = self._clock.now().timestamp()
        people = await self._store.people(visit.appointment_id)
        for person in people:
            waiting = person.state in ("waiting", "held")
            if person.state not in ("in-call", "admitted", "left") and not (everybody and waiting):
                continue
            fields: dict[str, str | float | None] = {"joined_at": None, "tracks": None, "hand": None, "admitted": None}
            moved, before = await self._store.move(
                visit.appointment_id,
                person.participant_id,
                ("in-call", "admitted", "left", "waiting", "held"),
                {"state": "left", **fields},
            )
            if moved and before == "in-call":
                await self._left(visit, person)
            await self._lists.step_out(visit.practitioner_id, visit.appointment_id, person.participant_id)
            await self._sessions.tell(visit.appointment_id, person.participant_id, "call.ended", {"reason": reason})
        await self._store.set_visit(visit.appointment_id, call="ended")
        await self._negotiation.close(visit.appointment_id)
        for name in ("ladder", "pin"):  # the next call begins at the top, with nobody kept large
            await self._store.redis.delete(f"visit:{visit.appointment_id}:{name}")
        await self._records.add("ended", visit.appointment_id, now)
        if visit.started_at is not None:
            length = now - visit.started_at
            await self._lists.add_length(visit.practitioner_id, visit.appointment_id, visit.kind, length, now)

    async def state_changed(self, appointment_id: str, participant_id: str) -> None:
        """Lost or regained the connection: others see "reconnecting" and the list follows."""
        visit, person = await self._both(appointment_id, participant_id)
        if person.state == "in-call":
            await self.updated(appointment_id, participant_id)
        await self._store.nudge(f"q|{visit.practitioner_id}")

    async def require_in_call(self, seat: Seat) -> None:
        """Before anything of media. Raises ``NotAdmitted``."""
        person = await self._person(seat.appointment_id, seat.participant_id)
        if person.state != "in-call" or not may_join(person):
            raise NotAdmitted()

    async def _gone(self, visit: Visit, person: Person) -> None:
        await self._left(visit, person)
        await self._negotiation.left(visit.appointment_id, person.participant_id)
        people = in_call(await self._store.people(visit.appointment_id))
        news = {"change": "left", "participant": participant(person)}
        await self._sessions.tell_all(people, "call.participant", news, but=person.participant_id)
        await self._store.nudge(f"q|{visit.practitioner_id}")

    async def _left(self, visit: Visit, person: Person) -> None:
        now = self._clock.now().timestamp()
        evidence = await self._negotiation.evidence(visit.appointment_id, person.participant_id)
        await self._records.add(
            "left", visit.appointment_id, now, participant_id=person.participant_id, evidence=evidence
        )

    async def _close_if_empty(self, visit: Visit) -> None:
        if in_call(await self._store.people(visit.appointment_id)):
            return
        if (await self._store.visit(visit.appointment_id) or visit).call == "open":
            await self._store.set_visit(visit.appointment_id, call="idle")
            await self._negotiation.close(visit.appointment_id)

    async def _both(self, appointment_id: str, participant_id: str) -> tuple[Visit, Person]:
        visit = await self._store.visit(appointment_id)
        if visit is None:
            raise NotFound()
        return visit, await self._person(appointment_id, participant_id)

    async def _person(self, appointment_id: str, participant_id: str) -> Person:
        person = await self._store.person(appointment_id, participant_id)
        if person is None:
            raise NotFound()
        return person
