"""Taking access away, over a whole demonstration: first those who may not, then how soon connections and calls end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from contract_clinic import Clinic, Line
from meeting import Meeting

WITHIN_S = 1.0


class Watched(Line):
    """A connection that knows when it was ended, and what it heard."""

    def __init__(self, client: Any, namespace: str) -> None:
        super().__init__(client, namespace)
        self.ended_at: float | None = None
        self.over = asyncio.Event()
        self.left = asyncio.Event()
        self.left_at: float | None = None
        client.on("disconnect", self._ended, namespace=namespace)
        client.on("call.participant", self._participant, namespace=namespace)

    async def _ended(self, *reason: Any) -> None:
        self.ended_at = time.monotonic()
        self.over.set()

    async def _participant(self, data: dict[str, Any]) -> None:
        if data["change"] == "left":
            self.left_at = time.monotonic()
            self.left.set()


@asynccontextmanager
async def watched(clinic: Clinic, namespace: str, token: str) -> AsyncIterator[Watched]:
    client = socketio.AsyncClient(reconnection=False)
    line = Watched(client, namespace)
    await client.connect(
        clinic.demo.url, namespaces=[namespace], auth={"token": token}, transports=["websocket"], wait_timeout=10
    )
    try:
        if namespace == "/consultation":
            await line.call("seat.take_over", {})
        yield line
    finally:
        await client.disconnect()


@pytest.fixture
async def apart(clinic: Clinic) -> Clinic:
    """The same house, and a visit of two people that no other test has to do with."""
    meeting = await Meeting.arrange(clinic.demo)
    made = Clinic(clinic.demo, clinic.session, dict(clinic.headers), dict(clinic.ids), meeting.appointment_id)
    for name, email in (("patient", meeting.patient), ("doctor", meeting.doctor)):
        made.headers[name] = await clinic.demo.sign_in(clinic.session, email)
        made.ids[name] = (await made.ask("GET", "/me", name)).json["id"]
    return made


def bearer(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


async def test_only_an_administrator_changes_roles_accounts_and_licences(clinic: Clinic) -> None:
    person, doctor = clinic.ids["other"], clinic.ids["doctor"]
    calls: list[tuple[str, str, Any]] = [
        ("PUT", f"/people/{person}/roles", {"roles": ["admin"]}),
        ("POST", f"/people/{person}/deactivate", None),
        ("POST", f"/people/{person}/activate", None),
        ("PUT", f"/practitioners/{doctor}/licence", {"verified": False}),
    ]
    for method, path, body in calls:
        assert (await clinic.ask(method, path, json=body)).status == 401, path
        for who in ("patient", "other", "doctor", "desk"):
            assert (await clinic.ask(method, path, who, json=body)).status == 403, (path, who)
    for who in ("patient", "doctor"):
        assert (await clinic.ask("GET", "/people", who)).status == 403
    admin = clinic.ids["admin"]
    for method, path, body in (
        ("PUT", f"/people/{admin}/roles", {"roles": ["patient"]}),
        ("POST", f"/people/{admin}/deactivate", None),
    ):
        assert (await clinic.ask(method, path, "admin", json=body)).code == "not_yourself"
    for wrong in ({"roles": []}, {"roles": ["king"]}, {"roles": ["desk", "desk"]}, {"roles": ["anonymous"]}, {}):
        assert (await clinic.ask("PUT", f"/people/{person}/roles", "admin", json=wrong)).status == 400, wrong
    for wrong in ({"verified": True, "expires_on": "2000-01-01"}, {"verified": False, "published": True}, {}):
        assert (await clinic.ask("PUT", f"/practitioners/{doctor}/licence", "admin", json=wrong)).status == 400, wrong
    nobody = "019a0000-0000-7000-8000-0000000000ff"
    assert (await clinic.ask("POST", f"/people/{nobody}/deactivate", "admin")).status == 404
    assert (await clinic.ask("PUT", f"/practitioners/{person}/licence", "admin", json={"verified": True})).status == 404
    found = (await clinic.ask("GET", "/people?q=doctor@demo.bedside", "admin")).json["items"][0]
    assert (found["roles"], found["deactivated_at"], found["licence"]["verified"]) == (["practitioner"], None, True)


async def test_closing_an_account_ends_its_connections_and_its_call_within_a_second(apart: Clinic) -> None:
    email = (await apart.ask("GET", "/me", "patient")).json["email"]
    own, patient = apart.headers["patient"], apart.ids["patient"]
    visit, practice = await apart.token("patient", "visit"), await apart.token("doctor", "practice")
    async with (
        watched(apart, "/consultation", await apart.token("doctor", "visit")) as doctor,
        watched(apart, "/practice", practice) as desk,
        watched(apart, "/consultation", visit) as seat,
        watched(apart, "/notifications", bearer(own)) as notices,
    ):
        await seat.ok("waiting.enter", {})
        await desk.ok("waiting.admit", {"appointment_id": apart.visit, "participant_id": patient})
        await seat.ok("call.join", {})
        await doctor.ok("call.join", {})
        began = time.monotonic()
        assert (await apart.ask("POST", f"/people/{patient}/deactivate", "admin")).status == 200
        try:
            async with asyncio.timeout(5):
                await seat.over.wait()
                await notices.over.wait()
                await doctor.left.wait()  # the media server's place is given up before this is told
            moments = [seat.ended_at, notices.ended_at, doctor.left_at]
            took = [round(moment - began, 3) for moment in moments if moment is not None]
            assert len(took) == 3
            assert max(took) < WITHIN_S, took
            assert not doctor.over.is_set()
            assert not desk.over.is_set()
            assert (await apart.ask("GET", "/me", "patient")).code == "invalid_token"
            assert await apart.refused("/consultation", {"token": visit}) == "invalid_token"
            body = {"email": email, "password": "wrong or right, the answer is the same"}
            assert (await apart.ask("POST", "/auth/login", json=body)).code == "invalid_credentials"
        finally:
            assert (await apart.ask("POST", f"/people/{patient}/activate", "admin")).status == 200
    apart.headers["patient"] = await apart.demo.sign_in(apart.session, email)
    assert (await apart.ask("GET", "/me", "patient")).status == 200


async def test_losing_a_role_ends_what_was_opened_in_it_and_nothing_else(clinic: Clinic) -> None:
    desk = clinic.ids["desk"]
    clinic.headers["losing"] = await clinic.demo.sign_in(clinic.session, "desk@demo.bedside")
    async with watched(clinic, "/practice", await clinic.token("losing", "practice")) as line:
        path = f"/people/{desk}/roles"
        assert (await clinic.ask("PUT", path, "admin", json={"roles": ["patient", "desk"]})).status == 200
        assert (await clinic.ask("GET", "/me", "losing")).status == 200
        began = time.monotonic()
        try:
            assert (await clinic.ask("PUT", path, "admin", json={"roles": ["patient"]})).status == 200
            async with asyncio.timeout(5):
                await line.over.wait()
            assert line.ended_at is not None
            assert line.ended_at - began < WITHIN_S
            assert (await clinic.ask("GET", "/me", "losing")).code == "invalid_token"
        finally:
            await clinic.ask("PUT", path, "admin", json={"roles": ["desk"]})
    clinic.headers["desk"] = await clinic.demo.sign_in(clinic.session, "desk@demo.bedside")
    assert (await clinic.ask("GET", "/people", "desk")).status == 200
