"""The waitlist, drop-ins and what is done by the clock, over the real database."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from uuid import UUID

import pytest
from harness import MakeContext
from scheduling_clinic import NOON, Clinic, FixedClock, at, clinic_over

from core.errors import Forbidden, InvalidTransition, NotFound
from core.events import Envelope
from core.ids import uuid7
from core.security.principal import ANONYMOUS, Principal
from scheduling.booking import Request
from scheduling.errors import AlreadyWaiting, OfferGone, SlotTaken
from scheduling.events import AppointmentCancelled
from scheduling.models import Appointment, AppointmentView
from scheduling.ports import Attendance
from scheduling.service import Change
from scheduling.waitlist import EntryView

pytestmark = pytest.mark.integration

DAY = date(2026, 6, 2)


@pytest.fixture
async def clinic(make_context: MakeContext) -> Clinic:
    clock = FixedClock()
    return clinic_over(await make_context(clock=clock), clock)


async def book(clinic: Clinic, patient: Principal, doctor: Principal, hour: int = 10) -> Appointment:
    wanted = Request(doctor.id, patient.id, at(hour))
    return (await clinic.module.booking.book(patient, wanted)).appointment


async def wait_for(clinic: Clinic, patient: Principal, doctor: Principal) -> EntryView:
    return await clinic.module.waitlist.join(
        patient, patient.id, practitioner_id=doctor.id, specialty=None, first_day=DAY, last_day=DAY
    )


async def cancel(clinic: Clinic, patient: Principal, made: Appointment) -> None:
    """Cancel, and hand the fact to scheduling as its consumer does; twice, as may happen."""
    await clinic.module.appointments.cancel(patient, made.id)
    fact = AppointmentCancelled(
        appointment_id=made.id,
        patient_id=made.patient_id,
        practitioner_id=made.practitioner_id,
        start=made.start,
        end=made.end,
        by="patient",
        in_time=True,
    )
    envelope = Envelope(uuid7(), fact.name, fact.order_key, clinic.clock.now(), fact.model_dump(mode="json"))
    for _ in range(2):
        for subscription in clinic.context.subscriptions.of("scheduling", fact.name):
            async with clinic.context.database("scheduling").transaction() as tx:
                await subscription.handler(tx, fact, envelope)


async def entry_of(clinic: Clinic, patient: Principal) -> EntryView:
    [found], _ = await clinic.module.waitlist.entries(patient, None, None, None, 10)
    return found


async def status_of(clinic: Clinic, appointment_id: UUID) -> str:
    found = await clinic.module.appointments.get(appointment_id)
    assert found is not None
    return found.status


async def test_nobody_waits_or_answers_for_strangers(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    entry = (await wait_for(clinic, patient, doctor)).entry
    waitlist = clinic.module.waitlist
    for stranger in (ANONYMOUS, clinic.person("patient"), clinic.person("auditor"), doctor):
        with pytest.raises(Forbidden):
            await waitlist.join(
                stranger, patient.id, practitioner_id=doctor.id, specialty=None, first_day=DAY, last_day=DAY
            )
        for act in (waitlist.accept(stranger, entry.id, None), waitlist.decline(stranger, entry.id)):
            with pytest.raises(Forbidden):
                await act
        with pytest.raises(Forbidden):
            await waitlist.leave(stranger, entry.id)
    with pytest.raises(Forbidden):
        await waitlist.entries(await clinic.doctor(), doctor.id, None, None, 10)
    with pytest.raises(AlreadyWaiting):
        await wait_for(clinic, patient, doctor)


async def test_a_freed_time_goes_down_the_line(clinic: Clinic) -> None:
    doctor, holder = await clinic.doctor(), clinic.person("patient")
    first, second = clinic.person("patient"), clinic.person("patient")
    made = await book(clinic, holder, doctor)
    for each in (first, second):
        await wait_for(clinic, each, doctor)
        clinic.clock.moment += timedelta(seconds=1)
    await cancel(clinic, holder, made)
    offer = (await entry_of(clinic, first)).offer
    assert offer is not None
    assert (offer.start, offer.practitioner_id) == (at(10), doctor.id)
    assert (await entry_of(clinic, second)).offer is None
    # The time is kept: nobody else can book it, not even the next in line.
    with pytest.raises(SlotTaken):
        await book(clinic, second, doctor)
    with pytest.raises(OfferGone):
        await clinic.module.waitlist.accept(second, (await entry_of(clinic, second)).entry.id, None)
    # It runs out: the next in line is offered it, once however many workers look.
    clinic.clock.moment = offer.expires_at
    await asyncio.gather(clinic.module.waitlist.pass_on(), clinic.module.waitlist.pass_on())
    view = await entry_of(clinic, first)
    assert (view.entry.status, view.offer) == ("waiting", None)
    following = await entry_of(clinic, second)
    assert following.offer is not None
    taken = await clinic.module.waitlist.accept(second, following.entry.id, "A cough")
    assert (taken.appointment.start, taken.appointment.patient_id) == (at(10), second.id)
    assert (await entry_of(clinic, second)).entry.status == "booked"


async def test_declined_goes_to_the_next_and_is_not_offered_again(clinic: Clinic) -> None:
    doctor, holder, only = await clinic.doctor(), clinic.person("patient"), clinic.person("patient")
    made = await book(clinic, holder, doctor)
    entry = (await wait_for(clinic, only, doctor)).entry
    await cancel(clinic, holder, made)
    await clinic.module.waitlist.decline(only, entry.id)
    assert (await entry_of(clinic, only)).entry.status == "waiting"
    free, _ = await clinic.module.offers.available(doctor.id, DAY)
    assert at(10) in {slot.start for slot in free}
    assert (await clinic.module.waitlist.leave(only, entry.id)).entry.status == "left"
    with pytest.raises(InvalidTransition):
        await clinic.module.waitlist.leave(only, entry.id)


async def test_an_offer_booked_the_ordinary_way_is_done(clinic: Clinic) -> None:
    doctor, holder, patient = await clinic.doctor(), clinic.person("patient"), clinic.person("patient")
    made = await book(clinic, holder, doctor)
    await wait_for(clinic, patient, doctor)
    await cancel(clinic, holder, made)
    await book(clinic, patient, doctor)
    await clinic.module.waitlist.pass_on()
    assert (await entry_of(clinic, patient)).entry.status == "booked"


async def test_the_next_free_clinician_takes_the_next_drop_in(clinic: Clinic) -> None:
    specialty = f"rare-{uuid7().hex[-8:]}"
    doctors = [await clinic.doctor(specialty=specialty) for _ in range(3)]
    patients = [clinic.person("patient") for _ in range(2)]
    drop_ins = clinic.module.drop_ins
    joined = []
    for each in patients:
        joined.append(await drop_ins.join(each, each.id, specialty, "Dizzy"))
        clinic.clock.moment += timedelta(seconds=1)
    assert [each.position for each in joined] == [1, 2]
    with pytest.raises(AlreadyWaiting):
        await drop_ins.join(patients[0], patients[0].id, specialty, None)
    for stranger in (ANONYMOUS, patients[1], clinic.person("desk")):
        with pytest.raises(Forbidden):
            await drop_ins.take_next(stranger)
    with pytest.raises(Forbidden):
        await drop_ins.leave(patients[1], joined[0].drop_in.id)
    assert [each.drop_in.patient_id for each in await drop_ins.line(doctors[0], None)] == [p.id for p in patients]
    # Three clinicians at once, two patients: each patient is taken by one.
    answers = await asyncio.gather(*(drop_ins.take_next(each) for each in doctors), return_exceptions=True)
    taken = [each for each in answers if isinstance(each, AppointmentView)]
    assert {each.appointment.patient_id for each in taken} == {each.id for each in patients}
    assert [type(each) for each in answers if not isinstance(each, AppointmentView)] == [NotFound]
    for view in taken:
        assert (view.appointment.kind, view.reason) == ("drop_in", "Dizzy")
        assert view.window.is_open(clinic.clock.now())
        assert await clinic.facts(view.appointment.id) == ["appointment.booked"]
    shown = await drop_ins.show(patients[0], joined[0].drop_in.id)
    assert shown.drop_in.appointment_id in {each.appointment.id for each in taken}


async def test_a_drop_in_ends_before_the_next_visit(clinic: Clinic) -> None:
    specialty = f"rare-{uuid7().hex[-8:]}"
    doctor, patient = await clinic.doctor(specialty=specialty), clinic.person("patient")
    await clinic.module.arranging.arrange(
        principal=_system(), practitioner_id=doctor.id, patient_id=clinic.person("patient").id,
        start=NOON + timedelta(minutes=12),
    )  # fmt: skip
    await clinic.module.drop_ins.join(patient, patient.id, specialty, None)
    made = (await clinic.module.drop_ins.take_next(doctor)).appointment
    assert (made.start, made.end) == (NOON, NOON + timedelta(minutes=12))
    other = clinic.person("patient")
    await clinic.module.drop_ins.join(other, other.id, specialty, None)
    clinic.clock.moment = NOON + timedelta(minutes=10)
    with pytest.raises(SlotTaken):
        await clinic.module.drop_ins.take_next(doctor)
    # Refused: the patient keeps the place in the line.
    assert (await clinic.module.drop_ins.line(other, None))[0].position == 1


@pytest.mark.parametrize(
    ("seen", "becomes"),
    [
        (None, "noshow"),
        (Attendance(patient_waited=False, practitioner_joined=True, met=False), "noshow"),
        (Attendance(patient_waited=True, practitioner_joined=False, met=False), "cancelled"),
        (Attendance(patient_waited=True, practitioner_joined=True, met=True), "booked"),
    ],
)
async def test_who_was_there_decides_an_ended_visit(clinic: Clinic, seen: Attendance | None, becomes: str) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    made = await book(clinic, patient, doctor)
    if seen is not None:
        clinic.visits.seen[made.id] = seen
    # A missed run catches up: nobody looked for two days.
    clinic.clock.moment = at(11, 31, days=3)
    await asyncio.gather(clinic.module.upkeep.decide_ended(), clinic.module.upkeep.decide_ended())
    await clinic.module.upkeep.decide_ended()
    assert await status_of(clinic, made.id) == becomes
    told = {"noshow": ["appointment.no_show"], "cancelled": ["appointment.cancelled"], "booked": []}[becomes]
    assert await clinic.facts(made.id) == ["appointment.booked", *told]


async def test_the_clean_up_forgets_holds_and_closes_waits(clinic: Clinic) -> None:
    specialty = f"rare-{uuid7().hex[-8:]}"
    patient, doctor = clinic.person("patient"), await clinic.doctor(specialty=specialty)
    hold = await clinic.module.booking.hold(patient, doctor.id, patient.id, at(10))
    entry = (await wait_for(clinic, patient, doctor)).entry
    waiting = (await clinic.module.drop_ins.join(patient, patient.id, specialty, None)).drop_in
    clinic.clock.moment = NOON + timedelta(days=4)
    await asyncio.gather(clinic.module.upkeep.clean_up(), clinic.module.upkeep.clean_up())
    async with clinic.context.database("scheduling").reading() as tx:
        assert await tx.fetchval("SELECT count(*) FROM occupied WHERE id = $1", hold.id) == 0
        assert await tx.fetchval("SELECT status FROM waitlist WHERE id = $1", entry.id) == "over"
    assert (await clinic.module.drop_ins.show(patient, waiting.id)).drop_in.status == "over"


async def test_an_ending_licence_is_told_once_a_stage(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    clinic.directory.profiles[doctor.id] = clinic.licence(doctor, NOON.date() + timedelta(days=20))
    made = await book(clinic, patient, doctor)
    for days in (0, 1, 14, 20, 25):
        clinic.clock.moment = NOON + timedelta(days=days)
        await asyncio.gather(clinic.module.upkeep.tell_licences(), clinic.module.upkeep.tell_licences())
    async with clinic.context.database("core").reading() as tx:
        rows = await tx.fetch("SELECT name, payload FROM core.outbox WHERE order_key = $1 ORDER BY seq", doctor.id)
    assert [(row["name"], row["payload"]["days_before"]) for row in rows] == [
        ("practitioner.licence_ending", stage) for stage in (30, 7, 0)
    ]
    assert made.status == "booked"


async def test_moving_frees_the_old_time_in_one_step(clinic: Clinic) -> None:
    patient, doctor, other = clinic.person("patient"), await clinic.doctor(), clinic.person("patient")
    made = await book(clinic, patient, doctor)
    await clinic.module.appointments.change(patient, made.id, Change(start=at(10, 30)))
    assert (await book(clinic, other, doctor)).start == at(10)
    with pytest.raises(SlotTaken):
        await clinic.module.appointments.change(patient, made.id, Change(start=at(10)))


def _system() -> Principal:
    return Principal(None, "system", frozenset({"system"}))
