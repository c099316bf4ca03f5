"""The waiting room: coming, waiting, being let in, held, removed. Places are told by the policy in ``presence``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from core.background import cancel_all
from core.clock import Clock
from core.errors import NotFound
from signaling.call import Calls
from signaling.errors import NotWaiting, VisitOver
from signaling.presence import Person, Place, State, places
from signaling.records import Records
from signaling.session import Seat, Sessions
from signaling.store import Store, Visit

log = logging.getLogger(__name__)

# Changes that come together are told together; also the limit of one update a second per person.
REFRESH_AFTER_S = 0.15
REFRESH_EVERY_S = 1.0


class Waiting:
    def __init__(self, store: Store, sessions: Sessions, calls: Calls, records: Records, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._calls = calls
        self._records = records
        self._clock = clock
        self._refreshing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    async def enter(self, seat: Seat) -> dict[str, Any]:
        """Enter the waiting room; entering again keeps the place. Those already let in are told position 0."""
        visit = await self._visit(seat.appointment_id)
        if visit.over:
            raise VisitOver()
        now = self._clock.now().timestamp()
        person = await self._person(seat.appointment_id, seat.participant_id)
        if seat.role == "practitioner" or person.admitted or person.state in ("in-call", "held", "waiting"):
            place = (await self.places(visit.practitioner_id)).get((seat.appointment_id, seat.participant_id))
            return asdict(place or Place(0, 0, 0))
        moved, _ = await self._store.move(
            seat.appointment_id,
            seat.participant_id,
            ("outside", "left"),
            {"state": "waiting", "since": now},
        )
        if moved:
            await self._store.line_up(visit.practitioner_id, seat.appointment_id, seat.participant_id, now)
            await self._records.add("waiting_entered", seat.appointment_id, now, participant_id=seat.participant_id)
            self.refresh(visit.practitioner_id)
        place = (await self.places(visit.practitioner_id)).get((seat.appointment_id, seat.participant_id))
        return asdict(place or Place(0, 0, 0))

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
            await self._store.step_out(visit.practitioner_id, appointment_id, participant_id)
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
        moved, before = await self._store.move(
            visit.appointment_id,
            participant_id,
            ("waiting", "held", "removed", "left"),
            {"state": "admitted", "admitted": "1", "admitted_at": now, "since": person.since or now},
        )
        if not moved:
            raise NotWaiting() if before == "outside" else NotFound()
        await self._sessions.tell(visit.appointment_id, participant_id, "call.admitted", {"reason": None})
        await self._store.line_up(visit.practitioner_id, visit.appointment_id, participant_id, person.since or now)
        self.refresh(visit.practitioner_id)

    async def hold(self, visit: Visit, participant_id: str, reason: str | None) -> None:
        """Back to waiting, without media, keeping the visit."""
        await self._person(visit.appointment_id, participant_id)
        await self._calls.expel(visit, participant_id, "held", "call.held", reason)
        await self._store.nudge(f"q|{visit.practitioner_id}")
        self.refresh(visit.practitioner_id)

    async def remove(self, visit: Visit, participant_id: str, reason: str | None, by: UUID, by_role: str) -> None:
        """Out of the visit at once: media, resume token, link. Only an admission brings them back."""
        person = await self._person(visit.appointment_id, participant_id)
        if person.role == "practitioner":
            raise NotWaiting()
        await self._calls.expel(visit, participant_id, "removed", "call.removed", reason)
        await self._store.forget_resume(visit.appointment_id, participant_id)
        await self._store.step_out(visit.practitioner_id, visit.appointment_id, participant_id)
        now = self._clock.now().timestamp()
        await self._records.add(
            "removed", visit.appointment_id, now, participant_id=participant_id, by=str(by), by_role=by_role
        )
        self.refresh(visit.practitioner_id)

    # Places

    async def places(self, practitioner_id: str) -> dict[tuple[str, str], Place]:
        return places(
            await self._store.waiters(practitioner_id),
            self._clock.now().timestamp(),
            lengths=await self._store.lengths(practitioner_id),
            late_s=await self._store.late(practitioner_id),
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
                for (appointment_id, participant_id), place in (await self.places(practitioner_id)).items():
                    told = f"{place.position}:{place.estimated_wait_s}:{place.late_s}"
                    await self._sessions.tell(
                        appointment_id, participant_id, "waiting.updated", asdict(place), once=("place", told)
                    )
                if practitioner_id not in self._again:
                    return
                delay = REFRESH_EVERY_S
        except RedisError:
            log.warning("places_not_told")  # the periodic refresh tells them when Redis is back
        finally:
            self._refreshing.pop(practitioner_id, None)

    async def refresh_all(self) -> None:
        """Estimates shrink with time: told again, where a minute has passed."""
        for practitioner_id in await self._store.practitioners():
            self.refresh(practitioner_id)

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
