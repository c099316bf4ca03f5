"""From a fact to a notice on screen and a mail, with the mail server coming and going."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
import socketio
from aiosmtpd.smtp import SMTP
from harness import TokenSessions
from icalendar import Calendar, Component

import notifications
from core.clock import SystemClock
from core.context import Context
from core.errors import InvalidToken
from core.ids import uuid7
from core.security.principal import Principal, Role
from notifications.ports import Appointment, Person
from notifications.service import Notifications
from scheduling.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    LicenceEnding,
    WaitlistOffered,
)

pytestmark = pytest.mark.integration


@dataclass(frozen=True, slots=True)
class Mail:
    message_id: str
    to: str
    subject: str
    text: str
    message: EmailMessage


class Catcher:
    """A mail server that keeps what it gets; it can be stopped and started on its port."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refusing: str | None = None
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="test", loop=loop), "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusing is not None:
            return self.refusing
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = message.get_body(("plain",)).get_content()
        self.mails.append(Mail(message["Message-ID"], message["To"], message["Subject"], text, message))
        return "250 kept"


class MovableClock(SystemClock):
    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class Clinic:
    """A patient who reads French in Tokyo, a doctor who reads English; stands in for the neighbouring modules."""

    context: Context
    clock: MovableClock
    catcher: Catcher
    service: Notifications = field(init=False)
    visits: dict[UUID, Appointment] = field(default_factory=dict)
    revoked: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.patient, self.doctor = uuid7(), uuid7()
        self.people = {
            self.patient: Person(self.patient, "Awa Sanou", f"{self.patient}@example.org", "fr", "Asia/Tokyo"),
            self.doctor: Person(self.doctor, "Dr Paul Ky", f"{self.doctor}@example.org", "en", "Africa/Abidjan"),
        }

    # The ports

    async def get(self, asked: Any) -> Any:
        if isinstance(asked, UUID):
            return self.visits.get(asked)
        return {each: self.people[each] for each in asked if each in self.people}

    async def letter(self, kind: str, letter_id: UUID) -> None:
        """No letters about accounts are tried here; those of other tests' people are none of ours."""

    async def authenticate(self, token: str) -> Principal:
        claims = self.context.tokens.verify(token, "access")
        if claims.subject in self.revoked:
            raise InvalidToken()
        session = UUID(claims.extra["session_id"])
        return Principal(claims.subject, "patient", frozenset({"patient"}), session_id=session)

    # Acting

    def token(self, person_id: UUID, session_id: UUID, lifetime: timedelta = timedelta(minutes=10)) -> str:
        return self.context.tokens.issue("access", person_id, lifetime, session_id=session_id, role="patient", name="")

    def fact(self, kind: type, start: datetime, visit: UUID | None = None, **more: Any) -> Any:
        return kind(
            appointment_id=visit or uuid7(),
            patient_id=self.patient,
            practitioner_id=self.doctor,
            start=start,
            end=start + timedelta(minutes=30),
            **more,
        )

    async def book(self, start: datetime) -> UUID:
        fact = self.fact(AppointmentBooked, start, specialty="general", fee_minor=5000, currency="XOF")
        self.visits[fact.appointment_id] = Appointment(
            fact.appointment_id, self.patient, self.doctor, start, start + timedelta(minutes=30), "booked", 1
        )
        await self.publish(fact)
        return fact.appointment_id

    async def change(self, visit: UUID, kind: type, more: dict[str, Any], **changes: Any) -> None:
        """The appointment changes, with its fact."""
        before = self.visits[visit]
        self.visits[visit] = after = replace(before, version=before.version + 1, **changes)
        await self.publish(self.fact(kind, after.start, visit, **more))

    async def publish(self, fact: Any) -> None:
        async with self.context.database("scheduling").transaction() as tx:
            await tx.publish(fact)

    async def notices(self, person_id: UUID) -> list[Any]:
        return (await self.service.notices(self.principal(person_id), None, 50))[0]

    def principal(self, person_id: UUID, role: Role = "patient") -> Principal:
        return Principal(person_id, role, frozenset({role}))

    def mails(self, person_id: UUID) -> list[Any]:
        return [each for each in self.catcher.mails if each.to == self.people[person_id].email]

    async def send_until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                await self.service.send_mail()
                await asyncio.sleep(0.01)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def clinic(make_context: Any, run_facts: Any) -> AsyncIterator[Clinic]:
    clock, catcher = MovableClock(), Catcher()
    await catcher.start()
    context = await make_context(clock=clock)
    mail = context.settings.mail.model_copy(update={"port": catcher.port})
    context = replace(context, settings=context.settings.model_copy(update={"mail": mail}))
    made = Clinic(context, clock, catcher)
    made.service = notifications.setup(context, people=made, appointments=made, verifications=made, sessions=made)
    # Facts and mails of other tests' people are no business of this one.
    async with context.database("notifications").transaction() as tx:
        await tx.execute("UPDATE deliveries SET status = 'skipped' WHERE status IN ('waiting', 'sending')")
        await tx.execute("UPDATE reminders SET state = 'void' WHERE state = 'planned'")
    run_facts(context)
    for start in context.starting:
        await start()
    yield made
    for stop in reversed(context.stopping):
        await stop()
    await catcher.stop()


async def test_booking_tells_both_in_their_language_and_zone(clinic: Clinic) -> None:
    await clinic.book(datetime(2027, 1, 4, 9, 0, tzinfo=UTC))
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    await clinic.send_until(lambda: bool(clinic.mails(clinic.patient) and clinic.mails(clinic.doctor)))
    [notice] = await clinic.notices(clinic.patient)
    assert notice.title == "Votre rendez-vous est confirmé"
    assert notice.body == "Vous rencontrez Dr Paul Ky en vidéo le lundi 4 janvier 2027 à 18:00 (Asia/Tokyo)."
    [mail] = clinic.mails(clinic.patient)
    assert mail.subject == notice.title
    assert "Bonjour Awa Sanou," in mail.text
    assert notice.body in mail.text.replace("\n", " ") or "18:00" in mail.text
    [mail] = clinic.mails(clinic.doctor)
    assert mail.subject == "New appointment"
    assert "Awa Sanou booked a video visit on Monday 4 January 2027 at 09:00 (Africa/Abidjan)." in mail.text
    async with clinic.context.database("notifications").reading() as tx:
        sealed = await tx.fetchval("SELECT sealed FROM notices WHERE person_id = $1", clinic.patient)
    assert b"Paul" not in sealed


def calendar_of(mail: Mail) -> tuple[str, Component]:
    """What a mail program finds: the method of the alternative body, and its only event; the file says the same."""
    mixed = mail.message
    assert mixed.get_content_type() == "multipart/mixed"
    alternative, attachment = mixed.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    plain, body = alternative.iter_parts()
    assert (plain.get_content_type(), body.get_content_type()) == ("text/plain", "text/calendar")
    assert body.get_content_charset() == "utf-8"
    assert attachment.get_content_type() == "application/ics"
    assert attachment.get_filename().endswith(".ics")
    calendar = Calendar.from_ical(body.get_content())
    assert Calendar.from_ical(attachment.get_content()) == calendar
    method = body.get_param("method")
    assert calendar["METHOD"] == method
    [event] = calendar.walk("VEVENT")
    return str(method), event


async def test_each_mail_replaces_the_calendar_entry_of_the_one_before(clinic: Clinic) -> None:
    start, later = datetime(2027, 1, 4, 9, tzinfo=UTC), datetime(2027, 1, 5, 15, 30, tzinfo=UTC)
    visit = await clinic.book(start)
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    await clinic.send_until(lambda: len(clinic.mails(clinic.patient)) == 1)
    end = later + timedelta(minutes=30)
    await clinic.change(visit, AppointmentRescheduled, {"previous_start": start}, start=later, end=end)
    await until(lambda: _count(clinic.notices(clinic.doctor), 2))
    await clinic.send_until(lambda: len(clinic.mails(clinic.patient)) == 2)
    await clinic.change(visit, AppointmentCancelled, {"by": "patient", "in_time": True}, status="cancelled")
    await until(lambda: _count(clinic.notices(clinic.doctor), 3))
    await clinic.send_until(lambda: len(clinic.mails(clinic.patient)) == 3)

    found = [calendar_of(mail) for mail in clinic.mails(clinic.patient)]
    assert [method for method, _ in found] == ["REQUEST", "REQUEST", "CANCEL"]
    events = [event for _, event in found]
    assert {str(event["UID"]) for event in events} == {f"{visit}@visits.bedside"}
    sequences = [event["SEQUENCE"] for event in events]
    assert sequences == sorted(set(sequences)), "each is newer than the one before"
    assert [event["DTSTART"].dt for event in events] == [start, later, later]
    assert [str(event["STATUS"]) for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    for mail, event in zip(clinic.mails(clinic.patient), events, strict=True):
        assert event["ORGANIZER"] == "mailto:no-reply@bedside.invalid"
        assert "no-reply@bedside.invalid" in mail.message["From"]
        assert event["ATTENDEE"] == f"mailto:{mail.to}"
        assert event["ATTENDEE"].params["RSVP"] == "FALSE"
        assert event["SUMMARY"] == "Visite vidéo"
        assert event["URL"].endswith(f"/visits/{visit}")
        text = event.to_ical().decode()
        assert "Ky" not in text
        assert "Sanou" not in text


async def test_a_late_mail_never_enters_an_old_time(clinic: Clinic) -> None:
    await clinic.catcher.stop()
    visit = await clinic.book(clinic.clock.now() + timedelta(days=3))
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    clinic.visits[visit] = replace(clinic.visits[visit], status="cancelled", version=2)
    await clinic.catcher.start()
    await clinic.send_until(lambda: bool(clinic.mails(clinic.patient)))
    [mail] = clinic.mails(clinic.patient)
    assert mail.message.get_content_type() == "text/plain"


async def test_missing_mail_server_delays_mail_alone_and_is_named(clinic: Clinic) -> None:
    port = clinic.catcher.port
    await clinic.catcher.stop()
    await clinic.book(clinic.clock.now() + timedelta(days=3))
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    assert await clinic.service.send_mail() == 0
    rows, _ = await clinic.service.deliveries(clinic.principal(uuid7(), "desk"), None, 10)
    mine = [row for row in rows if row.person_id in clinic.people]
    assert {(row.status, row.attempts) for row in mine} == {("waiting", 0)}
    assert f"127.0.0.1:{port} can't be reached" in str(mine[0].last_error)
    assert f":{port}" in str(await clinic.service.check_mail())
    await clinic.catcher.start()
    clinic.clock.ahead += timedelta(seconds=10)
    await clinic.send_until(lambda: bool(clinic.mails(clinic.patient) and clinic.mails(clinic.doctor)))
    assert await clinic.service.check_mail() is None
    assert await clinic.service.send_mail() == 0


async def test_two_senders_send_once_and_a_dead_one_is_made_up_for(clinic: Clinic) -> None:
    await clinic.book(clinic.clock.now() + timedelta(days=3))
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    assert sum(await asyncio.gather(*(clinic.service.send_mail() for _ in range(4)))) == 2
    async with clinic.context.database("notifications").transaction() as tx:  # died after handing over, before noting
        await tx.execute("UPDATE deliveries SET status = 'sending' WHERE person_id = $1", clinic.patient)
    assert await clinic.service.send_mail() == 0
    clinic.clock.ahead += timedelta(minutes=3)
    assert await clinic.service.send_mail() == 1
    first, second = clinic.mails(clinic.patient)
    assert first.message_id == second.message_id, "a mailbox shows it once"


async def test_a_refused_mail_is_tried_again_or_given_up(clinic: Clinic) -> None:
    async def mine() -> set[tuple[str, int, str | None]]:
        rows, _ = await clinic.service.deliveries(clinic.principal(uuid7(), "admin"), None, 10)
        return {(row.status, row.attempts, row.last_error) for row in rows if row.person_id in clinic.people}

    await clinic.book(clinic.clock.now() + timedelta(days=3))
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    clinic.catcher.refusing = "451 later"
    assert await clinic.service.send_mail() == 0
    assert await mine() == {("waiting", 1, "the mail server refused with 451")}
    clinic.catcher.refusing = "550 never"
    clinic.clock.ahead += timedelta(minutes=1)
    assert await clinic.service.send_mail() == 0
    assert await mine() == {("failed", 2, "the mail server refused with 550")}
    clinic.clock.ahead += timedelta(days=2)
    assert await clinic.service.send_mail() == 0


async def test_reminders_are_sent_late_but_once_and_void_after_a_change(clinic: Clinic) -> None:
    start = clinic.clock.now() + timedelta(days=2)
    kept, cancelled, moved = [await clinic.book(start) for _ in range(3)]
    await until(lambda: _count(clinic.notices(clinic.doctor), 3))
    await clinic.publish(clinic.fact(AppointmentCancelled, start, cancelled, by="patient", in_time=True))
    later = start + timedelta(days=5)
    clinic.visits[moved] = replace(clinic.visits[moved], start=later)
    await clinic.publish(clinic.fact(AppointmentRescheduled, later, moved, previous_start=start))
    await until(lambda: _count(clinic.notices(clinic.doctor), 5))
    # The worker was down at 24 hours; it comes back 50 minutes before the start.
    clinic.clock.ahead = timedelta(days=2) - timedelta(minutes=50)
    assert sum(await asyncio.gather(*(clinic.service.send_due_reminders() for _ in range(3)))) == 1
    [notice, *_] = await clinic.notices(clinic.patient)
    assert notice.kind == "reminder"
    assert notice.link == f"/visits/{kept}"
    clinic.clock.ahead = timedelta(days=2) - timedelta(minutes=5)
    assert await clinic.service.send_due_reminders() == 2  # ten minutes before, to both
    assert await clinic.service.send_due_reminders() == 0


async def test_a_cancellation_not_yet_heard_of_still_voids_the_reminder(clinic: Clinic) -> None:
    visit = await clinic.book(clinic.clock.now() + timedelta(minutes=70))
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    clinic.visits[visit] = replace(clinic.visits[visit], status="cancelled")
    clinic.clock.ahead = timedelta(minutes=15)
    assert await clinic.service.send_due_reminders() == 0


async def test_http_shows_ones_own_and_staff_the_deliveries(clinic: Clinic, make_client: Any) -> None:
    await clinic.book(clinic.clock.now() + timedelta(days=3))
    await until(lambda: _some(clinic.notices(clinic.doctor)))
    client, sign_in = await make_client(clinic.context), TokenSessions(clinic.context).sign_in
    mine, other = sign_in(clinic.patient), sign_in(uuid7())
    assert (await client.get("/api/v1/notifications")).status == 401
    assert (await (await client.get("/api/v1/notifications", headers=other)).json())["items"] == []
    [notice] = (await (await client.get("/api/v1/notifications", headers=mine)).json())["items"]
    assert notice.keys() == {"id", "kind", "title", "body", "link", "created_at", "read_at"}
    address = f"/api/v1/notifications/{notice['id']}/read"
    assert (await client.post(address, headers=other)).status == 404
    assert (await client.post(address, headers=mine)).status == 204
    [notice] = (await (await client.get("/api/v1/notifications", headers=mine)).json())["items"]
    assert notice["read_at"].endswith("Z")
    assert (await client.get("/api/v1/notifications/deliveries", headers=mine)).status == 403
    answer = await client.get("/api/v1/notifications/deliveries?limit=1", headers=sign_in(uuid7(), "desk"))
    page = await answer.json()
    assert page["items"][0].keys() == {
        *("id", "channel", "kind", "status", "attempts", "created_at", "last_error"),
    }
    assert page["next_cursor"] == page["items"][0]["id"]


async def test_whoever_waited_is_told_of_the_time_kept_for_them(clinic: Clinic) -> None:
    start, kept = datetime(2027, 1, 4, 9, 0, tzinfo=UTC), datetime(2027, 1, 4, 8, 15, tzinfo=UTC)
    end, people = start + timedelta(minutes=30), {"patient_id": clinic.patient, "practitioner_id": clinic.doctor}
    await clinic.publish(WaitlistOffered(entry_id=uuid7(), start=start, end=end, expires_at=kept, **people))
    await clinic.send_until(lambda: bool(clinic.mails(clinic.patient)))
    [notice] = await clinic.notices(clinic.patient)
    assert notice.link == "/visits"
    assert "Dr Paul Ky le lundi 4 janvier 2027 à 18:00 (Asia/Tokyo)" in notice.body
    assert "jusqu'au lundi 4 janvier 2027 à 17:15 (Asia/Tokyo)" in notice.body
    assert not await clinic.notices(clinic.doctor)


async def test_a_practitioner_is_told_that_their_licence_ends(clinic: Clinic) -> None:
    ending = LicenceEnding(
        practitioner_id=clinic.doctor, expires_on=date(2027, 1, 31), days_before=30, appointments_after=3
    )
    await clinic.publish(ending)
    await clinic.send_until(lambda: bool(clinic.mails(clinic.doctor)))
    [notice] = await clinic.notices(clinic.doctor)
    assert "ends on Sunday 31 January 2027" in notice.body
    assert "booked after that day: 3" in notice.body
    assert notice.link == "/schedule"


@asynccontextmanager
async def connected(address: str, token: str) -> AsyncIterator[tuple[socketio.AsyncClient, list[Any]]]:
    client, heard = socketio.AsyncClient(reconnection=False), []
    client.on("notification", heard.append, namespace="/notifications")
    await client.connect(address, auth={"token": token}, namespaces=["/notifications"], transports=["websocket"])
    try:
        yield client, heard
    finally:
        await client.disconnect()


async def test_live_notices_refresh_expiry_and_revocation(clinic: Clinic, make_client: Any) -> None:
    server = await make_client(clinic.context, lambda application: clinic.context.realtime.attach(application))
    address = str(server.make_url("/"))
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with connected(address, "forged"):
            pass
    session, other_session = uuid7(), uuid7()
    async with (
        connected(address, clinic.token(clinic.patient, session)) as (client, heard),
        connected(address, clinic.token(clinic.doctor, other_session)) as (doctor, _),
    ):
        await clinic.book(clinic.clock.now() + timedelta(days=3))
        await until(lambda: _value(len(heard) == 1))
        assert heard[0]["title"] == "Votre rendez-vous est confirmé"

        async def call(event: str, data: Any) -> Any:
            return await client.call(event, data, namespace="/notifications", timeout=5)

        assert await call("auth.refresh", {"token": clinic.token(clinic.patient, session)}) == {"ok": True}
        wrong = await call("auth.refresh", {"token": clinic.token(clinic.doctor, session)})
        assert wrong["error"]["code"] == "invalid_token"
        assert (await call("auth.refresh", 5))["error"]["code"] == "invalid_token"
        assert (await call("nonsense", {}))["error"]["code"] == "unknown_event"
        answers = await asyncio.gather(*(call("nonsense", {}) for _ in range(70)))
        assert answers[-1]["error"]["code"] == "too_many_requests"

        revocation = json.dumps({"session_id": str(session), "person_id": str(clinic.patient)})
        await clinic.context.redis.publish("identity:revoked", revocation)
        await until(lambda: _value(not client.connected))
        assert doctor.connected
        clinic.clock.ahead = timedelta(minutes=11)
        await until(lambda: _value(not doctor.connected))


async def _some(awaitable: Awaitable[Sequence[Any]]) -> bool:
    return bool(await awaitable)


async def _count(awaitable: Awaitable[Sequence[Any]], expected: int) -> bool:
    return len(await awaitable) == expected


async def _value(value: bool) -> bool:
    return value
