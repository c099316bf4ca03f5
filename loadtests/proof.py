"""The long proofs, and their figures into the documentation: ``make proof``.

    make proof                                  everything: about an hour of fuzzing, then the benchmarks
    make proof PART=fuzz PROOF_MINUTES=5        one part
    make proof PART=api PROOF_MINUTES=15        every published operation with inputs of every kind
    make proof PART=kills                       200 random SIGKILLs of every part while people book
    make proof PART=bench
    make proof PART=network                     calls of real browsers through bad networks

Each part replaces what is between its markers in ``docs/`` and nothing else. A part that fails ends with an
exit code other than 0 and leaves the former figures where they are. Linux, root or user namespaces, and for
the benchmarks Debian's ``janus`` and a C compiler.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from loadtests import proof_api, proof_fuzz, proof_network

ROOT = Path(__file__).resolve().parents[1]
RELIABILITY = ROOT / "docs" / "reliability.md"
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
CONNECTIVITY = ROOT / "docs" / "connectivity.md"
MINUTES = 60.0
TRAFFIC_ROUNDS = 5
KILLS = 200
KILLED = re.compile(r"^random kills: (.+)$", re.MULTILINE)
PASSED = re.compile(r"(\d+) passed")


class ProofFailedError(Exception):
    """What did not hold."""


def write(page: Path, name: str, text: str) -> None:
    """Put ``text`` between the markers ``<!-- proof:name -->`` and ``<!-- /proof:name -->`` of a page."""
    begin, end = f"<!-- proof:{name} -->", f"<!-- /proof:{name} -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ProofFailedError(f"{page.name} has no markers for {name}")
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def made() -> str:
    """When and where: a line under each figure."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = os.getloadavg()[1]
    day = datetime.datetime.now(datetime.UTC).date()
    return f"{day}, {os.cpu_count()} cores ({model}), Python {platform.python_version()}, load average {load:.1f}."


def run(*command: str) -> str:
    """A program's stdout; what it says on stderr is shown. Raises ProofFailedError."""
    print("·", " ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ProofFailedError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def _spent() -> float:
    """Seconds of processor time of all programs run so far: on a shared machine wall clocks say little."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fuzz(minutes: float) -> None:
    """Every target for its share of the time."""
    before = _spent()
    done = proof_fuzz.run(minutes * 60)
    spent = f"{(_spent() - before) / 60:.0f} minutes of processor time."
    write(RELIABILITY, "fuzz", f"{proof_fuzz.table(done)}\n\n{spent} {made()}")
    findings = [one.name for one in done if one.finding]
    if findings:
        raise ProofFailedError(f"findings in {', '.join(findings)}: see {proof_fuzz.FINDINGS}/")


def traffic(minutes: float) -> None:
    """The hostile traffic tests, several times: what depends on chance shows."""
    passed = 0
    for _ in range(TRAFFIC_ROUNDS):
        found = PASSED.search(run("-m", "pytest", "tests/media/test_media_traffic.py"))
        passed += int(found.group(1)) if found else 0
    text = f"{TRAFFIC_ROUNDS} rounds over both paths, {passed} attacks; none disturbed the call beside it."
    write(RELIABILITY, "traffic", f"{text} {made()}")


def kills(minutes: float) -> None:
    """A long run of what ``make test`` does with 20."""
    said = KILLED.search(run("-m", "pytest", "tests/server/test_server_random_kills.py", "-s", "--kills", str(KILLS)))
    if said is None:
        raise ProofFailedError("the kills did not say what they found")
    write(RELIABILITY, "kills", f"{said.group(1)}.\n\n{made()}")


def bench(minutes: float) -> None:
    """Cost beside Janus, with one encoding and with three, growth, saturation."""
    cost = [run("-m", "loadtests.media_bench", "--loss", loss) for loss in ("0", "0.01")]
    write(BENCHMARKS, "media", "\n".join([*cost, made()]))
    simulcast = run("-m", "loadtests.media_bench", "--simulcast", "--loss", "0")
    write(BENCHMARKS, "simulcast", f"{simulcast}\n{made()}")
    growth = run("-m", "loadtests.media_bench", "--joins", "200")
    write(BENCHMARKS, "growth", f"{growth}\n\n{made()}")
    saturation = run("-m", "loadtests.media_bench", "--saturate")
    write(BENCHMARKS, "saturation", f"{saturation}\n\n{made()}")


def network(minutes: float) -> None:
    """Every condition in every browser; what missed its bar is written too, and ends with an exit code."""
    rows = proof_network.run()
    if not rows:
        raise ProofFailedError("no case took place")
    write(CONNECTIVITY, "network", f"{proof_network.table(rows)}\n\n{made()}")
    if failed := proof_network.missed(rows):
        raise ProofFailedError("\n".join(failed))


def api(minutes: float) -> None:
    """Every published operation, as nobody, patient and practitioner."""
    done = proof_api.prove(minutes)
    write(RELIABILITY, "api", f"{proof_api.table(done)}\n\n{made()}")
    if failures := [each for one in done for each in one.failures]:
        raise ProofFailedError("\n\n".join(failures[:10]))


PARTS: dict[str, Callable[[float], None]] = {
    "fuzz": fuzz,
    "traffic": traffic,
    "api": api,
    "kills": kills,
    "bench": bench,
    "network": network,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="default: all")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of fuzzing, over all targets")
    options = parser.parse_args()
    failed = []
    for name in [options.part] if options.part else PARTS:
        try:
            PARTS[name](options.minutes)
        except ProofFailedError as error:
            failed.append(name)
            print(f"proof {name}: {error}", file=sys.stderr)
    if failed:
        raise SystemExit(f"not proven: {', '.join(failed)}")


if __name__ == "__main__":
    main()
