"""The call's course, without media: joining, leaving, ending, completing, and what is recorded of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from socketio.exceptions import ConnectionError as Refused

from core.security.principal import Principal

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration


async def until(check: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(8):
        while not (found := await check()):
            await asyncio.sleep(0.05)
        return found


async def facts(stage: Any, visit: Any) -> list[str]:
    async with stage.context.database("core").reading() as tx:
        rows = await tx.fetch("SELECT name FROM core.outbox WHERE order_key = $1 ORDER BY seq", visit.appointment)
    return [row["name"] for row in rows]


async def meet(stage: Any, visit: Any) -> tuple[Any, Any, Any]:
    """Patient and practitioner in the call, and the practitioner's list."""
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("waiting.enter")
    practice = await stage.practice(visit.practitioner)
    await practice.ok("waiting.admit", target(visit))
    await patient.wait("call.admitted")
    await patient.ok("call.join")
    doctor = await stage.join_visit(visit.appointment, visit.practitioner, "practitioner")
    await doctor.ok("call.join")
    return patient, doctor, practice


def target(visit: Any) -> dict[str, str]:
    return {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}


async def test_both_meet_and_it_is_recorded(stage: Any, visit: Any) -> None:
    patient, doctor, practice = await meet(stage, visit)
    joined = await patient.wait("call.participant")
    assert joined["change"] == "joined"
    assert joined["participant"] == {
        "participant_id": str(visit.practitioner),
        "name": "Awa Diop",
        "for_name": None,
        "role": "practitioner",
        "state": "connected",
        "hand": False,
        "tracks": [],
    }
    again = await doctor.ok("call.join")
    assert [each["role"] for each in again["participants"]] == ["patient", "practitioner"]
    await patient.ok("call.hand", {"raised": True})
    await doctor.wait("call.participant", lambda data: data["participant"]["hand"])
    await practice.wait("waiting.list", lambda data: [i["state"] for i in data["items"]] == ["in-call"])

    async def told() -> bool:
        return await facts(stage, visit) == ["consultation.patient_waiting", "consultation.started"]

    await until(told)
    assert patient.numbers() == list(range(1, len(patient.numbers()) + 1))


async def test_leaving_and_coming_back_needs_no_second_admission(stage: Any, visit: Any) -> None:
    patient, doctor, _ = await meet(stage, visit)
    await patient.ok("call.leave")
    await doctor.wait("call.participant", lambda data: data["change"] == "left")
    assert await patient.error("media.restart") == "not_admitted"
    await patient.ok("call.join")
    await doctor.wait("call.participant", lambda data: data["change"] == "joined")


async def test_the_end_is_the_practitioner_s_and_takes_admission(stage: Any, visit: Any) -> None:
    patient, doctor, practice = await meet(stage, visit)
    assert await patient.error("call.end") == "forbidden"
    await doctor.ok("call.end")
    ended = await patient.wait("call.ended")
    assert ended["reason"] == "ended_by_practitioner"
    assert await patient.error("call.join") == "not_admitted"
    await doctor.ok("call.join")
    await patient.ok("waiting.enter")
    await practice.ok("waiting.admit", target(visit))
    await patient.ok("call.join")


async def test_completing_ends_it_for_good(stage: Any, visit: Any) -> None:
    patient, doctor, practice = await meet(stage, visit)
    await patient.ok("chat.send", {"client_id": "1", "text": "thank you", "audience": "all"})
    principal = Principal(visit.practitioner, "practitioner", frozenset({"practitioner"}))
    view = await stage.service.complete(principal, visit.appointment, "All is well", None)
    assert view.status == "completed"
    assert (await patient.wait("call.ended"))["reason"] == "completed"
    assert await patient.error("waiting.enter") == "visit_over"
    assert await doctor.error("call.join") == "visit_over"
    await practice.wait("waiting.list", lambda data: data["items"] == [])

    async def all_stays_closed() -> bool:
        found = (await stage.service.view(principal, visit.appointment)).participants
        return len(found) == 2 and all(stay.left_at is not None for stay in found)

    await until(all_stays_closed)
    view = await stage.service.view(principal, visit.appointment)
    assert [message.text for message in view.chat] == ["thank you"]
    assert {stay.name for stay in view.participants} == {"Awa Diop", "Moussa Traoré"}
    assert (await facts(stage, visit))[-1] == "consultation.completed"


async def test_redis_away_is_unavailable_and_then_healed(stage: Any, visit: Any, monkeypatch: Any) -> None:
    async def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RedisConnectionError("refused")

    patient, doctor, _ = await meet(stage, visit)
    pool = stage.context.redis.connection_pool
    with monkeypatch.context() as away:
        away.setattr(pool, "get_connection", refuse)
        await pool.disconnect(inuse_connections=True)
        assert await patient.error("call.hand", {"raised": True}) == "unavailable"
        assert await patient.error("media.restart") == "unavailable"
    assert patient.client.connected
    await patient.ok("call.hand", {"raised": True})
    await doctor.wait("call.participant", lambda data: data["participant"]["hand"])
    assert not [data for data in doctor.named("call.participant") if data["change"] == "left"]


async def test_the_call_goes_on_while_the_database_is_away(stage: Any, visit: Any, monkeypatch: Any) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError("connection refused")

    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    doctor = await stage.join_visit(visit.appointment, visit.practitioner, "practitioner")
    practice = await stage.practice(visit.practitioner)
    with monkeypatch.context() as away:
        away.setattr(stage.context.database("consultations"), "transaction", refuse)
        away.setattr(stage.context.database("consultations"), "reading", refuse)
        await patient.ok("waiting.enter")
        await practice.ok("waiting.admit", target(visit))
        await patient.ok("call.join")
        await doctor.ok("call.join")
        assert await patient.error("chat.send", {"client_id": "1", "text": "a", "audience": "all"}) == "unavailable"
    await patient.ok("chat.send", {"client_id": "1", "text": "a", "audience": "all"})
    await doctor.wait("chat.message")

    async def told() -> bool:
        return await facts(stage, visit) == ["consultation.patient_waiting", "consultation.started"]

    await until(told)


async def test_a_completed_visit_lets_nobody_in(stage: Any, visit: Any) -> None:
    principal = Principal(visit.practitioner, "practitioner", frozenset({"practitioner"}))
    token = await stage.token(visit.appointment, visit.patient, "patient")
    await stage.service.complete(principal, visit.appointment, "By phone", "phone")
    patient = stage.device("/consultation")
    try:
        await patient.connect({"token": token})
        await patient.wait("session.ready")
        assert await patient.error("call.join") == "visit_over"
    except Refused:
        assert patient.refused["message"] == "visit_over"
