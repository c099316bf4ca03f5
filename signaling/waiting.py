"""The waiting room: coming, waiting, being let in, held, removed, called back, handed to a colleague."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from prometheus_client import Histogram
from redis.exceptions import RedisError

from core.background import cancel_all
from core.clock import Clock
from core.errors import NotFound
from core.telemetry import REGISTRY
from signaling.call import Calls
from signaling.consents import Consents
from signaling.errors import NotWaiting, RecalledAlready, VisitOver
from signaling.lists import Lists
from signaling.ports import Colleague
from signaling.presence import (
    FAR_EVERY_S,
    RECALLED_PLACES,
    Person,
    Place,
    State,
    may_recall,
    places,
    told_now,
)
from signaling.records import Records
from signaling.seats import Seat
from signaling.session import Sessions
from signaling.store import Store, Visit

log = logging.getLogger(__name__)

# Changes that come together are told together; also the limit of one update a second per person.
REFRESH_AFTER_S = 0.15
REFRESH_EVERY_S = 1.0
TOLD_AT_ONCE, BREATH_S = 25, 0.01
LONG, KNOWN_FOR_S = 100, 1.0

ESTIMATE_ERROR = Histogram(
    "bedside_wait_estimate_error_seconds",
    "By how much a wait differed from what was told on coming.",
    buckets=(30, 60, 120, 300, 600, 900, 1800, 3600, 7200),
    registry=REGISTRY,
)


class Waiting:
    def __init__(
        self,
        store: Store,
        lists: Lists,
        sessions: Sessions,
        calls: Calls,
        records: Records,
        clock: Clock,
        consents: Consents,
    ) -> None:
        self._store = store
        self._lists = lists
        self._sessions = sessions
        self._calls = calls
        self._records = records
        self._clock = clock
        self._consents = consents
        self._refreshing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._known: dict[str, tuple[float, dict[tuple[str, str], Place]]] = {}  # of long queues, for a moment
        self._told_far: dict[str, float] = {}  # practitioner → when those far back were told last (monotonic)

    async def enter(self, seat: Seat) -> dict[str, Any]:
        """Enter the waiting room; entering again keeps the place. Those already let in are told position 0."""
        visit = await self._visit(seat.appointment_id)
        if visit.over:
            raise VisitOver()
        now = self._clock.now().timestamp()
        person = await self._person(seat.appointment_id, seat.participant_id)
        if seat.role == "practitioner" or person.admitted or person.state in ("in-call", "held", "waiting"):
            place = await self.place(visit.practitioner_id, seat.appointment_id, seat.participant_id)
            return asdict(place or Place(0, 0, 0))
        await self._consents.require(person)
        moved, _ = await self._store.move(
            seat.appointment_id,
            seat.participant_id,
            ("outside", "left"),
            {"state": "waiting", "since": now},
        )
        if moved:
            await self._lists.line_up(visit.practitioner_id, seat.appointment_id, seat.participant_id, now)
            await self._records.add("waiting_entered", seat.appointment_id, now, participant_id=seat.participant_id)
            self.refresh(visit.practitioner_id)
        place = await self.place(visit.practitioner_id, seat.appointment_id, seat.participant_id)
        if place is None:
            return asdict(Place(0, 0, 0))
        if moved:
            told = place.estimated_wait_s
            await self._store.set_person(seat.appointment_id, seat.participant_id, told_wait=told)
        return asdict(place)

    async def leave(self, appointment_id: str, participant_id: str) -> None:
        """Leave the waiting room by choice."""
        fields = {"state": "outside", "since": None, "admitted": None}
        await self._step_out(appointment_id, participant_id, ("waiting", "held", "admitted"), fields)

    async def give_up(self, appointment_id: str, participant_id: str) -> None:
        """The grace without a connection is over. Who was let in already may still join when they are back."""
        await self._step_out(appointment_id, participant_id, ("admitted",), {"state": "left", "since": None})
        await self._step_out(appointment_id, participant_id, ("waiting", "held"), {"state": "outside", "since": None})

    async def _step_out(
        self,
        appointment_id: str,
        participant_id: str,
        allowed: tuple[State, ...],
        fields: Mapping[str, str | float | None],
    ) -> None:
        visit = await self._visit(appointment_id)
        moved, _ = await self._store.move(appointment_id, participant_id, allowed, fields)
        if moved:
            await self._lists.step_out(visit.practitioner_id, appointment_id, participant_id)
            self.refresh(visit.practitioner_id)

    # The practice's acts; who may is decided before

    async def admit(self, visit: Visit, participant_id: str) -> None:
        """Let somebody in: from now on ``call.join`` and media are theirs. Also takes back a removal."""
        now = self._clock.now().timestamp()
        if visit.over:
            raise VisitOver()
        person = await self._person(visit.appointment_id, participant_id)
        if person.role == "practitioner":
            raise NotWaiting()
        if person.state in ("admitted", "in-call"):
            return
        await self._consents.require(person)
        moved, before = await self._store.move(
            visit.appointment_id,
            participant_id,
            ("waiting", "held", "removed", "left"),
            {"state": "admitted", "admitted": "1", "admitted_at": now, "since": person.since or now},
        )
        if not moved:
            raise NotWaiting() if before == "outside" else NotFound()
        await self._sessions.tell(visit.appointment_id, participant_id, "call.admitted", {"reason": None})
        await self._lists.line_up(visit.practitioner_id, visit.appointment_id, participant_id, person.since or now)
        if before == "waiting" and person.since is not None:
            await self._learn(visit, person, person.since, now)
        if not person.connected and participant_id == visit.patient_id and may_recall(person, now):
            await self.recall(visit, participant_id)
        self.refresh(visit.practitioner_id)

    async def _learn(self, visit: Visit, person: Person, since: float, now: float) -> None:
        """The pause before this visit, and by how much the estimate told on coming was wrong."""
        await self._lists.add_gap(visit.practitioner_id, since, now)
        if person.told_wait is None:
            return
        waited = now - since
        ESTIMATE_ERROR.observe(abs(waited - person.told_wait))
        await self._lists.add_error(visit.practitioner_id, waited - person.told_wait)
        await self._records.add(
            "waited",
            visit.appointment_id,
            now,
            participant_id=person.participant_id,
            estimated_s=round(person.told_wait),
            waited_s=round(waited),
        )

    async def hold(self, visit: Visit, participant_id: str, reason: str | None) -> None:
        """Back to waiting, without media, keeping the visit."""
        await self._person(visit.appointment_id, participant_id)
        await self._calls.expel(visit, participant_id, "held", "call.held", reason)
        await self._store.nudge(f"q|{visit.practitioner_id}")
        self.refresh(visit.practitioner_id)

    async def put_out(self, visit: Visit, participant_id: str, reason: str) -> None:
        """Out of call and waiting room at once, free to come again: ``call.held`` says why."""
        await self._calls.expel(visit, participant_id, "outside", "call.held", reason)
        await self._lists.step_out(visit.practitioner_id, visit.appointment_id, participant_id)
        self.refresh(visit.practitioner_id)

    async def remove(self, visit: Visit, participant_id: str, reason: str | None, by: UUID, by_role: str) -> None:
        """Out of the visit at once: media, resume token, link. Only an admission brings them back."""
        person = await self._person(visit.appointment_id, participant_id)
        if person.role == "practitioner":
            raise NotWaiting()
        await self._calls.expel(visit, participant_id, "removed", "call.removed", reason)
        await self._store.forget_resume(visit.appointment_id, participant_id)
        await self._lists.step_out(visit.practitioner_id, visit.appointment_id, participant_id)
        now = self._clock.now().timestamp()
        await self._records.add(
            "removed", visit.appointment_id, now, participant_id=participant_id, by=str(by), by_role=by_role
        )
        self.refresh(visit.practitioner_id)

    async def transfer(self, visit: Visit, to: str, colleague: Colleague, by: str) -> Visit:
        """The durable side has given the visit to a colleague: those in it wait for them now.

        ``by`` is the name of whoever handed it over. Returns the visit as it is now.
        """
        now = self._clock.now().timestamp()
        await self._store.set_visit(
            visit.appointment_id,
            practitioner_id=to,
            practitioner_name=colleague.name,
            practitioner_title=colleague.title,
        )
        moved = replace(visit, practitioner_id=to, practitioner_name=colleague.name, practitioner_title=colleague.title)
        news = {"practitioner": {"name": colleague.name, "title": colleague.title}}
        for person in await self._store.people(visit.appointment_id):
            if person.participant_id == visit.practitioner_id:
                await self._calls.expel(visit, person.participant_id, "removed", "call.removed", "transferred")
                await self._store.forget_resume(visit.appointment_id, person.participant_id)
            elif person.participant_id == to:  # gave it away before, and has it back
                await self._store.move(visit.appointment_id, to, ("removed",), {"state": "outside"})
            elif person.state in ("waiting", "held", "admitted", "in-call"):
                await self._calls.expel(visit, person.participant_id, "waiting", None, None)
                since = person.since or now
                await self._store.set_person(
                    visit.appointment_id, person.participant_id, since=since, transferred_from=by
                )
                await self._lists.step_out(visit.practitioner_id, visit.appointment_id, person.participant_id)
                await self._sessions.tell(visit.appointment_id, person.participant_id, "waiting.transferred", news)
                await self._lists.line_up(to, visit.appointment_id, person.participant_id, since)
        self.refresh(visit.practitioner_id)
        self.refresh(to)
        return moved

    async def recall(self, visit: Visit, participant_id: str) -> None:
        """A notice to somebody who is not there. Raises NotWaiting, RecalledAlready."""
        person = await self._person(visit.appointment_id, participant_id)
        if person.state not in ("waiting", "held", "admitted") or participant_id != visit.patient_id:
            raise NotWaiting()
        now = self._clock.now().timestamp()
        if not may_recall(person, now):
            raise RecalledAlready()
        await self._store.set_person(visit.appointment_id, participant_id, recalled_at=now)
        await self._records.add("recalled", visit.appointment_id, now, participant_id=participant_id)
        await self._store.nudge(f"q|{visit.practitioner_id}")

    async def recall_if_near(self, person: Person) -> None:
        """Without being asked: whose turn is near, or who is let in, and who has no connection."""
        visit = await self._store.visit(person.appointment_id)
        now = self._clock.now().timestamp()
        if visit is None or person.participant_id != visit.patient_id or not may_recall(person, now):
            return
        place = await self.place(visit.practitioner_id, person.appointment_id, person.participant_id)
        if person.state == "admitted" or (place is not None and place.position <= RECALLED_PLACES):
            await self.recall(visit, person.participant_id)

    # Places

    async def places(self, practitioner_id: str, of: tuple[str, str] | None = None) -> dict[tuple[str, str], Place]:
        """Everybody's, or at least those of one (visit, person). A long queue is not read anew for each who asks."""
        now = self._clock.monotonic()
        known = self._known.get(practitioner_id)
        if known is not None and of in known[1] and now - known[0] < KNOWN_FOR_S:
            return known[1]
        found = await self._read_places(practitioner_id)
        if len(found) > LONG:
            self._known[practitioner_id] = (now, found)
        else:
            self._known.pop(practitioner_id, None)
        return found

    async def place(self, practitioner_id: str, appointment_id: str, participant_id: str) -> Place | None:
        key = (appointment_id, participant_id)
        return (await self.places(practitioner_id, key)).get(key)

    async def _read_places(self, practitioner_id: str) -> dict[tuple[str, str], Place]:
        return places(
            await self._lists.waiters(practitioner_id),
            self._clock.now().timestamp(),
            history=await self._lists.history(practitioner_id),
            late_s=await self._lists.late(practitioner_id),
        )

    def refresh(self, practitioner_id: str) -> None:
        """Tell everybody who waits for this practitioner their new place, soon."""
        task = self._refreshing.get(practitioner_id)
        if task is not None and not task.done():
            self._again.add(practitioner_id)
            return
        self._refreshing[practitioner_id] = asyncio.create_task(self._refresh(practitioner_id))

    async def _refresh(self, practitioner_id: str) -> None:
        delay = REFRESH_AFTER_S
        try:
            while True:
                await asyncio.sleep(delay)
                self._again.discard(practitioner_id)
                await self._tell_places(practitioner_id)
                if practitioner_id not in self._again:
                    return
                delay = REFRESH_EVERY_S
        except RedisError:
            log.warning("places_not_told")  # the periodic refresh tells them when Redis is back
        finally:
            self._refreshing.pop(practitioner_id, None)

    async def _tell_places(self, practitioner_id: str) -> None:
        """A few at a time: a long queue must not keep an admission waiting."""
        found = await self.places(practitioner_id)
        now = self._clock.monotonic()
        since_last = now - self._told_far.get(practitioner_id, -FAR_EVERY_S * 2)
        if since_last >= FAR_EVERY_S:
            self._told_far[practitioner_id] = now
        due = [(key, place) for key, place in found.items() if told_now(place.position, since_last)]
        if len(due) < len(found):
            self._again.add(practitioner_id)  # the others' turn comes
        for number, ((appointment_id, participant_id), place) in enumerate(due, start=1):
            told = f"{place.position}:{place.estimated_wait_s}:{place.late_s}"
            await self._sessions.tell(
                appointment_id, participant_id, "waiting.updated", asdict(place), once=("place", told)
            )
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(BREATH_S)

    async def refresh_all(self, over_s: float) -> None:
        """Estimates shrink with time: told again, where a minute has passed.

        One process does it for a practitioner, and not for all at one moment: words and admissions go between.
        """
        practitioners = await self._lists.practitioners()
        for practitioner_id in practitioners:
            turn = f"live:refreshed:{practitioner_id}"
            if await self._store.redis.set(turn, "1", nx=True, px=int(over_s * 1000)):
                self.refresh(practitioner_id)
            await asyncio.sleep(over_s / len(practitioners))

    async def stop(self) -> None:
        await cancel_all(list(self._refreshing.values()))

    async def _visit(self, appointment_id: str) -> Visit:
        visit = await self._store.visit(appointment_id)
        if visit is None:
            raise NotFound()
        return visit

    async def _person(self, appointment_id: str, participant_id: str) -> Person:
        person = await self._store.person(appointment_id, participant_id)
        if person is None:
            raise NotFound()
        return person
