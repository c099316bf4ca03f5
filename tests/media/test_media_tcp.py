"""ICE-TCP: whole calls over it, both paths; and everything a TCP client can do wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator

import pytest
from aioice import stun as reference

from core.ids import uuid7
from media import stream, streams
from media.connection import Connection
from media.dtls import Certificate
from media.path.api import StreamAddress
from media.stun import binding_request
from media.transport import UdpTransport
from tests.media.conftest import MakePerson, Person, Worker
from tests.media.frames import Framed, Shim
from tests.media.paths import AUDIO_TYPE, World, rtp


@pytest.fixture
async def shim(worker: Worker) -> AsyncIterator[Shim]:
    made = Shim(worker.port)
    await made.start()
    yield made
    await made.close()


def over(person: Person, shim: Shim) -> None:
    """This person's packets go over TCP from now on."""
    lead, publish, offered = shim.through(), person._publish, person.caller.on_offer

    async def publishing(sdp: str, tracks: list[dict[str, str]]) -> str:
        return lead(await publish(sdp, tracks))

    async def offering(offer: dict[str, object]) -> None:
        await offered({**offer, "sdp": lead(str(offer["sdp"]))})

    person.caller._publish = publishing
    person.caller.on_offer = offering  # type: ignore[method-assign]  # one person's alone


@pytest.mark.integration
@pytest.mark.parametrize("also", [True, False], ids=["both over TCP", "one over UDP"])
async def test_a_call_over_tcp(person: MakePerson, worker: Worker, shim: Shim, also: bool) -> None:
    room = str(uuid7())
    patient, doctor = await person(room, "patient"), await person(room, "doctor")
    for each in (patient, doctor) if also else (patient,):
        over(each, shim)
    for each in (patient, doctor):
        await each.ask("join")
        await each.caller.start()
    for each in (patient, doctor):
        await each.caller.received(tracks=2, frames=25)
    assert len(shim.connections) >= (4 if also else 2)  # a connection to publish, one to subscribe
    offer = await doctor.event("offer")
    assert f" {worker.port} typ host tcptype passive" in offer["sdp"]


# A worker's sockets in this process


@pytest.fixture
async def transport(media_path: str) -> AsyncIterator[UdpTransport]:
    made = UdpTransport(Certificate(), time.monotonic, media_path)
    made.open("127.0.0.1", 0)
    yield made
    await made.close()


def check(connection: Connection) -> bytes:
    credentials = connection.credentials
    return binding_request(os.urandom(12), "client", credentials.ufrag, credentials.secret, nominate=True)


async def dropped(transport: UdpTransport, reason: str, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while transport.drops[reason] < count:
            await asyncio.sleep(0.01)


async def test_a_check_in_pieces_is_answered_and_the_same_udp_port_is_another_place(transport: UdpTransport) -> None:
    connection = Connection(transport, time.monotonic())
    client = await Framed.connect(transport.port)
    local = client.writer.get_extra_info("sockname")
    frame = check(connection)
    for byte in len(frame).to_bytes(2) + frame:
        client.writer.write(bytes((byte,)))
        await client.writer.drain()
    answer = reference.parse_message(await client.receive())
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == local
    assert isinstance(connection.address, StreamAddress)
    assert connection.address[:2] == local
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(local)
        udp.sendto(b"\x80\x6f" + bytes(20), ("127.0.0.1", transport.port))
    await dropped(transport, "stranger")
    client.send(b"\x80\x6f" + bytes(20))
    await dropped(transport, "before_dtls")
    await client.close()
    async with asyncio.timeout(5):
        while connection.address is not None:  # its place is gone with its TCP connection
            await asyncio.sleep(0.01)
    connection.close()


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"\x00\x01" + b"\x40" * 3, None),  # a frame of one byte, then lengths out of nowhere
        (b"\xff\xff" + bytes(40), "tcp_oversized"),
        (b"\x00\x04GET ", "tcp_not_stun"),
        (b"\x00\x14\x16\xfe\xfd" + bytes(17), "tcp_not_stun"),  # DTLS before any check
        (b"\x00\x10\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(10), "tcp_silent"),  # half a check
        (b"", "tcp_silent"),
    ],
)
async def test_who_proves_nothing_is_cut(
    transport: UdpTransport, monkeypatch: pytest.MonkeyPatch, first: bytes, reason: str | None
) -> None:
    monkeypatch.setattr(streams, "PROVE_S", 0.2)
    client = await Framed.connect(transport.port)
    client.writer.write(first)
    assert await client.cut()
    assert len(transport.streams) == 0
    if reason is not None:
        assert transport.drops[reason] == 1
    await client.close()


async def test_who_sends_a_check_byte_by_byte_has_no_longer(
    transport: UdpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PROVE_S", 0.2)
    connection = Connection(transport, time.monotonic())
    client = await Framed.connect(transport.port)
    frame = check(connection)
    began = time.monotonic()
    cut = asyncio.create_task(client.cut())
    for byte in len(frame).to_bytes(2) + frame:
        if cut.done():
            break
        client.writer.write(bytes((byte,)))
        await asyncio.sleep(0.1)
    assert await cut
    assert time.monotonic() - began < 0.2 + 2 * streams.LOOK_S
    assert transport.drops["tcp_silent"] == 1
    assert connection.address is None
    connection.close()
    await client.close()


async def test_who_proved_itself_and_stops_in_the_middle_of_a_frame_is_cut(
    transport: UdpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CONSENT_S", 0.2)
    connection = Connection(transport, time.monotonic())
    client = await Framed.connect(transport.port)
    client.send(check(connection))
    await client.receive()
    client.writer.write(b"\x04\x00\x80")  # a kilobyte is announced, and never comes
    assert await client.cut()
    assert transport.drops["tcp_no_consent"] == 1
    assert connection.address is None
    connection.close()
    await client.close()


async def test_checks_that_prove_nothing_are_not_answered_for_long(transport: UdpTransport) -> None:
    connection = Connection(transport, time.monotonic())
    client = await Framed.connect(transport.port)
    for _ in range(stream.MOST_REFUSED):
        client.send(binding_request(os.urandom(12), "client", connection.credentials.ufrag, b"guess", nominate=True))
    assert await client.cut()
    assert transport.drops["tcp_refused"] == 1
    assert connection.address is None
    connection.close()
    await client.close()


async def test_framing_that_lies_ends_a_proven_connection_and_no_other(transport: UdpTransport) -> None:
    liar, honest = (Connection(transport, time.monotonic()) for _ in range(2))
    clients = [await Framed.connect(transport.port) for _ in range(2)]
    for client, connection in zip(clients, (liar, honest), strict=True):
        client.send(check(connection))
        await client.receive()
    clients[0].writer.write(b"\x00\x03" + b"\x80" * 40)  # three bytes announced; what follows is no length
    assert await clients[0].cut()
    assert liar.address is None
    clients[1].send(check(honest))
    await clients[1].receive()
    assert honest.address is not None
    for connection in (liar, honest):
        connection.close()
    for client in clients:
        await client.close()


async def test_a_thousand_connections_of_one_address(transport: UdpTransport) -> None:
    connection = Connection(transport, time.monotonic())
    early = await Framed.connect(transport.port)
    early.send(check(connection))
    await early.receive()
    crowd = []
    for _ in range(1000):
        client = socket.socket()
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(("127.0.0.1", transport.port))
        crowd.append(client)
        if len(crowd) % 50 == 0:
            await asyncio.sleep(0)
    await dropped(transport, "tcp_too_many", 1000 - streams.MOST_UNPROVEN_OF_ADDRESS)
    assert len(transport.streams) == 1 + streams.MOST_UNPROVEN_OF_ADDRESS
    early.send(check(connection))
    await early.receive()  # who was there goes on
    for client in crowd:
        client.close()
    async with asyncio.timeout(5):
        while len(transport.streams) > 1:
            await asyncio.sleep(0.01)
    late = await Framed.connect(transport.port)
    late.send(check(connection))
    await late.receive()
    connection.close()
    for each in (early, late):
        await each.close()


async def test_one_person_has_few_connections_and_the_oldest_go(transport: UdpTransport) -> None:
    connection = Connection(transport, time.monotonic())
    clients = [await Framed.connect(transport.port) for _ in range(streams.MOST_OF_CONNECTION + 1)]
    for client in clients:
        client.send(check(connection))
        await client.receive()
    assert await clients[0].cut()
    assert len(transport.streams) == streams.MOST_OF_CONNECTION
    connection.close()
    assert await clients[-1].cut()  # all of them, once the person has gone
    for client in clients:
        await client.close()


async def test_who_does_not_read_loses_pictures_before_sound(
    transport: UdpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(transport.streams, "now", lambda: now)
    connection = Connection(transport, now)
    client = await Framed.connect(transport.port)
    client.send(check(connection))
    await client.receive()
    assert connection.address is not None
    connection.pictures.add(2)
    picture, sound = (rtp(ssrc, 1, bytes(1000), kind=AUDIO_TYPE) for ssrc in (2, 1))
    held = 0
    while not transport.drops["tcp_late"]:  # until the kernel takes no more, and what waits gets old
        for _ in range(20):
            transport.send(picture, connection.address)
            held += 1
        transport.send(sound, connection.address)
        now += 0.02
        await asyncio.sleep(0)
        assert held < 200_000
    before = transport.drops["tcp_late"]
    read: list[bytes] = []
    for _ in range(30):
        transport.send(sound, connection.address)
    now += stream.PICTURES_LATE_S + 0.1
    while read.count(sound) < 30 or read[-1] != sound:
        read.append(await client.receive())
    assert transport.drops["tcp_late"] > before
    assert read.count(picture) < held
    connection.close()
    await client.close()


# The paths alone


def test_media_between_a_tcp_connection_and_udp(media_path: str) -> None:
    world = World(media_path)
    world.sender.link.move(StreamAddress("127.0.0.1", 4000, 7))
    world.receivers[0].link.move(StreamAddress("127.0.0.1", 4000, 8))
    for number in range(3):
        data = world.sender._send.protect(rtp(world.AUDIO, number, b"sound %d" % number, kind=AUDIO_TYPE))
        world.path.receive(data, StreamAddress("127.0.0.1", 4000, 7), world.now)
    world.path.flush()
    assert [stream for stream, _ in world.streamed] == [8, 8, 8]
    plain = [world.receivers[0]._receive.unprotect(packet)[-7:] for _, packet in world.streamed]
    assert plain == [b"sound 0", b"sound 1", b"sound 2"]
    assert [packet.payload for packet in world.receivers[1].packets()] == plain
    world.path.receive(data, StreamAddress("127.0.0.1", 4000, 9), world.now)  # another connection, the same port
    assert world.path.drops["stranger"] == 1
    world.close()
