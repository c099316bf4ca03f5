"""A real media worker process, and people who speak its control channel."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from core.rpc import Params, RpcClient
from loadtests.peer import Caller, stay_on_loopback
from media.path.build import CannotBuild, build

SECRET = "media-control-secret"
ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, logging, sys
logging.basicConfig(level=logging.INFO)
from core.settings import load
from media.worker import run
asyncio.run(run(load(), int(sys.argv[1])))
"""


def free_port() -> int:
    """Of UDP and of TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return int(tcp.getsockname()[1])


class Worker:
    """A media worker process and its registration."""

    def __init__(self, valkey: str, port: int, path: str = "auto") -> None:
        self.valkey = valkey
        self.port = port
        self.path = path
        self.process: asyncio.subprocess.Process | None = None
        self.entry: dict[str, Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "BEDSIDE_REDIS_URL": self.valkey,
            "BEDSIDE_MEDIA_PORT": str(self.port),
            "BEDSIDE_MEDIA_PATH": self.path,
            "BEDSIDE_MEDIA_CONTROL_SECRET": SECRET,
        }

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, "0", cwd=ROOT, env=self.environment
        )
        await self.registered()

    async def registered(self, timeout_s: float = 15.0) -> dict[str, Any]:
        """Wait for the registry's entry."""
        redis: Redis = Redis.from_url(self.valkey)
        async with asyncio.timeout(timeout_s):
            while (raw := await redis.get(f"media:worker:127.0.0.1:{self.port}")) is None:
                await asyncio.sleep(0.05)
        await redis.aclose()
        self.entry = json.loads(raw)
        return self.entry

    async def connect(self, on_event: Callable[[str, Params], None] = lambda name, params: None) -> RpcClient:
        return await RpcClient.connect("127.0.0.1", self.entry["control_port"], SECRET.encode(), on_event)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def stop(self) -> int:
        """SIGTERM, and its exit status."""
        process = self.process
        assert process is not None
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            raise


@pytest.fixture(scope="session", params=["native", "python"])
def media_path(request: pytest.FixtureRequest) -> str:
    """Both paths of packets, the native one where a compiler is; slow tests ask for ``auto`` alone."""
    if request.param == "native":
        try:
            build()
        except CannotBuild as error:
            pytest.skip(str(error))
    return str(request.param)


@pytest.fixture(scope="session")
async def worker(valkey: str, media_path: str) -> AsyncIterator[Worker]:
    """One worker of each path for the whole run."""
    running = Worker(valkey, free_port(), media_path)
    await running.start()
    assert media_path in ("auto", running.entry["path"])
    yield running
    assert running.alive, "the worker died during the tests"
    assert await running.stop() == 0


class Person:
    """A caller on a control channel of their own, as signaling would hold it."""

    def __init__(self, client: RpcClient, room: str, identifier: str) -> None:
        self.client = client
        self.room = room
        self.id = identifier
        self.events: list[tuple[str, Params]] = []
        self._happened = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.caller = Caller(self._publish, self._answer)
        self.auto_answer = True

    def on_event(self, name: str, params: Params) -> None:
        self.events.append((name, params))
        self._spawn(self._notify())
        if name == "offer" and self.auto_answer:
            self._spawn(self.caller.on_offer(params))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._happened:
            self._happened.notify_all()

    async def event(self, name: str, fits: Callable[[Params], bool] = lambda p: True, timeout_s: float = 15) -> Params:
        """Wait until an event of this name that fits has come; the newest of them."""

        def found() -> Params | None:
            return next((p for n, p in reversed(self.events) if n == name and fits(p)), None)

        async with asyncio.timeout(timeout_s), self._happened:
            await self._happened.wait_for(found)
        params = found()
        assert params is not None
        return params

    async def ask(self, method: str, **params: Any) -> Params:
        return await self.client.call(method, {"room": self.room, "participant": self.id, **params})

    async def _publish(self, sdp: str, tracks: list[dict[str, str]]) -> str:
        return str((await self.ask("publish", sdp=sdp, tracks=tracks))["sdp"])

    async def _answer(self, negotiation: int, sdp: str) -> None:
        await self.ask("answer", negotiation=negotiation, sdp=sdp)

    async def close(self) -> None:
        if not self.client.closed.is_set():
            await self.ask("leave")
        await self.caller.close()
        await self.client.close()


MakePerson = Callable[[str, str], Awaitable[Person]]


@pytest.fixture
async def person(worker: Worker) -> AsyncIterator[MakePerson]:
    """``await person(room, id)``: connected to the worker's control channel, not joined yet."""
    stay_on_loopback()
    async with contextlib.AsyncExitStack() as stack:

        async def make(room: str, identifier: str) -> Person:
            holder: list[Person] = []
            client = await worker.connect(lambda name, params: holder[0].on_event(name, params))
            made = Person(client, room, identifier)
            holder.append(made)
            stack.push_async_callback(made.close)
            return made

        yield make
