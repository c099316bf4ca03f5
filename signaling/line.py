"""``/queue``: the shared line of drop-ins, live. Many wait for a specialty; whoever is free takes the next.

The line itself is kept by scheduling. Each process reads the lines that it has people of once a second, however many
people they are, so that nobody is told more often than that and nothing here can disagree with what is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.context import Context
from core.errors import InvalidInput, InvalidToken
from core.security.principal import Principal
from signaling import schemas
from signaling.edge import Acting, Edge, as_bedside, parse
from signaling.estimates import line_wait, told
from signaling.ports import DropInLines

log = logging.getLogger(__name__)

NAMESPACE = "/queue"
LOOK_EVERY_S = 1.0
TOLD_AT_ONCE, BREATH_S = 50, 0.01  # a long line is told a few at a time


@dataclass(slots=True, eq=False)
class Waiting:
    """A connection of somebody in a line."""

    sid: str
    drop_in_id: UUID
    specialty: str
    shown: dict[str, Any] | None = None


class LineNamespace(Edge):
    def __init__(self, context: Context, lines: DropInLines) -> None:
        super().__init__(NAMESPACE, context.policy, context.clock, context.settings.limits.socket_events_per_second)
        self._context = context
        self._lines = lines
        self._people: dict[str, Waiting] = {}

    async def connected(self, sid: str, auth: Any) -> None:
        try:
            wanted = parse(schemas.QueueAuth, auth)
        except InvalidInput:
            raise InvalidToken() from None
        principal: Principal = await self._lines.authenticate(wanted.token)
        self.signed_in_by(sid, {"session": str(principal.session_id)} if principal.session_id else {})
        specialty, patient_id = await self._lines.place(principal, wanted.drop_in_id)
        if principal.role == "patient" and principal.id != patient_id:
            self.acting[sid] = Acting(principal.id, patient_id, "proxy_book")
        self._people[sid] = Waiting(sid, wanted.drop_in_id, specialty)

    def role_of(self, sid: str) -> str:
        return ""  # this namespace takes no events

    async def gone(self, sid: str) -> None:
        self._people.pop(sid, None)

    async def look(self) -> None:
        """Tell everybody of this process whose place, estimate or fate has changed."""
        by_line: dict[str, list[Waiting]] = defaultdict(list)
        for each in self._people.values():
            if self.server.manager.is_connected(each.sid, NAMESPACE):
                by_line[each.specialty].append(each)
        for specialty, people in by_line.items():
            try:
                await self._tell(specialty, people)
            except Exception as error:
                if as_bedside(error) is None:
                    raise
                log.warning("line_not_read")  # the next look tells it

    async def _tell(self, specialty: str, people: list[Waiting]) -> None:
        line = await self._lines.line(specialty)
        now = self._context.clock.now().timestamp()
        places = {drop_in_id: place for place, drop_in_id in enumerate(line.waiting, start=1)}
        for number, each in enumerate(people, start=1):
            place = places.get(each.drop_in_id)
            if place is None:
                await self._fate(each)
                continue
            wait = told(line_wait(place, line.takes, now), 0)
            shown = {"position": place, "estimated_wait_s": wait, "waiting": len(line.waiting)}
            # Of those behind them nobody needs to hear at once: the length alone is no news.
            if each.shown is None or any(shown[name] != each.shown[name] for name in ("position", "estimated_wait_s")):
                each.shown = shown
                await self._emit(each, "queue.updated", shown)
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(BREATH_S)

    async def _fate(self, each: Waiting) -> None:
        """Not in line any more: taken by somebody, left, or over. Said once; the connection has served."""
        status, appointment_id = await self._lines.fate(each.drop_in_id)
        if status == "waiting":
            return  # came while the line was read
        if appointment_id is not None:
            await self._emit(each, "queue.called", {"appointment_id": str(appointment_id)})
        else:
            await self._emit(each, "queue.over", {"status": status})
        self._people.pop(each.sid, None)

    async def _emit(self, each: Waiting, event: str, payload: dict[str, Any]) -> None:
        await self.server.emit(event, payload, to=each.sid, namespace=NAMESPACE, ignore_queue=True)
