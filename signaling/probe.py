"""``/probe``: the network test before a visit. Packets come back to their sender alone; nobody needs to be admitted."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.context import Context
from core.errors import Conflict, Forbidden, InvalidInput, InvalidToken, NotFound
from core.ids import uuid7
from core.rpc import RpcRefused, RpcUnavailable
from signaling import schemas
from signaling.edge import Acting, Edge, parse
from signaling.errors import MediaUnavailable, NotAvailable
from signaling.media_client import MediaClients
from signaling.placement import Worker
from signaling.ports import Help, Visits
from signaling.store import Store
from signaling.workers import Workers

log = logging.getLogger(__name__)

NAMESPACE = "/probe"
LONGEST_PROBE_S = 30.0
PROBES_PER_CONNECTION = 6  # three transports, each once more
VERDICTS = ("poor", "fair", "good")


class ProbeRunning(Conflict):
    code = "probe_running"
    title = "A network test is running already"


@dataclass(slots=True, eq=False)
class Prober:
    sid: str
    person_id: UUID
    appointment_id: UUID
    role: str
    probe_id: UUID | None = None
    transport: str = ""
    best: str = "poor"
    """Of this connection's tests: a visit takes the best way there is."""
    worker: Worker | None = None
    started: int = 0
    ending: asyncio.TimerHandle | None = None


class ProbeNamespace(Edge):
    def __init__(
        self, context: Context, *, store: Store, workers: Workers, clients: MediaClients, visits: Visits, help: Help
    ) -> None:
        super().__init__(NAMESPACE, context.policy, context.clock, context.settings.limits.socket_events_per_second)
        self._context = context
        self._store = store
        self._workers = workers
        self._clients = clients
        self._visits = visits
        self._help = help
        self._probers: dict[str, Prober] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.events = {
            "probe.start": (schemas.ProbeStart, self._start),
            "probe.result": (schemas.ProbeResult, self._result),
        }

    async def connected(self, sid: str, auth: Any) -> None:
        try:
            claims = self._context.tokens.verify(parse(schemas.TokenAuth, auth).token, "probe")
            appointment_id, role = UUID(claims.extra["appointment_id"]), str(claims.extra["role"])
            by = UUID(claims.extra["by"]) if "by" in claims.extra else None
        except (InvalidInput, KeyError, ValueError):
            raise InvalidToken() from None
        if by is not None:  # then the test is for the patient's seat
            if not await self._help.may_act(by, claims.subject, "proxy_attend"):
                raise InvalidToken()
            self.acting[sid] = Acting(by, claims.subject, "proxy_attend")
        self.signed_in_by(sid, claims.extra)
        self._probers[sid] = Prober(sid, claims.subject, appointment_id, role)

    def role_of(self, sid: str) -> str:
        prober = self._probers.get(sid)
        return "" if prober is None else prober.role

    async def gone(self, sid: str) -> None:
        prober = self._probers.pop(sid, None)
        if prober is not None:
            await self._close(prober)

    async def _start(self, sid: str, sent: schemas.ProbeStart) -> dict[str, Any]:
        prober = self._prober(sid)
        if prober.probe_id is not None:
            raise ProbeRunning()
        self._require(sent.transport)
        if prober.started >= PROBES_PER_CONNECTION:
            raise Forbidden("Enough tests on this connection")
        worker = self._workers.for_probe()
        if worker is None:
            raise MediaUnavailable()
        probe_id = uuid7()
        prober.started += 1
        try:
            params = {"probe": str(probe_id), "sdp": sent.sdp, "transport": sent.transport}
            result = await self._clients.call(worker.key, worker.host, worker.port, "probe", params)
        except RpcRefused as refused:
            if refused.code == "invalid_sdp":
                raise
            log.warning("probe_refused", extra={"code": refused.code})
            raise MediaUnavailable() from None
        except RpcUnavailable:
            raise MediaUnavailable() from None
        prober.probe_id, prober.worker, prober.transport = probe_id, worker, sent.transport
        loop = asyncio.get_running_loop()
        prober.ending = loop.call_later(LONGEST_PROBE_S, self._close_soon, prober)
        return {"sdp": result["sdp"], "probe_id": str(probe_id)}

    async def _result(self, sid: str, sent: schemas.ProbeResult) -> None:
        prober = self._prober(sid)
        if prober.probe_id != sent.probe_id:
            raise NotFound()
        counted = await self._close(prober)
        prober.best = max(prober.best, sent.verdict, key=VERDICTS.index)
        measured = sent.model_dump(mode="json", exclude={"probe_id"})
        verdict = {**measured, "transport": prober.transport, "best": prober.best, "counted": counted}
        await self._visits.probed(prober.appointment_id, prober.person_id, verdict)
        visit, person = str(prober.appointment_id), str(prober.person_id)
        await self._store.set_person(visit, person, readiness=prober.best)
        known = await self._store.visit(visit)
        if known is not None:
            await self._store.nudge(f"q|{known.practitioner_id}")

    def _require(self, transport: str) -> None:
        """Raises NotAvailable for a way that this installation does not have."""
        media = self._context.settings.media
        if transport == "tcp" and not media.tcp:
            raise NotAvailable("Media workers take no TCP here")
        if transport == "relay" and not media.turn_urls:
            raise NotAvailable("There is no relay here")

    def _close_soon(self, prober: Prober) -> None:
        task = asyncio.create_task(self._end(prober))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _end(self, prober: Prober) -> None:
        await self._close(prober)

    async def _close(self, prober: Prober) -> dict[str, Any]:
        """End the probe on the worker; its packets and bytes."""
        probe_id, worker = prober.probe_id, prober.worker
        prober.probe_id = prober.worker = None
        if prober.ending is not None:
            prober.ending.cancel()
        if probe_id is None or worker is None:
            return {}
        try:
            return await self._clients.call(
                worker.key, worker.host, worker.port, "probe_close", {"probe": str(probe_id)}
            )
        except (RpcRefused, RpcUnavailable):
            return {}  # the worker ends it by its own limit

    def _prober(self, sid: str) -> Prober:
        prober = self._probers.get(sid)
        if prober is None:
            raise Forbidden()
        return prober
