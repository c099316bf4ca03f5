"""A demonstration of one's own for a load test: temporary folder, free ports, raised limits."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
READY_S = 120.0
STOP_S = 60.0
PROVISION_S = 120.0
# All users come from one address.
PLENTY = "1000000"
LIMITS = {
    "BEDSIDE_LIMITS_PER_ADDRESS_PER_MINUTE": PLENTY,
    "BEDSIDE_LIMITS_LOGIN_PER_ADDRESS_PER_MINUTE": PLENTY,
    "BEDSIDE_LIMITS_WRONG_PER_ADDRESS": PLENTY,
}


class LoadTestError(Exception):
    """The load test can't go on; the message is one line a person can act on."""


class Demonstration:
    """``bedside demo`` as a child process; a context manager."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bedside-load-"))
        http_port, media_port = _free_ports()
        self.url = f"http://127.0.0.1:{http_port}"
        # Settings of another server, which may be in our environment, are none of this one's.
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")},
            **LIMITS,
            "BEDSIDE_DATA_DIR": str(self.folder),
            "BEDSIDE_HTTP_PORT": str(http_port),
            "BEDSIDE_MEDIA_PORT": str(media_port),
            "BEDSIDE_MEDIA_WORKERS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self._ready = threading.Event()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Demonstration:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "server", "demo"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        if not self._ready.wait(READY_S) or "ready" not in self._said:
            self._stop()
            raise LoadTestError("the demonstration did not become ready: " + " / ".join(self._said[-3:]))
        return self

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line.rstrip("\n"))
            if self._said[-1] == "ready":
                self._ready.set()
        self._ready.set()

    def __exit__(self, *_: object) -> None:
        self._stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def provision(environment: Mapping[str, str], calls: int, people: int, *, waiting: bool = False) -> list[Any]:
    """Visits of a running server, by the operator's command: ``[{appointment_id, participants: […]}]``."""
    if not calls:
        return []
    command = [sys.executable, "-m", "server", "loadtest", "provision", "--calls", str(calls), "--people", str(people)]
    done = subprocess.run(
        command + (["--waiting"] if waiting else []),
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=PROVISION_S,
        check=False,
    )
    if done.returncode:
        raise LoadTestError((done.stderr.strip() or "visits can't be made").splitlines()[-1])
    return list(json.loads(done.stdout))


def _free_ports() -> tuple[int, int]:
    while True:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket() as http, socket.socket() as streams, datagrams:
            http.bind(("127.0.0.1", 0))
            streams.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                datagrams.bind(streams.getsockname())
                return int(http.getsockname()[1]), int(streams.getsockname()[1])
