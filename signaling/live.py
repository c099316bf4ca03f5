"""The live visit as one thing: its parts joined, its background work started and stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from core.background import cancel_all
from core.context import Context
from signaling.call import Calls
from signaling.chat import VisitChat
from signaling.consents import Consents
from signaling.line import LOOK_EVERY_S, LineNamespace
from signaling.lists import Lists
from signaling.media_client import MediaClients
from signaling.media_negotiation import MediaNegotiation
from signaling.modes import Modes
from signaling.namespace import ConsultationNamespace
from signaling.placement import Worker
from signaling.ports import Chat, DropInLines, Help, Visits
from signaling.practice import PracticeNamespace
from signaling.presence import BEAT_EVERY_S, BEAT_EXPIRES_S
from signaling.probe import ProbeNamespace
from signaling.records import Records
from signaling.session import Sessions
from signaling.sign_outs import ASK_EVERY_S, SignOuts
from signaling.store import Store
from signaling.waiting import Waiting
from signaling.workers import Workers

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 1.0
REFRESH_OVER_S, REFRESH_PAUSE_S = 12.0, 3.0  # estimates are told in minutes
LEASE_S = 10.0  # a process that took an overdue seat and died is followed by another after this
RETRY_S = 0.3


@dataclass(frozen=True, slots=True)
class Overview:
    """The media workers that are registered, calls with somebody in them, and people who wait."""

    workers: list[Worker]
    calls: int
    waiting: int


class Live:
    def __init__(self, context: Context, *, visits: Visits, chat: Chat, help: Help, lines: DropInLines) -> None:
        self._context = context
        self._clock = context.clock
        self.store = store = Store(context.redis)
        self.lists = lists = Lists(store)
        self.records = Records(store, visits)
        self.sessions = sessions = Sessions(context, store)
        self.negotiation = MediaNegotiation(store, sessions)
        self.clients = MediaClients(
            context.settings.media.control_secret.get_secret_value().encode(),
            self.negotiation.event,
            lambda key: self.workers.suspect(key),
        )
        self.workers = Workers(store, self.clients, context.clock, context.settings.media.zone)
        consents = Consents(store, visits)
        self.calls = Calls(store, lists, sessions, self.negotiation, self.records, context.clock, consents)
        self.negotiation.connect(self.workers, self.clients, self.calls.updated)
        self.waiting = Waiting(store, lists, sessions, self.calls, self.records, context.clock, consents)
        self.chat = VisitChat(store, sessions, chat)
        self.modes = Modes(store, sessions, help, context.clock)
        self.negotiation.on_stats = self.modes.measured
        self.consultation = ConsultationNamespace(
            context,
            store=store,
            sessions=sessions,
            waiting=self.waiting,
            calls=self.calls,
            negotiation=self.negotiation,
            chat=self.chat,
            visits=visits,
            modes=self.modes,
            help=help,
        )
        self.practice = PracticeNamespace(
            context, store=store, lists=lists, waiting=self.waiting, chat=self.chat, help=help
        )
        self.probe = ProbeNamespace(
            context, store=store, workers=self.workers, clients=self.clients, visits=visits, help=help
        )
        self.line = LineNamespace(context, lines)
        sessions.on_returned.append(self.negotiation.returned)
        self.sign_outs = SignOuts(
            context.redis, help, store, sessions, self.calls, (self.consultation, self.practice, self.probe, self.line)
        )
        for namespace in (self.consultation, self.practice, self.probe, self.line):
            context.realtime.register_namespace(namespace)
        self._tasks: list[asyncio.Task[None]] = []
        self._quiet_until = 0.0  # after Redis was away, nobody is taken for lost before this (monotonic)

    # What the durable visit tells

    async def completed(self, appointment_id: UUID) -> None:
        """End the call for everybody; nobody comes in again."""
        await self.calls.completed(str(appointment_id))

    async def invitation_revoked(self, appointment_id: UUID, participant_id: UUID) -> None:
        """A guest whose link was withdrawn leaves at once."""
        visit = await self.store.visit(str(appointment_id))
        if visit is not None and await self.store.person(str(appointment_id), str(participant_id)) is not None:
            by = UUID(visit.practitioner_id)
            await self.waiting.remove(visit, str(participant_id), "invitation_revoked", by, "system")

    async def checked_in(self, appointment_id: UUID, participant_id: UUID) -> None:
        """The patient has checked in: the practice's list shows it."""
        visit = await self.store.visit(str(appointment_id))
        if visit is not None and await self.store.person(str(appointment_id), str(participant_id)) is not None:
            await self.store.set_person(str(appointment_id), str(participant_id), checked_in="1")
            await self.store.nudge(f"q|{visit.practitioner_id}")

    async def consent_changed(self, appointment_id: UUID, participant_id: UUID, *, stands: bool) -> None:
        """The patient agreed to care by video, or took it back: then they are outside until they agree anew."""
        visit = await self.store.visit(str(appointment_id))
        person = await self.store.person(str(appointment_id), str(participant_id))
        if visit is None or person is None:
            return
        await self.store.set_person(str(appointment_id), str(participant_id), consented="1" if stands else "0")
        if not stands and person.state in ("waiting", "held", "admitted", "in-call", "left"):
            await self.waiting.put_out(visit, str(participant_id), "consent_withdrawn")

    async def interpreter_state(self, appointment_id: UUID, state: dict[str, Any]) -> None:
        """What has become of the search for an interpreter."""
        await self.calls.interpreter(str(appointment_id), state)

    async def overview(self) -> Overview:
        """For the administrator. Raises RedisError."""
        present = await self.store.present()
        return Overview(
            sorted(await self.workers.registered(), key=lambda each: each.key.id),
            len({each.appointment_id for each in present if each.state == "in-call"}),
            sum(each.state == "waiting" for each in present),
        )

    # Life

    async def start(self) -> None:
        for work in (
            self._hear,
            self.records.run,
            self.negotiation.watch,
            self.practice.run,
            lambda: self._every(BEAT_EVERY_S, self.sessions.beat),
            lambda: self._every(SWEEP_EVERY_S, self._sweep),
            lambda: self._every(REFRESH_PAUSE_S, lambda: self.waiting.refresh_all(REFRESH_OVER_S)),
            self.sign_outs.hear,
            lambda: self._every(LOOK_EVERY_S, self.line.look),
            lambda: self._every(ASK_EVERY_S, self.sign_outs.ask),
        ):
            self._tasks.append(asyncio.create_task(work()))

    async def stop(self) -> None:
        """Connections are closed by the server that carries them; their seats stay resumable."""
        await cancel_all(self._tasks)
        self._tasks.clear()
        await self.waiting.stop()
        await self.sessions.stop()
        await self.clients.stop()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except RedisError:
                self._quiet_until = self._clock.monotonic() + BEAT_EXPIRES_S
            except Exception:
                log.exception("live_work_failed")
            await asyncio.sleep(seconds)

    async def _hear(self) -> None:
        """Nudges from every process. After a break everything is looked at: what was missed is in the keys."""
        while True:
            try:
                async for nudge in self.store.nudges():
                    self._heard(nudge)
            except (RedisError, OSError):
                self._quiet_until = self._clock.monotonic() + BEAT_EXPIRES_S
            await asyncio.sleep(RETRY_S)

    def _heard(self, nudge: str) -> None:
        kind, _, rest = nudge.partition("|")
        if kind == "s":
            self.sessions.nudged(rest)
        elif kind == "q":
            self.practice.changed(rest)
        elif kind == "c":
            practitioner_id, appointment_id, message_id = rest.split("|")
            task = asyncio.create_task(self._show(practitioner_id, appointment_id, message_id))
            self._tasks.append(task)
            task.add_done_callback(self._tasks.remove)
        else:
            self.sessions.look_everywhere()
            self.practice.changed(None)

    async def _show(self, practitioner_id: str, appointment_id: str, message_id: str) -> None:
        try:
            await self.practice.show_message(practitioner_id, appointment_id, message_id)
        except Exception:
            log.exception("practice_message_not_shown")

    async def _sweep(self) -> None:
        """No ghosts: connections of killed processes become lost, seats lost for longer than the grace are left."""
        if self._clock.monotonic() < self._quiet_until:
            return
        now = self._clock.now().timestamp()
        for appointment_id, participant_id in await self.store.silent(now - BEAT_EXPIRES_S, now):
            await self.calls.state_changed(appointment_id, participant_id)
        grace = self._context.settings.visit.seat_grace_s
        for appointment_id, participant_id in await self.store.overdue(now - grace, now - grace + LEASE_S):
            if await self._give_up(appointment_id, participant_id, now):
                await self.store.forget_lost(appointment_id, participant_id)
        await self.negotiation.sweep()

    async def _give_up(self, appointment_id: str, participant_id: str, now: float) -> bool:
        """The grace is over. False for those who keep a place in the waiting room: they are looked at again."""
        person = await self.store.person(appointment_id, participant_id)
        if person is None or person.lost_at is None:
            return True
        patience = self._context.settings.visit.waiting_grace_s
        if person.state in ("waiting", "admitted") and now - person.lost_at < patience:
            await self.waiting.recall_if_near(person)
            return False
        if person.state == "in-call":
            await self.calls.leave(appointment_id, participant_id)
        elif person.state in ("waiting", "held", "admitted"):
            await self.waiting.give_up(appointment_id, participant_id)
        return True
