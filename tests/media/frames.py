"""A client's end of ICE-TCP (RFC 4571 frames), and a way for peers that know UDP alone to use it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable


class Framed:
    """One TCP connection to a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1", local_port: int = 0) -> Framed:
        local = (host, local_port) if local_port else None
        return cls(*await asyncio.open_connection(host, port, local_addr=local))

    def send(self, packet: bytes) -> None:
        self.writer.write(len(packet).to_bytes(2) + packet)

    async def receive(self, timeout_s: float = 5) -> bytes:
        """The next packet. Raises EOFError (IncompleteReadError) or ConnectionError when it was cut."""
        async with asyncio.timeout(timeout_s):
            return await self.reader.readexactly(int.from_bytes(await self.reader.readexactly(2)))

    async def cut(self, timeout_s: float = 8) -> bool:
        """Wait until the other side closes it."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(timeout_s):
                while await self.reader.read(65_536):
                    pass
        return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Shim(asyncio.DatagramProtocol):
    """A UDP port whose datagrams go on over TCP: a connection of its own for every sender."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.connections: dict[tuple[str, int], Framed] = {}
        self._to = port
        self._udp: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[tuple[str, int], list[bytes]] = {}

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.port = int(self._udp.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (framed := self.connections.get(addr)) is not None:
            framed.send(data)
        elif addr in self._waiting:
            self._waiting[addr].append(data)
        else:
            self._waiting[addr] = [data]
            task = asyncio.create_task(self._carry(addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, addr: tuple[str, int]) -> None:
        framed = self.connections[addr] = await Framed.connect(self._to)
        for data in self._waiting.pop(addr):
            framed.send(data)
        with contextlib.suppress(EOFError, ConnectionError):
            while self._udp is not None:
                self._udp.sendto(await framed.receive(60), addr)
        self.connections.pop(addr, None)

    def through(self) -> Callable[[str], str]:
        """Makes a description that leads here instead of to the worker."""
        return lambda text: text.replace(f" {self._to} typ", f" {self.port} typ")

    async def close(self) -> None:
        if self._udp is not None:
            self._udp.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for framed in list(self.connections.values()):
            await framed.close()
