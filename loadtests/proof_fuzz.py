"""Fuzzing for a given time, split over the targets; the native path under the compiler's sanitizers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FINDINGS = Path("fuzz-findings")
NATIVE = ROOT / "media" / "native"
# Relative shares of the time. Small parsers are through their states in minutes; the worker is the whole.
SHARES = {"packet": 1, "control": 1, "check": 1, "description": 3, "payload": 1, "numbers": 2, "worker": 6}
NATIVE_SHARE = 5
LEAST_S = 5.0
GRACE_S = 60.0
SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
COVERED = re.compile(r"DONE\s+cov: (\d+)")


@dataclass(frozen=True)
class Fuzzed:
    """One target's run."""

    name: str
    how: str
    seconds: float
    executions: int
    covered: int | None  # edges of Python code
    finding: str


def run(seconds: float) -> list[Fuzzed]:
    """Every target, as many at once as there are cores."""
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        library = _sanitized(Path(folder))
        total = sum(SHARES.values()) + (NATIVE_SHARE if library is not None else 0)
        cores = len(os.sched_getaffinity(0))
        unit = seconds * cores / total

        def one(name: str, share: int, native: Path | None) -> Fuzzed:
            length = max(LEAST_S, unit * share)
            return _native(name, length, native) if native is not None else _guided(name, length)

        jobs: list[tuple[str, int, Path | None]] = [(name, share, None) for name, share in SHARES.items()]
        if library is not None:
            jobs.append(("worker", NATIVE_SHARE, library))
        jobs.sort(key=lambda job: -job[1])  # the longest first, so that the cores end together
        with ThreadPoolExecutor(cores) as pool:
            return list(pool.map(lambda job: one(*job), jobs))


def _guided(name: str, seconds: float) -> Fuzzed:
    command = ["-m", "tests.fuzz.run", name, f"--seconds={seconds:.0f}", f"--findings={FINDINGS}"]
    code, text, took = _process(command, seconds, {})
    executed, covered = EXECUTED.search(text), COVERED.search(text)
    return Fuzzed(
        name,
        "atheris",
        took,
        int(executed.group(1)) if executed else 0,
        int(covered.group(1)) if covered else None,
        "" if code == 0 and executed else _reason(text),
    )


def _native(name: str, seconds: float, library: Path) -> Fuzzed:
    command = ["-m", "tests.fuzz.run", name, "--plain", f"--seconds={seconds:.0f}", f"--findings={FINDINGS}"]
    command += ["--path=native", f"--library={library}", f"--number={time.time_ns() % 1_000_000}"]
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    environment = {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "PYTHONMALLOC": "malloc"}
    code, text, took = _process(command, seconds, environment)
    lines = [line for line in text.splitlines() if line.startswith('{"executions"')]
    done = json.loads(lines[-1])["executions"] if lines else 0
    return Fuzzed(f"{name}, native", "sanitizers", took, done, None, "" if code == 0 and lines else _reason(text))


def _process(command: list[str], seconds: float, environment: dict[str, str]) -> tuple[int, str, float]:
    begin = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + GRACE_S,
        )
    except subprocess.TimeoutExpired as error:
        return 1, f"it hung: {(error.stdout or b'')[-2000:].decode(errors='replace')}", time.monotonic() - begin
    return done.returncode, done.stdout.decode(errors="replace"), time.monotonic() - begin


def _reason(text: str) -> str:
    """The line of a log that says most."""
    print(text[-4000:], file=sys.stderr)
    telling = [line for line in text.splitlines() if re.search(r"Error|ERROR|error|hung|exception", line)]
    return (telling or ["ended early"])[-1].strip()[:120]


def _sanitized(folder: Path) -> Path | None:
    """The native path with AddressSanitizer and UBSan; None where there is no such path, or no gcc."""
    sources = sorted(NATIVE.glob("*.c"))
    if not sources or shutil.which("gcc") is None:
        return None
    library = folder / "path-sanitized.so"
    command = ["gcc", "-std=c11", "-ffp-contract=off", "-fPIC", "-shared", *SANITIZERS, "-o", str(library)]
    subprocess.run([*command, *map(str, sources), "-lm"], check=True)
    return library


def table(done: list[Fuzzed]) -> str:
    """In the order of ``SHARES``."""
    lines = ["| target | by | seconds | inputs | edges covered | findings |", "|---|---|---:|---:|---:|---|"]
    for one in sorted(done, key=lambda each: (each.name.partition(",")[0] == "worker", each.name)):
        covered = "" if one.covered is None else str(one.covered)
        finding = one.finding or "none"
        lines.append(f"| {one.name} | {one.how} | {one.seconds:.0f} | {one.executions:,} | {covered} | {finding} |")
    return "\n".join(lines)
