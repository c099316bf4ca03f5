"""Emergency access, over all modules: who may, what it opens, who sees it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from harness import MakeClient, MakeContext, TokenSessions

from core.clock import SystemClock
from core.context import Context
from core.ids import uuid7
from core.security.principal import Role
from server.composition import compose
from server.services import Modules

pytestmark = pytest.mark.integration

REASON = "Brought in unconscious, allergies unknown"


class MovedClock(SystemClock):
    """The machine's clock, put forward."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class House:
    """All modules, two patients and two practitioners who have no appointment with anybody."""

    def __init__(self, context: Context, modules: Modules, client: TestClient[web.Request, web.Application]) -> None:
        self.context, self.modules, self.client = context, modules, client
        self.sessions = TokenSessions(context)
        self.who: dict[str, tuple[UUID, Role]] = {}

    async def person(self, name: str, role: Role) -> UUID:
        email = f"{name}.{uuid7().hex}@example.org"
        made = await self.modules.identity.accounts.create_person(
            email=email, password="of no use in this test", name=name, roles=(role,)
        )
        self.who[name] = (made.id, role)
        return made.id

    def id(self, name: str) -> UUID:
        return self.who[name][0]

    async def ask(self, who: str | None, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = self.sessions.sign_in(*self.who[who], who) if who else {}
        async with self.client.request(method, f"/api/v1{path}", headers=headers, json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def open(self, who: str | None, patient: str, reason: str = REASON) -> tuple[int, Any]:
        return await self.ask(who, "POST", f"/patients/{self.id(patient)}/break-glass", {"reason": reason})


@pytest.fixture
async def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def house(make_context: MakeContext, make_client: MakeClient, clock: MovedClock) -> House:
    context = await make_context(clock=clock)
    modules = compose(context, frozenset({"api"}))
    made = House(context, modules, await make_client(context))
    people: list[tuple[str, Role]] = [("patient", "patient"), ("other", "patient"), ("doctor", "practitioner")]
    people += [("colleague", "practitioner"), ("desk", "desk"), ("auditor", "auditor"), ("admin", "admin")]
    for name, role in people:
        await made.person(name, role)
    return made


async def test_only_practitioners_open_and_only_with_a_reason(house: House) -> None:
    assert (await house.open(None, "patient"))[0] == 401
    for who in ("patient", "other", "desk", "auditor", "admin"):
        assert (await house.open(who, "patient"))[0] == 403, who
    for reason in ("", "   short   ", "x" * 501):
        assert (await house.open("doctor", "patient", reason))[0] == 400, reason
    unknown = await house.ask("doctor", "POST", f"/patients/{uuid7()}/break-glass", {"reason": REASON})
    assert unknown[0] == 404
    assert (await house.open("doctor", "colleague"))[0] == 404  # who is no patient has no record
    assert (await house.open("doctor", "doctor"))[0] == 400


async def test_it_opens_one_record_to_one_person_for_reading_and_ends_by_itself(
    house: House, clock: MovedClock
) -> None:
    record, profile = f"/records/{house.id('patient')}", f"/patients/{house.id('patient')}"
    assert (await house.ask("doctor", "GET", record))[1]["code"] == "no_care_relation"
    status, opened = await house.open("doctor", "patient")
    assert (status, opened["open"], opened["reason"]) == (201, True, REASON)
    for path in (record, profile, f"/prescriptions?patient_id={house.id('patient')}"):
        assert (await house.ask("doctor", "GET", path))[0] == 200, path
        assert (await house.ask("colleague", "GET", path))[0] == 403, path
    assert (await house.ask("doctor", "GET", f"/records/{house.id('other')}"))[0] == 403
    change = {"version": 0, "summary": {"history": "x"}}
    assert (await house.ask("doctor", "PATCH", record, change))[0] == 403  # it opens nothing but reading
    clock.ahead = timedelta(seconds=house.context.settings.privacy.break_glass_s + 1)
    assert (await house.ask("doctor", "GET", record))[0] == 403
    assert (await house.ask("doctor", "GET", "/break-glass"))[1]["items"][0]["open"] is False


async def test_revocation_counts_at_once(house: House) -> None:
    for revoker in ("doctor", "auditor", "admin"):
        access = (await house.open("doctor", "patient"))[1]["id"]
        for who, expected in ((None, 401), ("other", 403), ("colleague", 403), ("desk", 403), ("patient", 403)):
            assert (await house.ask(who, "DELETE", f"/break-glass/{access}"))[0] == expected, who
        assert (await house.ask("doctor", "GET", f"/records/{house.id('patient')}"))[0] == 200
        assert (await house.ask(revoker, "DELETE", f"/break-glass/{access}"))[1]["open"] is False
        assert (await house.ask("doctor", "GET", f"/records/{house.id('patient')}"))[0] == 403
        assert (await house.ask(revoker, "DELETE", f"/break-glass/{access}"))[1]["code"] == "already_ended"
    assert (await house.ask("admin", "DELETE", f"/break-glass/{uuid7()}"))[0] == 404


async def test_the_patient_and_the_auditor_see_it_and_nobody_else(house: House) -> None:
    access = (await house.open("doctor", "patient"))[1]["id"]
    await house.ask("doctor", "GET", f"/records/{house.id('patient')}")
    assert (await house.ask(None, "GET", "/break-glass"))[0] == 401
    assert (await house.ask("desk", "GET", "/break-glass"))[0] == 403
    assert (await house.ask("other", "GET", f"/break-glass?patient_id={house.id('patient')}"))[0] == 403
    for who, number in (("other", 0), ("colleague", 0), ("patient", 1), ("doctor", 1)):
        items = (await house.ask(who, "GET", "/break-glass"))[1]["items"]
        assert len(items) == number, who
    found = (await house.ask("auditor", "GET", f"/break-glass?patient_id={house.id('patient')}"))[1]["items"]
    assert [(each["id"], each["reason"], each["person_name"]) for each in found] == [(access, REASON, "doctor")]
    for who, path in (("patient", "/me/record-accesses"), ("auditor", f"/audit?patient_id={house.id('patient')}")):
        rows = (await house.ask(who, "GET", path))[1]["items"]
        told = {each["action"]: each for each in rows}
        assert told["break_glass.opened"]["reason"] == REASON, who
        assert told["record.read"]["reason"] == REASON, who
        assert told["record.read"]["break_glass"] == access, who


async def test_the_patient_gets_a_notice_and_the_reason_is_nowhere_in_clear(
    house: House, run_facts: Callable[[Context], None], postgres: str
) -> None:
    import asyncio

    import asyncpg

    run_facts(house.context)
    await house.open("doctor", "patient")
    async with asyncio.timeout(15):
        while True:
            items = (await house.ask("patient", "GET", "/notifications"))[1]["items"]
            notices = [each for each in items if each["kind"] == "break_glass.opened"]
            if notices:
                break
            await asyncio.sleep(0.05)
    assert notices[0]["link"] == "/privacy"
    assert "doctor" in notices[0]["body"]
    assert REASON not in notices[0]["body"]
    owner = await asyncpg.connect(postgres)
    try:
        for table in ("core.audit_log", "core.outbox", "compliance.break_glass", "notifications.notices"):
            rows = await owner.fetch(f"SELECT t::text FROM {table} t")  # noqa: S608  # names from the line above
            assert not any(REASON in row[0] for row in rows), table
    finally:
        await owner.close()


async def test_erasing_the_patient_takes_the_reason_too(house: House) -> None:
    await house.open("doctor", "patient")
    await house.context.vault.destroy(house.id("patient"))
    found = (await house.ask("auditor", "GET", f"/break-glass?patient_id={house.id('patient')}"))[1]["items"]
    assert found[0]["reason"] is None
