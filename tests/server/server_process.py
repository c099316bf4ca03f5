"""Runs the real supervisor as a process, on free ports and in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp

from core.migrations import ROOT

READY_S = 90.0
HEAL_S = 30.0


def free_port() -> int:
    """A port that is free for TCP and UDP at this moment."""
    for _ in range(50):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """The tests' own environment without any setting, and these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")}
    return clean | {"BEDSIDE_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"} | settings


async def run(*arguments: str, env: dict[str, str], timeout_s: float = 60.0) -> tuple[int, str, str]:
    """A command that ends by itself: exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", *arguments),
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(timeout_s):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


class Demonstration:
    """One ``bedside demo``."""

    def __init__(
        self,
        data_dir: Path,
        *,
        http_port: int | None = None,
        media_port: int | None = None,
        lan: str | None = None,
        within: Sequence[str] = (),
    ) -> None:
        """``lan``: serve the local network over TLS, as this address (any of 127/8 stays on this machine).

        ``within``: a command that runs another one elsewhere, as in a network namespace.
        """
        self.within = within
        self.data_dir = data_dir
        self.lan = lan
        self.http_port = http_port or free_port()
        self.media_port = media_port or free_port()
        self.env = environment(
            data_dir,
            BEDSIDE_HTTP_PORT=str(self.http_port),
            BEDSIDE_MEDIA_PORT=str(self.media_port),
            BEDSIDE_MEDIA_WORKERS="1",
            # All of a test's people sign in from one address.
            BEDSIDE_LIMITS_LOGIN_PER_ADDRESS_PER_MINUTE="300",
            BEDSIDE_LIMITS_WRONG_PER_ADDRESS="1000",
            **({"BEDSIDE_MEDIA_ADDRESS": lan} if lan else {}),
        )
        self.lines: list[str] = []
        self.process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"https://{self.lan}:{self.http_port}" if self.lan else f"http://127.0.0.1:{self.http_port}"

    async def start(self) -> None:
        """Run it until it says ready."""
        self.lines.clear()
        self.process = await asyncio.create_subprocess_exec(
            *(*self.within, sys.executable, "-m", "server", "demo", *(["--lan"] if self.lan else [])),
            cwd=ROOT,
            env=self.env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        await until(lambda: "ready" in self.lines or self._reading_done(), READY_S)
        assert "ready" in self.lines, "\n".join([*self.lines, *self.logs()])

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    def _reading_done(self) -> bool:
        return self._reading is None or self._reading.done()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and wait for it; its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(60):
            code = await self.process.wait()
        if self._reading is not None:
            await self._reading
        return code

    def pid_of(self, marker: str) -> int | None:
        """The direct child whose command line holds ``marker``."""
        assert self.process is not None
        return next((pid for pid, line in children(self.process.pid) if marker in line), None)

    def logs(self) -> list[str]:
        """The last lines of every log, for a failing test's message."""
        return [
            f"{file.name}: {line}"
            for file in sorted((self.data_dir / "logs").glob("*.log"))
            for line in file.read_text(errors="replace").splitlines()[-15:]
        ]

    async def ready(self) -> bool:
        """Whether the readiness probe answers 200 at this moment."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self.url}/health/ready", timeout=aiohttp.ClientTimeout(total=5)) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def healed(self, marker: str, before: int, timeout_s: float = HEAL_S) -> float:
        """Wait for another process in the place of ``before`` and for readiness; seconds it took."""
        started = time.monotonic()
        while time.monotonic() - started < timeout_s:
            pid = self.pid_of(marker)
            if pid not in (None, before) and await self.ready():
                return time.monotonic() - started
            await asyncio.sleep(0.05)
        raise AssertionError("\n".join([f"{marker} is not back", *self.lines, *self.logs()]))

    async def sign_in(self, session: aiohttp.ClientSession, email: str) -> dict[str, str]:
        """The headers of a signed-in person."""
        async with session.post(
            f"{self.url}/api/v1/auth/login", json={"email": email, "password": "bedside-demo"}
        ) as answer:
            assert answer.status == 200, "\n".join([await answer.text(), *self.lines, *self.logs()])
            return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


def children(parent: int) -> list[tuple[int, str]]:
    """Direct children by /proc: process id and command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text()
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        state, ppid = stat.rsplit(")", 1)[1].split()[:2]
        if int(ppid) == parent and state != "Z":
            found.append((int(folder.name), line))
    return found


def exists(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(true: Callable[[], bool], timeout_s: float) -> None:
    """Wait for a condition; returns when it holds or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not true() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
