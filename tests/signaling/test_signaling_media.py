"""Media through signaling and a real worker: two people see each other, a worker dies, a stranger gets nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from core.security.principal import Principal
from loadtests.peer import Caller, stay_on_loopback

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration


class Person:
    """A device in a visit whose media is a headless caller's."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self.generation = 0
        self.answered: set[tuple[int, int]] = set()
        self.caller = Caller(self._publish, self._answer)
        self._answering: asyncio.Task[None] | None = None

    async def _publish(self, sdp: str, tracks: list[dict[str, str]]) -> str:
        answer = await self.device.ok("media.publish", {"generation": self.generation, "sdp": sdp, "tracks": tracks})
        return str(answer["sdp"])

    async def _answer(self, negotiation: int, sdp: str) -> None:
        sent = {"generation": self.generation, "negotiation": negotiation, "sdp": sdp}
        await self.device.ok("media.answer", sent)

    async def join(self) -> None:
        self.generation = (await self.device.ok("call.join"))["generation"]
        self.begin()
        await self.caller.start()

    def begin(self) -> None:
        self._answering = asyncio.create_task(self._answer_all())

    async def _answer_all(self) -> None:
        while True:
            offer = await self.device.wait(
                "media.offer",
                lambda data: data["generation"] == self.generation and self._key(data) not in self.answered,
                timeout_s=120,
            )
            self.answered.add(self._key(offer))
            await self.caller.on_offer(offer)

    @staticmethod
    def _key(offer: dict[str, Any]) -> tuple[int, int]:
        return offer["generation"], offer["negotiation"]

    async def reset(self, generation: int) -> None:
        """New connections, as ``media.reset`` asks."""
        await self.close()
        self.generation = generation
        self.caller = Caller(self._publish, self._answer)
        self.begin()
        await self.caller.start()

    async def close(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)
        await self.caller.close()


Meet = Callable[[Any, Any], Awaitable[tuple[Person, Person, Any]]]


@pytest.fixture
async def meet(media_worker: Any, visit: Any) -> AsyncIterator[Meet]:
    """Patient on one process, practitioner on another, both with media."""
    stay_on_loopback()
    people: list[Person] = []

    async def make(first: Any, second: Any) -> tuple[Person, Person, Any]:
        await first.live.workers.look()
        patient = Person(await first.join_visit(visit.appointment, visit.patient, "patient"))
        await patient.device.ok("waiting.enter")
        practice = await second.practice(visit.practitioner)
        target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
        await practice.ok("waiting.admit", target)
        doctor = Person(await second.join_visit(visit.appointment, visit.practitioner, "practitioner"))
        people.extend((patient, doctor))
        await patient.join()
        await doctor.join()
        return patient, doctor, practice

    yield make
    for person in people:
        await person.close()


async def test_two_people_on_two_processes_see_and_hear_each_other(make_stage: Any, meet: Meet, visit: Any) -> None:
    first, second = await make_stage(), await make_stage()
    patient, doctor, _ = await meet(first, second)
    await asyncio.gather(patient.caller.received(2, 10), doctor.caller.received(2, 10))
    tracks = await patient.device.wait("call.participant", lambda data: len(data["participant"]["tracks"]) == 2)
    assert {track["source"] for track in tracks["participant"]["tracks"]} == {"camera", "microphone"}
    await patient.device.ok("media.mute", {"source": "microphone", "muted": True})
    await doctor.device.wait(
        "call.participant",
        lambda data: any(t["muted"] and t["source"] == "microphone" for t in data["participant"]["tracks"]),
    )
    wrong = {"generation": patient.generation + 7, "sdp": "v=0", "tracks": []}
    assert await patient.device.error("media.publish", wrong) == "stale_generation"
    nonsense = {"generation": patient.generation, "sdp": "nonsense", "tracks": []}
    assert await patient.device.error("media.publish", nonsense) == "invalid_sdp"
    stale = {"generation": patient.generation, "negotiation": 9999, "sdp": "v=0"}
    assert await patient.device.error("media.answer", stale) in ("stale_negotiation", "invalid_sdp")
    await doctor.device.wait("call.quality", timeout_s=10)


async def test_a_killed_worker_s_room_moves_and_media_comes_back(
    make_stage: Any, meet: Meet, media_worker: Any
) -> None:
    first, second = await make_stage(), await make_stage()
    patient, doctor, _ = await meet(first, second)
    await asyncio.gather(patient.caller.received(2, 5), doctor.caller.received(2, 5))
    before = patient.generation
    await media_worker.kill()
    killed = time.monotonic()
    await media_worker.start()
    resets = await asyncio.gather(
        *(person.device.wait("media.reset", lambda data: data["generation"] > before) for person in (patient, doctor))
    )
    print("media.reset after", round(time.monotonic() - killed, 2), "s, the worker's own start included")
    assert resets[0]["generation"] == resets[1]["generation"]
    assert resets[0]["connection"] == "both"
    stale = {"generation": before, "sdp": "v=0", "tracks": []}
    assert await patient.device.error("media.publish", stale) == "stale_generation"
    await asyncio.gather(patient.reset(resets[0]["generation"]), doctor.reset(resets[1]["generation"]))
    await asyncio.gather(patient.caller.received(2, 5), doctor.caller.received(2, 5))
    assert len(patient.device.named("media.reset")) == 1


async def test_media_goes_on_while_a_signaling_process_is_replaced(make_stage: Any, meet: Meet) -> None:
    first, second = await make_stage(), await make_stage()
    patient, doctor, _ = await meet(first, second)
    await asyncio.gather(patient.caller.received(2, 5), doctor.caller.received(2, 5))
    token, seq = patient.device.ready["resume_token"], patient.device.numbers()[-1]
    frames = sum(patient.caller.frames.values())
    await patient.device.close()
    patient.device = await second.resume(token, seq)
    assert patient.device.ready["snapshot"]["you"]["state"] == "in-call"
    async with asyncio.timeout(10):
        while sum(patient.caller.frames.values()) < frames + 20:
            await asyncio.sleep(0.05)
    await patient.device.ok("media.mute", {"source": "camera", "muted": True})
    await doctor.device.wait("call.participant", lambda data: any(t["muted"] for t in data["participant"]["tracks"]))
    assert patient.device.named("media.reset") == []
    assert [data for data in doctor.device.named("call.participant") if data["change"] == "left"] == []


async def test_a_reloaded_page_joins_again_with_new_connections(stage: Any, meet: Meet) -> None:
    patient, doctor, _ = await meet(stage, stage)
    await asyncio.gather(patient.caller.received(2, 5), doctor.caller.received(2, 5))
    await patient.close()
    token, seq = patient.device.ready["resume_token"], patient.device.numbers()[-1]
    await patient.device.close()
    patient.device = await stage.resume(token, seq)
    patient.caller = Caller(patient._publish, patient._answer)
    patient.answered.clear()
    await patient.join()
    await patient.caller.received(2, 5)
    before = sum(doctor.caller.frames.values())
    async with asyncio.timeout(10):
        while sum(doctor.caller.frames.values()) < before + 10:
            await asyncio.sleep(0.05)


async def test_nothing_of_somebody_not_admitted_is_forwarded(
    stage: Any, meet: Meet, media_worker: Any, visit: Any
) -> None:
    patient, doctor, practice = await meet(stage, stage)
    await asyncio.gather(patient.caller.received(2, 5), doctor.caller.received(2, 5))
    assert set(await media_worker.stats(visit.appointment)) == {str(visit.patient), str(visit.practitioner)}
    target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
    await practice.ok("waiting.remove", target)
    await patient.device.closed.wait()
    # The patient's browser goes on sending; the worker knows them no more, and the doctor has no track of theirs.
    assert set(await media_worker.stats(visit.appointment)) == {str(visit.practitioner)}
    await doctor.device.wait("call.participant", lambda data: data["change"] == "left")
    # Counted where they leave: what the doctor's side decodes lags behind by as much as the machine is busy.
    before = (await media_worker.stats(visit.appointment))[str(visit.practitioner)]["packets_out"]
    assert before > 0
    sent = patient.caller.publishing
    assert sent is not None
    assert sent.connectionState == "connected"
    await asyncio.sleep(1)  # time in which packets would have come
    assert (await media_worker.stats(visit.appointment))[str(visit.practitioner)]["packets_out"] == before


async def test_nobody_gets_a_packet_of_somebody_who_waits_or_is_held(stage: Any, media_worker: Any, visit: Any) -> None:
    stay_on_loopback()
    await stage.live.workers.look()
    target = {"appointment_id": str(visit.appointment), "participant_id": str(visit.patient)}
    doctor = Person(await stage.join_visit(visit.appointment, visit.practitioner, "practitioner"))
    patient = Person(await stage.join_visit(visit.appointment, visit.patient, "patient"))
    await patient.device.ok("waiting.enter")
    await doctor.join()

    async def packets_to_doctor() -> int:
        room = await media_worker.stats(visit.appointment)
        assert set(room) == {str(visit.practitioner)}, "the worker knows nobody else"
        return int(room[str(visit.practitioner)]["packets_out"])

    # Waiting: a real offer is refused, and whatever is thrown at the media port reaches nobody.
    with pytest.raises(AssertionError, match="not_admitted"):
        await patient.caller.start()
    check = b"\x00\x01\x00\x08" + b"\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\x04ab:c"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(300):
            rtp = struct.pack("!BBHII", 0x80, 96, number, number * 3000, 1234) + bytes(200)
            for datagram in (check, rtp):
                stranger.sendto(datagram, ("127.0.0.1", media_worker.port))
    await asyncio.sleep(0.5)  # time in which packets would have come
    assert await packets_to_doctor() == 0
    assert doctor.caller.frames == {}

    # Let in, then held: the browser goes on sending, and from the acknowledgement on nothing goes out.
    practice = await stage.practice(visit.practitioner)
    await practice.ok("waiting.admit", target)
    await patient.close()
    patient.caller = Caller(patient._publish, patient._answer)
    await patient.join()
    await asyncio.gather(patient.caller.received(2, 5), doctor.caller.received(2, 5))
    await practice.ok("waiting.hold", target)
    at_once = await packets_to_doctor()
    assert (await patient.device.wait("call.held"))["reason"] is None
    await asyncio.sleep(1)  # the same
    assert await packets_to_doctor() == at_once
    again = {"generation": patient.generation, "sdp": "v=0", "tracks": []}
    assert await patient.device.error("media.publish", again) == "not_admitted"
    for person in (patient, doctor):
        await person.close()


async def test_completing_in_a_process_without_signaling_ends_the_media(
    make_stage: Any, meet: Meet, media_worker: Any, visit: Any
) -> None:
    signaling, api = await make_stage(), await make_stage(serves=False)
    patient, doctor, _ = await meet(signaling, signaling)
    await asyncio.gather(patient.caller.received(2, 5), doctor.caller.received(2, 5))
    principal = Principal(visit.practitioner, "practitioner", frozenset({"practitioner"}))
    await api.service.complete(principal, visit.appointment, "All is well", None)
    assert (await patient.device.wait("call.ended"))["reason"] == "completed"
    assert await media_worker.stats(visit.appointment) == {}
