"""The media worker process: socket, control channel, registration, timers, and their orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from typing import Any

from aiohttp import web

from core.background import cancel_all
from core.ids import uuid7
from core.rpc import RpcServer
from core.settings import Settings
from core.telemetry import Health, add_health_routes
from media import codecs, sdp
from media.control import CAPACITY, Control
from media.dtls import Certificate
from media.meter import overall
from media.metrics import Metrics
from media.registry import Registry
from media.router import REPORT_EVERY, STATS_EVERY
from media.transport import PortTaken, UdpTransport

log = logging.getLogger(__name__)

MEND_S = 0.02  # requests for lost packets, key frames that waited
LOOK_S = 0.1  # a draining worker looks this often whether it may end
SETTLE_S = 1.0


class Worker:
    """One media worker. ``start`` and ``stop`` come in pairs."""

    def __init__(self, settings: Settings, index: int) -> None:
        self._settings = settings
        self._port = settings.media.port + index if settings.media.port else 0
        self.index = index
        self.boot = str(uuid7())
        self.transport = UdpTransport(Certificate(), time.monotonic, settings.media.path)
        self._candidates: list[str] = []
        preferences = codecs.Preferences(tuple(settings.media.video_codecs), settings.media.audio_red)
        self.control = Control(
            self.transport, self._candidates, time.monotonic, lambda: secrets.token_hex(8), preferences
        )
        self._rpc = RpcServer(settings.media.control_secret.get_secret_value().encode(), self.control.handle)
        self._registry: Registry | None = None
        self._timers: asyncio.Task[None] | None = None
        self._control_port = 0
        self._load = 0.0
        self._metrics = Metrics()
        self._metrics.forwarding(self.transport.path.name)
        self._quality = overall([])
        self._web: web.AppRunner | None = None
        self._cpu = (time.process_time(), time.monotonic())
        self._packets = 0.0
        self._sent: dict[tuple[str, str], int] = {}
        self.leaving = False
        """A signal asked this process to end: it waits for its rooms only while somebody can take them."""

    async def start(self) -> None:
        """Bind, listen, register. Raises PortTaken."""
        media = self._settings.media
        self.transport.open(media.host, self._port, tcp=media.tcp)
        self.transport.accept_only(media.relay_addresses)
        self._candidates.extend(
            sdp.candidates([(each, self.transport.port) for each in media.addresses], tcp=media.tcp)
        )
        self._control_port = await self._rpc.start(media.control_host)
        self._timers = asyncio.create_task(self._tick())
        if media.metrics_port:
            application = web.Application()
            health = Health()
            health.add("registry", self._registered, hard=False)
            add_health_routes(application, health)
            self._web = web.AppRunner(application, access_log=None)
            await self._web.setup()
            await web.TCPSite(self._web, media.control_host, media.metrics_port + self.index).start()
        url = self._settings.redis.url.get_secret_value()
        self._registry = Registry(url, self.id, self.describe)
        self._registry.start()
        log.info(
            "media_worker_started",
            extra={"index": self.index, "port": self.transport.port, "path": self.transport.path.name},
        )

    async def stop(self) -> None:
        """Leave the registry first, so that nobody new comes; then end calls, channel and socket."""
        self.control.drain()
        if self._registry is not None:
            await self._registry.stop()
        if self._timers is not None:
            await cancel_all([self._timers])
        if self._web is not None:
            await self._web.cleanup()
        self.control.close()
        await self.transport.close()
        await self._rpc.stop()
        log.info("media_worker_stopped", extra={"index": self.index})

    @property
    def id(self) -> str:
        """Its first address and its port: one worker's, whatever its process is."""
        return f"{self._settings.media.addresses[0]}:{self.transport.port}"

    async def drained(self) -> None:
        """Return when nobody asks this process to go on: it was told to drain, and its rooms have gone elsewhere or
        its time is over."""
        control = self.control
        await control.drains.wait()
        log.info("media_worker_drains", extra={"index": self.index, "rooms": len(control.rooms)})
        # Those who choose workers have read the registry twice before an empty one ends.
        settled = time.monotonic() + SETTLE_S
        while control.rooms or time.monotonic() < settled:
            if control.drain_until is not None and time.monotonic() > control.drain_until:
                log.warning("media_drain_cut", extra={"rooms": len(control.rooms)})
                return
            if self.leaving and not (self._rpc.peers and self._registry and await self._registry.others()):
                return  # nobody moves rooms, or there is nowhere to move them
            control.forget_left_rooms(time.monotonic())
            await asyncio.sleep(LOOK_S)

    async def _registered(self) -> str | None:
        if self._registry is None or not self._registry.connected:
            raise ConnectionError
        return None

    def describe(self) -> dict[str, Any]:
        """The registry's entry."""
        media = self._settings.media
        return {
            "id": self.id,
            "boot": self.boot,
            "control_host": media.control_address or media.control_host,
            "control_port": self._control_port,
            "address": media.addresses[0],
            "port": self.transport.port,
            "rooms": len(self.control.rooms),
            "participants": self.control.participants,
            "load": round(self._load, 3),
            "path": self.transport.path.name,
            "packets": round(self._packets),
            "capacity": CAPACITY,
            "zone": media.zone,
            "draining": self.control.draining,
            "quality": self._quality,
        }

    async def _tick(self) -> None:
        """One timer for all periodic work; a late tick is not made up for."""
        count = 0
        due = time.monotonic()
        while True:
            due = max(due + MEND_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            count += 1
            try:
                self._step(count, time.monotonic())
            except Exception:
                log.exception("media_tick_failed")

    def _step(self, count: int, now: float) -> None:
        control = self.control
        control.step(count, now)
        if count % REPORT_EVERY == 0:
            if self.transport.rotate(now, self._settings.media.certificate_max_age_s):
                log.info("media_certificate_rotated")
            cpu, wall = time.process_time(), time.monotonic()
            self._load = (cpu - self._cpu[0]) / max(0.001, wall - self._cpu[1])
            self._cpu = (cpu, wall)
        if count % STATS_EVERY == 0:
            sent: dict[tuple[str, str], int] = {}
            people: list[dict[str, Any]] = []
            for room in control.rooms.values():
                sent.update({(room.id, each): figures["packets_out"] for each, figures in room.figures.items()})
                people += room.figures.values()
            self._quality = overall(people)
            grown = sum(max(0, count - self._sent.get(key, 0)) for key, count in sent.items())
            self._packets, self._sent = grown / (STATS_EVERY * MEND_S), sent
            everybody = [p for room in control.rooms.values() for p in room.participants.values()]
            self._metrics.observe(len(control.rooms), everybody, self._load, self.transport.drops)


async def run(settings: Settings, index: int) -> None:
    """Run worker ``index`` until SIGTERM or SIGINT. A port that can't be had ends with one clear line."""
    if not settings.media.control_secret.get_secret_value():
        raise SystemExit("media worker: BEDSIDE_MEDIA_CONTROL_SECRET is not set")
    worker = Worker(settings, index)
    # Before the start is told: who reads of it may end us at once.
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        """The first signal drains, the second ends at once."""
        if worker.leaving:
            stopping.set()
        worker.leaving = True
        worker.control.drain(settings.media.drain_s)

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, asked)
    try:
        await worker.start()
    except PortTaken as error:
        raise SystemExit(str(error)) from None
    drained = asyncio.create_task(worker.drained())
    drained.add_done_callback(lambda _: stopping.set())
    try:
        await stopping.wait()
    finally:
        await cancel_all([drained])
        await worker.stop()
