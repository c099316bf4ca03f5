"""Fills the demonstration clinic through the modules' services.

Everything has a fixed place (people's ids, days counted from the first start), so that a filling that was cut short
goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from uuid import UUID

from billing import Billing
from consultations.service import Consultations
from core.errors import NotFound
from core.security.principal import SYSTEM, Principal
from identity import Identity
from identity.people import PractitionerProfile
from records import Records
from records.prescriptions import Dosage, Medication
from scheduling import Scheduling
from scheduling.availability import Hours, Schedule, WeeklyRule
from scheduling.booking import Request
from scheduling.errors import SlotNotOffered, SlotTaken
from scheduling.models import Appointment
from scheduling.service import Change
from server.demo.clock import MovableClock
from server.demo.people import DOCTOR, EVERYBODY, INSURERS, PASSWORD, PATIENT, PLACES, PRACTITIONERS, Member, Work
from server.demo.visits import (
    BACKGROUNDS,
    CALLED_OFF,
    COMING,
    MISSED,
    OPEN_VISIT_REASON,
    PAST,
    Background,
    ComingVisit,
    Medicine,
    MissedVisit,
    PastVisit,
)

BOOKED_BEFORE = timedelta(days=3)
LOOK_AHEAD_DAYS = 21
MINUTE = timedelta(minutes=1)
# Older invoices are paid, so that the pages show both kinds.
UNPAID_DAYS = 7


class Modules(Protocol):
    """The services that the clinic is filled through."""

    @property
    def identity(self) -> Identity: ...

    @property
    def scheduling(self) -> Scheduling: ...

    @property
    def consultations(self) -> Consultations: ...

    @property
    def records(self) -> Records: ...

    @property
    def billing(self) -> Billing: ...


async def ensure_open_visit(modules: Modules) -> UUID:
    """The demonstration's patient and doctor have a visit that can be entered now; its appointment's id."""
    found = await modules.scheduling.arranging.ensure_open_visit(DOCTOR.id, PATIENT.id, OPEN_VISIT_REASON)
    return found.id


async def is_there(modules: Modules) -> bool:
    """Whether the people exist, the last one made among them."""
    return EVERYBODY[-1].id in await modules.identity.directory.people([EVERYBODY[-1].id])


class Clinic:
    """One filling. ``began`` is the day of the first start; ``settled`` waits until all facts are handled."""

    def __init__(
        self, modules: Modules, clock: MovableClock, began: date, settled: Callable[[], Awaitable[bool]]
    ) -> None:
        self._modules = modules
        self._clock = clock
        self._began = began
        self._settled = settled

    async def fill(self) -> None:
        """People, schedules, the past in its order, then what is to come. The clock is right again afterwards."""
        await self._people()
        await self._settled()
        events: list[tuple[datetime, PastVisit | MissedVisit]] = [
            (self._at(visit.days_ago, visit.at), visit) for visit in (*PAST, *MISSED)
        ]
        for start, visit in sorted(events, key=lambda each: each[0]):
            if isinstance(visit, PastVisit):
                await self._past(start, visit)
            else:
                await self._missed(start, visit)
        for known in BACKGROUNDS:
            await self._background(known)
        self._clock.reset()
        await ensure_open_visit(self._modules)
        for coming in COMING:
            await self._coming(coming)
        called_off = await self._coming(CALLED_OFF)
        if called_off is not None:
            await self._modules.scheduling.appointments.cancel(_as(CALLED_OFF.patient), called_off)
        await self._settled()

    def _at(self, days_ago: int, moment: time) -> datetime:
        return datetime.combine(self._began - timedelta(days=days_ago), moment, UTC)

    async def _people(self) -> None:
        # Registered some weeks before their first visit.
        self._clock.set(self._at(60, time(8, 0)))
        directory, offers = self._modules.identity.directory, self._modules.scheduling.offers
        known = await directory.people([each.id for each in EVERYBODY])
        for each in EVERYBODY:
            if each.id not in known:
                await self._modules.identity.accounts.create_person(
                    email=each.email,
                    password=PASSWORD,
                    name=each.name,
                    roles=each.roles,
                    language=each.language,
                    time_zone=each.time_zone,
                    practitioner=None if each.work is None else _profile(each.work),
                    person_id=each.id,
                )
                if each.phone is not None or each.born is not None:
                    await directory.change_me(_as(each), phone=each.phone, birth_date=each.born)
        for each in PRACTITIONERS:
            assert each.work is not None, "practitioners work"
            try:
                await offers.schedule(SYSTEM, each.id)
            except NotFound:
                await offers.save_schedule(SYSTEM, each.id, _schedule(each, each.work), 0)

    async def _past(self, start: datetime, visit: PastVisit) -> None:
        appointment = await self._arranged(start, visit)
        if appointment is None:
            return
        patient, doctor, service = _as(visit.patient), _as(visit.practitioner), self._modules.consultations
        course = service.course
        arrived = start - visit.waited_minutes * MINUTE
        self._clock.set(arrived)
        await service.video_token(patient, appointment.id)
        await course.waiting_entered(appointment.id, patient.id, arrived)
        await self._settled()
        self._clock.set(start)
        await course.joined(appointment.id, doctor.id, "practitioner", start)
        await course.joined(appointment.id, patient.id, "patient", start)
        await course.started(appointment.id, start)
        for number, (role, text) in enumerate(visit.chat, 1):
            who = doctor if role == "practitioner" else patient
            self._clock.set(start + number * 2 * MINUTE)
            await service.conversation.send(
                *(appointment.id, who.id),
                role=role,
                name=who.name,
                client_id=f"demonstration-{number}",
                text=text,
                file_id=None,
                audience="all",
            )
        end = start + visit.minutes * MINUTE
        self._clock.set(end)
        if visit.notes is not None:
            await service.save_notes(doctor, appointment.id, visit.notes, 0)
        for person in (patient, doctor):
            await course.left(appointment.id, person.id, end, {})
        await course.ended(appointment.id, end)
        if visit.medicine is not None:
            await self._prescribe(doctor, appointment.id, visit.medicine)
        await service.complete(doctor, appointment.id, visit.summary, visit.outcome)
        await self._settled()
        if visit.paid and visit.days_ago > UNPAID_DAYS:
            self._clock.set(end + timedelta(hours=2))
            await self._pay(patient, appointment.id)

    async def _prescribe(self, doctor: Principal, appointment_id: UUID, medicine: Medicine) -> None:
        await self._modules.records.prescriptions.issue(
            doctor,
            appointment_id,
            Medication(medicine.code, medicine.display),
            Dosage(medicine.text, medicine.dose, medicine.unit, medicine.frequency, "day"),
            medicine.refills,
            None,
        )

    async def _background(self, known: Background) -> None:
        """The summary of a record that holds visits only."""
        doctor, record = _as(known.practitioner), self._modules.records.record
        present = await record.read(doctor, known.patient.id)
        if not present.summary.history:
            summary = {
                "history": known.history,
                "allergies": known.allergies,
                "conditions": known.conditions,
                "medications": known.medications,
            }
            await record.change(doctor, known.patient.id, present.version, summary, [])

    async def _pay(self, patient: Principal, appointment_id: UUID) -> None:
        billing = self._modules.billing
        found = await billing.invoices.invoice_for(appointment_id)
        if found is not None and found.invoice.status == "due":
            key = f"demonstration-{appointment_id}"
            await billing.payments.process(patient, found.invoice.id, "sandbox", {}, key)
            await self._settled()

    async def _missed(self, start: datetime, visit: MissedVisit) -> None:
        appointment = await self._arranged(start, visit)
        if appointment is not None:
            self._clock.set(appointment.end + 20 * MINUTE)
            await self._modules.scheduling.appointments.change(
                _as(visit.practitioner), appointment.id, Change(status="no_show")
            )
            await self._settled()

    async def _arranged(self, start: datetime, visit: PastVisit | MissedVisit) -> Appointment | None:
        """Booked some days before; None when an earlier filling came this far."""
        self._clock.set(start - BOOKED_BEFORE)
        try:
            appointment = await self._modules.scheduling.arranging.arrange(
                SYSTEM, visit.practitioner.id, visit.patient.id, start, reason=visit.reason
            )
        except SlotTaken:
            return None
        await self._settled()
        return appointment

    async def _coming(self, visit: ComingVisit) -> UUID | None:
        """The first slot that is free, on that day or later; None when there is none for weeks."""
        scheduling = self._modules.scheduling
        today = self._clock.now().date()
        for ahead in range(visit.in_days, visit.in_days + LOOK_AHEAD_DAYS):
            free, _ = await scheduling.offers.available(visit.practitioner.id, today + timedelta(days=ahead))
            # Neither the first nor the last: a day with gaps looks like a day.
            for slot in free[len(free) // 3 :]:
                try:
                    booked = await scheduling.booking.book(
                        _as(visit.patient),
                        Request(visit.practitioner.id, visit.patient.id, slot.start, visit.reason),
                    )
                except (SlotTaken, SlotNotOffered):
                    continue
                return booked.appointment.id
        return None


def _as(member: Member) -> Principal:
    return Principal(member.id, member.roles[0], frozenset(member.roles), name=member.name)


def _profile(work: Work) -> PractitionerProfile:
    return PractitionerProfile(
        title=work.title,
        specialties=work.specialties,
        languages=work.languages,
        licence_number=work.licence,
        fee_minor=work.fee_minor,
        currency=work.currency,
        location=work.location,
        about=work.about,
        licence_verified=True,
        published=True,
        place=PLACES[work.location],
        insurers=INSURERS[work.location.rpartition(", ")[2]],
    )


def _schedule(member: Member, work: Work) -> Schedule:
    rules = tuple(
        WeeklyRule(weekday, _hours(hours)) for weekday, open_hours in sorted(work.week.items()) for hours in open_hours
    )
    return Schedule(member.time_zone, work.slot_minutes, work.buffer_minutes, 30, 60, rules)


def _hours(text: str) -> Hours:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return Hours(start, end)
