"""Private feeds, and calendars elsewhere that block slots: over HTTP, against a calendar server of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from harness import MakeClient, MakeContext, TokenSessions
from icalendar import Calendar
from scheduling_clinic import Clinic, FixedClock, at, clinic_over

from core.clock import rfc3339
from core.ids import uuid7
from core.security.principal import Principal
from core.settings import Calendars

pytestmark = pytest.mark.integration


@dataclass
class Elsewhere:
    """A calendar server of the practitioner's choice."""

    url: str = ""
    events: list[tuple[datetime, datetime]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    asked: list[str | None] = field(default_factory=list)  # the If-None-Match of each request

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("If-None-Match"))
        body = self._text() if self.body is None else self.body
        etag = f'"{hash(body)}"'
        if self.status == 200 and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(status=self.status, body=body, headers={"ETag": etag})

    def _text(self) -> bytes:
        events = [
            f"BEGIN:VEVENT\r\nUID:{n}\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Secret dinner\r\n"
            f"DTSTART:{start.astimezone(UTC):%Y%m%dT%H%M%SZ}\r\nDTEND:{end.astimezone(UTC):%Y%m%dT%H%M%SZ}\r\n"
            "END:VEVENT\r\n"
            for n, (start, end) in enumerate(self.events)
        ]
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


@dataclass
class Desk:
    clinic: Clinic
    client: TestClient[web.Request, web.Application]
    sessions: TokenSessions
    elsewhere: Elsewhere

    async def call(self, who: Principal | None, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = self.sessions.sign_in(who.id, who.role, who.name) if who else {}
        answer = await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        return answer.status, await answer.json() if answer.content_type.endswith("json") else await answer.read()

    async def book(self, patient: Principal, doctor: Principal, start: datetime) -> str:
        body = {"practitioner_id": str(doctor.id), "start": rfc3339(start), "reason": "A burning itch"}
        status, made = await self.call(patient, "POST", "/appointments", body)
        assert status == 201, made
        return str(made["id"])

    async def feed(self, who: Principal) -> str:
        """The path of a new feed, below /api/v1."""
        status, made = await self.call(who, "POST", "/me/calendar-feed", {"language": "fr"})
        assert status == 201
        return str(made["url"]).split("/api/v1")[1]

    async def starts(self, doctor: Principal, day: str) -> list[str]:
        _, free = await self.call(None, "GET", f"/appointments/available?practitioner_id={doctor.id}&date={day}")
        return [slot["start"] for slot in free["items"]]

    async def outside(self, doctor: Principal) -> Any:
        _, listed = await self.call(doctor, "GET", f"/practitioners/{doctor.id}/calendars")
        return listed["items"]

    async def add(self, doctor: Principal) -> str:
        body = {"name": "Home", "address": f"{self.elsewhere.url}home.ics?key=s3cret"}
        status, added = await self.call(doctor, "POST", f"/practitioners/{doctor.id}/calendars", body)
        assert status == 201, added
        return str(added["id"])

    async def read_due(self) -> None:
        while await self.clinic.module.calendars.read_due():
            pass


@pytest.fixture
async def desk(make_context: MakeContext, make_client: MakeClient) -> AsyncIterator[Desk]:
    clock, elsewhere = FixedClock(), Elsewhere()
    application = web.Application()
    application.router.add_get("/{path:.*}", elsewhere.answer)
    async with TestServer(application) as server:
        elsewhere.url = str(server.make_url("/"))
        context = await make_context(clock=clock)
        reach = Calendars(allow_http=True, allow_private=True)
        context = replace(context, settings=context.settings.model_copy(update={"calendars": reach}))
        clinic = clinic_over(context, clock)
        # Calendars that other tests left behind have servers no more.
        async with context.database("scheduling").transaction() as tx:
            await tx.execute("DELETE FROM outside_calendars")
        yield Desk(clinic, await make_client(context), TokenSessions(context), elsewhere)


# --- feeds --------------------------------------------------------------------------------------------------------


async def test_a_feed_is_ones_own_affair(desk: Desk) -> None:
    for method in ("POST", "GET", "DELETE"):
        body = {} if method == "POST" else None
        assert (await desk.call(None, method, "/me/calendar-feed", body))[0] == 401
        assert (await desk.call(desk.clinic.person("desk"), method, "/me/calendar-feed", body))[0] == 403
    for token in ("nonsense", "A" * 43, "x" * 2000, str(uuid7())):
        status, problem = await desk.call(None, "GET", f"/calendar/{token}.ics")
        assert (status, problem["code"]) == (404, "not_found")


async def test_a_feed_tells_times_and_nothing_else(desk: Desk) -> None:
    patient, doctor = desk.clinic.person("patient", "Awa Sanou"), await desk.clinic.doctor()
    path = await desk.feed(patient)
    visit = await desk.book(patient, doctor, at(10))
    gone = await desk.book(patient, doctor, at(11))
    await desk.call(patient, "DELETE", f"/appointments/{gone}")
    answer = await desk.client.get(f"/api/v1{path}")
    assert (answer.status, answer.content_type, answer.charset) == (200, "text/calendar", "utf-8")
    text = await answer.read()
    calendar = Calendar.from_ical(text)
    [event] = calendar.walk("VEVENT")
    assert str(event["UID"]) == f"{visit}@visits.bedside"
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (at(10), at(10, 30))
    assert str(event["SUMMARY"]) == "Visite vidéo"
    assert "METHOD" not in calendar
    for secret in (b"Awa", b"Sanou", doctor.name.encode(), b"itch", b"general", path.encode()):
        assert secret not in text
    # The practitioner's own feed has the same entry, without the patient's name.
    other = await (await desk.client.get(f"/api/v1{await desk.feed(doctor)}")).read()
    assert visit.encode() in other
    assert b"Awa" not in other


async def test_a_program_that_asks_again_gets_nothing_new_until_there_is(desk: Desk) -> None:
    patient, doctor = desk.clinic.person("patient"), await desk.clinic.doctor()
    path = f"/api/v1{await desk.feed(patient)}"
    visit = await desk.book(patient, doctor, at(10))
    first = await desk.client.get(path)
    assert first.headers["Cache-Control"] == "private, max-age=300"
    desk.clinic.clock.moment += timedelta(minutes=7)
    again = await desk.client.get(path, headers={"If-None-Match": f"W/{first.headers['ETag']}"})
    assert (again.status, await again.read()) == (304, b"")
    [before] = Calendar.from_ical(await first.read()).walk("VEVENT")
    await desk.call(patient, "PATCH", f"/appointments/{visit}", {"start": rfc3339(at(15))})
    moved = await desk.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    [event] = Calendar.from_ical(await moved.read()).walk("VEVENT")
    assert event["DTSTART"].dt == at(15)
    assert event["UID"] == before["UID"]
    assert event["SEQUENCE"] > before["SEQUENCE"]


async def test_the_address_is_shown_once_kept_nowhere_and_ends(desk: Desk) -> None:
    patient = desk.clinic.person("patient")
    assert (await desk.call(patient, "GET", "/me/calendar-feed"))[1] == {
        "active": False,
        "created_at": None,
        "read_at": None,
    }
    old = await desk.feed(patient)
    token = old.removeprefix("/calendar/").removesuffix(".ics")
    async with desk.clinic.context.database("scheduling").reading() as tx:
        kept = await tx.fetch("SELECT * FROM calendar_feeds WHERE person_id = $1", patient.id)
    assert token not in str(kept)
    assert token.encode() not in kept[0]["token_hash"]
    assert (await desk.call(None, "GET", old))[0] == 200
    _, state = await desk.call(patient, "GET", "/me/calendar-feed")
    assert state["active"]
    assert state["read_at"]
    assert token not in str(state)
    # The token is good for its feed alone.
    answer = await desk.client.get("/api/v1/appointments", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401
    new = await desk.feed(patient)
    assert (await desk.call(None, "GET", old))[0] == 404
    assert (await desk.call(None, "GET", new))[0] == 200
    assert (await desk.call(patient, "DELETE", "/me/calendar-feed"))[0] == 204
    assert (await desk.call(None, "GET", new))[0] == 404
    assert (await desk.call(patient, "DELETE", "/me/calendar-feed"))[0] == 404


async def test_one_address_is_read_so_often_and_no_more(desk: Desk) -> None:
    path = f"/api/v1{await desk.feed(desk.clinic.person('patient'))}"
    other = f"/api/v1{await desk.feed(desk.clinic.person('patient'))}"
    most = desk.clinic.context.settings.limits.token_per_minute
    answers = [(await desk.client.get(path)).status for _ in range(most + 3)]
    assert answers[:most] == [200] * most
    assert answers[-1] == 429
    assert (await desk.client.get(other)).status == 200


# --- outside calendars --------------------------------------------------------------------------------------------


async def test_outside_calendars_are_their_practitioners_alone(desk: Desk) -> None:
    doctor, other = await desk.clinic.doctor(), await desk.clinic.doctor()
    made = await desk.add(doctor)
    path = f"/practitioners/{doctor.id}/calendars"
    body = {"name": "Home", "address": "https://calendar.example.org/a.ics"}
    for method, where, given in (
        ("GET", path, None),
        ("POST", path, body),
        ("DELETE", f"{path}/{made}", None),
        ("POST", f"{path}/{made}/read", None),
    ):
        assert (await desk.call(None, method, where, given))[0] == 401
        for who in (other, desk.clinic.person("patient"), desk.clinic.person("desk"), desk.clinic.person("admin")):
            assert (await desk.call(who, method, where, given))[0] == 403
    assert (await desk.call(other, "DELETE", f"/practitioners/{other.id}/calendars/{made}"))[0] == 404


async def test_addresses_that_no_calendar_has_are_refused(desk: Desk) -> None:
    doctor = await desk.clinic.doctor()
    path = f"/practitioners/{doctor.id}/calendars"
    for address in ("nonsense", "file:///etc/passwd", "ftp://example.org/a", "https://a:b@example.org/", "https://"):
        status, problem = await desk.call(doctor, "POST", path, {"name": "Home", "address": address})
        assert (status, problem["code"]) == (400, "invalid_input")
        assert problem["errors"][0]["field"] == "address"
    for _ in range(5):
        await desk.add(doctor)
    status, problem = await desk.call(doctor, "POST", path, {"name": "Home", "address": desk.elsewhere.url})
    assert (status, problem["code"]) == (409, "too_many_calendars")


async def test_busy_times_elsewhere_block_slots_until_they_end(desk: Desk) -> None:
    patient, doctor = desk.clinic.person("patient"), await desk.clinic.doctor()
    before = await desk.starts(doctor, "2026-06-02")
    desk.elsewhere.events = [(at(10, 15), at(11))]
    made = await desk.add(doctor)
    [shown] = await desk.outside(doctor)
    assert (shown["id"], shown["name"], shown["host"], shown["read_at"]) == (made, "Home", "127.0.0.1", None)
    assert "s3cret" not in str(shown)
    await desk.read_due()
    [shown] = await desk.outside(doctor)
    assert shown["problem"] is None
    assert shown["read_at"]
    taken = {rfc3339(at(10)), rfc3339(at(10, 30))}
    assert await desk.starts(doctor, "2026-06-02") == [each for each in before if each not in taken]
    body = {"practitioner_id": str(doctor.id), "start": rfc3339(at(10))}
    status, problem = await desk.call(patient, "POST", "/appointments", body)
    assert (status, problem["code"]) == (409, "slot_taken")
    visit = await desk.book(patient, doctor, at(12))
    status, problem = await desk.call(patient, "PATCH", f"/appointments/{visit}", {"start": rfc3339(at(10, 30))})
    assert (status, problem["code"]) == (409, "slot_taken")
    # Nothing of it but times is here, and its address is sealed.
    async with desk.clinic.context.database("scheduling").reading() as tx:
        rows = await tx.fetch("SELECT * FROM occupied WHERE practitioner_id = $1", doctor.id)
        address = await tx.fetchval("SELECT address FROM outside_calendars WHERE id = $1", UUID(made))
    assert "dinner" not in str(rows)
    assert b"s3cret" not in address

    desk.elsewhere.events = []
    desk.clinic.clock.moment += timedelta(minutes=20)
    await desk.read_due()
    assert set(before) - set(await desk.starts(doctor, "2026-06-02")) == {rfc3339(at(12))}


async def test_removing_a_calendar_frees_its_times(desk: Desk) -> None:
    doctor = await desk.clinic.doctor()
    before = await desk.starts(doctor, "2026-06-02")
    desk.elsewhere.events = [(at(9), at(17))]
    made = await desk.add(doctor)
    await desk.read_due()
    assert await desk.starts(doctor, "2026-06-02") == []
    assert (await desk.call(doctor, "DELETE", f"/practitioners/{doctor.id}/calendars/{made}"))[0] == 204
    assert await desk.starts(doctor, "2026-06-02") == before
    assert await desk.outside(doctor) == []


async def test_an_appointment_outlives_a_meeting_elsewhere(desk: Desk) -> None:
    """What was booked stays booked; the practitioner sees both in the own calendar."""
    patient, doctor = desk.clinic.person("patient"), await desk.clinic.doctor()
    visit = await desk.book(patient, doctor, at(10))
    desk.elsewhere.events = [(at(9), at(12))]
    await desk.add(doctor)
    await desk.read_due()
    _, found = await desk.call(patient, "GET", f"/appointments/{visit}")
    assert found["status"] == "booked"
    assert (await desk.call(patient, "DELETE", f"/appointments/{visit}"))[0] == 200


async def test_an_unchanged_calendar_is_not_read_whole_but_daily(desk: Desk) -> None:
    doctor = await desk.clinic.doctor()
    desk.elsewhere.events = [(at(10), at(11))]
    made = await desk.add(doctor)
    await desk.read_due()
    desk.clinic.clock.moment += timedelta(minutes=20)
    await desk.read_due()
    assert [bool(each) for each in desk.elsewhere.asked] == [False, True]
    assert len(await desk.starts(doctor, "2026-06-02")) == 14
    desk.clinic.clock.moment += timedelta(days=1, minutes=20)
    await desk.read_due()
    assert [bool(each) for each in desk.elsewhere.asked] == [False, True, False]
    assert (await desk.call(doctor, "POST", f"/practitioners/{doctor.id}/calendars/{made}/read"))[0] == 202
    await desk.read_due()
    assert len(desk.elsewhere.asked) == 4


async def test_what_fails_is_said_and_leaves_the_last_known_times(desk: Desk) -> None:
    doctor = await desk.clinic.doctor()
    desk.elsewhere.events = [(at(10), at(11))]
    await desk.add(doctor)
    await desk.read_due()
    known = await desk.starts(doctor, "2026-06-02")
    wait = timedelta(minutes=20)
    for status, body, problem in (
        (404, None, "not_found"),
        (500, None, "failed"),
        (200, b"<html>Sign in, please</html>", "not_a_calendar"),
    ):
        desk.elsewhere.status, desk.elsewhere.body = status, body
        desk.clinic.clock.moment += wait
        wait *= 2
        await desk.read_due()
        [shown] = await desk.outside(doctor)
        assert shown["problem"] == problem
        assert await desk.starts(doctor, "2026-06-02") == known
    desk.elsewhere.status, desk.elsewhere.body = 200, None
    desk.clinic.clock.moment += wait
    await desk.read_due()
    assert (await desk.outside(doctor))[0]["problem"] is None


async def test_inner_networks_are_never_asked_unless_a_test_says_so(make_context: MakeContext, desk: Desk) -> None:
    """The same job over the settings of a clinic: added by name, refused when it is read."""
    context = await make_context(clock=desk.clinic.clock)
    clinic = clinic_over(context, desk.clinic.clock)
    doctor = await clinic.doctor()
    calendars = clinic.module.calendars
    await calendars.add(doctor, doctor.id, "Inside", "https://localhost/latest/meta-data")
    while await calendars.read_due():
        pass
    [shown] = await calendars.list_of(doctor, doctor.id)
    assert shown.calendar.problem == "address_refused"
    assert desk.elsewhere.asked == []
