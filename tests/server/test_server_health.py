"""The administrator's health page over the real demonstration, with parts taken away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import socketio
from server_process import Demonstration

pytestmark = pytest.mark.integration

NAMES = ["database", "redis", "media", "mail", "facts", "troubled facts", "audit trail"]


@pytest.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demonstration]:
    running = Demonstration(tmp_path_factory.mktemp("health"))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def session(demo: Demonstration) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(demo.url, timeout=aiohttp.ClientTimeout(total=30)) as opened:
        yield opened


async def health(session: aiohttp.ClientSession, headers: dict[str, str]) -> dict[str, Any]:
    async with session.get("/api/v1/admin/health", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


def failed(found: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["detail"] for each in found["checks"] if each["status"] == "failed"}


async def health_when(session: aiohttp.ClientSession, headers: dict[str, str], condition: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while not condition(found := await health(session, headers)):
            await asyncio.sleep(0.1)
    return found


async def test_only_an_administrator_sees_it(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    async with session.get("/api/v1/admin/health") as answer:
        assert answer.status == 401
    for email in ("patient", "doctor", "desk"):
        headers = await demo.sign_in(session, f"{email}@demo.bedside")
        async with session.get("/api/v1/admin/health", headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, "forbidden")


async def test_all_is_well_and_counted(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    headers = await demo.sign_in(session, "admin@demo.bedside")
    found = await health_when(session, headers, lambda found: not failed(found))
    assert [each["name"] for each in found["checks"]] == NAMES
    [worker] = found["workers"]
    assert worker.keys() == {"id", "rooms", "participants", "load", "capacity", "draining", "quality"}
    assert worker["quality"]["loss_in"] == worker["quality"]["frozen"] == 0
    assert (found["calls"], found["waiting"]) == (0, 0)

    patient = await demo.sign_in(session, "patient@demo.bedside")
    doctor = await demo.sign_in(session, "doctor@demo.bedside")
    visit = await open_visit(session, patient)
    async with socketio.AsyncSimpleClient() as waiting, socketio.AsyncSimpleClient() as calling:
        for client, who in ((waiting, patient), (calling, doctor)):
            async with session.get(f"/api/v1/appointments/{visit}/video-token", headers=who) as answer:
                token = (await answer.json())["token"]
            await client.connect(demo.url, namespace="/consultation", auth={"token": token}, transports=["websocket"])
        assert (await waiting.call("waiting.enter", {}))["ok"]
        assert (await calling.call("call.join", {}))["ok"]
        found = await health_when(session, headers, lambda found: found["workers"][0]["rooms"] == 1)
        assert (found["calls"], found["waiting"]) == (1, 1)
        assert (await waiting.call("waiting.leave", {}))["ok"]
        assert (await calling.call("call.leave", {}))["ok"]
    await health_when(session, headers, lambda found: (found["calls"], found["waiting"]) == (0, 0))


async def open_visit(session: aiohttp.ClientSession, headers: dict[str, str]) -> str:
    """The demonstration's visit that is open now."""
    async with session.get("/api/v1/appointments?limit=100&date=today", headers=headers) as answer:
        for each in (await answer.json())["items"]:
            async with session.get(f"/api/v1/appointments/{each['id']}/video-token", headers=headers) as token:
                if token.status == 200:
                    return str(each["id"])
    raise AssertionError("no visit is open")


async def test_a_silent_mail_server_is_named_and_nothing_else_suffers(
    demo: Demonstration, session: aiohttp.ClientSession
) -> None:
    headers = await demo.sign_in(session, "admin@demo.bedside")
    catcher = demo.pid_of("mail-catcher")
    assert catcher is not None
    os.kill(catcher, signal.SIGSTOP)
    try:
        found = await health_when(session, headers, failed)
        assert failed(found).keys() == {"mail"}
        booked = await book(demo, session)
        assert booked["status"] == "booked"
        assert await demo.ready()
        patient = await demo.sign_in(session, "khady.gueye@demo.bedside")
        async with asyncio.timeout(20):
            while not await notice_of(session, patient, booked["id"]):
                await asyncio.sleep(0.1)
        assert failed(await health(session, headers)).keys() == {"mail"}
    finally:
        os.kill(catcher, signal.SIGCONT)
    await health_when(session, headers, lambda found: not failed(found))
    async with asyncio.timeout(60):
        while not await mailed(session, headers, "khady.gueye@demo.bedside"):
            await asyncio.sleep(0.2)


async def book(demo: Demonstration, session: aiohttp.ClientSession) -> dict[str, Any]:
    patient = await demo.sign_in(session, "khady.gueye@demo.bedside")
    async with session.get("/api/v1/providers?limit=5") as answer:
        provider = (await answer.json())["items"][-1]
    sent = {"practitioner_id": provider["id"], "start": provider["next_slots"][-1]["start"], "reason": "Cough"}
    async with session.post("/api/v1/appointments", json=sent, headers=patient) as answer:
        assert answer.status == 201, await answer.text()
        return dict(await answer.json())


async def notice_of(session: aiohttp.ClientSession, headers: dict[str, str], appointment_id: str) -> bool:
    async with session.get("/api/v1/notifications", headers=headers) as answer:
        return any(each["link"] == f"/visits/{appointment_id}" for each in (await answer.json())["items"])


async def mailed(session: aiohttp.ClientSession, headers: dict[str, str], to: str) -> bool:
    async with session.get("/api/v1/demo/mail", headers=headers) as answer:
        return any(each["to"] == to for each in (await answer.json())["items"])


async def test_a_missing_media_worker_is_named(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    headers = await demo.sign_in(session, "admin@demo.bedside")
    worker = demo.pid_of("media-worker")
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)  # alive for the supervisor, so it is not replaced; silent for the registry
    try:
        found = await health_when(session, headers, failed)
        assert failed(found) == {"media": "no media worker is registered: visits have chat but no picture"}
        assert found["workers"] == []
        assert await demo.ready(), "everything but the picture works"
    finally:
        os.kill(worker, signal.SIGCONT)
    await health_when(session, headers, lambda found: not failed(found) and found["workers"])
