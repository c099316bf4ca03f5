"""Random walks over the API of booking, holding, moving, cancelling and waiting, against a model in memory."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from harness import MakeClient, MakeContext, TokenSessions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scheduling_clinic import NOON, Clinic, FixedClock, at, clinic_over

from core.clock import rfc3339
from core.security.principal import Principal
from core.settings import Limits

pytestmark = pytest.mark.integration

SLOTS = 4  # so few that people meet at them
PEOPLE = 3
STEPS = ("book", "book", "hold", "release", "cancel", "move", "look", "later")

# What to do, by whom, at which slot.
walks = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, PEOPLE - 1), st.integers(0, SLOTS - 1)), min_size=5, max_size=25
)


@dataclass
class Model:
    """Obviously right: who has which slot."""

    booked: dict[int, tuple[int, str]] = field(default_factory=dict)  # slot: person, appointment
    held: dict[int, tuple[int, str, datetime]] = field(default_factory=dict)  # slot: person, hold, until

    def lapse(self, now: datetime) -> None:
        self.held = {slot: hold for slot, hold in self.held.items() if hold[2] > now}

    def open_to(self, person: int, slot: int) -> bool:
        return slot not in self.booked and (slot not in self.held or self.held[slot][0] == person)

    def free(self) -> set[int]:
        return set(range(SLOTS)) - set(self.booked) - set(self.held)


@dataclass
class Machine:
    clinic: Clinic
    client: TestClient[web.Request, web.Application]
    sessions: TokenSessions
    doctor: Principal
    people: list[Principal]
    model: Model = field(default_factory=Model)

    async def ask(self, person: int, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        who = self.people[person]
        headers = self.sessions.sign_in(who.id, who.role, who.name)
        answer = await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        return answer.status, await answer.json() if answer.status != 204 else {}

    def wish(self, slot: int) -> dict[str, str]:
        return {"practitioner_id": str(self.doctor.id), "start": rfc3339(start_of(slot))}

    async def step(self, what: str, person: int, slot: int) -> None:
        model, now = self.model, self.clinic.clock.now()
        model.lapse(now)
        if what == "book":
            status, made = await self.ask(person, "POST", "/appointments", self.wish(slot))
            assert status == (201 if model.open_to(person, slot) else 409), made
            if status == 201:
                model.held.pop(slot, None)
                model.booked[slot] = (person, str(made["id"]))
        elif what == "hold":
            status, made = await self.ask(person, "POST", "/appointments/holds", self.wish(slot))
            others = sum(1 for key, hold in model.held.items() if hold[0] == person and key != slot)
            allowed = model.open_to(person, slot) and others < 3
            assert status == (201 if allowed else 409), made
            if status == 201:
                model.held[slot] = (person, str(made["id"]), now + timedelta(minutes=5))
        elif what == "release" and slot in model.held:
            holder, hold, _ = model.held[slot]
            status, _ = await self.ask(person, "DELETE", f"/appointments/holds/{hold}")
            assert status == (204 if holder == person else 403)
            if status == 204:
                del model.held[slot]
        elif what == "cancel" and slot in model.booked:
            owner, made_id = model.booked[slot]
            status, _ = await self.ask(person, "DELETE", f"/appointments/{made_id}")
            assert status == (200 if owner == person else 403)
            if status == 200:
                del model.booked[slot]
        elif what == "move" and slot in model.booked:
            owner, made_id = model.booked[slot]
            to = (slot + 1 + person) % SLOTS
            body = {"start": rfc3339(start_of(to))}
            status, answer = await self.ask(person, "PATCH", f"/appointments/{made_id}", body)
            if owner != person:
                assert status == 403
            else:
                assert status == (200 if to == slot or model.open_to(person, to) else 409), answer
                if status == 200:
                    del model.booked[slot]
                    model.held.pop(to, None)
                    model.booked[to] = (person, made_id)
        elif what == "later":
            self.clinic.clock.moment = now + timedelta(minutes=2)
        await self.look(person)

    async def look(self, person: int) -> None:
        """What is shown is what the model says, after every step."""
        self.model.lapse(self.clinic.clock.now())
        day = at(9).date().isoformat()
        path = f"/appointments/available?practitioner_id={self.doctor.id}&date={day}"
        status, answer = await self.ask(person, "GET", path)
        assert status == 200
        items = answer["items"]
        assert isinstance(items, list)
        shown = {each["start"] for each in items}
        assert shown == {rfc3339(start_of(slot)) for slot in self.model.free()}
        _, listed = await self.ask(person, "GET", "/appointments?status=booked")
        mine = listed["items"]
        assert isinstance(mine, list)
        assert {each["id"] for each in mine} == {key for who, key in self.model.booked.values() if who == person}


def start_of(slot: int) -> datetime:
    return at(9) + timedelta(minutes=30 * slot)


@pytest.fixture
async def machine(make_context: MakeContext, make_client: MakeClient) -> Machine:
    clock = FixedClock()
    context = await make_context(clock=clock)
    plenty = Limits(per_address_per_minute=1_000_000, per_person_per_minute=1_000_000)
    context.settings = context.settings.model_copy(update={"limits": plenty})
    clinic = clinic_over(context, clock)
    client = await make_client(context)
    return Machine(clinic, client, TokenSessions(context), await clinic.doctor(), [])


@pytest.mark.timeout(120)
async def test_whatever_people_do_the_api_says_what_the_model_says(machine: Machine) -> None:
    """Hypothesis invents the walks; each has a doctor and people of its own over the same server."""
    loop = asyncio.get_running_loop()

    async def walk(steps: list[tuple[str, int, int]]) -> None:
        machine.clinic.clock.moment = NOON
        machine.doctor = await machine.clinic.doctor(hours=(540, 540 + 30 * SLOTS))
        machine.people = [machine.clinic.person("patient") for _ in range(PEOPLE)]
        machine.model = Model()
        for what, person, slot in steps:
            await machine.step(what, person, slot)

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(walks)
    def examples(steps: list[tuple[str, int, int]]) -> None:
        asyncio.run_coroutine_threadsafe(walk(steps), loop).result(60)

    await asyncio.to_thread(examples)


async def test_people_at_once_never_share_a_slot(machine: Machine) -> None:
    """Everybody books, holds and cancels at the same time: at no moment do two have one slot."""
    machine.doctor = await machine.clinic.doctor(hours=(540, 540 + 30 * SLOTS))
    machine.people = [machine.clinic.person("patient") for _ in range(8)]
    chance = random.Random(11)

    async def busy(person: int) -> None:
        mine: list[str] = []
        for _ in range(10):
            slot = chance.randrange(SLOTS)
            if mine and chance.random() < 0.4:
                assert (await machine.ask(person, "DELETE", f"/appointments/{mine.pop()}"))[0] == 200
            elif chance.random() < 0.3:
                assert (await machine.ask(person, "POST", "/appointments/holds", machine.wish(slot)))[0] in (201, 409)
            else:
                status, made = await machine.ask(person, "POST", "/appointments", machine.wish(slot))
                assert status in (201, 409)
                if status == 201:
                    mine.append(str(made["id"]))

    await asyncio.gather(*(busy(person) for person in range(8)))
    async with machine.clinic.context.database("scheduling").reading() as tx:
        rows = await tx.fetch(
            "SELECT starts_at, count(*) FROM appointments WHERE practitioner_id = $1 AND status = 'booked' "
            "GROUP BY starts_at",
            machine.doctor.id,
        )
    assert all(row["count"] == 1 for row in rows)
