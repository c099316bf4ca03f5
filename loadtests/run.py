"""The load test: ``python -m loadtests.run --minutes 2 --users 30``.

Without ``--url`` it runs its own demonstration and looks into its logs, too. With ``--url`` the visits are made by
the operator's command with this process' settings (``BEDSIDE_DATA_DIR`` of a demonstration), and the server has to
have its limits raised. Exit code 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests.demonstration import ROOT, Demonstration, LoadTestError, provision
from loadtests.observe import Samples, facts_handled, handled_badly, lags, log_errors, memory, metrics

# The rest of a visit: a practitioner who does not come, and those who wait for them.
WAITING_TOGETHER = 5
SPAWNED_PER_S = 3
MEMORY_EVERY_S = 5.0
SETTLING_TRIES = 30
ENDING_S = 120.0
OF_THE_SERVER = (
    ("processor time, s", "process_cpu_seconds_total"),
    ("tasks", "bedside_tasks"),
    ("open files", "process_open_fds"),
)


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many locust users do what. A pair counts as one user."""

    booking: int
    waiting_rooms: int
    pairs: int

    @classmethod
    def of(cls, users: int) -> Crowd:
        """One call, about a third waiting, a fifth chatting, the rest booking."""
        rooms = max(1, math.floor(users * 0.3 / WAITING_TOGETHER))
        pairs = max(1, math.floor(users * 0.2))
        return cls(max(1, users - rooms * WAITING_TOGETHER - pairs - 1), rooms, pairs)

    @property
    def users(self) -> int:
        return self.booking + self.waiting_rooms * WAITING_TOGETHER + self.pairs + 1


class MemoryWatch:
    """Reads the memory of the server and the media worker until stopped."""

    def __init__(self, supervisor: int) -> None:
        self._supervisor = supervisor
        self._stopped = threading.Event()
        self.readings: list[dict[str, float]] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while True:
            self.readings.append(memory(self._supervisor))
            if self._stopped.wait(MEMORY_EVERY_S):
                return

    def stop(self) -> list[dict[str, float]]:
        self._stopped.set()
        self._thread.join()
        self.readings.append(memory(self._supervisor))
        return self.readings


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def visits_for(crowd: Crowd, environment: Mapping[str, str]) -> Iterator[Path]:
    """The visits of a run, in a file only we can read: it holds tokens."""
    with tempfile.TemporaryDirectory(prefix="bedside-visits-") as folder:
        file = Path(folder) / "visits.json"
        made = {
            "waiting": provision(environment, crowd.waiting_rooms, WAITING_TOGETHER + 1, waiting=True),
            "pairs": provision(environment, crowd.pairs, 2),
            "media": provision(environment, 1, 2),
        }
        file.write_text(json.dumps(made), encoding="utf-8")
        yield file


def locust(url: str, visits: Path, crowd: Crowd, minutes: float, call_seconds: float) -> int:
    """Run it to its end; prints its tables. Its exit code: 1 when anything failed."""
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary"]
    command += ["--host", url, "--users", str(crowd.users), "--spawn-rate", str(SPAWNED_PER_S)]
    command += ["--run-time", f"{math.ceil(minutes * 60)}s", "--stop-timeout", "30"]
    command += ["--visits", str(visits), "--call-seconds", str(call_seconds)]
    try:
        return subprocess.run(command, cwd=ROOT, check=False, timeout=minutes * 60 + ENDING_S).returncode
    except subprocess.TimeoutExpired:
        raise LoadTestError("locust has not ended in time") from None


def report(before: Samples, after: Samples) -> int:
    """Print how late facts were handled and what the server used. The number of facts that failed."""
    say("\nFacts handled         number    median up to    99 % up to")
    for group, (count, median, most) in sorted(lags(before, after).items()):
        say(f"  {group:<16} {count:>9} {median:>13.3f} s {most:>11.3f} s")
    say("\nServer                       begin         end")
    for title, name in OF_THE_SERVER:
        say(f"  {title:<20} {before[name, ()]:>11.0f} {after[name, ()]:>11.0f}")
    return handled_badly(before, after)


def settle(url: str) -> Samples:
    """The metrics once no more facts are being handled."""
    last = metrics(url)
    for _ in range(SETTLING_TRIES):
        time.sleep(1)
        now = metrics(url)
        if facts_handled(now) == facts_handled(last):
            return now
        last = now
    raise LoadTestError("facts are still being handled long after the load")


def run(url: str, environment: Mapping[str, str], arguments: argparse.Namespace) -> bool:
    """One load test against a running server. Whether nothing failed."""
    crowd = Crowd.of(arguments.users)
    with visits_for(crowd, environment) as visits:
        say(
            f"{crowd.users} users against {url}: {crowd.booking} book, {crowd.waiting_rooms * WAITING_TOGETHER} wait "
            f"in {crowd.waiting_rooms} waiting rooms, {crowd.pairs} pairs chat, one call with media"
        )
        before = metrics(url)
        code = locust(url, visits, crowd, arguments.minutes, arguments.call_seconds)
    failed_facts = report(before, settle(url))
    if failed_facts:
        say(f"{failed_facts} facts failed or were parked")
    return not code and not failed_facts


def run_demonstration(arguments: argparse.Namespace) -> bool:
    """The same against a demonstration of our own, whose memory and logs are looked at."""
    with Demonstration() as demonstration:
        watch = MemoryWatch(demonstration.pid)
        good = run(demonstration.url, demonstration.environment, arguments)
        readings = watch.stop()
        say("\nMemory, MB             begin  at a half        end")
        for name in readings[0]:
            values = [each[name] for each in readings if name in each]
            say(f"  {name:<16} {values[0]:>9.0f} {values[len(values) // 2]:>10.0f} {values[-1]:>10.0f}")
        errors = log_errors(demonstration.folder)
        for error, count in errors.items():
            say(f"log, {count} times: {error}")
        if arguments.keep_logs is not None and (demonstration.folder / "logs").is_dir():
            (demonstration.folder / "logs").rename(arguments.keep_logs)
        return good and not errors


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--url", default="", help="a running server; default: a demonstration of its own")
    parser.add_argument("--call-seconds", type=float, default=20.0, help="length of each call with media")
    parser.add_argument("--keep-logs", type=Path, help="move the demonstration's logs to this folder")
    arguments = parser.parse_args()
    # Told to stop, we stop what we have started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        url = arguments.url.rstrip("/")
        good = run(url, os.environ, arguments) if url else run_demonstration(arguments)
    except LoadTestError as error:
        sys.stderr.write(f"loadtests: {error}\n")
        return 2
    say("\nNothing failed." if good else "\nSomething failed: see above.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
