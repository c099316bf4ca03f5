"""``/practice``: everybody who waits or is seen, across visits; letting in, holding, removing, writing to them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from core.clock import rfc3339
from core.context import Context
from core.errors import Forbidden, InvalidInput, InvalidToken, NotFound
from core.security.policy import Relation
from core.security.principal import Principal, Role
from signaling import schemas
from signaling.chat import VisitChat
from signaling.edge import Edge, parse
from signaling.estimates import History
from signaling.lists import Lists
from signaling.ports import Help
from signaling.presence import LISTED, Waiter, listed_state, places, queue
from signaling.store import Store, Visit
from signaling.waiting import Waiting

log = logging.getLogger(__name__)

NAMESPACE = "/practice"
TOGETHER_S = 0.05  # changes that come together make one list
LONG, TOGETHER_LONG_S = 100, 1.0  # a list that long is sent no oftener than this


@dataclass(slots=True, eq=False)
class Watcher:
    """A connection of the practice. ``practitioner_id`` is None for the desk: it sees everybody's list."""

    sid: str
    principal: Principal
    practitioner_id: str | None
    shown: dict[str, Any] | None = None


def items(waiters: list[Waiter], now: float, history: History, late_s: int = 0) -> list[dict[str, Any]]:
    """One practitioner's list in the wire shape, in the order in which people are seen. Pure."""
    found = places(waiters, now, history=history, late_s=late_s)
    place = {key: each.position for key, each in found.items()}
    wait = {key: each.estimated_wait_s for key, each in found.items()}
    return [
        {
            "participant_id": each.person.participant_id,
            "appointment_id": each.person.appointment_id,
            "name": each.person.name,
            "for_name": each.person.for_name or None,
            "role": each.person.role,
            "since": _time(each.person.since or each.start),
            "start": _time(each.start),
            "position": place.get((each.person.appointment_id, each.person.participant_id), 0),
            "readiness": each.person.readiness,
            "state": listed_state(each.person),
            "estimated_wait_s": wait.get((each.person.appointment_id, each.person.participant_id), 0),
            "checked_in": each.person.checked_in,
            "transferred_from": each.person.transferred_from or None,
            "recalled_at": None if each.person.recalled_at is None else _time(each.person.recalled_at),
        }
        for each in queue(waiters)
        if each.person.state in LISTED and each.person.role != "practitioner"
    ]


class PracticeNamespace(Edge):
    def __init__(
        self, context: Context, *, store: Store, lists: Lists, waiting: Waiting, chat: VisitChat, help: Help
    ) -> None:
        super().__init__(NAMESPACE, context.policy, context.clock, context.settings.limits.socket_events_per_second)
        self._context = context
        self._store = store
        self._lists = lists
        self._waiting = waiting
        self._chat = chat
        self._help = help
        self._watchers: dict[str, Watcher] = {}
        self._long = False
        self._changed: set[str | None] = set()
        self._wanted = asyncio.Event()
        self.events = {
            "waiting.admit": (schemas.WaitingTarget, self._admit),
            "waiting.hold": (schemas.WaitingTarget, self._hold),
            "waiting.remove": (schemas.WaitingTarget, self._remove),
            "waiting.transfer": (schemas.WaitingTransfer, self._transfer),
            "waiting.recall": (schemas.PersonInVisit, self._recall),
            "practice.late": (schemas.PracticeLate, self._late),
            "practice.chat": (schemas.PracticeChat, self._practice_chat),
        }

    async def connected(self, sid: str, auth: Any) -> None:
        try:
            claims = self._context.tokens.verify(parse(schemas.TokenAuth, auth).token, "practice")
            role: Role = claims.extra["role"]
        except (InvalidInput, KeyError):
            raise InvalidToken() from None
        if role not in ("practitioner", "desk"):
            raise Forbidden()
        principal = Principal(claims.subject, role, frozenset({role}), name=str(claims.extra.get("name", "")))
        self.signed_in_by(sid, claims.extra)
        self._watchers[sid] = Watcher(sid, principal, str(claims.subject) if role == "practitioner" else None)
        self.changed(None)

    def role_of(self, sid: str) -> str:
        watcher = self._watchers.get(sid)
        return "" if watcher is None else watcher.principal.role

    async def gone(self, sid: str) -> None:
        self._watchers.pop(sid, None)

    # The list

    def changed(self, practitioner_id: str | None) -> None:
        """This practitioner's list may have changed (None: any)."""
        if self._watchers:
            self._changed.add(practitioner_id)
            self._wanted.set()

    async def run(self) -> None:
        """Send lists where they changed; never ends by itself."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(TOGETHER_LONG_S if self._long else TOGETHER_S)
            self._wanted.clear()
            changed, self._changed = self._changed, set()
            try:
                await self._send(changed)
            except RedisError:
                self._changed |= changed
                self._wanted.set()
                await asyncio.sleep(0.5)
            except Exception:
                log.exception("practice_list_failed")

    async def _send(self, changed: set[str | None]) -> None:
        lists: dict[str, dict[str, Any]] = {}

        async def of(practitioner_id: str) -> dict[str, Any]:
            if practitioner_id not in lists:
                late_s = await self._lists.late(practitioner_id)
                found = items(
                    await self._lists.waiters(practitioner_id),
                    self._context.clock.now().timestamp(),
                    await self._lists.history(practitioner_id),
                    late_s,
                )
                lists[practitioner_id] = {"items": found, "late_s": late_s}
            return lists[practitioner_id]

        self._long = False
        for watcher in list(self._watchers.values()):
            if not self.server.manager.is_connected(watcher.sid, NAMESPACE):
                if watcher.shown is None:
                    self.changed(None)  # its connection is being answered
                continue
            if watcher.practitioner_id is not None:
                if None not in changed and watcher.practitioner_id not in changed and watcher.shown is not None:
                    continue
                shown = await of(watcher.practitioner_id)
            else:
                everybody = [item for each in await self._lists.practitioners() for item in (await of(each))["items"]]
                shown = {"items": everybody, "late_s": None}
            self._long |= len(shown["items"]) > LONG
            if shown != watcher.shown:
                watcher.shown = shown
                await self._emit(watcher, "waiting.list", shown)

    # Acts

    async def _admit(self, sid: str, sent: schemas.WaitingTarget) -> None:
        _, visit = await self._may(sid, "waiting.admit", sent.appointment_id)
        await self._waiting.admit(visit, str(sent.participant_id))

    async def _hold(self, sid: str, sent: schemas.WaitingTarget) -> None:
        _, visit = await self._may(sid, "waiting.hold", sent.appointment_id)
        await self._waiting.hold(visit, str(sent.participant_id), sent.reason)

    async def _remove(self, sid: str, sent: schemas.WaitingTarget) -> None:
        watcher, visit = await self._may(sid, "waiting.remove", sent.appointment_id)
        by = watcher.principal
        await self._waiting.remove(visit, str(sent.participant_id), sent.reason, by.id, by.role)

    async def _transfer(self, sid: str, sent: schemas.WaitingTransfer) -> None:
        watcher, visit = await self._may(sid, "waiting.transfer", sent.appointment_id)
        if await self._store.person(visit.appointment_id, str(sent.participant_id)) is None:
            raise NotFound()
        by, to = watcher.principal, str(sent.practitioner_id)
        colleague = await self._help.transfer(by, sent.appointment_id, sent.practitioner_id, sent.note)
        await self._waiting.transfer(visit, to, colleague, by.name)
        if colleague.note is not None:
            await self._store.nudge(f"c|{to}|{visit.appointment_id}|{colleague.note['message_id']}")

    async def _recall(self, sid: str, sent: schemas.PersonInVisit) -> None:
        _, visit = await self._may(sid, "waiting.recall", sent.appointment_id)
        await self._waiting.recall(visit, str(sent.participant_id))

    async def _late(self, sid: str, sent: schemas.PracticeLate) -> None:
        watcher = self._watcher(sid)
        if watcher.practitioner_id is None:
            raise Forbidden("Only a practitioner says how late they are")
        await self._lists.set_late(watcher.practitioner_id, sent.late_s)
        self._waiting.refresh(watcher.practitioner_id)

    async def _practice_chat(self, sid: str, sent: schemas.PracticeChat) -> dict[str, Any]:
        watcher, visit = await self._may(sid, "practice.chat", sent.appointment_id)
        by = watcher.principal
        return await self._chat.send_from_practice(visit, by.id, by.role, by.name, sent)

    async def show_message(self, practitioner_id: str, appointment_id: str, message_id: str) -> None:
        """A word between a waiting person and the practice, to those of this process who see that list."""
        watchers = [w for w in self._watchers.values() if w.practitioner_id in (None, practitioner_id)]
        message = await self._chat.message(appointment_id, message_id) if watchers else None
        if message is None:
            return
        if message["audience"] == "clinicians":
            watchers = [w for w in watchers if w.practitioner_id is not None]  # not the desk
        names = ("message_id", "client_id", "name", "role", "text", "sent_at", "audience")
        shown = {name: message[name] for name in names}
        payload = {"message": {**shown, "appointment_id": appointment_id, "participant_id": message["participant_id"]}}
        for watcher in watchers:
            await self._emit(watcher, "practice.chat", payload)

    def _watcher(self, sid: str) -> Watcher:
        watcher = self._watchers.get(sid)
        if watcher is None:
            raise Forbidden()
        return watcher

    async def _may(self, sid: str, action: str, appointment_id: UUID) -> tuple[Watcher, Visit]:
        watcher = self._watcher(sid)
        visit = await self._store.visit(str(appointment_id))
        if visit is None:
            raise NotFound()
        relations: list[Relation] = ["own"] if visit.practitioner_id == watcher.practitioner_id else []
        self._context.policy.require(watcher.principal, action, relations)
        return watcher, visit

    async def _emit(self, watcher: Watcher, event: str, payload: dict[str, Any]) -> None:
        await self.server.emit(event, payload, to=watcher.sid, namespace=NAMESPACE, ignore_queue=True)


def _time(moment: float) -> str:
    return rfc3339(datetime.fromtimestamp(moment, UTC))
