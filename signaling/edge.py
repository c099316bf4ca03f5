"""The Socket.IO edge: every event is limited, validated, handled in the order of its connection, and acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import socketio
from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from core.clock import Clock
from core.errors import BedsideError, InvalidInput, TooManyRequests, Unavailable
from core.security.policy import Policy, Relation
from signaling.errors import UnknownEvent

log = logging.getLogger(__name__)

P = TypeVar("P", bound=BaseModel)
Handler = Callable[[str, Any], Awaitable[dict[str, Any] | None]]

BURST_S = 2.0  # a connection may spend this many seconds' worth of events at once
# Refusals cost something too: a connection that goes on through this many is closed.
FLOOD_REFUSALS = 200
# PostgreSQL away shows as one of these in a port; Redis as RedisError.
AWAY = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Acting:
    """``by`` is here for a patient, as long as ``relation`` lasts."""

    by: UUID
    patient_id: UUID
    relation: Relation


@dataclass(slots=True)
class _Connection:
    tokens: float
    at: float
    refused: int = 0
    order: asyncio.Lock = field(default_factory=asyncio.Lock)


def spend(tokens: float, elapsed_s: float, rate: float) -> float:
    """A token bucket's content after one event, negative if the event is too much. Pure."""
    return min(tokens + elapsed_s * rate, rate * BURST_S) - 1.0


def refusal(error: BedsideError) -> dict[str, Any]:
    """The ``error`` of an acknowledgement."""
    return {"code": error.code, "message": error.detail, **error.extra}


def parse(model: type[P], payload: Any) -> P:
    """Raises ``InvalidInput`` with what was wrong, never with what was sent."""
    try:
        return model.model_validate(payload, strict=False)
    except ValidationError as error:
        raise InvalidInput(
            [
                {"field": ".".join(str(part) for part in each["loc"]), "message": each["msg"]}
                for each in error.errors(include_input=False, include_url=False, include_context=False)[:10]
            ]
        ) from None


def as_bedside(error: Exception) -> BedsideError | None:
    """The expected failure behind an exception, if there is one."""
    if isinstance(error, BedsideError):
        return error
    if isinstance(error, AWAY) or type(error).__module__.startswith("asyncpg"):
        return Unavailable()
    return None


class Edge(socketio.AsyncNamespace):  # type: ignore[misc]  # python-socketio ships no types
    """Subclasses fill ``events`` and implement ``connected``, ``gone`` and ``role_of``.

    An event's name is the action the policy is asked for.
    """

    def __init__(self, namespace: str, policy: Policy, clock: Clock, events_per_second: int) -> None:
        super().__init__(namespace)
        self._policy = policy
        self._clock = clock
        self._rate = float(events_per_second)
        self._connections: dict[str, _Connection] = {}
        self.session_of: dict[str, str] = {}  # connection → the sign-in it came with
        self.acting: dict[str, Acting] = {}  # connections of those who act for somebody else
        self.events: dict[str, tuple[type[BaseModel], Handler]] = {}

    async def connected(self, sid: str, auth: Any) -> None:
        """Let the connection in, or raise a ``BedsideError``."""
        raise NotImplementedError

    async def gone(self, sid: str) -> None:
        """The connection is closed."""
        raise NotImplementedError

    def role_of(self, sid: str) -> str:
        """The role in which this connection acts; empty for one that is not known, which may do nothing."""
        raise NotImplementedError

    def signed_in_by(self, sid: str, claims: Mapping[str, Any]) -> None:
        """The connection ends with the sign-in that its token names; a guest's names none."""
        if isinstance(claims.get("session"), str):
            self.session_of[sid] = claims["session"]

    async def cut(self, session_id: str) -> None:
        """That sign-in has ended: so do its connections here."""
        for sid in [sid for sid, each in self.session_of.items() if each == session_id]:
            await self.server.disconnect(sid, namespace=self.namespace)

    async def cut_acting(self, ended: Acting) -> None:
        """That authority has ended: so do the connections under it here."""
        for sid in [sid for sid, each in self.acting.items() if each == ended]:
            await self.server.disconnect(sid, namespace=self.namespace)

    async def trigger_event(self, event: Any, *args: Any) -> Any:
        """python-socketio's entry for everything that comes. A client's own event may be *called* connect, too."""
        sid = str(args[0])
        established = self.server.manager.is_connected(sid, self.namespace)
        if event == "connect" and not established:
            return await self._connect(sid, args[2] if len(args) > 2 else None)
        if event == "disconnect" and not established:
            return await self._disconnect(sid)
        return await self._event(event, sid, args[1:])

    async def _connect(self, sid: str, auth: Any) -> bool:
        try:
            await self.connected(sid, auth)
        except Exception as error:
            known = as_bedside(error)
            if known is None:
                log.exception("connect_failed", extra={"namespace": self.namespace})
                known = BedsideError("Something went wrong here")
                detail = {"code": "internal", "message": known.detail}
            else:
                detail = refusal(known)
            raise socketio.exceptions.ConnectionRefusedError(detail["code"], detail) from None
        self._connections[sid] = _Connection(self._rate * BURST_S, self._clock.monotonic())
        return True

    async def _disconnect(self, sid: str) -> None:
        self._connections.pop(sid, None)
        self.session_of.pop(sid, None)
        self.acting.pop(sid, None)
        try:
            await self.gone(sid)
        except AWAY:
            log.warning("disconnect_not_recorded")  # its heartbeat runs out instead
        except Exception:
            log.exception("disconnect_failed", extra={"namespace": self.namespace})

    async def _event(self, event: Any, sid: str, args: tuple[Any, ...]) -> dict[str, Any]:
        connection = self._connections.get(sid)
        if connection is None:
            return {"ok": False, "error": refusal(Unavailable())}
        now = self._clock.monotonic()
        left = spend(connection.tokens, now - connection.at, self._rate)
        connection.at = now
        if left < 0:
            connection.tokens = left + 1.0
            connection.refused += 1
            if connection.refused == FLOOD_REFUSALS:
                log.warning("flood_disconnected", extra={"namespace": self.namespace})
                await self.server.disconnect(sid, namespace=self.namespace)
            return {"ok": False, "error": refusal(TooManyRequests())}
        connection.tokens = left
        try:
            entry = self.events.get(event) if isinstance(event, str) else None
            if entry is None:
                raise UnknownEvent()
            self._policy.admit(self.role_of(sid), event)
            if len(args) > 1:
                raise InvalidInput.of("payload", "one object is expected")
            model, handler = entry
            payload = parse(model, args[0] if args and args[0] is not None else {})
            async with connection.order:
                return {"ok": True, **(await handler(sid, payload) or {})}
        except Exception as error:
            known = as_bedside(error)
            if known is not None:
                return {"ok": False, "error": refusal(known)}
            log.exception("event_failed", extra={"event_name": str(event)[:40]})
            return {"ok": False, "error": {"code": "internal", "message": "Something went wrong here"}}
