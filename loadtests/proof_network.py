"""The table of networks: every condition of ``tests/network`` in both browsers, as a page of the documentation."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, Any]


def run() -> list[Row]:
    """Play all of it; a row a case, those that missed included."""
    with tempfile.TemporaryDirectory(prefix="bedside-network-") as folder:
        figures = Path(folder) / "figures"
        figures.touch()
        command = [sys.executable, "-m", "pytest", "tests/network", "-k", "test_a_call", "--every-network"]
        subprocess.run([*command, f"--figures={figures}"], cwd=ROOT, stdout=sys.stderr)
        return [json.loads(line) for line in figures.read_text().splitlines()]


def missed(rows: list[Row]) -> list[str]:
    """The cases that did not hold, and why."""
    return [f"{row['told']}, {row['browser']}: {row['missed']}" for row in rows if row["missed"]]


def table(rows: list[Row]) -> str:
    """Markdown, a line a condition and browser."""
    lines = [
        "| condition | browser | way | media both ways after | picture frozen | sound made up "
        "| longest silence | after the change | bars |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        change = []
        if row["gap_s"] is not None:
            change.append(f"back after {row['gap_s']} s")
        if row["down_s"] is not None or row["up_s"] is not None:
            change.append(f"down {_with(row['down_s'], ' s')}, up {_with(row['up_s'], ' s')}")
        lines.append(
            f"| {row['told']} | {row['browser']} | {row['way']} | {_with(row['connects_s'], ' s')} "
            f"| {_with(row['freezes'], ' %')} | {_with(row['concealed'], ' %')} | {_with(row['silence_s'], ' s')} "
            f"| {'; '.join(change) or '–'} | {'missed: ' + row['missed'] if row['missed'] else 'held'} |"
        )
    return "\n".join(lines)


def _with(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value}{unit}"
