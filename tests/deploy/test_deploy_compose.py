"""The compose file's services, started as processes with their own commands and environments."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from core.settings import load
from server.embedded import EmbeddedPostgres, EmbeddedValkey

pytest_plugins = ["records_mongo"]

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
SERVING = ("gateway", "api", "signaling", "worker")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    process: asyncio.subprocess.Process
    port: int
    log: Path

    def alive(self) -> bool:
        return self.process.returncode is None


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, mongo: str) -> AsyncIterator[dict[str, Running]]:
    """Every service of ours, on loopback: names of other containers are replaced, nothing else."""
    folder = tmp_path_factory.mktemp("compose")
    role_secret = secrets.token_hex(16)
    postgres = EmbeddedPostgres(folder, role_secret=role_secret, options={"fsync": "off"})
    valkey = EmbeddedValkey(folder)
    await postgres.start()
    await valkey.start()
    values = {
        "database_url": postgres.url,
        "role_secret": role_secret,
        "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "control_secret": secrets.token_hex(16),
        "turn_secret": secrets.token_hex(16),
    }
    for name, value in values.items():
        (folder / name).write_text(value)
    running: dict[str, Running] = {}

    def environment(service: dict[str, Any], port: int) -> dict[str, str]:
        result = {key: value for key, value in os.environ.items() if not key.startswith("BEDSIDE_")}
        for key, value in service["environment"].items():
            result[key] = str(value).replace("/run/secrets/", f"{folder}/")
        result |= {
            "BEDSIDE_HTTP_HOST": "127.0.0.1",
            "BEDSIDE_HTTP_PORT": str(port),
            "BEDSIDE_DATA_DIR": str(folder / "files"),
            "BEDSIDE_REDIS_URL": valkey.url,
            "BEDSIDE_MONGO_URL": mongo,
        }
        if "BEDSIDE_MEDIA_CONTROL_HOST" in result:
            result |= {
                "BEDSIDE_MEDIA_CONTROL_HOST": "127.0.0.1",
                "BEDSIDE_MEDIA_HOST": "127.0.0.1",
                "BEDSIDE_MEDIA_PORT": str(free_port(socket.SOCK_DGRAM)),
            }
        return result

    async def start(name: str) -> Running:
        service = OURS[name]
        port = free_port()
        log = folder / f"{name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "server",
                *[str(word) for word in service["command"]],
                cwd=ROOT,
                env=environment(service, port),
                stdout=output,
                stderr=output,
            )
        running[name] = Running(process, port, log)
        return running[name]

    try:
        migrated = await start("migrate")
        assert await asyncio.wait_for(migrated.process.wait(), 60) == 0, migrated.log.read_text()
        for name in ("media", *SERVING):
            await start(name)
        yield running
    finally:
        for each in running.values():
            if each.alive():
                each.process.send_signal(signal.SIGTERM)
        for each in running.values():
            await asyncio.wait_for(each.process.wait(), 30)
        await valkey.stop()
        await postgres.stop()


async def ready(running: Running) -> dict[str, Any]:
    """The readiness probe's answer once it is 200."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            assert running.alive(), running.log.read_text()
            try:
                async with session.get(f"http://127.0.0.1:{running.port}/health/ready") as answer:
                    if answer.status == 200:
                        return dict(await answer.json())
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_a_setting(name: str, tmp_path: Path) -> None:
    environment = {}
    for key, value in OURS[name]["environment"].items():
        if key.endswith("_FILE"):
            file = tmp_path / key
            file.write_text(secrets.token_hex(16))
            value = str(file)
        environment[key] = str(value)
    assert load(None, environment).mode == "production"


def test_secrets_are_files_and_never_values() -> None:
    for service in OURS.values():
        for key in service["environment"]:
            if any(word in key for word in ("SECRET", "KEY", "PASSWORD", "DATABASE_URL")):
                assert key.endswith("_FILE"), key


@pytest.mark.integration
@pytest.mark.parametrize("name", SERVING)
async def test_a_role_becomes_ready(stack: dict[str, Running], name: str) -> None:
    assert (await ready(stack[name]))["status"] == "ok"


@pytest.mark.integration
async def test_each_role_answers_its_part(stack: dict[str, Running]) -> None:
    for name in SERVING:
        await ready(stack[name])

    async with aiohttp.ClientSession() as session:

        async def status(name: str, path: str) -> int:
            async with session.get(f"http://127.0.0.1:{stack[name].port}{path}") as answer:
                return answer.status

        assert await status("gateway", "/") == 200
        assert await status("gateway", "/api/v1/specialties") == 404
        assert await status("api", "/api/v1/specialties") == 200
        assert await status("signaling", "/socket.io/?EIO=4&transport=polling") == 200
        assert await status("api", "/socket.io/?EIO=4&transport=polling") == 404


@pytest.mark.integration
async def test_the_media_worker_registers(stack: dict[str, Running]) -> None:
    await ready(stack["signaling"])
    async with asyncio.timeout(30):
        while True:
            checks = {check["name"]: check for check in (await ready(stack["signaling"]))["checks"]}
            if checks["media"]["status"] == "ok":
                return
            await asyncio.sleep(0.05)


@pytest.mark.integration
async def test_a_role_stops_cleanly_when_told(stack: dict[str, Running]) -> None:
    worker = stack["worker"]
    await ready(worker)
    worker.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.process.wait(), 30) == 0, worker.log.read_text()
