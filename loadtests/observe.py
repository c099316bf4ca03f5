"""What a load test looks at beside the requests: memory, lag of facts, errors in the server's log."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path

_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
PAGE_BYTES = 4096

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def metrics(url: str) -> Samples:
    """The server's ``/metrics`` now."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - our own server
        return parse_metrics(answer.read().decode())


def parse_metrics(text: str) -> Samples:
    """Prometheus' text format (version 0.0.4), without comments and time stamps."""
    found: Samples = {}
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match is not None:
            labels = tuple(sorted(_LABEL.findall(match["labels"] or "")))
            found[match["name"], labels] = float(match["value"])
    return found


def lags(before: Samples, after: Samples) -> dict[str, tuple[int, float, float]]:
    """By group: facts handled in between, and the buckets that hold the median and the 99th percentile, in seconds."""
    counts: dict[str, dict[float, float]] = {}
    for (name, labels), value in after.items():
        if name == "bedside_fact_lag_seconds_bucket":
            each = dict(labels)
            grown = value - before.get((name, labels), 0.0)
            counts.setdefault(each["group"], {})[float(each["le"])] = grown
    found = {}
    for group, buckets in counts.items():
        total = max(buckets.values())
        if total:
            found[group] = (int(total), quantile(buckets, 0.5), quantile(buckets, 0.99))
    return found


def quantile(buckets: Mapping[float, float], part: float) -> float:
    """The upper bound of the bucket of a cumulative histogram in which the quantile lies."""
    wanted = max(buckets.values()) * part
    return min(bound for bound, count in buckets.items() if count >= wanted)


def handled_badly(before: Samples, after: Samples) -> int:
    """Facts whose handling failed or that were parked in between."""
    return int(
        sum(
            value - before.get((name, labels), 0.0)
            for (name, labels), value in after.items()
            if name == "bedside_facts_handled_total" and dict(labels)["outcome"] in ("failed", "parked")
        )
    )


def facts_handled(samples: Samples) -> float:
    """How many facts have been handled, by all groups, since the server's start."""
    return sum(value for (name, _), value in samples.items() if name == "bedside_facts_handled_total")


def memory(supervisor: int) -> dict[str, float]:
    """Resident memory of the supervisor's Python children, in MB, by what they do."""
    found: dict[str, float] = {}
    for name, marker in (("server", " serve "), ("media worker", " media-worker ")):
        for pid in _children(supervisor):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
            if marker in line:
                found[name] = found.get(name, 0.0) + pages * PAGE_BYTES / 1e6
    return found


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        found += [int(pid) for pid in task.read_text().split()]
    return found


def log_errors(folder: Path) -> dict[str, int]:
    """Lines of level error or worse in the demonstration's logs, by what they say."""
    found: dict[str, int] = {}
    for file in sorted((folder / "logs").glob("*.log")):
        for line in file.read_text(errors="replace").splitlines():
            said = _error(line)
            if said:
                found[f"{file.stem}: {said}"] = found.get(f"{file.stem}: {said}", 0) + 1
    return found


def _error(line: str) -> str:
    if not line.startswith("{"):
        # What did not go through the log: a traceback of the interpreter, a panic of an engine.
        return line if re.search(r"Traceback|\bPANIC\b", line) else ""
    try:
        entry = json.loads(line)
    except ValueError:
        return "a broken line"
    if entry.get("level") not in ("error", "critical"):
        return ""
    return " ".join(
        str(part) for part in (entry.get("event"), entry.get("error"), entry.get("trace", [""])[-1]) if part
    )
