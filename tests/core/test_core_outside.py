"""Addresses that strangers give us: public networks alone, whatever names, redirects and answers say."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from core.outside import (
    MOST_BYTES,
    MOST_REDIRECTS,
    Outside,
    OutsideError,
    Reach,
    _NotPublic,
    _socket,
    is_public,
    parse_address,
)
from core.settings import SettingsError, load

STRICT, LOCAL = Reach(), Reach(http=True, private=True)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]

NOT_PUBLIC = (
    *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.100.100.200", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("192.0.2.1", "198.18.0.1", "168.63.129.16", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::"),
    *("2001:0:7f00:1::", "localhost", "", "127.1"),
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_inner_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "142.250.75.78", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "nonsense", "ftp://example.org/x", "file:///etc/passwd", "http://example.org/x", "https://"),
        *("https://user:secret@example.org/x", "https://user@example.org/x", "https://example.org:22/x"),
        *("https://example.org:99999/x", "https://127.0.0.1/x", "https://[::1]/x", "https://[fe80::1%25eth0]/x"),
        *("https://169.254.169.254/latest", "https://example.org/\r\nX: y", "gopher://example.org", "//example.org"),
        "https://example.org/" + "x" * 2000,
    ],
)
def test_addresses_that_are_refused_by_their_text(address: str) -> None:
    with pytest.raises(OutsideError, match="address_refused"):
        parse_address(address, STRICT)


def test_webcal_is_https_and_fragments_stay_here() -> None:
    assert str(parse_address(" webcal://calendar.example.org/a.ics?key=1#x ", STRICT)) == (
        "https://calendar.example.org/a.ics?key=1"
    )
    assert parse_address("https://calendar.example.org:8443/a.ics", STRICT).port == 8443


class Names(AbstractResolver):
    """A name server that gives one answer after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in found
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["::1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:7f00:1"]]
)
async def test_a_name_that_leads_inside_is_refused_before_any_packet(answer: list[str], serve: Serve) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        raise AssertionError("reached")

    await serve(never)
    names = Names(answer)
    with pytest.raises(OutsideError, match="address_refused"):
        await Outside(STRICT, names).get("https://calendar.example.org/a.ics")
    assert names.asked == 1


async def test_the_checked_address_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server's first answer is public and every later one is not: there is no later question."""
    connected: list[socket.AddressFamily] = []

    def no_socket(family: socket.AddressFamily, type: int, proto: int) -> socket.socket:
        connected.append(family)
        raise OSError("tests send nothing out")

    monkeypatch.setattr("core.outside.socket", SimpleNamespace(socket=no_socket))
    names = Names(["1.1.1.1"], ["127.0.0.1"])
    with pytest.raises(OutsideError, match="unreachable"):
        await Outside(STRICT, names).get("https://calendar.example.org/a.ics")
    assert (names.asked, connected) == (1, [socket.AF_INET])
    # And an inner address gets no socket, however it came here.
    with pytest.raises(_NotPublic):
        _socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443)), STRICT)
    assert len(connected) == 1


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """``await serve(handler)`` answers every path on a port of its own; the address."""
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        servers.append(TestServer(application))
        await servers[-1].start_server()
        return str(servers[-1].make_url("/"))

    yield start
    for server in servers:
        await server.close()


async def test_reads_a_body_and_asks_only_for_what_is_new(serve: Serve) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert "Cookie" not in request.headers
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304, headers={"ETag": '"1"'})
        return web.Response(body=b"text", headers={"ETag": '"1"', "Set-Cookie": "a=b"})

    address, outside = await serve(answer), Outside(LOCAL)
    fetched = await outside.get(address + "a.ics")
    assert (fetched.body, fetched.etag) == (b"text", '"1"')
    assert (await outside.get(address + "a.ics", etag=fetched.etag)).body is None


async def test_loopback_is_refused_where_it_is_not_allowed(serve: Serve) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        raise AssertionError("reached")

    address = await serve(never)
    port = address.rsplit(":", 1)[1].strip("/")
    for each in (address, f"http://localhost:{port}/", f"https://localhost:{port}/", "https://localhost/"):
        with pytest.raises(OutsideError, match="address_refused"):
            await Outside(STRICT).get(each)


def test_production_refuses_to_open_its_network() -> None:
    opened = {"BEDSIDE_CALENDARS_ALLOW_PRIVATE": "true"}
    assert load(environ=opened).calendars.allow_private
    with pytest.raises(SettingsError, match=r"calendars\.allow_private"):
        load(environ={**opened, "BEDSIDE_MODE": "production"})


async def test_redirects_are_followed_a_little_and_checked_each_time(serve: Serve) -> None:
    async def hop(request: web.Request) -> web.StreamResponse:
        left = int(request.path.strip("/"))
        return (
            web.Response(body=b"end") if left == 0 else web.Response(status=302, headers={"Location": f"/{left - 1}"})
        )

    address = await serve(hop)
    assert (await Outside(LOCAL).get(f"{address}{MOST_REDIRECTS}")).body == b"end"
    with pytest.raises(OutsideError, match="failed"):
        await Outside(LOCAL).get(f"{address}{MOST_REDIRECTS + 1}")
    for target in ("file:///etc/passwd", "ftp://example.org/", "https://a:b@example.org/"):

        async def away(request: web.Request, target: str = target) -> web.StreamResponse:
            return web.Response(status=301, headers={"Location": target})

        with pytest.raises(OutsideError, match="address_refused"):
            await Outside(LOCAL).get(await serve(away))


@pytest.mark.parametrize(
    ("status", "problem"), [(404, "not_found"), (410, "not_found"), (401, "refused"), (403, "refused"), (500, "failed")]
)
async def test_says_what_the_other_side_answered(serve: Serve, status: int, problem: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="secret words")

    with pytest.raises(OutsideError, match=f"^{problem}$"):
        await Outside(LOCAL).get(await serve(answer))


async def test_too_much_is_too_much_plain_or_packed(serve: Serve) -> None:
    bomb = gzip.compress(b"A" * (50 * MOST_BYTES))
    assert len(bomb) < MOST_BYTES / 10

    async def packed(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async def plain(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MOST_BYTES // 65536 + 2):
            await response.write(b"A" * 65536)
        return response

    for handler in (packed, plain):
        with pytest.raises(OutsideError, match="too_large"):
            await Outside(LOCAL).get(await serve(handler))


async def test_packed_bodies_are_unpacked_and_broken_ones_refused(serve: Serve) -> None:
    async def packed(request: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b"text"), headers={"Content-Encoding": "gzip"})

    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"text", headers={"Content-Encoding": "gzip"})

    async def unknown(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"text", headers={"Content-Encoding": "zstd"})

    assert (await Outside(LOCAL).get(await serve(packed))).body == b"text"
    for handler in (broken, unknown):
        with pytest.raises(OutsideError, match="failed"):
            await Outside(LOCAL).get(await serve(handler))


async def test_a_server_that_drips_is_left(serve: Serve) -> None:
    ended = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"A")
        await ended.wait()
        return response

    address = await serve(drip)
    with pytest.raises(OutsideError, match="too_slow"):
        await Outside(LOCAL, most_seconds=0.3).get(address)
    ended.set()


async def test_nobody_there_is_unreachable(unused_tcp_port: int) -> None:
    with pytest.raises(OutsideError, match="unreachable"):
        await Outside(LOCAL).get(f"http://127.0.0.1:{unused_tcp_port}/")
