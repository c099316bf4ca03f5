"""People of whom every byte is ours: real connections to a worker, packets written by hand, what comes measured."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any

from core.ids import uuid7
from core.rpc import Params, RpcClient
from loadtests import media_sdp
from loadtests.media_link import Identity, Link
from media.rtp.packet import HEADER
from tests.media.conftest import Worker

STAMP = struct.Struct("!d")
TIMESPEC = struct.Struct("@qq")
CHECK_S = 0.05
SOUND_S = 0.02
SIZE = 300  # bytes of payload of an honest packet
CONNECT_TIMEOUT_S = 20.0


class RawLink:
    """A ``Link`` read by asyncio's loop."""

    def __init__(self, identity: Identity, controlling: bool) -> None:
        self.link = Link(identity, "127.0.0.1", controlling, 0.0, lambda data: self.rtcp.append(data))
        self.rtcp: list[bytes] = []
        self.packets: list[tuple[bytes, float]] = []  # decrypted, and the kernel's time of arrival
        asyncio.get_running_loop().add_reader(self.link.socket.fileno(), self._readable)

    def _readable(self) -> None:
        while True:
            try:
                data, ancillary, _, _ = self.link.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier send
            if len(data) > 1 and 127 < data[0] < 192 and not 192 <= data[1] <= 223:
                plain = self.link.unprotect(data)
                if plain is not None:
                    seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
                    self.packets.append((plain, seconds + nanoseconds * 1e-9))
            else:
                self.link.other(data)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.link.socket.fileno())
        self.link.close()


class RawPerson:
    """Somebody in a room: publishes one microphone (``send``) and receives what others publish."""

    def __init__(self, identity: Identity, client: RpcClient, room: str, name: str) -> None:
        self.client = client
        self.room = room
        self.name = name
        self.states: list[tuple[str, str]] = []
        self.publishing = RawLink(identity, True)
        self.subscribing = RawLink(identity, False)
        self.plan = media_sdp.Planned("audio", "0", 111, int.from_bytes(name.encode()[:4]) or 7, None, 0)
        self.sent = 0
        self._sequence = 100
        self._timestamp = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def join(cls, worker: Worker, identity: Identity, room: str, name: str) -> RawPerson:
        holder: list[RawPerson] = []
        client = await worker.connect(lambda event, params: holder[0]._on_event(event, params))
        person = cls(identity, client, room, name)
        holder.append(person)
        await person.ask("join")
        return person

    async def ask(self, method: str, **params: Any) -> Params:
        return await self.client.call(method, {"room": self.room, "participant": self.name, **params})

    async def publish(self, fingerprint: str | None = None) -> None:
        """Offer the microphone; with another ``fingerprint`` than the one the handshake will show."""
        offer = media_sdp.offer(self.publishing.link, [self.plan])
        if fingerprint is not None:
            offer = offer.replace(self.publishing.link.fingerprint, fingerprint)
        answer = await self.ask("publish", sdp=offer, tracks=[{"mid": "0", "source": "microphone"}])
        self.publishing.link.connect(answer["sdp"])

    def _on_event(self, event: str, params: Params) -> None:
        if event == "connection":
            self.states.append((params["connection"], params["state"]))
        elif event == "offer" and params["tracks"]:
            self._spawn(self._answer(params))

    async def _answer(self, params: Params) -> None:
        answer, _ = media_sdp.answer(self.subscribing.link, params["sdp"])
        self.subscribing.link.connect(params["sdp"])
        await self.ask("answer", negotiation=params["negotiation"], sdp=answer)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def connected(self, *connections: str) -> None:
        """Wait until the worker says that ``publish``, ``subscribe`` or both have keys."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while not all((one, "connected") in self.states for one in connections):
                for raw in (self.publishing, self.subscribing):
                    if not raw.link.connected:
                        raw.link.check()
                await asyncio.sleep(CHECK_S)

    def packet(self, size: int = SIZE) -> bytes:
        """The next packet of the microphone, encrypted, stamped with the time."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + 960) & 0xFFFFFFFF
        header = HEADER.pack(0x80, self.plan.payload_type, self._sequence, self._timestamp, self.plan.ssrc)
        return self.publishing.link.protect(header + STAMP.pack(time.time()) + bytes(size - 8))

    def send(self) -> None:
        self.publishing.link.send(self.packet())
        self.sent += 1

    def heard(self) -> list[float]:
        """Latencies in seconds of all packets that came, each once."""
        return [at - STAMP.unpack_from(packet, stamp_at(packet))[0] for packet, at in self.subscribing.packets]

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self.publishing.close()
        self.subscribing.close()
        if not self.client.closed.is_set():
            await self.ask("leave")
        await self.client.close()


def stamp_at(packet: bytes) -> int:
    """Where the payload begins."""
    start = 12 + 4 * (packet[0] & 15)
    return start + 4 + 4 * int.from_bytes(packet[start + 2 : start + 4]) if packet[0] & 0x10 else start


class RawCall:
    """Two people in a room who send sound all the time, while somebody else misbehaves."""

    def __init__(self, one: RawPerson, two: RawPerson) -> None:
        self.people = (one, two)
        self._sending: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, worker: Worker, identity: Identity) -> RawCall:
        room = str(uuid7())
        people = [await RawPerson.join(worker, identity, room, name) for name in ("one", "two")]
        call = cls(people[0], people[1])
        for person in people:
            await person.publish()
        for person in people:
            await person.connected("publish", "subscribe")
        return call

    def begin(self) -> None:
        """Send from now on."""
        self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        due = time.monotonic()
        while True:
            for person in self.people:
                person.send()
            due += SOUND_S
            await asyncio.sleep(due - time.monotonic())

    async def end(self) -> tuple[int, list[float]]:
        """Stop, wait for what is on its way: (packets lost, latencies in seconds)."""
        assert self._sending is not None
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        sent = sum(person.sent for person in self.people)
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline and len(self._latencies()) < sent:
            await asyncio.sleep(0.02)
        latencies = self._latencies()
        return sent - len(latencies), latencies

    def _latencies(self) -> list[float]:
        return [latency for person in self.people for latency in person.heard()]

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
        for person in self.people:
            await person.close()


def stranger(port: int) -> socket.socket:
    """A socket that no connection knows."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made
