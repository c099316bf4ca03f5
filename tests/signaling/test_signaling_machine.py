"""Random walks through the waiting room, the call and the seats, over two processes, against a model in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_stage import visitors
from socketio.exceptions import ConnectionError as Refused

from core.security.principal import Principal

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration

STEPS = (
    *("connect", "connect", "resume", "resume", "stale_resume", "cut", "second_device", "take_over"),
    *("enter", "enter", "leave_waiting", "join", "join", "leave_call", "say"),
    *("admit", "admit", "hold", "remove", "end"),
)
walks = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.booleans()),
    min_size=8,
    max_size=40,
)


@dataclass
class Member:
    """What is obviously right about one person: their state, and which connection has their seat."""

    id: UUID
    role: str
    state: str = "outside"
    admitted: bool = False
    gone: bool = False  # a guest who was removed: the link is dead for ever
    device: Any = None
    tokens: list[tuple[str, int]] = field(default_factory=list)  # resume tokens with the number they knew

    @property
    def connected(self) -> bool:
        return self.device is not None


@dataclass
class Machine:
    stages: list[Any]
    visit: Any
    practice: Any
    doctor: Any
    members: list[Member]
    said: int = 0

    async def step(self, what: str, member: Member, process: int) -> None:
        act = getattr(self, f"_{what}")
        if what in ("admit", "hold", "remove", "end"):
            await act(member)
        elif what in ("connect", "resume", "stale_resume", "second_device", "take_over"):
            await act(member, self.stages[process])
        elif member.connected:
            await act(member)
        await self.check()

    async def token(self, member: Member) -> str:
        stage = self.stages[0]
        if member.role == "patient":
            return str(await stage.token(self.visit.appointment, member.id, "patient"))
        extra = {"appointment_id": str(self.visit.appointment), "role": member.role}
        return str(stage.context.tokens.issue("visit", member.id, timedelta(minutes=5), **extra))

    async def open(self, member: Member, stage: Any, auth: dict[str, Any]) -> Any:
        device = stage.device("/consultation")
        await device.connect(auth)
        await device.wait("session.ready")
        return device

    async def refused(self, stage: Any, auth: dict[str, Any], *codes: str) -> None:
        device = stage.device("/consultation")
        with pytest.raises(Refused):
            await device.connect(auth)
        assert device.refused["message"] in codes

    def seated(self, member: Member, device: Any) -> None:
        member.device = device
        member.tokens.append((device.ready["resume_token"], device.ready["seq"]))
        assert device.ready["snapshot"]["you"]["state"] == member.state

    # Coming and going

    async def _connect(self, member: Member, stage: Any) -> None:
        if member.connected:
            return
        auth = {"token": await self.token(member)}
        if member.gone or member.state == "removed":
            await self.refused(stage, auth, "removed", "invitation_gone")
            return
        device = await self.open(member, stage, auth)
        assert "seat" not in device.ready
        self.seated(member, device)

    async def _resume(self, member: Member, stage: Any) -> None:
        if member.connected or not member.tokens:
            return
        token, seq = member.tokens[-1]
        auth = {"resume_token": token, "last_seq": seq}
        if member.state == "removed" or member.gone:
            await self.refused(stage, auth, "removed", "resume_expired")
            return
        self.seated(member, await self.open(member, stage, auth))

    async def _stale_resume(self, member: Member, stage: Any) -> None:
        """A token from two sessions ago is nobody's."""
        if len(member.tokens) >= 3:
            await self.refused(
                stage, {"resume_token": member.tokens[-3][0], "last_seq": 0}, "resume_expired", "removed"
            )

    async def _cut(self, member: Member) -> None:
        await member.device.close()
        await self.until_lost(member)
        member.device = None

    async def _second_device(self, member: Member, stage: Any) -> None:
        if not member.connected:
            return
        device = await self.open(member, stage, {"token": await self.token(member)})
        assert device.ready["seat"] == "seat_taken"
        assert await device.error("waiting.enter") == "seat_taken"
        assert await device.error("call.join") == "seat_taken"
        await device.close()

    async def _take_over(self, member: Member, stage: Any) -> None:
        if not member.connected:
            return
        device = await self.open(member, stage, {"token": await self.token(member)})
        older = member.device
        await device.ok("seat.take_over")
        await device.wait("session.ready", lambda data: "seat" not in data)
        await older.wait("call.displaced")
        await older.closed.wait()
        self.seated(member, device)

    # What the person does

    async def _enter(self, member: Member) -> None:
        await member.device.ok("waiting.enter")
        if not member.admitted and member.state in ("outside", "left"):
            member.state = "waiting"

    async def _leave_waiting(self, member: Member) -> None:
        await member.device.ok("waiting.leave")
        if member.state in ("waiting", "held", "admitted"):
            member.state, member.admitted = "outside", False

    async def _join(self, member: Member) -> None:
        if not member.admitted:
            assert await member.device.error("call.join") == "not_admitted"
            return
        await member.device.ok("call.join")
        member.state = "in-call"

    async def _leave_call(self, member: Member) -> None:
        await member.device.ok("call.leave")
        if member.state == "in-call":
            member.state = "left"

    async def _say(self, member: Member) -> None:
        self.said += 1
        sent = {"client_id": f"c{self.said}", "text": "hello", "audience": "all"}
        if member.role == "patient" or member.admitted:
            first = await member.device.ok("chat.send", sent)
            assert (await member.device.ok("chat.send", sent))["message_id"] == first["message_id"]
            await self.doctor.wait("chat.message", lambda data: data["message"]["message_id"] == first["message_id"])
        else:
            assert await member.device.error("chat.send", sent) == "not_admitted"
        assert await member.device.error("chat.send", {**sent, "audience": "clinicians"}) == "forbidden"

    # What the practitioner does

    def target(self, member: Member) -> dict[str, str]:
        return {"appointment_id": str(self.visit.appointment), "participant_id": str(member.id)}

    async def _admit(self, member: Member) -> None:
        known = await self.person(member) is not None
        if not known:
            assert await self.practice.error("waiting.admit", self.target(member)) == "not_found"
        elif member.state == "outside":
            assert await self.practice.error("waiting.admit", self.target(member)) == "not_waiting"
        else:
            await self.practice.ok("waiting.admit", self.target(member))
            if member.state != "in-call":
                member.state, member.admitted = "admitted", True

    async def _hold(self, member: Member) -> None:
        if member.state in ("outside", "removed"):
            assert await self.practice.error("waiting.hold", self.target(member)) == "not_found"
            return
        await self.practice.ok("waiting.hold", self.target(member))
        member.state, member.admitted = "held", False

    async def _remove(self, member: Member) -> None:
        if await self.person(member) is None:
            assert await self.practice.error("waiting.remove", self.target(member)) == "not_found"
            return
        await self.practice.ok("waiting.remove", self.target(member))
        if member.connected:
            await member.device.wait("call.removed")
            await member.device.closed.wait()
            member.device = None
        member.state, member.admitted = "removed", False
        if member.role == "guest" and not member.gone:
            member.gone = True
            async with asyncio.timeout(8):
                while (await self.stages[0].service.invitations.get(member.id)).revoked_at is None:
                    await asyncio.sleep(0.02)

    async def _end(self, member: Member) -> None:
        await self.doctor.ok("call.end")
        await self.doctor.ok("call.join")
        for each in self.members:
            if each.state in ("in-call", "admitted", "left"):
                each.state, each.admitted = "left", False

    # What must hold after every step

    async def person(self, member: Member) -> Any:
        return await self.stages[0].live.store.person(str(self.visit.appointment), str(member.id))

    async def until_lost(self, member: Member) -> None:
        async with asyncio.timeout(8):
            while (await self.person(member)).connected:
                await asyncio.sleep(0.01)

    async def check(self) -> None:
        for member in self.members:
            found = await self.person(member)
            if found is None:
                assert member.state == "outside"
                assert not member.tokens
                continue
            assert (found.state, found.admitted) == (member.state, member.admitted)
            holding = [
                seat
                for stage in self.stages
                for seat in stage.live.sessions.local(str(self.visit.appointment), str(member.id))
            ]
            assert len(holding) == (1 if member.connected else 0)
            if member.connected:
                assert found.connected
                numbers = [data["seq"] for name, data in member.device.events if not name.startswith("session.")]
                assert numbers == sorted(set(numbers)), "in order and once"
        listed = {
            waiter.person.participant_id: waiter.person.state
            for waiter in await self.stages[0].live.lists.waiters(str(self.visit.practitioner))
        }
        for member in self.members:
            if member.state == "waiting":
                assert listed.get(str(member.id)) == "waiting"
            assert member.state != "removed" or str(member.id) not in listed


async def machine(stages: list[Any], clinic: Any) -> Machine:
    visit = visitors(clinic)
    doctor = await stages[0].join_visit(visit.appointment, visit.practitioner, "practitioner")
    await doctor.ok("call.join")
    practice = await stages[1].practice(visit.practitioner)
    by = Principal(visit.practitioner, "practitioner", frozenset({"practitioner"}))
    guests = stages[0].service.guests
    made, secret, _ = await guests.invite(by, visit.appointment, "guest", "Cousin")
    await guests.redeem(secret)
    return Machine(stages, visit, practice, doctor, [Member(visit.patient, "patient"), Member(made, "guest")])


async def test_waiting_and_seats_are_as_the_model_says(make_stage: Any, clinic: Any) -> None:
    stages = [await make_stage(seat_grace_s=600, waiting_grace_s=600) for _ in range(2)]
    loop = asyncio.get_running_loop()

    async def walked(walk: list[tuple[str, int, bool]]) -> None:
        running = await machine(stages, clinic)
        try:
            for what, who, process in walk:
                await running.step(what, running.members[who], int(process))
        finally:
            for stage in stages:
                for device in stage.devices:
                    await device.close()
                stage.devices.clear()

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(walks)
    def examples(walk: list[tuple[str, int, bool]]) -> None:
        asyncio.run_coroutine_threadsafe(walked(walk), loop).result(120)

    await asyncio.to_thread(examples)
