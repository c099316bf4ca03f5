"""Chat on the wire: once, in order, to the right people, never in clear at rest."""

from __future__ import annotations

from typing import Any

import pytest

from core.ids import uuid7
from core.security.principal import Principal

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration
SECRET = "chest pain since Tuesday"


async def test_the_same_client_id_gives_the_same_answer_and_one_message(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    doctor = await stage.join_visit(visit.appointment, visit.practitioner, "practitioner")
    first = await patient.ok("chat.send", {"client_id": "c1", "text": "hello", "audience": "all"})
    again = await patient.ok("chat.send", {"client_id": "c1", "text": "changed", "audience": "all"})
    assert first == again
    await patient.ok("chat.send", {"client_id": "c2", "text": "end", "audience": "all"})
    await doctor.wait("chat.message", lambda data: data["message"]["text"] == "end")
    assert [data["message"]["text"] for data in doctor.named("chat.message")] == ["hello", "end"]
    history = await doctor.ok("chat.history")
    assert [message["text"] for message in history["messages"]] == ["hello", "end"]
    assert history["more"] is False


async def test_editing_reading_and_the_wrong_hands(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    doctor = await stage.join_visit(visit.appointment, visit.practitioner, "practitioner")
    sent = await patient.ok("chat.send", {"client_id": "c1", "text": "helo", "audience": "all"})
    message_id = sent["message_id"]
    assert await doctor.error("chat.edit", {"message_id": message_id, "text": "mine"}) == "forbidden"
    assert await doctor.error("chat.edit", {"message_id": str(uuid7()), "text": "x"}) == "not_found"
    await patient.ok("chat.edit", {"message_id": message_id, "text": "hello"})
    updated = await doctor.wait("chat.updated")
    assert updated["message"]["text"] == "hello"
    assert updated["message"]["edited_at"] is not None
    await doctor.ok("chat.read", {"message_id": message_id})
    assert await patient.error("chat.send", {"client_id": "c9", "text": "x", "audience": "clinicians"}) == "forbidden"
    missing = {"client_id": "c8", "file_id": str(uuid7()), "audience": "all"}
    assert await patient.error("chat.send", missing) == "not_found"


async def test_a_guest_reads_nothing_before_admission(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("chat.send", {"client_id": "c1", "text": SECRET, "audience": "all"})
    doctor = Principal(visit.practitioner, "practitioner", frozenset({"practitioner"}))
    invited, secret, _ = await stage.service.guests.invite(doctor, visit.appointment, "guest", "Cousin Fatou")
    redeemed = await stage.service.guests.redeem(secret)
    assert redeemed.name == "Cousin Fatou"
    token = await stage.service.guest_video_token(Principal(invited, "guest", frozenset({"guest"})))
    guest = stage.device("/consultation")
    await guest.connect({"token": token.token})
    await guest.wait("session.ready")
    assert guest.ready["snapshot"]["last_messages"] == []
    assert await guest.error("chat.history") == "not_admitted"
    assert await guest.error("chat.send", {"client_id": "g", "text": "let me in", "audience": "all"}) == "not_admitted"
    await guest.ok("waiting.enter")
    practice = await stage.practice(visit.practitioner)
    target = {"appointment_id": str(visit.appointment), "participant_id": str(invited)}
    await practice.ok("waiting.admit", target)
    await guest.wait("call.admitted")
    await patient.ok("chat.send", {"client_id": "c2", "text": "welcome", "audience": "all"})
    await guest.wait("chat.message")
    assert [message["text"] for message in (await guest.ok("chat.history"))["messages"]] == ["welcome"]
    await practice.ok("waiting.remove", target)
    await guest.closed.wait()
    with pytest.raises(Exception, match="invitation"):
        for _ in range(400):  # the withdrawal is written a moment later
            await stage.service.guest_video_token(Principal(invited, "guest", frozenset({"guest"})))


async def test_nothing_of_a_message_lies_in_clear_in_redis(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    doctor = await stage.join_visit(visit.appointment, visit.practitioner, "practitioner")
    await patient.ok("chat.send", {"client_id": "c1", "text": SECRET, "audience": "all"})
    await doctor.wait("chat.message", lambda data: data["message"]["text"] == SECRET)
    redis = stage.context.redis
    seen = b""
    async for key in redis.scan_iter(f"visit:{visit.appointment}*"):
        seen += await redis.dump(key)
        if await redis.type(key) == b"stream":
            seen += repr(await redis.xrange(key)).encode()
    assert b"call.participant" in seen or b"chat.message" in seen
    for word in SECRET.split():
        assert word.encode() not in seen


async def test_the_practice_writes_with_those_who_wait(stage: Any, visit: Any, clinic: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("waiting.enter")
    desk = await stage.practice(clinic.person("Desk Aminata"), "desk")
    note = {"appointment_id": str(visit.appointment), "text": "The doctor comes soon", "client_id": "d1"}
    await desk.ok("practice.chat", note)
    heard = await patient.wait("chat.message")
    assert heard["message"]["name"] == "Desk Aminata"
    assert heard["message"]["role"] == "desk"
    await patient.ok("chat.send", {"client_id": "p1", "text": "Thank you", "audience": "all"})
    answer = await desk.wait("practice.chat", lambda data: data["message"]["text"] == "Thank you")
    assert answer["message"]["appointment_id"] == str(visit.appointment)
