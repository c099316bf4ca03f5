"""Use cases of notices, deliveries and reminders; one transaction each. Policy: see ``allow`` in ``__init__``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from core import ics
from core.clock import Clock, rfc3339
from core.database import Database, Transaction
from core.errors import NotFound
from core.ics import Method
from core.ids import uuid7
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.vault import KeyDestroyed, Vault
from notifications import reminders, templates
from notifications.mail import Connection, Letter, Mailer, MailRefused, MailServerAway
from notifications.personal import Personal
from notifications.ports import Actors, Appointments, People, Person, Verifications
from notifications.repository import Delivery, Repository, StoredNotice
from scheduling.events import AppointmentFact

log = structlog.get_logger(__name__)

MAIL_BATCH = 20
REMINDER_BATCH = 50
MAX_ATTEMPTS = 12  # about a day
FIRST_RETRY_S = 15.0
LONGEST_RETRY_S = 4 * 3600.0
# The server is asked again soon: its absence says nothing about a mail.
SERVER_RETRY = timedelta(seconds=5)
# A sender that has not finished by now has died.
STALE_AFTER = timedelta(minutes=2)
# What the calendar entry beside a mail asks for, by kind of notice (RFC 5546).
CALENDAR_METHODS: Mapping[str, Method] = {
    "appointment.booked": "REQUEST",
    "appointment.rescheduled": "REQUEST",
    "appointment.cancelled": "CANCEL",
}
# Who is told beside the patient: of their visits, of what is to be arranged or paid, of what is in their record.
VISITS: frozenset[Relation] = frozenset({"proxy_book", "proxy_attend"})
ARRANGING: frozenset[Relation] = frozenset({"proxy_book"})
RECORD: frozenset[Relation] = frozenset({"proxy_read"})
OPEN_STATUSES = frozenset({"booked", "arrived", "checked-in"})


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice, decrypted for its person."""

    id: UUID
    kind: str
    title: str
    body: str
    link: str | None
    created_at: datetime
    read_at: datetime | None

    def wire(self) -> dict[str, Any]:
        """The shape of ``Notice`` in the protocol."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "title": self.title,
            "body": self.body,
            "link": self.link,
            "created_at": rfc3339(self.created_at),
            "read_at": None if self.read_at is None else rfc3339(self.read_at),
        }


@dataclass(frozen=True, slots=True)
class Telling:
    """What to tell whom. ``other_id`` is the one they meet; by email too when ``mail``."""

    kind: str
    person_id: UUID
    other_id: UUID
    appointment_id: UUID | None  # None: about no visit, and then there is a link
    start: datetime | None = None
    until: datetime | None = None
    day: date | None = None
    count: int | None = None
    amount: tuple[int, str] | None = None
    link: str | None = None
    template: str | None = None
    mail: bool = True
    also: frozenset[Relation] = frozenset()  # whoever acts for the person in one of these ways is told too
    acted_for: UUID | None = None  # then it is about that patient, and this person acts for them


Emit = Callable[[Sequence[tuple[UUID, Notice]]], Awaitable[None]]


def retry_delay(attempts: int) -> timedelta:
    """How long after the given number of failed attempts: 15 s, doubling, to four hours. Pure."""
    return timedelta(seconds=min(FIRST_RETRY_S * 2 ** (attempts - 1), LONGEST_RETRY_S))


class Notifications:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        clock: Clock,
        policy: Policy,
        vault: Vault,
        mailer: Mailer,
        public_url: str,
        emit: Emit,
        *,
        people: People,
        appointments: Appointments,
        verifications: Verifications,
        actors: Actors,
    ) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy
        self._vault = vault
        self._mailer = mailer
        self._public_url = public_url
        self._emit = emit
        self._people = people
        self._appointments = appointments
        self._verifications = verifications
        self._actors = actors
        self.personal = Personal(database)

    # Telling

    async def tell(self, tx: Transaction, *tellings: Telling) -> None:
        """A notice for each, in their language and zone, and for those who act for them; live after the commit.

        Nobody unknown, nobody erased, nobody without an account.
        """
        tellings = (*tellings, *await self._to_actors(tellings))
        ids = {each for one in tellings for each in (one.person_id, one.other_id, one.acted_for) if each is not None}
        people = await self._people.get(sorted(ids))
        tellings = tuple(each for each in tellings if each.person_id in people and people[each.person_id].has_account)
        await self._vault.prepare(each.person_id for each in tellings if each.person_id in people)
        stored: list[tuple[StoredNotice, Sequence[str]]] = []
        told: list[tuple[UUID, Notice]] = []
        for each in tellings:
            person = people.get(each.person_id)
            whose = people.get(each.acted_for) if each.acted_for else None
            notice = None if person is None else self._notice(each, person, people.get(each.other_id), whose)
            if notice is None:
                continue
            try:
                text = json.dumps([notice.title, notice.body])
                sealed = await self._vault.encrypt_text(each.person_id, _place(notice.id), text)
            except KeyDestroyed:
                continue  # erased meanwhile: there is nobody to tell
            kept = StoredNotice(
                notice.id, each.person_id, each.kind, sealed, notice.link, each.appointment_id, notice.created_at, None
            )
            stored.append((kept, ["email"] if each.mail else []))
            told.append((each.person_id, notice))
        if not stored:
            return
        await self._repository.add_notices(tx, stored)

        tx.after_commit(partial(self._emit, told))

    async def _to_actors(self, tellings: Sequence[Telling]) -> list[Telling]:
        acting = await self._actors.acting(sorted({each.person_id for each in tellings if each.also}))
        return [
            replace(each, person_id=actor.person_id, acted_for=each.person_id, also=frozenset())
            for each in tellings
            for actor in acting.get(each.person_id, ())
            if each.also & actor.relations
        ]

    def _notice(self, telling: Telling, person: Person, other: Person | None, whose: Person | None) -> Notice:
        values = {"other": "" if other is None else other.name, **_values(person, telling)}
        title, body = templates.render(telling.template or telling.kind, person.language, values)
        if whose is not None:
            body = templates.for_somebody(person.language, whose.name, body)
        link = telling.link or f"/visits/{telling.appointment_id}"
        return Notice(uuid7(), telling.kind, title, body, link, self._clock.now(), None)

    async def write_letter(self, tx: Transaction, kind: str, person_id: UUID, letter_id: UUID) -> None:
        """A letter about the account, by email alone: it proves the mailbox, or warns whoever is not signed in."""
        await self._repository.add_letter(tx, uuid7(), person_id, letter_id, kind, self._clock.now())

    # Reading

    async def notices(self, principal: Principal, before: UUID | None, limit: int) -> tuple[list[Notice], UUID | None]:
        """One's own, newest first, and what to pass as ``before`` for more."""
        self._policy.require(principal, "notice.read")
        async with self._database.reading() as tx:
            stored = await self._repository.notices_of(tx, principal.id, before, limit + 1)
        following = stored[limit - 1].id if len(stored) > limit else None
        notices = [await self._open(each) for each in stored[:limit]]
        return [each for each in notices if each is not None], following

    async def mark_read(self, principal: Principal, notice_id: UUID) -> None:
        """Raises NotFound, also for somebody else's."""
        self._policy.require(principal, "notice.read")
        async with self._database.transaction() as tx:
            if not await self._repository.mark_read(tx, principal.id, notice_id, self._clock.now()):
                raise NotFound()

    async def deliveries(
        self, principal: Principal, before: UUID | None, limit: int
    ) -> tuple[list[Delivery], UUID | None]:
        self._policy.require(principal, "delivery.list")
        async with self._database.reading() as tx:
            found = await self._repository.deliveries(tx, before, limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def _open(self, stored: StoredNotice) -> Notice | None:
        try:
            text = await self._vault.decrypt_text(stored.person_id, _place(stored.id), stored.sealed)
        except KeyDestroyed:
            return None
        title, body = json.loads(text)
        return Notice(stored.id, stored.kind, title, body, stored.link, stored.created_at, stored.read_at)

    # Reminders

    async def plan_reminders(self, tx: Transaction, *appointments: AppointmentFact) -> None:
        """For visits as they are now."""
        now = self._clock.now()
        planned = [
            reminder
            for each in appointments
            for reminder in reminders.plan(each.appointment_id, each.patient_id, each.practitioner_id, each.start, now)
        ]
        if planned:
            await self._repository.plan_reminders(tx, planned)

    async def void_reminders(self, tx: Transaction, appointment_id: UUID) -> None:
        await self._repository.void_reminders(tx, appointment_id)

    async def send_due_reminders(self) -> int:
        """Tell whoever is to be reminded by now. Policy: ``reminders.choose``. Returns how many were told.

        The row is settled in the transaction that writes the notice, so it is told once, however late.
        """
        now, told = self._clock.now(), 0
        async with self._database.transaction() as tx:
            due = await self._repository.due_reminders(tx, now, REMINDER_BATCH)
            chosen = reminders.choose(due, now)
            for each in due:
                appointment = await self._appointments.get(each.appointment_id) if each in chosen else None
                stands = (
                    appointment is not None and appointment.status in OPEN_STATUSES and appointment.start == each.start
                )
                if appointment is not None and stands:
                    patient = each.person_id == appointment.patient_id
                    other_id = appointment.practitioner_id if patient else appointment.patient_id
                    reminder = Telling("reminder", each.person_id, other_id, each.appointment_id, each.start)
                    await self.tell(tx, replace(reminder, mail=patient, also=VISITS if patient else frozenset()))
                    told += 1
                await self._repository.settle_reminder(tx, each, "sent" if stands else "void")
        return told

    # Email

    async def send_mail(self) -> int:
        """Send what is due. Returns how many were handed over. A missing mail server delays, and is written down."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            due = await self._repository.take_due(tx, now, now - STALE_AFTER, MAIL_BATCH)
        if not due:
            return 0
        sent = 0
        people = await self._people.get(sorted({each.person_id for each in due}))
        try:
            async with self._mailer.connect() as connection:
                while due:
                    sent += await self._send(connection, due[0], people)
                    due.pop(0)
        except MailServerAway as error:
            log.warning("mail server away", waiting=len(due))
            async with self._database.transaction() as tx:
                await self._repository.put_back(
                    tx, [each.id for each in due], str(error), self._clock.now() + SERVER_RETRY
                )
        return sent

    async def _send(self, connection: Connection, delivery: Delivery, people: Mapping[UUID, Person]) -> int:
        person = people.get(delivery.person_id)
        to, written = "", None
        if delivery.verification_id is not None:
            to, written = await self._account_letter(delivery, delivery.verification_id, person)
        elif person is not None:
            to, written = person.email, await self._write(delivery, person)
        now = self._clock.now()
        if written is None:
            known = person is not None or delivery.verification_id is not None
            reason = "there is nothing to send any more" if known else "the person is unknown"
            async with self._database.transaction() as tx:
                await self._repository.not_sent(tx, delivery.id, "skipped", reason, now)
            return 0
        try:
            await connection.send(delivery.id, to, written)
        except MailRefused as error:
            final = error.permanent or delivery.attempts >= MAX_ATTEMPTS
            async with self._database.transaction() as tx:
                await self._repository.not_sent(
                    tx,
                    delivery.id,
                    "failed" if final else "waiting",
                    f"the mail server {error}",
                    now + retry_delay(delivery.attempts),
                )
            return 0
        async with self._database.transaction() as tx:
            await self._repository.sent(tx, delivery.id, self._clock.now())
        return 1

    async def _account_letter(
        self, delivery: Delivery, letter_id: UUID, person: Person | None
    ) -> tuple[str, Letter | None]:
        """To whom, and what; nothing when the link is used or nobody is known by that id."""
        found = await self._verifications.letter(delivery.kind, letter_id)
        if found is None or (person is None and found.email is None):
            return "", None
        language = found.language or (person.language if person else "en")
        name = found.name or (person.name if person else "")
        title, body = templates.render(delivery.kind, language, {})
        to = found.email or (person.email if person else "")
        return to, Letter(title, templates.mail_text(language, name, body, found.link))

    async def _write(self, delivery: Delivery, person: Person) -> Letter | None:
        """Written anew at each attempt; None when the content is gone."""
        if delivery.notice_id is None:
            return None
        async with self._database.reading() as tx:
            stored = await self._repository.notice(tx, delivery.notice_id)
        notice = None if stored is None else await self._open(stored)
        if notice is None:
            return None
        link = f"{self._public_url}{notice.link or '/'}"
        text = templates.mail_text(person.language, person.name, notice.body, link)
        return Letter(notice.title, text, await self._calendar(stored, person, link))

    async def _calendar(self, stored: StoredNotice | None, person: Person, link: str) -> tuple[Method, bytes] | None:
        """The calendar entry that goes with a mail about an appointment: as it stands now, not as it stood then.

        So a mail that was late never puts an old time into a calendar.
        """
        method = None if stored is None else CALENDAR_METHODS.get(stored.kind)
        if method is None or stored is None or stored.appointment_id is None:
            return None
        appointment = await self._appointments.get(stored.appointment_id)
        if appointment is None or (appointment.status in OPEN_STATUSES) != (method == "REQUEST"):
            return None
        entry = ics.Entry(
            id=appointment.id,
            start=appointment.start,
            end=appointment.end,
            title=templates.calendar_title(person.language),
            link=link,
            sequence=appointment.version,
            changed_at=self._clock.now(),
        )
        return method, ics.invitation(entry, method, organizer=self._mailer.address, attendee=person.email)

    async def check_mail(self) -> str | None:
        """None when the mail server answers, else what is wrong, for the health page."""
        return await self._mailer.check()


def _place(notice_id: UUID) -> str:
    return f"notice/{notice_id}"


def _values(person: Person, telling: Telling) -> dict[str, str]:
    def when(moment: datetime | None) -> str:
        return "" if moment is None else templates.when(moment, person.language, person.time_zone)

    return {
        "when": when(telling.start),
        "until": when(telling.until),
        "day": "" if telling.day is None else templates.day(telling.day, person.language),
        "count": "" if telling.count is None else str(telling.count),
        "amount": "" if telling.amount is None else templates.money(*telling.amount, person.language),
    }
