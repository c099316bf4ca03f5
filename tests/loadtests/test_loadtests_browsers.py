"""The tools that measure media with real browsers work, and what they measure is a call: a few seconds of each.

Times and shares are loose here, because other tests share the machine; docs/benchmarks.md has the real figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from core.migrations import ROOT
from loadtests import laboratory

pytestmark = [pytest.mark.integration, pytest.mark.browser]


def run(tool: str, *arguments: str) -> tuple[dict[str, object], str]:
    """A tool's JSON line and its table."""
    done = subprocess.run(
        [sys.executable, "-m", f"loadtests.{tool}", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert lines, done.stdout + done.stderr
    return json.loads(lines[-1]), done.stdout


def test_newcomers_see_a_full_picture() -> None:
    result, table = run("media_first_frame", "--tries", "5", "--height", "360", "--pause", "0")
    assert result["tries"] is not None
    assert result["not_full_height"] == 0
    assert float(str(result["max"])) < 3000
    assert table.startswith("| tries |")


def test_a_call_goes_on_over_two_lossy_legs() -> None:
    reason = laboratory.missing()
    if reason is not None and os.environ.get("BEDSIDE_TEST_PARTIAL") == "1":
        pytest.skip(f"no network laboratory: {reason}")
    assert reason is None, f"no network laboratory: {reason}; BEDSIDE_TEST_PARTIAL=1 leaves this test out"
    result, _ = run("media_loss", "--runs", "1", "--seconds", "6", "--height", "360")
    received, worker = result["received"], result["worker"]
    assert isinstance(received, dict)
    assert isinstance(worker, dict)
    assert int(str(result["dropped"])) > 20, "the network did lose packets"
    for person, got in received.items():
        assert got["frames"] > 5, person
        assert got["frozen"] < 50, person
        assert got["concealed"] < 10, person
        assert got["audio"]["nackCount"] > 0, "lost sound is asked for"
        assert got["video"]["retransmittedPacketsReceived"] > 0, "and lost pictures come again"
    assert all(tracks["camera"]["recovered"] > 0 for tracks in worker.values()), "upstream too"
