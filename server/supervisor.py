"""What ``bedside demo`` runs: PostgreSQL, Valkey, media workers, the server and a mail catcher, on one machine.

Each is a process of its own and started again when it dies; all end with this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from core.clock import SystemClock
from core.migrations import ROOT, MigrationError, migrate
from core.settings import PREFIX, Settings
from server.certificates import certificate_for, lan_address
from server.data_folder import DataFolder, Secrets
from server.embedded import EmbeddedPostgres, EmbeddedValkey
from server.modules import WITH_SCHEMA
from server.processes import Child, ProcessError, Service, keep_running

READY_TIMEOUT_S = 90.0
LOOPBACK = "127.0.0.1"
ANYWHERE = "0.0.0.0"  # noqa: S104 - only when the local network is asked for

SIGN_INS = (
    ("patient@demo.bedside", "a patient with a visit that is open now"),
    ("doctor@demo.bedside", "the doctor of that visit"),
    ("desk@demo.bedside", "the front desk"),
    ("admin@demo.bedside", "the administrator"),
)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def run_demo(settings: Settings, *, lan: bool) -> None:
    """Run until SIGINT or SIGTERM. Raises ProcessError with one line when something can't be started."""
    if settings.mode == "production":
        raise ProcessError("the demonstration is refused in production mode (BEDSIDE_MODE)")
    workers = settings.media.workers or os.cpu_count() or 1
    host = ANYWHERE if lan else LOOPBACK
    check_ports(settings, host, workers)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    with DataFolder(settings.data_dir) as folder:
        secrets = folder.secrets()
        postgres = EmbeddedPostgres(folder.path, role_secret=secrets.role_secret)
        valkey = EmbeddedValkey(folder.path)
        started: list[Service] = []
        try:
            for engine in (postgres, valkey):
                say(f"starting {engine.name}")
                started.append(engine)
                await engine.start()
            await migrate(postgres.url, WITH_SCHEMA, secrets.role_secret)
            address, environment = _environment(settings, folder, secrets, postgres.url, valkey.url, lan=lan)
            for child in _children(folder.path, environment, workers):
                started.append(child)
                await child.start()
            keeper = asyncio.create_task(keep_running(started, say))
            ready = asyncio.create_task(_until_ready(address, started))
            stop = asyncio.create_task(stopping.wait())
            try:
                await asyncio.wait({ready, stop, keeper}, return_when=asyncio.FIRST_COMPLETED)
                if ready.done():
                    ready.result()
                    _greet(address, folder.path)
                if not stop.done():
                    await asyncio.wait({stop, keeper}, return_when=asyncio.FIRST_COMPLETED)
                if keeper.done():
                    keeper.result()
            finally:
                for task in (keeper, ready, stop):
                    task.cancel()
                await asyncio.gather(keeper, ready, stop, return_exceptions=True)
        except MigrationError as error:
            raise ProcessError(str(error)) from None
        finally:
            # The server first, so that it finishes what it is doing; the engines last.
            for service in reversed(started):
                await service.stop()


def check_ports(settings: Settings, host: str, workers: int) -> None:
    """Raise ProcessError that names the port and its setting when one is taken."""
    _check(host, settings.http.port, socket.SOCK_STREAM, "BEDSIDE_HTTP_PORT")
    for index in range(workers):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            _check(host, settings.media.port + index, kind, "BEDSIDE_MEDIA_PORT")


def _check(host: str, port: int, kind: socket.SocketKind, setting: str) -> None:
    protocol = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ProcessError(f"{protocol} port {port} can't be used ({error.strerror}): set {setting}") from None


def _environment(
    settings: Settings, folder: DataFolder, secrets: Secrets, database: str, redis: str, *, lan: bool
) -> tuple[str, dict[str, str]]:
    """The address people open, and the environment of every child."""
    address = LOOPBACK
    values = {
        "MODE": "demo",
        "DATA_DIR": str(folder.path),
        "HTTP_PORT": str(settings.http.port),
        "DATABASE_URL": database,
        "DATABASE_ROLE_SECRET": secrets.role_secret,
        "REDIS_URL": redis,
        "SECURITY_MASTER_KEY": secrets.master_key,
        "MEDIA_CONTROL_SECRET": secrets.media_control_secret,
        "MAIL_HOST": LOOPBACK,
        "MAIL_PORT": str(_free_port()),
    }
    if lan:
        found = lan_address()
        if found is None and settings.media.address == LOOPBACK:
            raise ProcessError("this machine has no address in a local network: set BEDSIDE_MEDIA_ADDRESS to it")
        address = settings.media.address if settings.media.address != LOOPBACK or found is None else found
        certificate, key = certificate_for(folder.path / "tls", [address, LOOPBACK], SystemClock().now())
        values |= {
            "HTTP_HOST": ANYWHERE,
            "HTTP_TLS_CERTIFICATE": str(certificate),
            "HTTP_TLS_KEY": str(key),
            # Bound to that address alone: answers must leave from where they were asked.
            "MEDIA_HOST": address,
            "MEDIA_ADDRESS": address,
        }
    scheme = "https" if lan else "http"
    url = settings.http.public_url or f"{scheme}://{address}:{settings.http.port}"
    values["HTTP_PUBLIC_URL"] = url
    return url, {**os.environ, **{PREFIX + name: value for name, value in values.items()}}


def _children(folder: Path, environment: Mapping[str, str], workers: int) -> list[Child]:
    def child(name: str, *arguments: str) -> Child:
        log = folder / "logs" / f"{name.replace(' ', '-')}.log"
        return Child(name, [sys.executable, "-m", "server", *arguments], log, cwd=ROOT, environment=environment)

    return [
        child("mail catcher", "mail-catcher"),
        *(child(f"media worker {index}", "media-worker", "--index", str(index)) for index in range(workers)),
        child("server", "serve"),
    ]


async def _until_ready(address: str, services: list[Service]) -> None:
    """Wait until ``/health/ready`` answers 200. The certificate is our own, so it isn't checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    deadline = time.monotonic() + READY_TIMEOUT_S
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{address}/health/ready", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                    if answer.status == 200:
                        return
            if time.monotonic() > deadline:
                logs = ", ".join(str(service.log) for service in services if isinstance(service, Child))
                raise ProcessError(f"the server did not become ready within {READY_TIMEOUT_S:.0f} s: see {logs}")
            await asyncio.sleep(0.1)


def _greet(address: str, folder: Path) -> None:
    say("")
    say(f"Bedside is at {address}")
    say("")
    say("Sign in with password bedside-demo as")
    for email, who in SIGN_INS:
        say(f"  {email:<24} {who}")
    say("")
    say(f"Mails that were sent: {address}/mail    Data and logs: {folder}    Stop: Ctrl-C")
    say("ready")


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
