"""Everybody of a benchmark's run: processes of peers, and what they agreed on with the server."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
from array import array
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from loadtests import media_process, media_sdp

CONNECT_TIMEOUT_S = 30.0


class PeerProcess:
    """A process of peers and the pipe to it."""

    def __init__(self, library: Path, address: str, loss: float, seed: int, rids: tuple[str, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe: Pipe
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, str(library), address, loss, seed, rids)
        self._process = context.Process(target=media_process.run, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._readable)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    async def ask(self, method: str, *arguments: Any) -> Any:
        """A request and its answer; a process that died answers with EOFError."""
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._pipe.send((method, number, *arguments))
        return await future

    def _readable(self) -> None:
        try:
            number, answer = self._pipe.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(EOFError("a process of peers died"))
            return
        self._waiting.pop(number).set_result(answer)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()
        if self._process.is_alive():
            self._process.terminate()
        await asyncio.to_thread(self._process.join, 5)


class Crowd:
    """The people of a run, spread over processes so that a call's people are not all in one."""

    def __init__(
        self, processes: int, library: Path, address: str, loss: float, seed: int, rids: tuple[str, ...] = ()
    ) -> None:
        self._processes = [PeerProcess(library, address, loss, seed + index, rids) for index in range(processes)]
        self.agreed: dict[str, set[str]] = {"publish": set(), "subscribe": set()}
        """What descriptions of the server agreed to, over all connections."""

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def _of(self, person: int) -> PeerProcess:
        return self._processes[person % len(self._processes)]

    async def offer(self, person: int, receivers: int) -> str:
        return str(await self._of(person).ask("offer", person, receivers))

    async def answered(self, person: int, sdp: str) -> None:
        self.agreed["publish"] |= media_sdp.features(sdp)
        await self._of(person).ask("answered", person, sdp)

    async def answer(self, person: int, sdp: str) -> str:
        answer = str(await self._of(person).ask("answer", person, sdp))
        self.agreed["subscribe"] |= media_sdp.features(answer)
        return answer

    async def forget(self, persons: list[int]) -> None:
        """These people leave, without a goodbye."""
        for process in self._processes:
            await process.ask("forget", persons)

    async def all(self, method: str, *arguments: Any) -> list[Any]:
        return await asyncio.gather(*(process.ask(method, *arguments) for process in self._processes))

    async def connected(self, links: int) -> None:
        """Wait until that many connections have keys (and so took AEAD_AES_128_GCM: they offer nothing else)."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while sum(await self.all("connected")) < links:
                await asyncio.sleep(0.02)

    async def figures(self) -> dict[str, Any]:
        """What everybody saw in the interval, together."""
        results = await self.all("figures")
        joined: dict[str, Any] = {}
        for name, value in results[0].items():
            if isinstance(value, int):
                joined[name] = sum(result[name] for result in results)
            else:
                joined[name] = array("f")
                for result in results:
                    joined[name].frombytes(result[name])
        return joined

    async def close(self) -> None:
        for process in self._processes:
            await process.close()
