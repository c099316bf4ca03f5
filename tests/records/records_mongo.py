"""A MongoDB-wire server as a process of its own, and both document stores.

The server lives in a virtual environment apart (``requirements/mongo-test.txt``): it is started, never imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STARTS_WITHIN_S = 30


def server_command() -> Path:
    """BEDSIDE_TEST_MONGO names the virtual environment, ``.venv-secantus`` by default."""
    folder = Path(os.environ.get("BEDSIDE_TEST_MONGO") or ROOT / ".venv-secantus")
    command = folder / "bin" / "secantusd-py"
    if not command.exists():
        pytest.fail(f"{command} is missing: make test installs it from requirements/mongo-test.txt")
    return command


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.fixture(scope="session")
async def mongo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Address of a fresh server."""
    folder, port = tmp_path_factory.mktemp("mongo"), free_port()
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", str(folder / "data")]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(server_command()),
            *arguments,
            *("--cache-size", "64M", "--log-level", "WARNING"),
            cwd=folder,
            env={"HOME": str(folder), "PATH": os.environ.get("PATH", "")},
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            while not await answers(port):
                assert process.returncode is None, (folder / "log").read_text()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 0.1)
        yield f"mongodb://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
