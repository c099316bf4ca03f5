"""The waiting room and admission, over real servers. First those who may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from socketio.exceptions import ConnectionError as Refused

from core.ids import uuid7

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "auth", [None, {}, {"token": "nonsense"}, {"token": 7}, ["token"], "token", {"token": "x" * 9000}]
)
async def test_a_stranger_is_refused(stage: Any, auth: Any) -> None:
    for namespace in ("/consultation", "/practice", "/probe"):
        device = stage.device(namespace)
        with pytest.raises(Refused):
            await device.connect(auth)
        assert device.refused["message"] == "invalid_token"
        assert device.refused["data"]["code"] == "invalid_token"


async def test_a_token_of_another_kind_or_age_is_refused(stage: Any, visit: Any) -> None:
    issue = stage.context.tokens.issue
    extra = {"appointment_id": str(visit.appointment), "role": "patient"}
    for kind in ("access", "probe", "guest", "practice"):
        device = stage.device("/consultation")
        with pytest.raises(Refused):
            await device.connect({"token": issue(kind, visit.patient, timedelta(minutes=1), **extra)})
        assert device.refused["message"] == "invalid_token"
    practice = stage.device("/practice")
    with pytest.raises(Refused):
        await practice.connect({"token": issue("visit", visit.patient, timedelta(minutes=1), **extra)})
    patient_as_practice = stage.device("/practice")
    with pytest.raises(Refused):
        await patient_as_practice.connect(
            {"token": issue("practice", visit.patient, timedelta(minutes=1), role="patient")}
        )
    assert patient_as_practice.refused["message"] == "forbidden"


async def test_a_token_for_somebody_else_s_seat_is_refused(stage: Any, visit: Any) -> None:
    issue = stage.context.tokens.issue
    for subject, role in ((uuid7(), "patient"), (visit.patient, "practitioner"), (uuid7(), "guest")):
        device = stage.device("/consultation")
        extra = {"appointment_id": str(visit.appointment), "role": role}
        with pytest.raises(Refused):
            await device.connect({"token": issue("visit", subject, timedelta(minutes=1), **extra)})


async def test_nobody_joins_or_sends_media_before_admission(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    publish = {"generation": 0, "sdp": "v=0", "tracks": []}
    for _ in range(2):
        assert await patient.error("call.join") == "not_admitted"
        assert await patient.error("media.publish", publish) == "not_admitted"
        answer = {"generation": 0, "negotiation": 1, "sdp": "v=0"}
        assert await patient.error("media.answer", answer) == "not_admitted"
        assert await patient.error("media.restart") == "not_admitted"
        assert await patient.error("media.mute", {"source": "camera", "muted": True}) == "not_admitted"
        await patient.ok("waiting.enter")


async def test_waiting_admission_hold_and_removal(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    assert patient.ready["snapshot"]["you"]["state"] == "outside"
    assert patient.ready["snapshot"]["practitioner"] == {"name": "Awa Diop", "title": "Dr"}
    practice = await stage.practice(visit.practitioner)
    assert practice.named("waiting.list")[0]["items"] == []

    place = await patient.ok("waiting.enter")
    assert place["position"] == 1
    assert place["estimated_wait_s"] >= 0
    listed = (await practice.wait("waiting.list", lambda data: bool(data["items"])))["items"][0]
    assert listed["participant_id"] == str(visit.patient)
    assert listed["state"] == "waiting"
    assert listed["name"] == "Moussa Traoré"

    target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
    await practice.ok("waiting.admit", target)
    await patient.wait("call.admitted")
    joined = await patient.ok("call.join")
    assert [each["participant_id"] for each in joined["participants"]] == [str(visit.patient)]

    await practice.ok("waiting.hold", {**target, "reason": "one moment"})
    assert (await patient.wait("call.held"))["reason"] == "one moment"
    assert await patient.error("call.join") == "not_admitted"

    await practice.ok("waiting.admit", target)
    await patient.wait("call.admitted")
    await practice.ok("waiting.remove", target)
    await patient.wait("call.removed")
    await patient.closed.wait()
    again = stage.device("/consultation")
    with pytest.raises(Refused):
        await again.connect({"resume_token": patient.ready["resume_token"], "last_seq": 0})
    assert again.refused["message"] in ("removed", "resume_expired")
    fresh = stage.device("/consultation")
    with pytest.raises(Refused):
        await fresh.connect({"token": await stage.token(visit.appointment, visit.patient, "patient")})
    assert fresh.refused["message"] == "removed"


async def test_only_the_visit_s_own_practitioner_admits(stage: Any, visit: Any, clinic: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("waiting.enter")
    target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
    other = await stage.practice(clinic.person("Somebody Else", "Dr"))
    desk = await stage.practice(clinic.person("Desk"), "desk")
    for event in ("waiting.admit", "waiting.hold", "waiting.remove"):
        assert await other.error(event, target) == "forbidden"
    assert await other.error(
        "practice.chat", {"appointment_id": str(visit.appointment), "text": "x", "client_id": "1"}
    ) == ("forbidden")
    assert await desk.error("waiting.admit", target) == "forbidden"
    await desk.wait("waiting.list", lambda data: any(i["participant_id"] == str(visit.patient) for i in data["items"]))
    nowhere = {**target, "appointment_id": str(uuid7())}
    assert await other.error("waiting.admit", nowhere) == "not_found"
    assert await desk.error("waiting.admit", nowhere) == "forbidden", "whose role may not learns nothing of visits"


async def test_places_follow_the_queue(stage: Any, clinic: Any) -> None:
    practitioner = clinic.person("Awa Diop", "Dr")
    first, second = clinic.person("First"), clinic.person("Second")
    early = clinic.appointment(first, practitioner, starts_in=timedelta(minutes=1))
    later = clinic.appointment(second, practitioner, starts_in=timedelta(minutes=16))
    two = await stage.join_visit(later, second, "patient")
    assert (await two.ok("waiting.enter"))["position"] == 1
    one = await stage.join_visit(early, first, "patient")
    assert (await one.ok("waiting.enter"))["position"] == 1
    await two.wait("waiting.updated", lambda data: data["position"] == 2)
    practice = await stage.practice(practitioner)
    await practice.ok("practice.late", {"late_s": 600})
    await two.wait("waiting.updated", lambda data: data["late_s"] == 600)
    await practice.wait("waiting.list", lambda data: data["late_s"] == 600)
    await practice.ok("waiting.admit", {"appointment_id": str(early), "participant_id": str(first)})
    await two.wait("waiting.updated", lambda data: data["position"] == 1 and data["late_s"] == 600)
    await two.ok("waiting.leave")


async def test_nonsense_and_floods_are_answered(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    assert await patient.error("no.such.event") == "unknown_event"
    assert await patient.error("connect") == "unknown_event"
    assert await patient.error("disconnect") == "unknown_event"
    for payload in ([], "text", 7, {"unknown": 1}, {"client_id": "x"}, {"client_id": 5, "text": "a"}):
        assert await patient.error("chat.send", payload) == "invalid_input"
    assert await patient.error("media.publish", {"generation": -1, "sdp": "", "tracks": "no"}) == "invalid_input"
    refused = 0
    for _ in range(200):
        answer = await patient.call("waiting.leave")
        refused += not answer["ok"] and answer["error"]["code"] == "too_many_requests"
    assert refused > 0
