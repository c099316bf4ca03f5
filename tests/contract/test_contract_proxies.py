"""Attending for somebody else over a whole demonstration: who they are to the others, and how soon it ends."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from contract_clinic import Clinic
from meeting import Meeting
from test_contract_revocation import WITHIN_S, bearer, watched


@pytest.fixture
async def helped(clinic: Clinic) -> Clinic:
    """A visit of two people, and a helper whom the patient has asked to attend."""
    meeting = await Meeting.arrange(clinic.demo)
    made = Clinic(clinic.demo, clinic.session, dict(clinic.headers), dict(clinic.ids), meeting.appointment_id)
    people = (("patient", meeting.patient), ("doctor", meeting.doctor), ("helper", meeting.acquaintance))
    for name, email in people:
        made.headers[name] = await clinic.demo.sign_in(clinic.session, email)
        made.ids[name] = (await made.ask("GET", "/me", name)).json["id"]
    asked = await made.ask(
        "POST", "/family/invitations", "patient", json={"email": meeting.acquaintance, "scopes": ["attend"]}
    )
    assert asked.status == 201
    return made


async def accepted(clinic: Clinic) -> str:
    """The helper agrees; the authority's id."""
    waiting = (await clinic.ask("GET", "/family", "helper")).json["invitations"]
    reply = await clinic.ask("POST", f"/family/invitations/{waiting[0]['id']}/accept", "helper")
    assert reply.status == 200, reply
    return str(reply.json["id"])


async def test_without_authority_there_is_no_seat(helped: Clinic) -> None:
    path = f"/appointments/{helped.visit}/video-token"
    assert (await helped.ask("GET", path)).status == 401
    for who in ("helper", "other", "desk", "admin"):
        assert (await helped.ask("GET", path, who)).status == 403, who
    authority = await accepted(helped)
    visit, probe = await helped.token("helper", "visit"), await helped.token("helper", "probe")
    assert (await helped.ask("POST", f"/proxies/{authority}/end", "helper", json={})).status == 200
    assert (await helped.ask("GET", path, "helper")).status == 403
    # Tokens that were asked for before are worth nothing after.
    assert await helped.refused("/consultation", {"token": visit}) == "forbidden"
    assert await helped.refused("/probe", {"token": probe}) == "invalid_token"
    await helped.is_well()


async def test_the_practitioner_sees_who_sits_there_and_the_end_counts_within_a_second(helped: Clinic) -> None:
    authority = await accepted(helped)
    patient = helped.ids["patient"]
    listed: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    practice = await helped.token("doctor", "practice")
    async with (
        watched(helped, "/practice", practice) as desk,
        watched(helped, "/consultation", await helped.token("doctor", "visit")) as doctor,
        watched(helped, "/consultation", await helped.token("helper", "visit")) as seat,
        watched(helped, "/notifications", bearer(helped.headers["helper"])) as notices,
        watched(helped, "/probe", await helped.token("helper", "probe")) as probe,
    ):
        desk.client.on("waiting.list", listed.put, namespace="/practice")
        await seat.ok("waiting.enter", {})
        async with asyncio.timeout(10):
            while True:
                items = (await listed.get())["items"]
                mine = [each for each in items if each["appointment_id"] == helped.visit]
                if mine and mine[0]["state"] == "waiting":
                    break
        assert (mine[0]["participant_id"], mine[0]["name"], mine[0]["for_name"]) == (
            patient,
            "Hodan Warsame",
            "Samba Kane",
        )
        await desk.ok("waiting.admit", {"appointment_id": helped.visit, "participant_id": patient})
        await seat.ok("call.join", {})
        people = (await doctor.ok("call.join", {}))["participants"]
        sitting = next(each for each in people if each["participant_id"] == patient)
        assert (sitting["name"], sitting["for_name"], sitting["role"]) == ("Hodan Warsame", "Samba Kane", "patient")
        await seat.ok("chat.send", {"client_id": "one", "text": "He sleeps badly", "audience": "all"})
        began = time.monotonic()
        assert (await helped.ask("POST", f"/proxies/{authority}/end", "patient", json={})).status == 200
        async with asyncio.timeout(5):
            await seat.over.wait()
            await probe.over.wait()
            await doctor.left.wait()
        moments = [seat.ended_at, probe.ended_at, doctor.left_at]
        took = [round(moment - began, 3) for moment in moments if moment is not None]
        assert len(took) == 3
        assert max(took) < WITHIN_S, took
        assert not doctor.over.is_set()
        assert not notices.over.is_set()  # their own account has lost nothing
    whole = (await helped.ask("GET", f"/consultations/{helped.visit}", "doctor")).json
    assert [(each["name"], each["for_name"]) for each in whole["participants"] if each["role"] == "patient"] == [
        ("Hodan Warsame", "Samba Kane")
    ]
    assert [each["name"] for each in whole["chat"]] == ["Hodan Warsame"]
    # The patient sits in the same seat after that, under their own name.
    async with watched(helped, "/consultation", await helped.token("patient", "visit")) as own:
        await own.ok("call.join", {})
    await helped.is_well()
