"""Child processes that end with this one, and are started again when they die."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

STOP_TIMEOUT_S = 20.0
LOG_KEPT_BYTES = 10_000_000  # a larger log is begun anew at start
LONGEST_PAUSE_S = 10.0  # between two starts of a child that keeps dying
STEADY_AFTER_S = 10.0  # a child that lived this long is started again at once

_PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ProcessError(Exception):
    """A process can't be run here; the message is one line a person can act on."""


class Service(Protocol):
    """A process that is started, watched, and stopped cleanly."""

    name: str

    @property
    def pid(self) -> int | None: ...

    def alive(self) -> bool: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Child:
    """A process of our own program. ``start`` only spawns it: readiness is seen from outside."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, *, cwd: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._cwd = cwd
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        self._process = spawn(
            self._command, self.log, end_with=signal.SIGTERM, cwd=self._cwd, environment=self._environment
        )

    async def stop(self) -> None:
        await end(self._process, (signal.SIGTERM, signal.SIGKILL))
        self._process = None


async def keep_running(services: Sequence[Service], report: Callable[[str], None], every_s: float = 0.2) -> None:
    """Until cancelled, start again whichever service dies. ``report`` gets one line for each event."""
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(_keep(service, report, every_s))


async def _keep(service: Service, report: Callable[[str], None], every_s: float) -> None:
    pause, started = every_s, time.monotonic()
    while True:
        await asyncio.sleep(every_s)
        if service.alive():
            continue
        if time.monotonic() - started > STEADY_AFTER_S:
            pause = every_s
        report(f"{service.name} ended unexpectedly: starting it again")
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
        try:
            await service.start()
        except ProcessError as error:
            report(str(error))
        else:
            report(f"{service.name} is back")
        started = time.monotonic()


def spawn(
    command: list[str],
    log: Path,
    become: Callable[[], None] | None = None,
    *,
    end_with: int,
    cwd: Path = Path("/"),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (a terminal's Ctrl-C is for us, we then stop it in order)."""
    parent = os.getpid()

    def prepare() -> None:
        if become is not None:
            become()
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, end_with)
            if os.getppid() != parent:  # died between fork and here
                os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = not log.exists() or log.stat().st_size > LOG_KEPT_BYTES
    with log.open("wb" if fresh else "ab") as output:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=environment,
                start_new_session=True,
                preexec_fn=prepare,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ProcessError(f"{Path(command[0]).name} can't be run: {error}") from None


async def end(process: subprocess.Popen[bytes] | None, signals: tuple[int, ...]) -> None:
    if process is None:
        return
    for number in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        if await until(lambda: process.poll() is not None, STOP_TIMEOUT_S):
            return


async def end_leftover(pid_file: Path, marker: str, number: int) -> None:
    """End the server that an earlier, killed run of ours left with this folder, and drop its stale pid file."""
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return

    def gone() -> bool:
        return marker not in _command_line(pid)

    for each in (number, signal.SIGKILL):
        if gone():
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, each)
        await until(gone, STOP_TIMEOUT_S)
    # Its number may be another process's by now, which would keep the server from starting.
    pid_file.unlink(missing_ok=True)


def _command_line(pid: int) -> str:
    """A process's arguments; empty when it is gone (a zombie has none)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        if sys.platform == "linux":
            return ""
    done = subprocess.run(["/bin/ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return done.stdout


async def until(true: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def tail(log: Path) -> str:
    try:
        return log.read_bytes()[-2000:].decode(errors="replace")
    except OSError:
        return ""


def last_line(log: Path) -> str:
    lines = [line for line in tail(log).splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "rror" in line]
    return (telling or lines or [f"see {log}"])[-1]
