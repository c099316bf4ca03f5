"""Hostile traffic into a real worker: dropped, counted by reason, limited; a call beside it notices nothing."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from pylibsrtp import Error

from core.ids import uuid7
from loadtests.media_link import Identity
from media import stun
from media.rtp import rtcp
from tests.media.conftest import Worker
from tests.media.raw import RawCall, RawPerson, stranger

pytestmark = pytest.mark.integration

TICK_S = 0.01
SLOW_S = 0.3  # the 99th percentile of forwarding on a busy test machine; a stalled worker is far beyond
PER_SECOND = 10_000
MAX_MBIT_S = 32  # what a worker takes of one connection

Undisturbed = Callable[[], AbstractAsyncContextManager[Counter[str]]]


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Identity()


@pytest.fixture
def undisturbed(worker: Worker, identity: Identity) -> Undisturbed:
    """``async with undisturbed() as dropped``: a call goes on meanwhile, without loss, and drops are counted."""

    @asynccontextmanager
    async def watch() -> AsyncIterator[Counter[str]]:
        call = await RawCall.start(worker, identity)
        dropped: Counter[str] = Counter()
        try:
            before, before_kernel = await drops(call), overflowed(worker.port)
            call.begin()
            await asyncio.sleep(0.2)
            yield dropped
            lost, latencies = await call.end()
            after = await drops(call)
            dropped.update({reason: after[reason] - before[reason] for reason in after})
        finally:
            await call.close()
        # A machine that gives the worker no core for a while overflows its socket: that is not the worker's loss.
        starved = overflowed(worker.port) - before_kernel + dropped["overload"]
        assert lost <= starved
        assert sorted(latencies)[int(len(latencies) * 0.99)] < SLOW_S
        assert worker.alive

    return watch


def overflowed(port: int) -> int:
    """Datagrams the kernel dropped because the worker's socket was full."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            return int(fields[-1])
    raise AssertionError("the worker's socket is gone")


async def drops(call: RawCall) -> Counter[str]:
    return Counter((await call.people[0].ask("stats"))["drops"])


async def flood(send: Callable[[], object], per_second: int, seconds: float) -> int:
    """Send evenly for so long: how many went out."""
    sent, begin = 0, time.monotonic()
    while (elapsed := time.monotonic() - begin) < seconds:
        while sent < elapsed * per_second:
            try:
                send()
            except (BlockingIOError, ConnectionRefusedError):
                break
            sent += 1
        await asyncio.sleep(TICK_S)
    return sent


async def connected(worker: Worker, identity: Identity, name: str) -> RawPerson:
    """Somebody in a room of their own with a listener, connected."""
    person = await RawPerson.join(worker, identity, str(uuid7()), name)
    await person.publish()
    await person.connected("publish")
    return person


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.02)


def nonsense(chance: random.Random, ufrag: str, secret: bytes) -> Iterator[bytes]:
    """Truncated, random and half right packets of every protocol on the port."""
    check = stun.binding_request(chance.randbytes(12), "them", ufrag, secret, nominate=True)
    handshake = b"\x16\xfe\xff" + bytes(8) + b"\x00\x30" + chance.randbytes(48)
    report = rtcp.receiver_report(1, []) + rtcp.nack(1, 2, list(range(16)))
    while True:
        yield b"\x80" + chance.randbytes(chance.randrange(60))
        yield bytes((0x80 | chance.randrange(64), chance.randrange(256))) + chance.randbytes(chance.randrange(1400))
        yield report[: chance.randrange(1, len(report))]
        yield b"\x80" + bytes((chance.randrange(192, 224),)) + chance.randbytes(chance.randrange(100))
        yield check[: chance.randrange(len(check))]
        broken = bytearray(check)
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        yield bytes(broken)
        yield b"\x00\x01\x00\x08" + stun.MAGIC_BYTES + chance.randbytes(20)
        yield handshake[: chance.randrange(1, len(handshake))]
        yield bytes((chance.randrange(20, 64),)) + chance.randbytes(chance.randrange(200))
        yield bytes((chance.randrange(256),))
        yield b""


async def test_nonsense_of_every_kind_from_a_stranger(
    worker: Worker, identity: Identity, undisturbed: Undisturbed
) -> None:
    chance = random.Random(11)
    async with undisturbed() as dropped:
        outside = stranger(worker.port)
        victim = await connected(worker, identity, "v")
        remote = victim.publishing.link._remote
        assert remote is not None
        packets = nonsense(chance, remote.ufrag, b"guessed-password-of-somebody")
        sent = await flood(lambda: outside.send(next(packets)), 2_000, 1.5)
        with pytest.raises(BlockingIOError):
            outside.recv(2048)  # not one answer
        outside.close()
        await victim.close()
    assert sent > 1_000
    assert {reason for reason in ("stranger", "stun_malformed", "stun_refused", "unknown") if dropped[reason] > 0} == {
        "stranger",
        "stun_malformed",
        "stun_refused",
        "unknown",
    }


async def test_nonsense_of_every_kind_from_a_participant(
    worker: Worker, identity: Identity, undisturbed: Undisturbed
) -> None:
    chance = random.Random(12)
    async with undisturbed() as dropped:
        somebody = await connected(worker, identity, "p")
        link = somebody.publishing.link
        remote = link._remote
        assert remote is not None
        packets = nonsense(chance, remote.ufrag, b"guessed-password-of-somebody")
        await flood(lambda: link.send(next(packets)), 2_000, 1.0)
        # The same, rightly encrypted: what a hostile client can do with its own keys.
        for _ in range(300):
            body = rtcp.receiver_report(1, []) + bytes(chance.choices(range(256), k=4 * chance.randrange(40)))
            link.send(link.protect_rtcp(body))
            header = bytes((chance.choice((0x90, 0xB0, 0x80, 0x83)), chance.randrange(128))) + chance.randbytes(10)
            extension = chance.choice((b"\xbe\xde\x00\x04", b"\x10\x00\x00\x03")) + chance.randbytes(16)
            with contextlib.suppress(Error):  # what libsrtp does not even encrypt, it does not decrypt
                link.send(link.protect(header + extension + chance.randbytes(chance.randrange(60))))
        somebody.send()
        async with asyncio.timeout(10):
            while (await somebody.ask("stats"))["rooms"][somebody.room]["p"]["packets_in"] == 0:
                somebody.send()
                await asyncio.sleep(0.05)
        assert ("publish", "failed") not in somebody.states
        await somebody.close()
    assert dropped["srtp"] > 100
    assert dropped["srtcp"] > 100
    assert dropped["rtcp_malformed"] + dropped["rtp_malformed"] + dropped["unrouted"] > 100


async def test_replayed_and_forged_packets_reach_nobody(
    worker: Worker, identity: Identity, undisturbed: Undisturbed
) -> None:
    async with undisturbed() as dropped:
        somebody = await connected(worker, identity, "s")
        listener = await RawPerson.join(worker, identity, somebody.room, "l")
        await listener.connected("subscribe")
        link = somebody.publishing.link
        recorded = [somebody.packet() for _ in range(60)]
        for packet in recorded:
            link.send(packet)
        await until(lambda: len(listener.subscribing.packets) == len(recorded))
        report = link.protect_rtcp(rtcp.receiver_report(1, []))
        for packet in recorded:
            link.send(packet)
            forged = bytearray(packet)
            forged[3] ^= 0x80  # a number never seen, the proof of another
            link.send(bytes(forged))
            link.send(report)
        link.send(somebody.packet())  # behind them: when it is there, they were looked at
        await until(lambda: len(listener.subscribing.packets) > len(recorded))
        assert len(listener.subscribing.packets) == len(recorded) + 1
        await listener.close()
        await somebody.close()
    assert dropped["srtp"] >= 2 * len(recorded)
    assert dropped["srtcp"] >= len(recorded) - 1


async def test_ten_thousand_packets_a_second_from_a_stranger(worker: Worker, undisturbed: Undisturbed) -> None:
    chance = random.Random(13)
    async with undisturbed() as dropped:
        outside = stranger(worker.port)
        packet = b"\x80\x6f" + chance.randbytes(200)
        sent = await flood(lambda: outside.send(packet), PER_SECOND, 2.0)
        outside.close()
    assert sent > PER_SECOND
    assert dropped["stranger"] > sent * 0.9


@pytest.mark.parametrize("size", [100, 1200])
async def test_ten_thousand_packets_a_second_from_a_participant(
    worker: Worker, identity: Identity, undisturbed: Undisturbed, size: int
) -> None:
    async with undisturbed() as dropped:
        somebody = await connected(worker, identity, "f")
        listener = await RawPerson.join(worker, identity, somebody.room, "l")
        await listener.connected("subscribe")
        seconds = 2.0
        sent = await flood(lambda: somebody.publishing.link.send(somebody.packet(size)), PER_SECOND, seconds)
        await asyncio.sleep(0.3)
        through = len(listener.subscribing.packets) * (size + 12) * 8 / 1e6
        await listener.close()
        await somebody.close()
    assert sent > PER_SECOND * seconds * 0.5
    assert dropped["over_rate"] > 0
    assert through < MAX_MBIT_S * seconds * 1.2


async def test_a_recorded_check_moves_nobody_and_a_new_one_does(
    worker: Worker, identity: Identity, undisturbed: Undisturbed
) -> None:
    async with undisturbed() as dropped:
        somebody = await connected(worker, identity, "s")
        listener = await RawPerson.join(worker, identity, somebody.room, "l")
        await listener.connected("subscribe")
        link = listener.subscribing.link
        recorded = [link.binding_request() for _ in range(5)]
        for check in recorded:
            link.send(check)
        somebody.send()
        await until(lambda: len(listener.subscribing.packets) == 1)
        thief = stranger(worker.port)
        for _ in range(20):
            for check in recorded:
                thief.send(check)
        for _ in range(30):
            somebody.send()
        await until(lambda: len(listener.subscribing.packets) == 31)
        with pytest.raises(BlockingIOError):
            thief.recv(2048)
        # The person's own new address: one check of a new transaction, and media goes there.
        thief.send(link.binding_request())
        await until(lambda: answered(thief))
        somebody.send()
        await until(lambda: any(stamp_of_media(thief)))
        assert len(listener.subscribing.packets) == 31
        thief.close()
        await listener.close()
        await somebody.close()
    assert dropped["stun_replayed"] == 100


def answered(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(2048)[:2] == b"\x01\x01")
    except BlockingIOError:
        return False


def stamp_of_media(sock: socket.socket) -> Iterator[bool]:
    while True:
        try:
            yield 127 < sock.recv(2048)[0] < 192
        except BlockingIOError:
            return


async def test_a_wrong_fingerprint_gets_no_keys(worker: Worker, identity: Identity, undisturbed: Undisturbed) -> None:
    async with undisturbed():
        liar = await RawPerson.join(worker, identity, str(uuid7()), "liar")
        await liar.publish(fingerprint=":".join(["AB"] * 32))
        async with asyncio.timeout(20):
            while ("publish", "failed") not in liar.states:
                liar.publishing.link.check()
                await asyncio.sleep(0.05)
        assert ("publish", "connected") not in liar.states
        stats = (await liar.ask("stats"))["rooms"][liar.room]["liar"]
        assert stats["packets_in"] == 0
        await liar.close()
