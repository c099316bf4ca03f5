"""A live visit over real servers: aiohttp, Socket.IO, PostgreSQL, Valkey. Only people and appointments are given."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import socketio
from aiohttp import web
from redis.asyncio import Redis

import consultations
import signaling
from compliance.consents import Consents
from consultations.ports import AppointmentInfo, PersonInfo
from consultations.service import Consultations
from core.context import Context
from core.errors import Forbidden, InvalidToken, NotFound
from core.ids import uuid7
from core.rpc import RpcClient
from core.security.principal import Principal
from core.settings import Limits, Visit
from scheduling.errors import NotPossible
from server.adapters import consultations as for_consultations
from server.adapters.live_visit import DurableChat, DurableVisits
from server.adapters.visit_help import VisitHelp
from signaling.live import Live
from signaling.ports import Line

TIMEOUT_S = 8.0


@dataclass
class StandsInLine:
    id: UUID
    patient_id: UUID
    specialty: str
    status: str = "waiting"
    appointment_id: UUID | None = None
    taken_at: float | None = None


@dataclass
class Clinic:
    """Appointments and people by id; the ports of other modules, answered from memory."""

    appointments: dict[UUID, AppointmentInfo] = field(default_factory=dict)
    people: dict[UUID, PersonInfo] = field(default_factory=dict)
    drop_ins: dict[UUID, StandsInLine] = field(default_factory=dict)
    sign_ins: set[str] = field(default_factory=set)  # those that stand

    def person(self, name: str, title: str = "", *, verified: bool = True) -> UUID:
        person = PersonInfo(uuid7(), name, title, verified)
        self.people[person.id] = person
        return person.id

    def appointment(
        self, patient: UUID, practitioner: UUID, *, starts_in: timedelta = timedelta(minutes=5), status: str = "booked"
    ) -> UUID:
        start = datetime.now(UTC) + starts_in
        end = start + timedelta(minutes=15)
        window = (start - timedelta(minutes=30), end + timedelta(hours=1))
        made = AppointmentInfo(uuid7(), patient, practitioner, start, end, status, *window)
        self.appointments[made.id] = made
        return made.id


class _Appointments:
    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    async def get(self, appointment_id: UUID) -> AppointmentInfo | None:
        return self._clinic.appointments.get(appointment_id)

    async def transfer(self, principal: Principal, appointment_id: UUID, to: UUID) -> None:
        found = self._clinic.appointments[appointment_id]
        if to not in self._clinic.people or to == found.practitioner_id:
            raise NotPossible()
        self._clinic.appointments[appointment_id] = replace(found, practitioner_id=to)


class _People:
    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    async def get(self, person_id: UUID) -> PersonInfo | None:
        return self._clinic.people.get(person_id)

    async def birth_date(self, person_id: UUID) -> date | None:
        return date(1990, 5, 17) if person_id in self._clinic.people else None


class _SignIns:
    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    async def session_stands(self, session_id: UUID) -> bool:
        return str(session_id) in self._clinic.sign_ins


class _Lines:
    """Scheduling's lines of drop-ins; the token is the person's id."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    async def authenticate(self, token: str) -> Principal:
        try:
            return Principal(UUID(token), "patient", frozenset({"patient"}))
        except ValueError:
            raise InvalidToken() from None

    async def place(self, principal: Principal, drop_in_id: UUID) -> tuple[str, UUID]:
        found = self._clinic.drop_ins.get(drop_in_id)
        if found is None:
            raise NotFound()
        if found.patient_id != principal.id:
            raise Forbidden()
        return found.specialty, found.patient_id

    async def line(self, specialty: str) -> Line:
        here = [each for each in self._clinic.drop_ins.values() if each.specialty == specialty]
        taken = [each.taken_at for each in here if each.taken_at is not None]
        return Line([each.id for each in here if each.status == "waiting"], sorted(taken, reverse=True))

    async def fate(self, drop_in_id: UUID) -> tuple[str, UUID | None]:
        found = self._clinic.drop_ins[drop_in_id]
        return found.status, found.appointment_id


class _Nothing:
    async def for_appointment(self, appointment_id: UUID) -> Any:
        return []


class _NoInvoice:
    async def for_appointment(self, appointment_id: UUID) -> None:
        return None


class Device:
    """One connection, as a browser would have it."""

    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self.namespace = namespace
        self.client = socketio.AsyncClient(reconnection=False)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.refused: Any = None
        self.closed = asyncio.Event()
        self._news = asyncio.Event()
        self.client.on("*", self._on, namespace=namespace)
        self.client.on("connect_error", self._on_refused, namespace=namespace)
        self.client.on("disconnect", self._on_closed, namespace=namespace)

    async def _on(self, event: str, data: dict[str, Any]) -> None:
        self.events.append((event, data))
        self._news.set()

    async def _on_refused(self, data: Any) -> None:
        self.refused = data

    async def _on_closed(self, *reason: Any) -> None:
        self.closed.set()

    async def connect(self, auth: Any) -> Device:
        await self.client.connect(
            self.url, namespaces=[self.namespace], auth=auth, transports=["websocket"], wait_timeout=5
        )
        return self

    async def wait(
        self, event: str, where: Callable[[dict[str, Any]], bool] = lambda data: True, timeout_s: float = TIMEOUT_S
    ) -> dict[str, Any]:
        """The first such event, past or to come."""
        async with asyncio.timeout(timeout_s):
            while True:
                self._news.clear()
                for name, data in self.events:
                    if name == event and where(data):
                        return data
                await self._news.wait()

    async def call(self, event: str, data: Any = None) -> dict[str, Any]:
        answer = await self.client.call(event, {} if data is None else data, namespace=self.namespace, timeout=8)
        assert isinstance(answer, dict)
        return answer

    async def ok(self, event: str, data: Any = None) -> dict[str, Any]:
        answer = await self.call(event, data)
        assert answer["ok"], answer
        return answer

    async def error(self, event: str, data: Any = None) -> str:
        answer = await self.call(event, data)
        assert not answer["ok"], answer
        return str(answer["error"]["code"])

    def named(self, event: str) -> list[dict[str, Any]]:
        return [data for name, data in self.events if name == event]

    def numbers(self) -> list[int]:
        """Numbers of the events since session.ready, in the order of their coming."""
        return [data["seq"] for name, data in self.events if not name.startswith("session.")]

    @property
    def ready(self) -> dict[str, Any]:
        return self.named("session.ready")[-1]

    async def close(self) -> None:
        await self.client.disconnect()


class Stage:
    """One signaling process' worth: server, context, live visit."""

    def __init__(
        self, clinic: Clinic, context: Context, service: Consultations, live: Live, url: str, consents: Consents
    ) -> None:
        self.clinic = clinic
        self.consents = consents
        self.context = context
        self.service = service
        self.live = live
        self.url = url
        self.devices: list[Device] = []

    async def token(self, appointment: UUID, person: UUID, role: Any, session: UUID | None = None) -> str:
        principal = Principal(person, role, frozenset({role}), session)
        return (await self.service.video_token(principal, appointment)).token

    async def join_visit(self, appointment: UUID, person: UUID, role: str) -> Device:
        device = self.device("/consultation")
        await device.connect({"token": await self.token(appointment, person, role)})
        await device.wait("session.ready")
        return device

    async def resume(self, token: str, last_seq: int) -> Device:
        device = self.device("/consultation")
        await device.connect({"resume_token": token, "last_seq": last_seq})
        await device.wait("session.ready")
        return device

    async def practice(self, person: UUID, role: Any = "practitioner", session: UUID | None = None) -> Device:
        principal = Principal(person, role, frozenset({role}), session)
        device = self.device("/practice")
        await device.connect({"token": (await self.service.practice_token(principal)).token})
        await device.wait("waiting.list")
        return device

    def device(self, namespace: str) -> Device:
        made = Device(self.url, namespace)
        self.devices.append(made)
        return made


@dataclass
class Visitors:
    appointment: UUID
    patient: UUID
    practitioner: UUID


def visitors(clinic: Clinic) -> Visitors:
    patient, practitioner = clinic.person("Moussa Traoré"), clinic.person("Awa Diop", "Dr")
    return Visitors(clinic.appointment(patient, practitioner), patient, practitioner)


WORKER = """
import asyncio, sys
from core.rpc import RpcClient
from core.settings import load
from media.worker import run
asyncio.run(run(load(), int(sys.argv[1])))
"""


class MediaWorker:
    """A media worker process of our own, to be killed."""

    def __init__(self, valkey: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._valkey = valkey
        self.process: asyncio.subprocess.Process | None = None
        self.entry: dict[str, Any] = {}

    async def start(self) -> None:
        environment = os.environ | {
            "BEDSIDE_REDIS_URL": self._valkey,
            "BEDSIDE_MEDIA_PORT": str(self.port),
            "BEDSIDE_MEDIA_CONTROL_SECRET": "media-control-secret",
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, "0", cwd=Path(__file__).parents[2], env=environment
        )
        redis: Redis = Redis.from_url(self._valkey)
        boot = self.entry.get("boot")
        async with asyncio.timeout(15):
            while (raw := await redis.get(f"media:worker:127.0.0.1:{self.port}")) is None or (entry := json.loads(raw))[
                "boot"
            ] == boot:
                await asyncio.sleep(0.05)
        await redis.aclose()
        self.entry = entry

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    @property
    def id(self) -> str:
        return f"127.0.0.1:{self.port}"

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def end(self) -> None:
        """SIGTERM, if it still runs; one that is stopped is woken for it."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:  # it still hopes that somebody moves its rooms
                await self.kill()

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        client = await RpcClient.connect(
            "127.0.0.1", self.entry["control_port"], b"media-control-secret", lambda name, params: None
        )
        try:
            return await client.call(method, params)
        finally:
            await client.close()

    async def stats(self, room: UUID) -> dict[str, Any]:
        answer = await self.ask("stats", {"room": str(room)})
        rooms: dict[str, Any] = answer["rooms"]
        return dict(rooms.get(str(room), {}))


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def media_worker(valkey: str) -> AsyncIterator[MediaWorker]:
    worker = MediaWorker(valkey)
    await worker.start()
    yield worker
    await worker.end()


MakeMediaWorker = Callable[[], Awaitable[MediaWorker]]


@pytest.fixture
async def make_media_worker(valkey: str) -> AsyncIterator[MakeMediaWorker]:
    """Each call starts another media worker."""
    made: list[MediaWorker] = []

    async def make() -> MediaWorker:
        made.append(MediaWorker(valkey))
        await made[-1].start()
        return made[-1]

    yield make
    for worker in made:
        await worker.end()


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


@pytest.fixture
def visit(clinic: Clinic) -> Visitors:
    return visitors(clinic)


@pytest.fixture
async def make_stage(make_context: Any, clinic: Clinic) -> AsyncIterator[MakeStage]:
    """Each call starts another process' worth over the same servers."""
    runners: list[tuple[web.AppRunner, Stage]] = []

    async def make(serves: bool = True, waiting_grace_s: int = 3, seat_grace_s: int = 3) -> Stage:
        base = await make_context()
        settings = base.settings.model_copy(
            update={
                "visit": Visit(seat_grace_s=seat_grace_s, waiting_grace_s=waiting_grace_s, interpreter_offer_s=5),
                "limits": Limits(socket_events_per_second=60),
            }
        )
        context = await make_context(settings=settings)
        modules: Any = SimpleNamespace()
        service = consultations.setup(
            context,
            appointments=_Appointments(clinic),
            people=_People(clinic),
            prescriptions=_Nothing(),
            invoices=_NoInvoice(),
            visits=for_consultations.Visits(modules),
            consents=for_consultations.Consents(modules),
        )
        live = signaling.setup(
            context,
            visits=DurableVisits(service),
            chat=DurableChat(service),
            help=VisitHelp(modules),
            lines=_Lines(clinic),
            serves=serves,
        )
        consents = Consents(context.database("compliance"), context.policy, context.clock, settings.presumed_consents)
        context.policy.allow("consent.own", "patient", relation="self")
        modules.compliance = SimpleNamespace(consents=consents)
        modules.signaling = live
        modules.consultations = service
        modules.identity = SimpleNamespace(sign_in=_SignIns(clinic))
        app = web.Application()
        context.realtime.attach(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        for start in context.starting:
            await start()
        port = runner.addresses[0][1]
        stage = Stage(clinic, context, service, live, f"http://127.0.0.1:{port}", consents)
        runners.append((runner, stage))
        return stage

    yield make
    for runner, stage in reversed(runners):
        for device in stage.devices:
            await device.close()
        for stop in reversed(stage.context.stopping):
            await stop()
        await stage.context.realtime.shutdown()
        await runner.cleanup()


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    return await make_stage()
