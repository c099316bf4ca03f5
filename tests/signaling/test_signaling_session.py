"""Seats that survive: resume, take-over, another process, no ghosts. Over real servers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from socketio.exceptions import ConnectionError as Refused

from signaling.seats import hashed, read_resume_token, replay_from, resume_token
from signaling.store import LogEntry

pytest_plugins = ["live_stage"]
integration = pytest.mark.integration


def entries(*numbers: int) -> list[LogEntry]:
    return [LogEntry(number, "e", b"{}", False) for number in numbers]


def test_replay_counts_what_was_missed() -> None:
    assert replay_from(5, 5, []) == 0
    assert replay_from(5, 8, entries(6)) == 3


def test_a_gap_or_a_number_from_the_future_asks_for_a_snapshot() -> None:
    assert replay_from(5, 900, entries(401)) is None
    assert replay_from(5, 8, []) is None
    assert replay_from(9, 8, []) is None


def test_resume_tokens_name_their_seat_and_nonsense_is_refused() -> None:
    visit, person = "0192f3a0-0000-7000-8000-000000000001", "0192f3a0-0000-7000-8000-000000000002"
    token = resume_token(visit, person)
    assert read_resume_token(token) == (visit, person)
    assert token not in hashed(token)
    for wrong in ("", "a.b.c", "....", token + ".x"):
        with pytest.raises(Exception, match="resumed"):
            read_resume_token(wrong)


async def chat(device: Any, client_id: str, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = await device.ok("chat.send", {"client_id": client_id, "text": text, "audience": "all"})
    return answer


def texts(device: Any) -> list[str]:
    return [data["message"]["text"] for data in device.named("chat.message")]


@integration
async def test_missed_events_come_again_in_order_and_once(make_stage: Any, visit: Any) -> None:
    """On another process than before, while messages go on coming."""
    first, second = await make_stage(), await make_stage()
    patient = await first.join_visit(visit.appointment, visit.patient, "patient")
    doctor = await second.join_visit(visit.appointment, visit.practitioner, "practitioner")
    for number in range(5):
        await chat(doctor, f"a{number}", f"a{number}")
    await patient.wait("chat.message", lambda data: data["message"]["text"] == "a4")
    token, seq = patient.ready["resume_token"], patient.numbers()[-1]
    await patient.close()
    for number in range(20):
        await chat(doctor, f"b{number}", f"b{number}")

    async def go_on() -> None:
        for number in range(20):
            await chat(doctor, f"c{number}", f"c{number}")

    going_on = asyncio.create_task(go_on())
    back = await second.resume(token, seq)
    await going_on
    await back.wait("chat.message", lambda data: data["message"]["text"] == "c19")
    assert back.ready["replayed"] >= 20
    assert texts(back) == [f"b{n}" for n in range(20)] + [f"c{n}" for n in range(20)]
    numbers = back.numbers()
    assert numbers == list(range(seq + 1, seq + 1 + len(numbers)))
    assert back.events[0][0] == "session.ready"


@integration
async def test_a_resume_token_rotates_and_the_unconfirmed_one_before_it_stays(stage: Any, visit: Any) -> None:
    device = await stage.join_visit(visit.appointment, visit.patient, "patient")
    first = device.ready["resume_token"]
    again = await stage.resume(first, 0)
    second = again.ready["resume_token"]
    assert second != first
    lost_answer = await stage.resume(first, 0)  # as if the second had never arrived
    third = lost_answer.ready["resume_token"]
    await stage.resume(third, 0)
    for retired in (first, second, "x" * 40):
        refused = stage.device("/consultation")
        with pytest.raises(Refused):
            await refused.connect({"resume_token": retired, "last_seq": 0})
        assert refused.refused["message"] == "resume_expired"


@integration
async def test_too_much_missed_brings_a_snapshot(stage: Any, visit: Any) -> None:
    device = await stage.join_visit(visit.appointment, visit.patient, "patient")
    back = await stage.resume(device.ready["resume_token"], 10**6)
    snapshot = await back.wait("session.snapshot")
    assert snapshot["snapshot"]["you"]["participant_id"] == str(visit.patient)
    assert snapshot["seq"] == back.ready["seq"]


@integration
async def test_a_second_device_takes_over_with_consent(make_stage: Any, visit: Any) -> None:
    first, second = await make_stage(), await make_stage()
    phone = await first.join_visit(visit.appointment, visit.patient, "patient")
    laptop = await second.join_visit(visit.appointment, visit.patient, "patient")
    assert laptop.ready["seat"] == "seat_taken"
    assert await laptop.error("waiting.enter") == "seat_taken"
    await phone.ok("waiting.enter")
    await laptop.ok("seat.take_over")
    await phone.wait("call.displaced")
    await phone.closed.wait()
    await laptop.wait("session.ready", lambda data: data["resume_token"] != "")
    assert laptop.ready["snapshot"]["you"]["state"] == "waiting"
    await laptop.ok("waiting.leave")


@integration
async def test_a_lost_connection_is_reconnecting_then_left(stage: Any, visit: Any) -> None:
    doctor = await stage.join_visit(visit.appointment, visit.practitioner, "practitioner")
    await doctor.ok("call.join")
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    practice = await stage.practice(visit.practitioner)
    await patient.ok("waiting.enter")
    await practice.ok("waiting.admit", {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)})
    await patient.wait("call.admitted")
    await patient.ok("call.join")
    await doctor.wait("call.participant", lambda data: data["change"] == "joined")
    token, seq = patient.ready["resume_token"], patient.numbers()[-1]
    await patient.close()
    await doctor.wait("call.participant", lambda data: data["participant"]["state"] == "reconnecting")
    await practice.wait("waiting.list", lambda data: [i["state"] for i in data["items"]] == ["reconnecting"])
    back = await stage.resume(token, seq)
    await doctor.wait(
        "call.participant", lambda data: data["change"] == "updated" and data["participant"]["state"] == "connected"
    )
    assert back.ready["snapshot"]["you"]["state"] == "in-call"
    assert not [data for data in doctor.named("call.participant") if data["change"] == "left"]
    await back.close()
    await doctor.wait("call.participant", lambda data: data["change"] == "left")
    await practice.wait("waiting.list", lambda data: data["items"] == [])


@integration
async def test_a_process_that_dies_leaves_no_ghost(make_stage: Any, visit: Any) -> None:
    dying, living = await make_stage(), await make_stage()
    patient = await dying.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("waiting.enter")
    practice = await living.practice(visit.practitioner)
    assert [item["state"] for item in practice.named("waiting.list")[-1]["items"]] == ["waiting"]
    await dying.live.stop()  # no more heartbeats, and nobody is told
    dying.live.sessions.by_sid.clear()
    async with asyncio.timeout(15):
        await practice.wait("waiting.list", lambda data: [i["state"] for i in data["items"]] == ["reconnecting"])
    async with asyncio.timeout(15):
        await practice.wait("waiting.list", lambda data: data["items"] == [])
