"""The servers the benchmark compares, each started fresh for a run: our media worker, and Janus."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from redis.asyncio import Redis

from core.ids import uuid7
from core.rpc import Params, RpcClient
from loadtests import media_cores
from loadtests.janus import Janus
from server.embedded import EmbeddedValkey

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 20.0
TICKS = os.sysconf("SC_CLK_TCK")
WORKER = "import sys, uvloop; from core.settings import load; from media.worker import run; uvloop.run(run(load(), 0))"


class People(Protocol):
    """The peers, wherever their processes are."""

    async def offer(self, person: int, receivers: int) -> str:
        """An offer to publish."""
        ...

    async def answered(self, person: int, sdp: str) -> None:
        """The server's answer to it."""
        ...

    async def answer(self, person: int, sdp: str) -> str:
        """The answer to an offer of what others publish."""
        ...


class MediaServer(Protocol):
    """A server under test. ``pid`` is what its cost is read from."""

    name: str

    @property
    def pid(self) -> int: ...
    async def start(self) -> None: ...
    async def call(self, people: People, persons: list[int]) -> None:
        """Make one call of these persons: everybody publishes and gets everybody else."""
        ...

    async def settled(self) -> None:
        """Wait until nothing is being negotiated any more."""
        ...

    async def leave(self, persons: list[int]) -> None:
        """End a call that ``call`` made."""
        ...

    async def stop(self) -> None: ...


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads, by the kernel's accounting."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no VmRSS")


class BedsideServer:
    """One media worker, driven over its control channel as signaling does it."""

    name = "bedside"

    def __init__(
        self,
        folder: Path,
        address: str,
        cores: frozenset[int],
        path: str | None = None,
        *,
        valkey: EmbeddedValkey | None = None,
        secret: str = "",
    ) -> None:
        """``valkey``, running, and its ``secret`` are given where several workers share them."""
        self._folder = folder
        self._address = address
        self._cores = cores
        self._path = path
        self._owns_valkey = valkey is None
        self._valkey = valkey or EmbeddedValkey(folder)
        self._secret = secret or secrets.token_hex(16)
        self.entry: dict[str, Any] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._client: RpcClient | None = None
        self._people: People | None = None
        self._rooms: dict[str, dict[str, set[str]]] = {}  # room -> person -> whose tracks they have
        self._tasks: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Condition()
        self._failure: BaseException | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Valkey, the worker under uvloop as the product runs it, the control channel."""
        if self._owns_valkey:
            await self._valkey.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self._address, 0))
            port = probe.getsockname()[1]
        environment = os.environ | {
            "BEDSIDE_REDIS_URL": self._valkey.url,
            "BEDSIDE_MEDIA_HOST": self._address,
            "BEDSIDE_MEDIA_ADDRESS": self._address,
            "BEDSIDE_MEDIA_PORT": str(port),
            "BEDSIDE_MEDIA_CONTROL_SECRET": self._secret,
        }
        if self._path is not None:
            environment["BEDSIDE_MEDIA_PATH"] = self._path
        with media_cores.on(self._cores):
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", WORKER, cwd=ROOT, env=environment
            )
        redis: Redis = Redis.from_url(self._valkey.url)
        async with asyncio.timeout(START_TIMEOUT_S):
            while (raw := await redis.get(f"media:worker:{self._address}:{port}")) is None:
                if self._process.returncode is not None:
                    raise RuntimeError("the media worker ended at once: see what it said")
                await asyncio.sleep(0.05)
        await redis.aclose()
        self.entry = json.loads(raw)
        self._client = await RpcClient.connect(
            self.entry["control_host"], self.entry["control_port"], self._secret.encode(), self._on_event
        )

    async def call(self, people: People, persons: list[int], room: str = "") -> None:
        self._people = people
        room = room or str(uuid7())
        self._rooms[room] = {str(person): set() for person in persons}
        for person in persons:
            await self._ask("join", room, person)
        for person in persons:
            offer = await people.offer(person, len(persons) - 1)
            tracks = [{"mid": "0", "source": "microphone"}, {"mid": "1", "source": "camera"}]
            answer = await self._ask("publish", room, person, sdp=offer, tracks=tracks)
            await people.answered(person, answer["sdp"])

    async def settled(self) -> None:
        def complete() -> bool:
            return self._failure is not None or all(
                len(tracks) == 2 * (len(people) - 1) for people in self._rooms.values() for tracks in people.values()
            )

        async with asyncio.timeout(START_TIMEOUT_S), self._progress:
            await self._progress.wait_for(complete)
        if self._failure is not None:
            raise self._failure

    async def leave(self, persons: list[int]) -> None:
        room = next(room for room, people in self._rooms.items() if str(persons[0]) in people)
        for person in persons:
            await self._ask("leave", room, person)
        del self._rooms[room]

    async def _ask(self, method: str, room: str, person: int | str, **more: Any) -> Params:
        assert self._client is not None
        return await self._client.call(method, {"room": room, "participant": str(person), **more})

    def _on_event(self, name: str, params: Params) -> None:
        if name == "offer":
            task = asyncio.create_task(self._take_offer(params))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take_offer(self, params: Params) -> None:
        assert self._people is not None
        room, person = params["room"], params["participant"]
        if not params["tracks"]:
            return  # the others left
        try:
            answer = await self._people.answer(int(person), params["sdp"])
            await self._ask("answer", room, person, negotiation=params["negotiation"], sdp=answer)
        except Exception as error:
            self._failure = error
        if room in self._rooms:
            self._rooms[room][person] = {track["track_id"] for track in params["tracks"]}
        async with self._progress:
            self._progress.notify_all()

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._owns_valkey:
            await self._valkey.stop()


class JanusServer:
    """Janus's VideoRoom: everybody has published before anybody subscribes, the cheapest order for it."""

    name = "janus"

    def __init__(self, folder: Path, address: str, cores: frozenset[int], event_loops: int = 0) -> None:
        self._janus = Janus(folder, address, event_loops)
        self._cores = cores
        self._later: list[Callable[[], Awaitable[None]]] = []
        self._rooms = self._expected = 0
        self._handles: dict[int, list[int]] = {}
        self._room_of: dict[int, int] = {}

    @property
    def pid(self) -> int:
        return self._janus.pid

    async def start(self) -> None:
        with media_cores.on(self._cores):
            await self._janus.start()

    async def call(self, people: People, persons: list[int]) -> None:
        self._rooms += 1
        self._expected += len(persons)
        room = self._rooms
        await self._janus.create_room(room, len(persons))
        for person in persons:
            offer = await people.offer(person, len(persons) - 1)
            handle, answer = await self._janus.publish(room, person + 1, offer)
            self._handles[person], self._room_of[person] = [handle], room
            await people.answered(person, answer)

        async def subscribe() -> None:
            for person in persons:
                feeds = [other + 1 for other in persons if other != person]
                handle, offer = await self._janus.subscribe(room, feeds)
                self._handles[person].append(handle)
                self._expected += 1
                await self._janus.answer(handle, await people.answer(person, offer))

        self._later.append(subscribe)

    async def settled(self) -> None:
        # A feed exists once its connection is up.
        async with asyncio.timeout(START_TIMEOUT_S):
            while self._janus.connected < self._expected:
                await asyncio.sleep(0.02)
        for subscribe in self._later:
            await subscribe()
        self._later.clear()

    async def leave(self, persons: list[int]) -> None:
        for person in persons:
            for handle in self._handles.pop(person):
                await self._janus.detach(handle)
        await self._janus.destroy_room(self._room_of[persons[0]])
        for person in persons:
            del self._room_of[person]

    async def stop(self) -> None:
        await self._janus.stop()
