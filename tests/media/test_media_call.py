"""Calls through the real worker process: two aiortc clients, the real control channel, real DTLS and SRTP."""

from __future__ import annotations

import pytest

from core.ids import uuid7
from tests.media.conftest import MakePerson, Worker

pytestmark = pytest.mark.integration


async def test_two_people_see_and_hear_each_other(person: MakePerson, worker: Worker) -> None:
    room = str(uuid7())
    patient, doctor = await person(room, "patient"), await person(room, "doctor")
    for one in (patient, doctor):
        await one.ask("join")
        await one.caller.start()
    await patient.caller.received(tracks=2, frames=10)
    await doctor.caller.received(tracks=2, frames=10)
    offer = await doctor.event("offer", lambda p: len(p["tracks"]) == 2)
    assert {track["source"] for track in offer["tracks"]} == {"camera", "microphone"}
    assert {track["participant_id"] for track in offer["tracks"]} == {"patient"}
    stats = await doctor.event("stats", lambda p: p["participants"].get("doctor", {}).get("packets_out", 0) > 0)
    assert stats["participants"]["patient"]["packets_in"] > 0
