"""Check-in: who the patient is, where they are now, how to call them back, and what to do in an emergency there."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from consultations import emergency, lifecycle, repository
from consultations.guests import May
from consultations.ports import AppointmentInfo, Consents, People, Visits
from consultations.schemas import AgreeToVideo, CheckInView, RedFlag, SaveCheckIn, VisitConsent
from core.clock import rfc3339
from core.context import Context
from core.database import Transaction
from core.errors import NotFound
from core.security.principal import Principal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Row:
    sealed: bytes
    country: str
    licensed_here: bool
    confirmed_at: datetime


class CheckIns:
    def __init__(self, context: Context, people: People, visits: Visits, consents: Consents, may: May) -> None:
        self._context = context
        self._database = context.database("consultations")
        self._people = people
        self._visits = visits
        self._consents = consents
        self._may = may
        self._home = frozenset(context.settings.visit.countries)
        self._numbers = context.settings.visit.emergency_numbers

    async def read(self, principal: Principal, appointment_id: UUID, country: str | None, language: str) -> CheckInView:
        """What was confirmed; before that what there is to confirm, with the number of ``country`` if one is named."""
        found = await self._may(principal, "consultation.check_in.read", appointment_id)
        async with self._database.transaction() as tx:
            row = await self._row(tx, appointment_id)
            await self._audit(tx, principal, "consultation.check_in_read", found)
            licensed = None
            if row is None and country is not None:
                licensed = await self._licensed(tx, found.practitioner_id, country)
        if row is not None:
            return await self._view(found, row, language)
        return await self._blank(found, country, licensed, language)

    async def save(self, principal: Principal, appointment_id: UUID, said: SaveCheckIn) -> CheckInView:
        """The patient's word; said again it replaces what was said before. Raises VisitNotOpen, Forbidden."""
        found = await self._may(principal, "consultation.check_in", appointment_id)
        now = self._context.clock.now()
        lifecycle.require_open(found.status, found.opens_at, found.closes_at, now)
        person = await self._people.get(found.patient_id)
        born = await self._people.birth_date(found.patient_id)
        content = json.dumps(
            {
                "name": "" if person is None else person.name,
                "birth_date": None if born is None else born.isoformat(),
                "place": said.place,
                "callback_phone": said.callback_phone,
            }
        )
        sealed = await self._context.vault.encrypt_text(found.patient_id, _place(appointment_id), content)
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            licensed = await self._licensed(tx, found.practitioner_id, said.country)
            await tx.execute(
                "INSERT INTO check_ins (consultation_id, sealed, country, licensed_here, confirmed_by, confirmed_at) "
                "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (consultation_id) DO UPDATE SET sealed = excluded.sealed, "
                "country = excluded.country, licensed_here = excluded.licensed_here, "
                "confirmed_by = excluded.confirmed_by, confirmed_at = excluded.confirmed_at",
                appointment_id,
                sealed,
                said.country,
                licensed,
                principal.id,
                now,
            )
            await self._audit(tx, principal, "consultation.checked_in", found)
        try:
            await self._visits.checked_in(appointment_id, found.patient_id)
        except Exception:
            log.exception("live_visit_not_told", extra={"appointment_id": str(appointment_id)})
        return await self._view(found, _Row(sealed, said.country, licensed, now), said.language)

    async def agree(self, principal: Principal, appointment_id: UUID, read: AgreeToVideo) -> CheckInView:
        """The patient agrees to care by video, having read the text. Raises ConsentTextChanged, Forbidden, NotFound."""
        found = await self._may(principal, "consultation.check_in", appointment_id)
        await self._consents.give(principal, found.patient_id, read.version, read.language)
        await self._tell(found, stands=True)
        return await self.read(principal, appointment_id, None, read.language)

    async def withdrawn(self, patient_id: UUID) -> None:
        """Consent to care by video was taken back: whoever is in a visit, or waits, is let in no more."""
        async with self._database.reading() as tx:
            visits = await repository.unfinished_of(tx, patient_id)
        if await self._consents.stands(patient_id):
            return  # given again meanwhile
        for visit in visits:
            await self._visits.consent_changed(visit, patient_id, stands=False)

    async def consented(self, patient_id: UUID) -> bool:
        return await self._consents.stands(patient_id)

    async def _tell(self, found: AppointmentInfo, *, stands: bool) -> None:
        try:
            await self._visits.consent_changed(found.id, found.patient_id, stands=stands)
        except Exception:
            log.exception("live_visit_not_told", extra={"appointment_id": str(found.id)})

    async def _asked(self, patient_id: UUID, language: str) -> VisitConsent | None:
        if await self._consents.stands(patient_id):
            return None
        text = self._consents.text(language)
        return VisitConsent(version=text.version, language=text.language, title=text.title, body=text.body)

    async def phone(self, appointment_id: UUID) -> str | None:
        """Where to call back; for the live visit, which tells the practitioner alone."""
        async with self._database.reading() as tx:
            visit = await repository.get(tx, appointment_id)
            row = await self._row(tx, appointment_id)
        if visit is None or row is None:
            return None
        text = await self._context.vault.decrypt_text(visit.patient_id, _place(appointment_id), row.sealed)
        phone: str = json.loads(text)["callback_phone"]
        return phone

    async def set_places(self, practitioner_id: UUID, countries: frozenset[str]) -> None:
        """Where somebody is licensed; who may say so has been decided by the caller. Raises NotFound."""
        if await self._people.get(practitioner_id) is None:
            raise NotFound()
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM licence_places WHERE practitioner_id = $1", practitioner_id)
            for country in sorted(countries):
                await tx.execute("INSERT INTO licence_places VALUES ($1, $2)", practitioner_id, country)

    async def _row(self, tx: Transaction, appointment_id: UUID) -> _Row | None:
        row = await tx.fetchrow(
            "SELECT sealed, country, licensed_here, confirmed_at FROM check_ins WHERE consultation_id = $1",
            appointment_id,
        )
        return None if row is None else _Row(*row)

    async def _licensed(self, tx: Transaction, practitioner_id: UUID, country: str) -> bool:
        """In the practice's own countries, unless others are written down for this practitioner."""
        rows = await tx.fetch("SELECT country FROM licence_places WHERE practitioner_id = $1", practitioner_id)
        return country in ({row[0] for row in rows} or self._home)

    async def _view(self, found: AppointmentInfo, row: _Row, language: str) -> CheckInView:
        text = await self._context.vault.decrypt_text(found.patient_id, _place(found.id), row.sealed)
        said = json.loads(text)
        return CheckInView(
            appointment_id=found.id,
            done=True,
            name=said["name"],
            birth_date=said["birth_date"],
            country=row.country,
            place=said["place"],
            callback_phone=said["callback_phone"],
            confirmed_at=rfc3339(row.confirmed_at),
            licensed_here=row.licensed_here,
            emergency_number=emergency.number_of(row.country, self._numbers),
            red_flags=_flags(language),
            consent=await self._asked(found.patient_id, language),
        )

    async def _blank(
        self, found: AppointmentInfo, country: str | None, licensed: bool | None, language: str
    ) -> CheckInView:
        person = await self._people.get(found.patient_id)
        born: date | None = await self._people.birth_date(found.patient_id)
        return CheckInView(
            appointment_id=found.id,
            done=False,
            name="" if person is None else person.name,
            birth_date=None if born is None else born.isoformat(),
            country=country,
            place=None,
            callback_phone=None,
            confirmed_at=None,
            licensed_here=licensed,
            emergency_number=None if country is None else emergency.number_of(country, self._numbers),
            red_flags=_flags(language),
            consent=await self._asked(found.patient_id, language),
        )

    async def _audit(self, tx: Transaction, principal: Principal, action: str, found: AppointmentInfo) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="consultation",
            resource_id=found.id,
            patient_id=found.patient_id,
        )


def _flags(language: str) -> list[RedFlag]:
    return [RedFlag(code=code, text=text) for code, text in emergency.red_flags(language)]


def _place(consultation_id: UUID) -> str:
    return f"consultation/{consultation_id}/check_in"
