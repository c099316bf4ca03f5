"""All modules, and the people of a family with their doctor, for the tests of acting for somebody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp import web
from aiohttp.test_utils import TestClient
from harness import TokenSessions

from core.clock import SystemClock
from core.context import Context
from core.ids import uuid7
from core.security.principal import Role
from identity.people import PractitionerProfile
from server.services import Modules

PEOPLE: dict[str, Role] = {
    "parent": "patient",
    "carer": "patient",
    "adult": "patient",
    "stranger": "patient",
    "doctor": "practitioner",
    "colleague": "practitioner",
    "desk": "desk",
    "admin": "admin",
    "auditor": "auditor",
}
EVERY_HOUR = [{"weekday": day, "start": "00:00", "end": "24:00"} for day in range(7)]


class MovedClock(SystemClock):
    """The machine's clock, put forward."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class Household:
    def __init__(
        self,
        context: Context,
        modules: Modules,
        client: TestClient[web.Request, web.Application],
        clock: MovedClock,
    ) -> None:
        self.context, self.modules, self.client, self.clock = context, modules, client, clock
        self.sessions = TokenSessions(context)
        self.who: dict[str, tuple[UUID, Role, str]] = {}

    async def begin(self) -> None:
        for name, role in PEOPLE.items():
            email = f"{name}.{uuid7().hex}@example.org"
            made = await self.modules.identity.accounts.create_person(
                email=email,
                password="of no use in this test",
                name=f"The {name}",
                roles=(role,),
                practitioner=_profile() if role == "practitioner" else None,
            )
            self.who[name] = (made.id, role, email)
        hours = {
            "time_zone": "UTC",
            "slot_minutes": 15,
            "buffer_minutes": 0,
            "notice_minutes": 0,
            "horizon_days": 30,
            "rules": EVERY_HOUR,
            "exceptions": [],
            "version": 0,
        }
        path = f"/practitioners/{self.id('doctor')}/schedule"
        assert (await self.ask("doctor", "PUT", path, hours))[0] == 200

    def id(self, name: str) -> UUID:
        return self.who[name][0]

    def email(self, name: str) -> str:
        return self.who[name][2]

    async def ask(self, who: str | None, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers: dict[str, str] = {}
        if who is not None:
            person_id, role, _ = self.who[who]
            headers = self.sessions.sign_in(person_id, role, who)
        if path == "/payments/process":
            headers["Idempotency-Key"] = uuid7().hex
        async with self.client.request(method, f"/api/v1{path}", headers=headers, json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def child(self, name: str = "Tim Keller", years: int = 8) -> dict[str, Any]:
        """The parent's own, added just now."""
        born = self.clock.now().date().replace(day=1)
        body = {"name": name, "birth_date": born.replace(year=born.year - years).isoformat()}
        status, made = await self.ask("parent", "POST", "/family/dependants", body)
        assert status == 201, made
        return dict(made)

    async def helper(self, scopes: list[str], until: datetime | None = None) -> dict[str, Any]:
        """The carer, whom the adult has asked and who has agreed."""
        body = {"email": self.email("carer"), "kind": "carer", "scopes": scopes}
        if until is not None:
            body["until"] = until.isoformat()
        status, asked = await self.ask("adult", "POST", "/family/invitations", body)
        assert status == 201, asked
        status, made = await self.ask("carer", "POST", f"/family/invitations/{asked['id']}/accept")
        assert status == 200, made
        return dict(made)

    async def book(self, who: str, patient: str, *, soon: bool = True) -> tuple[int, Any]:
        """A visit with the doctor at the next time that nobody has; ``soon``: its window is open."""
        day = self.clock.now().astimezone(UTC).date() + timedelta(days=0 if soon else 3)
        path = f"/appointments/available?practitioner_id={self.id('doctor')}&date={day.isoformat()}&days=2"
        slots = (await self.ask(None, "GET", path))[1]["items"]
        start = next(each["start"] for each in slots if datetime.fromisoformat(each["start"]) > self.clock.now())
        body = {"practitioner_id": str(self.id("doctor")), "start": start, "reason": "Cough at night"}
        return await self.ask(who, "POST", f"/patients/{patient}/appointments", body)

    async def facts(self, name: str, patient: str) -> list[dict[str, Any]]:
        async with self.context.database("core").reading() as tx:
            sql = "SELECT payload FROM core.outbox WHERE name = $1 AND payload->>'patient_id' = $2 ORDER BY seq"
            return [row["payload"] for row in await tx.fetch(sql, name, patient)]

    async def trail(self, action: str, patient: str) -> list[dict[str, Any]]:
        async with self.context.database("compliance").reading() as tx:
            sql = "SELECT actor_id, actor_role, details FROM core.audit_log WHERE action = $1 AND patient_id = $2"
            rows = await tx.fetch(f"{sql} ORDER BY seq", action, UUID(patient))
        return [dict(row) for row in rows]


def _profile() -> PractitionerProfile:
    return PractitionerProfile(
        title="Dr",
        specialties=("general",),
        languages=("en",),
        licence_number="X 1",
        fee_minor=1500,
        currency="XOF",
        location="Dakar",
        licence_verified=True,
        published=True,
    )
