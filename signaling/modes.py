"""A visit's mode as it is lived: measurements come in from media servers and clients, the ladder decides, all are told.

Every process with somebody in a visit hears its media server; one of them at a time takes the turn.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

from core.clock import Clock
from core.errors import BedsideError, Forbidden
from signaling.ladder import STALE_S, Choice, Measure, State, choose, step
from signaling.ports import Help
from signaling.presence import Person, in_call
from signaling.schemas import MediaReport
from signaling.seats import Seat
from signaling.session import Sessions
from signaling.store import KEEP_S, Store, Visit

log = logging.getLogger(__name__)

TURN_MS = 1_500  # media servers report every two seconds
TIGHT = 1.25  # wanted over the estimate: the way is what limits
PICTURES = 150_000  # bits a second wanted; below it sound alone is, and what of it does not fit shows as loss


class Modes:
    def __init__(self, store: Store, sessions: Sessions, help: Help, clock: Clock) -> None:
        self._store = store
        self._redis = store.redis
        self._sessions = sessions
        self._help = help
        self._clock = clock

    async def report(self, seat: Seat, sent: MediaReport) -> None:
        """What a client measured since its last report."""
        heard = sent.audio_samples + sent.concealed
        kept = {
            "at": self._clock.now().timestamp(),
            "loss": sent.loss,
            "round_trip_ms": sent.round_trip_ms,
            "available": sent.available_bps,
            "concealed": sent.concealed / heard if heard else None,
        }
        await self._keep(seat.appointment_id, f"report:{seat.participant_id}", kept)

    async def measured(self, appointment_id: str, stats: dict[str, dict[str, Any]]) -> None:
        """A media server's counters of everybody in a visit, every two seconds."""
        if not await self._redis.set(f"visit:{appointment_id}:ladder:turn", "1", nx=True, px=TURN_MS):
            return
        visit = await self._store.visit(appointment_id)
        if visit is None:
            return
        now = self._clock.now().timestamp()
        state, reports = await self._read(appointment_id)
        people = [each for each in in_call(await self._store.people(appointment_id)) if each.connected]
        measures = []
        for person in people:
            counters = stats.get(person.participant_id)
            silent_s = await self._silence(person, counters, reports.get(f"flow:{person.participant_id}"), now)
            report = reports.get(f"report:{person.participant_id}")
            if counters is not None or report is not None:
                measures.append(measure(counters or {}, report, now, silent_s))
        await self._become(visit, state, step(state, measures, now))

    async def choose(self, seat: Seat, choice: Choice) -> str:
        """A person agrees to the call-back, goes on in writing, or lets quality decide again."""
        if seat.role not in ("patient", "practitioner"):
            raise Forbidden()
        visit = await self._store.visit(seat.appointment_id)
        assert visit is not None, "a seat's visit is known"
        state, _ = await self._read(seat.appointment_id)
        chosen = choose(state, choice, self._clock.now().timestamp())
        await self._become(visit, state, chosen)
        return chosen.mode

    async def current(self, appointment_id: str) -> State:
        return (await self._read(appointment_id))[0]

    async def _become(self, visit: Visit, before: State, state: State) -> None:
        if state != before:
            await self._keep_state(visit.appointment_id, state)
        if (state.mode, state.reason) == (before.mode, before.reason):
            return
        log.info("mode_changed", extra={"mode": state.mode, "reason": state.reason})
        news: dict[str, Any] = {"mode": state.mode, "reason": state.reason}
        for person in in_call(await self._store.people(visit.appointment_id)):
            if person.role == "practitioner" and state.mode == "phone":
                phone = await self._phone(visit.appointment_id)
                await self._sessions.tell(
                    visit.appointment_id,
                    person.participant_id,
                    "call.mode",
                    {**news, "callback_phone": phone},
                    seal_for=None if phone is None else visit.patient_id,
                )
            else:
                await self._sessions.tell(visit.appointment_id, person.participant_id, "call.mode", news)

    async def _phone(self, appointment_id: str) -> str | None:
        try:
            return await self._help.callback_phone(UUID(appointment_id))
        except (BedsideError, OSError):
            return None  # the mode must not wait for the database

    async def _silence(
        self, person: Person, counters: dict[str, Any] | None, before: dict[str, Any] | None, now: float
    ) -> float:
        """For how long nothing has come from somebody whose microphone or camera is on."""
        packets = number((counters or {}).get("packets_in")) or 0.0
        sends = any(not each.get("muted") for each in person.tracks)
        if not sends or before is None or before["packets"] != packets:
            await self._keep(person.appointment_id, f"flow:{person.participant_id}", {"packets": packets, "at": now})
            return 0.0
        return now - float(before["at"])

    async def _read(self, appointment_id: str) -> tuple[State, dict[str, dict[str, Any]]]:
        raw = await self._store.hash_of(_key(appointment_id))
        reports = {name: json.loads(value) for name, value in raw.items() if ":" in name}
        return State.read(raw), reports

    async def _keep(self, appointment_id: str, field: str, value: dict[str, Any]) -> None:
        await self._store.keep(_key(appointment_id), {field: json.dumps(value)}, KEEP_S)

    async def _keep_state(self, appointment_id: str, state: State) -> None:
        await self._store.keep(_key(appointment_id), state.text(), KEEP_S)


def measure(counters: dict[str, Any], report: dict[str, Any] | None, now: float, silent_s: float = 0.0) -> Measure:
    """The worse of what the media server and the client say. Pure; odd numbers and old reports count as unknown."""
    said = report if report is not None and now - float(report["at"]) <= STALE_S else {}
    losses = [number(counters.get("loss_in")), number(counters.get("loss_out")), number(said.get("loss"))]
    delays = [number(counters.get("round_trip_ms")), number(said.get("round_trip_ms"))]
    rates = [room(counters), number(said.get("available"))]
    return Measure(
        loss=max((each for each in losses if each is not None), default=None),
        round_trip_ms=max((each for each in delays if each is not None), default=None),
        available=min((each for each in rates if each), default=None),
        concealed=number(said.get("concealed")),
        silent_s=silent_s,
    )


def room(counters: dict[str, Any]) -> float | None:
    """What the way to a person carries (bit/s), where it is too narrow for what they should get; else None.

    Nobody looks for more room than is wanted: an estimate near that says nothing about what lies above, nor does one
    while pictures rest. Else a visit would never get them back.
    """
    estimate, wanted = number(counters.get("estimate")), number(counters.get("wanted"))
    return estimate if estimate and wanted and wanted > max(PICTURES, estimate * TIGHT) else None


def number(value: Any) -> float | None:
    """A finite number that is not below zero, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < float("inf") else None


def _key(appointment_id: str) -> str:
    return f"visit:{appointment_id}:ladder"
