"""What comes over a bare connection: bodies that dribble in, headers that would split, lengths that disagree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from core.http import parsing

pytestmark = pytest.mark.integration

Client = TestClient[web.Request, web.Application]
SLOW = 40


@asynccontextmanager
async def bare(client: Client) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer_to(client: Client, request: bytes) -> bytes:
    """All that comes back on a connection of its own."""
    async with bare(client) as (reader, writer), asyncio.timeout(10):
        writer.write(request)
        return await reader.read(65_536)


async def test_bodies_that_dribble_in_are_cut_off_and_hold_nobody_up(
    client: Client, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "BODY_TIMEOUT_S", 1.0)
    head = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Type": "application/json"}.items())
    request = f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 500\r\n\r\n".encode()

    async def dribble() -> bytes:
        async with bare(client) as (reader, writer), asyncio.timeout(20):
            writer.write(request)
            answer = asyncio.create_task(reader.read(65_536))
            while not answer.done():
                writer.write(b" ")
                await asyncio.wait([answer], timeout=0.1)
            return answer.result()

    slow = [asyncio.create_task(dribble()) for _ in range(SLOW)]
    took = []
    while not all(each.done() for each in slow):
        began = time.monotonic()
        assert (await client.get("/api/v1/search")).status == 200
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.02)
    for each in slow:
        assert each.result().startswith(b"HTTP/1.1 408 "), each.result()[:80]
    assert sorted(took)[len(took) // 2] < 0.5, "others are served meanwhile"


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /api/v1/search%0d%0aSet-Cookie:%20stolen=1 HTTP/1.1",
        "GET /api/v1/search?limit=5%0d%0aSet-Cookie:%20stolen=1 HTTP/1.1",
        "GET /%0d%0aSet-Cookie:%20stolen=1 HTTP/1.1",
        "GET /api/v1/search HTTP/1.1\r\nX-Request-Id: abcdefgh%0d%0aSet-Cookie:stolen=1",
        "GET /api/v1/search HTTP/1.1\r\nX-Request-Id: abcdefgh\rSet-Cookie: stolen=1",
        "GET /api/v1/search HTTP/1.1\r\nX-Request-Id: abcdefgh\nSet-Cookie: stolen=1",
    ],
)
async def test_nothing_sent_becomes_a_header_of_the_answer(client: Client, request_line: str) -> None:
    request = f"{request_line}\r\nHost: x\r\nConnection: close\r\n\r\n"
    head = (await answer_to(client, request.encode())).partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.")
    assert b"stolen" not in head.lower(), head


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 50",
        "Content-Length: -5",
        "Content-Length: +5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
    ],
)
async def test_a_request_whose_length_is_in_doubt_is_refused(client: Client, lengths: str) -> None:
    hidden = b"0\r\n\r\nGET /api/v1/search HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head = f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lengths}\r\n\r\n".encode()
    answer = await answer_to(client, head + hidden)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer[:80]
    assert b" 200 " not in answer, "nothing hidden behind it was answered"
