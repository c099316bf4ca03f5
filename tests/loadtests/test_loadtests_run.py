"""A short load test from the outside: it ends by itself, without an error, and everybody has taken part."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from core.migrations import ROOT

ENOUGH_S = 240.0
ROWS = (
    *("POST /auth/register", "POST /auth/login", "GET /providers", "GET /appointments/available"),
    *("waiting.enter", "call.join", "chat.send", "chat.message (sent to delivered)"),
    *("call of 4 s", "sound and picture at both (from joining)"),
)


@pytest.mark.integration
async def test_ten_seconds_of_load_end_without_an_error(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.run", "--minutes", str(10 / 60), "--users", "9", "--call-seconds", "4"),
        *("--keep-logs", str(tmp_path / "logs")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(ENOUGH_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    text = out.decode()
    assert process.returncode == 0, text
    assert "Nothing failed." in text
    missing = [row for row in ROWS if not re.search(rf"{re.escape(row)}\s+[1-9]", text)]
    assert missing == [], text
