"""Nobody is let into a visit by video who has not agreed to it, or has taken it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.context import Context
from core.security.principal import Principal

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration


async def say(stage: Any, person: Any, given: bool) -> None:
    principal = Principal(person, "patient", frozenset({"patient"}))
    await stage.consents.say(principal, "telehealth", given=given, version=1, language="en")


async def test_whoever_took_consent_back_neither_waits_nor_is_let_in(stage: Any, visit: Any) -> None:
    await say(stage, visit.patient, False)
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    practice = await stage.practice(visit.practitioner)
    target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
    for _ in range(2):
        assert await patient.error("waiting.enter") == "consent_missing"
        assert await patient.error("call.join") == "consent_missing"
        assert await practice.error("waiting.admit", target) == "consent_missing"
    doctor = await stage.join_visit(visit.appointment, visit.practitioner, "practitioner")
    await doctor.ok("call.join")

    await say(stage, visit.patient, True)
    await patient.ok("waiting.enter")
    await practice.ok("waiting.admit", target)
    await patient.ok("call.join")


async def test_taking_consent_back_ends_the_call_at_once(
    stage: Any, visit: Any, run_facts: Callable[[Context], None]
) -> None:
    run_facts(stage.context)
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    practice = await stage.practice(visit.practitioner)
    target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
    await patient.ok("waiting.enter")
    await practice.ok("waiting.admit", target)
    await patient.ok("call.join")

    await say(stage, visit.patient, False)
    assert (await patient.wait("call.held"))["reason"] == "consent_withdrawn"
    assert await patient.error("call.join") == "consent_missing"
    assert await patient.error("media.publish", {"generation": 1, "sdp": "v=0", "tracks": []}) == "not_admitted"
    assert await practice.error("waiting.admit", target) == "consent_missing"

    await say(stage, visit.patient, True)
    assert (await patient.ok("waiting.enter"))["position"] == 1
    assert await patient.error("call.join") == "not_admitted", "let in anew by the practice alone"
    await practice.ok("waiting.admit", target)
    await patient.ok("call.join")
