"""The network test: packets to oneself alone, a verdict that the practice sees."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from core.ids import uuid7
from core.security.principal import Principal
from loadtests.peer import Picture, stay_on_loopback
from signaling import probe as probes

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration


async def test_a_probe_answers_and_its_verdict_is_listed(stage: Any, media_worker: Any, visit: Any) -> None:
    stay_on_loopback()
    await stage.live.workers.look()
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("waiting.enter")
    principal = Principal(visit.patient, "patient", frozenset({"patient"}))
    probe = stage.device("/probe")
    await probe.connect({"token": (await stage.service.probe_token(principal, visit.appointment)).token})
    assert await probe.error("probe.start", {"transport": "pigeon", "sdp": "x"}) == "invalid_input"
    assert await probe.error("probe.start", {"transport": "udp", "sdp": "nonsense"}) == "invalid_sdp"
    # Said honestly, and nothing is opened for it.
    assert await probe.error("probe.start", {"transport": "relay", "sdp": "v=0"}) == "not_available"
    verdict = {
        "verdict": "fair",
        "throughput_up_kbps": 800,
        "throughput_down_kbps": 900,
        "loss": 0.01,
        "round_trip_ms": 40,
    }
    assert await probe.error("probe.result", {**verdict, "probe_id": str(uuid7())}) == "not_found"
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver(Picture(), direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    offer = {"transport": "udp", "sdp": connection.localDescription.sdp}
    started = await probe.ok("probe.start", offer)
    assert " udp " in started["sdp"]
    assert "tcptype" not in started["sdp"]
    assert await probe.error("probe.start", offer) == "probe_running"
    await probe.ok("probe.result", {**verdict, "probe_id": started["probe_id"]})
    again = await probe.ok("probe.start", {**offer, "transport": "tcp"})
    assert " udp " not in again["sdp"]
    assert "tcptype passive" in again["sdp"]
    lost = {"verdict": "poor", "reason": "unreachable", "loss": 1, "probe_id": again["probe_id"]}
    await probe.ok("probe.result", {**verdict, **lost})  # the best way counts
    await connection.close()
    practice = await stage.practice(visit.practitioner)
    await practice.wait("waiting.list", lambda data: [i["readiness"] for i in data["items"]] == ["fair"])
    doctor = Principal(visit.practitioner, "practitioner", frozenset({"practitioner"}))
    evidence = (await stage.service.view(doctor, visit.appointment)).attendance.evidence
    kept = evidence[f"probe:{visit.patient}"]
    assert (kept["transport"], kept["verdict"], kept["reason"], kept["best"]) == ("tcp", "poor", "unreachable", "fair")


async def test_a_test_that_is_never_ended_ends_and_there_are_few_on_one_connection(
    stage: Any, media_worker: Any, visit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "LONGEST_PROBE_S", 0.1)
    stay_on_loopback()
    await stage.live.workers.look()
    principal = Principal(visit.patient, "patient", frozenset({"patient"}))
    probe = stage.device("/probe")
    await probe.connect({"token": (await stage.service.probe_token(principal, visit.appointment)).token})
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver(Picture(), direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    offer = {"transport": "udp", "sdp": connection.localDescription.sdp}
    async with asyncio.timeout(10):
        for _ in range(probes.PROBES_PER_CONNECTION):
            while (answer := await probe.call("probe.start", offer)).get("ok") is not True:
                assert answer["error"]["code"] == "probe_running"
                await asyncio.sleep(0.02)
        while (code := await probe.error("probe.start", offer)) == "probe_running":
            await asyncio.sleep(0.02)
    assert code == "forbidden"
    await connection.close()
