"""IPv4 and IPv6 on one port: a worker bound to everything answers both, over UDP and TCP, in the asker's terms."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator

import pytest
from aioice import stun as reference

from media import sdp
from media.connection import Connection
from media.dtls import Certificate
from media.stun import binding_request
from media.transport import UdpTransport
from tests.media.frames import Framed

FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture
async def transport(media_path: str) -> AsyncIterator[UdpTransport]:
    made = UdpTransport(Certificate(), time.monotonic, media_path)
    made.open("::", 0)
    yield made
    await made.close()


def check(connection: Connection) -> bytes:
    credentials = connection.credentials
    return binding_request(os.urandom(12), "client", credentials.ufrag, credentials.secret, nominate=True)


@pytest.mark.parametrize("host", FAMILIES)
async def test_each_family_is_answered(transport: UdpTransport, host: str) -> None:
    connection = Connection(transport, time.monotonic())
    with socket.socket(FAMILIES[host], socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect((host, transport.port))
        client.send(check(connection))
        async with asyncio.timeout(5):
            data = await asyncio.get_running_loop().sock_recv(client, 1500)
        assert reference.parse_message(data).attributes["XOR-MAPPED-ADDRESS"] == client.getsockname()[:2]
        assert connection.address is not None
        transport.send(b"\x16 over the same way back", connection.address)
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().sock_recv(client, 1500) == b"\x16 over the same way back"
    framed = await Framed.connect(transport.port, host)
    framed.send(check(connection))
    answer = reference.parse_message(await framed.receive())
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == framed.writer.get_extra_info("sockname")[:2]
    await framed.close()
    connection.close()


async def test_relays_of_both_families_are_told_apart_from_others(transport: UdpTransport) -> None:
    transport.accept_only(["127.0.0.1/32"])
    for host, answered in (("127.0.0.1", True), ("::1", False)):
        connection = Connection(transport, time.monotonic())
        with socket.socket(FAMILIES[host], socket.SOCK_DGRAM) as client:
            client.connect((host, transport.port))
            before = transport.drops["not_a_relay"]
            client.send(check(connection))
            async with asyncio.timeout(5):
                while connection.address is None and transport.drops["not_a_relay"] == before:
                    await asyncio.sleep(0.01)
            assert (connection.address is not None) is answered
        connection.close()


def test_candidates_of_both_families() -> None:
    found = sdp.candidates([("192.0.2.1", 8189), ("2001:db8::1", 8189)], tcp=True)
    words = [each.split() for each in found]
    assert [(each[2], each[4]) for each in words] == [
        ("udp", "192.0.2.1"),
        ("udp", "2001:db8::1"),
        ("tcp", "192.0.2.1"),
        ("tcp", "2001:db8::1"),
    ]
    assert len({each[0] for each in words}) == 4
    priorities = [int(each[3]) for each in words]
    assert priorities == sorted(priorities, reverse=True)
    assert all(each[-2:] == ["tcptype", "passive"] for each in words[2:])
