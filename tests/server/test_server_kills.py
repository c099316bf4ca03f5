"""SIGKILL of each part while people book and talk: the call comes back, no answered booking is lost, no fact twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from server_process import Demonstration, run

from loadtests.peer import stay_on_loopback
from loadtests.visitor import Visitor

pytestmark = pytest.mark.integration

PARTS = {
    "server": "server serve",
    "media worker": "media-worker",
    "PostgreSQL": "/postgres ",
    "Valkey": "valkey",
}
BOOKED_BEFORE, BOOKED_AFTER = 3, 2
PATIENT = "khady.gueye@demo.bedside"


@pytest.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demonstration]:
    stay_on_loopback()
    running = Demonstration(tmp_path_factory.mktemp("kills"))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as opened:
        yield opened


@pytest.fixture
async def talking(demo: Demonstration) -> AsyncIterator[list[Visitor]]:
    """Two people in a call, each hearing and seeing the other."""
    code, out, error = await run("loadtest", "provision", "--calls", "1", "--people", "2", env=demo.env)
    assert code == 0, error
    visitors = [Visitor(demo.url, each["token"]) for each in json.loads(out)[0]["participants"]]
    for visitor in visitors:
        await visitor.connect()
        await visitor.join(media=True)
    for visitor in visitors:
        await both_ways(visitor)
    yield visitors
    for visitor in visitors:
        await visitor.close()


async def both_ways(visitor: Visitor, more_frames: int = 10, timeout_s: float = 30.0) -> None:
    """Wait until the visitor has got that many more frames of sound and of picture (by any connection)."""
    seen: dict[str, int] | None = None
    caller: Any = None
    async with asyncio.timeout(timeout_s):
        while True:
            if visitor.caller is not caller:
                caller, seen = visitor.caller, None
            if caller is not None:
                seen = dict(caller.frames) if seen is None else seen
                grown = [track for track, count in caller.frames.items() if count - seen.get(track, 0) >= more_frames]
                if len(grown) >= 2:
                    return
            await asyncio.sleep(0.05)


async def book(
    demo: Demonstration, session: aiohttp.ClientSession, headers: dict[str, str], slots: list[tuple[str, str]]
) -> list[str]:
    """Try the slots one after the other; ids of those that were answered 201."""
    answered = []
    for practitioner, start in slots:
        try:
            async with session.post(
                f"{demo.url}/api/v1/appointments",
                json={"practitioner_id": practitioner, "start": start, "reason": "Fever"},
                headers=headers,
            ) as answer:
                if answer.status == 201:
                    answered.append((await answer.json())["id"])
                else:
                    assert answer.status in (503, 409), await answer.text()
        except aiohttp.ClientError:
            continue  # the server died with it: nothing was promised
    return answered


async def items(demo: Demonstration, session: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> list[Any]:
    async with session.get(f"{demo.url}/api/v1{path}", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return list((await answer.json())["items"])


async def until_equal(wanted: dict[str, int], counted: Any, timeout_s: float = 30.0) -> None:
    """Wait until ``await counted()`` is ``wanted``; more than wanted fails at once."""
    found: dict[str, int] = {}
    deadline = asyncio.get_running_loop().time() + timeout_s
    while asyncio.get_running_loop().time() < deadline:
        found = await counted()
        if found == wanted:
            return
        assert all(found.get(key, 0) <= count for key, count in wanted.items()), found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found} is not {wanted}")


@pytest.mark.parametrize("part", PARTS)
async def test_a_kill_during_a_call_and_bookings(
    demo: Demonstration, session: aiohttp.ClientSession, talking: list[Visitor], part: str
) -> None:
    headers = await demo.sign_in(session, PATIENT)
    providers = await items(demo, session, "/providers?limit=50", {})
    slots = [(each["id"], slot["start"]) for each in providers for slot in each["next_slots"]]
    answered = await book(demo, session, headers, slots[:BOOKED_BEFORE])
    before = demo.pid_of(PARTS[part])
    assert before is not None
    os.kill(before, signal.SIGKILL)
    answered += await book(demo, session, headers, slots[BOOKED_BEFORE : BOOKED_BEFORE + BOOKED_AFTER])
    await demo.healed(PARTS[part], before)

    # The call: picture and sound both ways, then chat.
    for visitor in talking:
        await both_ways(visitor)
    first, second = talking
    text = f"Still here after {part}"
    await first.call("chat.send", client_id=part, text=text, audience="all")
    await second.until(lambda event, payload: event == "chat.message" and payload["message"]["text"] == text)

    # The bookings: all there, each fact handled once.
    headers = await demo.sign_in(session, PATIENT)
    assert len(answered) >= BOOKED_BEFORE
    for each in answered:
        async with session.get(f"{demo.url}/api/v1/appointments/{each}", headers=headers) as answer:
            assert (await answer.json())["status"] == "booked"

    async def invoices() -> dict[str, int]:
        return {
            each: len(await items(demo, session, f"/billing/invoices?appointment_id={each}", headers))
            for each in answered
        }

    await until_equal(dict.fromkeys(answered, 1), invoices)

    async def notices() -> dict[str, int]:
        listed = await items(demo, session, "/notifications?limit=100", headers)
        return {
            each: sum(1 for notice in listed if notice["kind"] == "appointment.booked" and each in notice["link"])
            for each in answered
        }

    await until_equal(dict.fromkeys(answered, 1), notices)
    for each in answered:
        async with session.delete(f"{demo.url}/api/v1/appointments/{each}", headers=headers) as answer:
            assert answer.status == 200
