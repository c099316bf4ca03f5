"""Finding an interpreter: those on duty who speak the language are asked one after another, each for a short time.

Whoever accepts gets the session of an invited guest: this visit and nothing else.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from consultations import lifecycle, repository
from consultations.errors import InterpreterRequested as AlreadyRequested
from consultations.errors import OfferGone
from consultations.events import InterpreterRequested
from consultations.guests import Guests
from consultations.invitations import Invitations
from consultations.ports import AppointmentInfo, Appointments, People, Visits
from consultations.schemas import GuestSession, InterpreterOffer, Interpreting
from core.clock import rfc3339
from core.context import Context
from core.database import Transaction
from core.errors import NotFound
from core.ids import uuid7
from core.security.principal import Principal

log = logging.getLogger(__name__)

AT_A_TIME = 100  # searches looked at in one turn


@dataclass(frozen=True, slots=True)
class _Search:
    id: UUID
    consultation_id: UUID
    language: str


def primary(tag: str) -> str:
    """The primary subtag of a BCP 47 tag: ``fr-SN`` asks for French."""
    return tag.partition("-")[0].lower()


class InterpreterSearch:
    def __init__(
        self,
        context: Context,
        *,
        appointments: Appointments,
        people: People,
        visits: Visits,
        invitations: Invitations,
        guests: Guests,
    ) -> None:
        self._context = context
        self._database = context.database("consultations")
        self._clock = context.clock
        self._appointments = appointments
        self._people = people
        self._visits = visits
        self._invitations = invitations
        self._guests = guests
        self._patience = timedelta(seconds=context.settings.visit.interpreter_offer_s)

    # Asking

    async def request(self, appointment_id: UUID, by: UUID, role: str, language: str) -> dict[str, Any]:
        """Begin to look, for somebody whose place in the visit has been checked. The state in its wire shape.

        Raises AlreadyRequested, NotFound, VisitNotOpen.
        """
        found = await self._appointment(appointment_id)
        now = self._clock.now()
        lifecycle.require_open(found.status, found.opens_at, found.closes_at, now)
        search = _Search(uuid7(), appointment_id, primary(language))
        try:
            async with self._database.transaction() as tx:
                await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
                await tx.execute(
                    "INSERT INTO interpreter_requests (id, consultation_id, language, requested_by, asked_at, state) "
                    "VALUES ($1, $2, $3, $4, $5, 'searching')",
                    search.id,
                    appointment_id,
                    search.language,
                    by,
                    now,
                )
                await tx.audit(
                    "consultation.interpreter_requested",
                    actor_id=by,
                    actor_role=role,
                    resource="consultation",
                    resource_id=appointment_id,
                    patient_id=found.patient_id,
                    details={"language": search.language},
                )
                state = await self._ask_next(tx, search, found, now)
        except asyncpg.UniqueViolationError:
            raise AlreadyRequested() from None
        return state

    async def cancel(self, appointment_id: UUID) -> None:
        """Stop looking; nothing happens if nobody was looked for."""
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(
                "UPDATE interpreter_requests SET state = 'cancelled' WHERE consultation_id = $1 "
                "AND state = 'searching' RETURNING id, consultation_id, language",
                appointment_id,
            )
            if row is None:
                return
            search = _Search(*row)
            await self._close_offers(tx, search.id, "withdrawn")
        await self._tell(appointment_id, _state(search, "cancelled"))

    async def latest(self, appointment_id: UUID) -> dict[str, Any] | None:
        """The newest search of a visit in its wire shape."""
        async with self._database.reading() as tx:
            row = await tx.fetchrow(
                "SELECT r.id, r.consultation_id, r.language, r.state, r.invitation_id, c.patient_id, "
                "(SELECT max(o.expires_at) FROM interpreter_offers o WHERE o.request_id = r.id AND o.outcome = 'open') "
                "FROM interpreter_requests r JOIN consultations c ON c.id = r.consultation_id "
                "WHERE r.consultation_id = $1 ORDER BY r.asked_at DESC, r.id DESC LIMIT 1",
                appointment_id,
            )
        if row is None:
            return None
        name = None
        if row[4] is not None:
            invitation = await self._invitations.get(row[4])
            name = None if invitation is None else await self._invitations.name_of(invitation, row[5])
        return _state(_Search(*list(row.values())[:3]), row[3], name=name, expires_at=row[6])

    async def turn(self) -> None:
        """Whose time is over has missed it, and the next is asked. Run every second by one process."""
        now = self._clock.now()
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT id, consultation_id, language FROM interpreter_requests r WHERE state = 'searching' "
                "AND NOT EXISTS (SELECT FROM interpreter_offers o WHERE o.request_id = r.id AND o.outcome = 'open' "
                "AND o.expires_at > $1) ORDER BY asked_at LIMIT $2",
                now,
                AT_A_TIME,
            )
        for row in rows:
            try:
                await self._go_on(_Search(*row), now)
            except Exception:
                log.exception("interpreter_search_failed")

    async def _go_on(self, search: _Search, now: datetime) -> None:
        found = await self._appointment(search.consultation_id)
        async with self._database.transaction() as tx:
            if not await self._lock(tx, search.id):
                return
            await self._close_offers(tx, search.id, "missed")
            if found.status in lifecycle.OVER or now >= found.closes_at:
                await self._set(tx, search.id, "cancelled")
                state = _state(search, "cancelled")
            else:
                state = await self._ask_next(tx, search, found, now)
        await self._tell(search.consultation_id, state)

    async def _ask_next(
        self, tx: Transaction, search: _Search, found: AppointmentInfo, now: datetime
    ) -> dict[str, Any]:
        """Offer it to whoever was asked longest ago and has not been asked yet in this search."""
        person_id = await tx.fetchval(
            "SELECT person_id FROM interpreters i WHERE on_duty AND $1 = ANY(languages) AND person_id <> ALL($3) "
            "AND NOT EXISTS (SELECT FROM interpreter_offers o WHERE o.person_id = i.person_id "
            "AND (o.request_id = $2 OR o.outcome = 'open')) "
            "ORDER BY last_offered_at NULLS FIRST, person_id LIMIT 1 FOR UPDATE SKIP LOCKED",
            search.language,
            search.id,
            [found.patient_id, found.practitioner_id],
        )
        if person_id is None:
            await self._set(tx, search.id, "none")
            return _state(search, "none")
        expires_at = now + self._patience
        await tx.execute(
            "INSERT INTO interpreter_offers (id, request_id, person_id, offered_at, expires_at) "
            "VALUES ($1, $2, $3, $4, $5)",
            uuid7(),
            search.id,
            person_id,
            now,
            expires_at,
        )
        await tx.execute("UPDATE interpreters SET last_offered_at = $2 WHERE person_id = $1", person_id, now)
        await tx.publish(
            InterpreterRequested(
                appointment_id=found.id,
                patient_id=found.patient_id,
                practitioner_id=found.practitioner_id,
                person_id=person_id,
            )
        )
        return _state(search, "searching", expires_at=expires_at)

    # Answering

    async def accept(self, principal: Principal, offer_id: UUID) -> GuestSession:
        """The interpreter comes: a session for this visit alone. Raises OfferGone, NotFound."""
        now = self._clock.now()
        search, found = await self._offered(principal, offer_id)
        person = await self._people.get(principal.id)
        if person is None:
            raise OfferGone()
        async with self._database.transaction() as tx:
            if not await self._lock(tx, search.id) or not await self._answer(tx, offer_id, "accepted", now):
                raise OfferGone()
            made = await self._invitations.make(tx, found, "interpreter", person.name, principal.id, now)
            invitation = await self._invitations.redeem(tx, made.secret, now)
            await tx.execute(
                "UPDATE interpreter_requests SET state = 'accepted', invitation_id = $2 WHERE id = $1",
                search.id,
                made.id,
            )
            await tx.audit(
                "consultation.interpreter_accepted",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="consultation",
                resource_id=found.id,
                patient_id=found.patient_id,
            )
        await self._tell(found.id, _state(search, "accepted", name=person.name))
        return await self._guests.session(invitation, found.patient_id, now)

    async def decline(self, principal: Principal, offer_id: UUID) -> None:
        """The next is asked at once. Raises OfferGone, NotFound."""
        now = self._clock.now()
        search, found = await self._offered(principal, offer_id)
        async with self._database.transaction() as tx:
            if not await self._lock(tx, search.id) or not await self._answer(tx, offer_id, "declined", now):
                raise OfferGone()
            state = await self._ask_next(tx, search, found, now)
        await self._tell(found.id, state)

    async def _offered(self, principal: Principal, offer_id: UUID) -> tuple[_Search, AppointmentInfo]:
        async with self._database.reading() as tx:
            row = await tx.fetchrow(
                "SELECT r.id, r.consultation_id, r.language FROM interpreter_offers o "
                "JOIN interpreter_requests r ON r.id = o.request_id WHERE o.id = $1 AND o.person_id = $2",
                offer_id,
                principal.id,
            )
        if row is None:
            raise NotFound()
        return _Search(*row), await self._appointment(row[1])

    async def _answer(self, tx: Transaction, offer_id: UUID, outcome: str, now: datetime) -> bool:
        sql = (
            "UPDATE interpreter_offers SET outcome = $2 WHERE id = $1 AND outcome = 'open' AND expires_at > $3 "
            "RETURNING true"
        )
        return bool(await tx.fetchval(sql, offer_id, outcome, now))

    # Who interprets

    async def mine(self, principal: Principal) -> Interpreting:
        """Raises NotFound for who is no interpreter."""
        async with self._database.reading() as tx:
            row = await tx.fetchrow("SELECT languages, on_duty FROM interpreters WHERE person_id = $1", principal.id)
            offers = await tx.fetch(
                "SELECT o.id, r.language, o.expires_at FROM interpreter_offers o JOIN interpreter_requests r "
                "ON r.id = o.request_id WHERE o.person_id = $1 AND o.outcome = 'open' AND o.expires_at > $2 "
                "AND r.state = 'searching' ORDER BY o.offered_at",
                principal.id,
                self._clock.now(),
            )
        if row is None:
            raise NotFound()
        return Interpreting(
            languages=row[0],
            on_duty=row[1],
            offers=[InterpreterOffer(id=each[0], language=each[1], expires_at=rfc3339(each[2])) for each in offers],
        )

    async def set_duty(self, principal: Principal, on_duty: bool) -> Interpreting:
        """Be asked, or not. Raises NotFound for who is no interpreter."""
        async with self._database.transaction() as tx:
            await tx.execute("UPDATE interpreters SET on_duty = $2 WHERE person_id = $1", principal.id, on_duty)
        return await self.mine(principal)

    async def all(self, principal: Principal) -> list[tuple[UUID, str, list[str], bool]]:
        """(person, name, languages, on duty)."""
        self._context.policy.require(principal, "interpreters.keep")
        async with self._database.reading() as tx:
            rows = await tx.fetch("SELECT person_id, languages, on_duty FROM interpreters ORDER BY person_id")
        return [(row[0], await self._name(row[0]), row[1], row[2]) for row in rows]

    async def put(self, principal: Principal, person_id: UUID, languages: list[str]) -> tuple[str, list[str], bool]:
        """Let somebody with an account be asked. Raises NotFound, Forbidden."""
        self._context.policy.require(principal, "interpreters.keep")
        if await self._people.get(person_id) is None:
            raise NotFound()
        spoken = sorted({primary(each) for each in languages})
        async with self._database.transaction() as tx:
            on_duty = await tx.fetchval(
                "INSERT INTO interpreters (person_id, languages) VALUES ($1, $2) "
                "ON CONFLICT (person_id) DO UPDATE SET languages = excluded.languages RETURNING on_duty",
                person_id,
                spoken,
            )
            await self._audit_pool(tx, principal, "interpreter.kept", person_id)
        return await self._name(person_id), spoken, bool(on_duty)

    async def remove(self, principal: Principal, person_id: UUID) -> None:
        """Somebody is asked no more. Raises NotFound, Forbidden."""
        self._context.policy.require(principal, "interpreters.keep")
        async with self._database.transaction() as tx:
            if not await tx.fetchval("DELETE FROM interpreters WHERE person_id = $1 RETURNING true", person_id):
                raise NotFound()
            await tx.execute(
                "UPDATE interpreter_offers SET outcome = 'withdrawn' WHERE person_id = $1 AND outcome = 'open'",
                person_id,
            )
            await self._audit_pool(tx, principal, "interpreter.removed", person_id)

    # Helpers

    async def _audit_pool(self, tx: Transaction, principal: Principal, action: str, person_id: UUID) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="person",
            resource_id=person_id,
        )

    async def _name(self, person_id: UUID) -> str:
        person = await self._people.get(person_id)
        return "" if person is None else person.name

    async def _lock(self, tx: Transaction, request_id: UUID) -> bool:
        """True if the search is still on; it is this transaction's then."""
        sql = "SELECT true FROM interpreter_requests WHERE id = $1 AND state = 'searching' FOR UPDATE"
        return bool(await tx.fetchval(sql, request_id))

    async def _set(self, tx: Transaction, request_id: UUID, state: str) -> None:
        await tx.execute("UPDATE interpreter_requests SET state = $2 WHERE id = $1", request_id, state)

    async def _close_offers(self, tx: Transaction, request_id: UUID, outcome: str) -> None:
        sql = "UPDATE interpreter_offers SET outcome = $2 WHERE request_id = $1 AND outcome = 'open'"
        await tx.execute(sql, request_id, outcome)

    async def _appointment(self, appointment_id: UUID) -> AppointmentInfo:
        found = await self._appointments.get(appointment_id)
        if found is None:
            raise NotFound()
        return found

    async def _tell(self, appointment_id: UUID, state: dict[str, Any]) -> None:
        try:
            await self._visits.interpreter(appointment_id, state)
        except Exception:
            # Best effort: the snapshot shows it as well.
            log.exception("live_visit_not_told", extra={"appointment_id": str(appointment_id)})


def _state(
    search: _Search, state: str, *, name: str | None = None, expires_at: datetime | None = None
) -> dict[str, Any]:
    """The wire shape ``InterpreterState``."""
    return {
        "request_id": str(search.id),
        "language": search.language,
        "state": state,
        "name": name,
        "expires_at": None if expires_at is None else rfc3339(expires_at),
    }
