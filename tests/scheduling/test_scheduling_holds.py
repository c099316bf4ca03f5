"""Holds, deliberate overlaps, series and people who act for others, over the real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from harness import MakeContext
from scheduling_clinic import NOON, Clinic, FixedClock, at, clinic_over

from core.errors import Forbidden, NotFound
from core.ids import uuid7
from core.security.principal import ANONYMOUS, Principal
from scheduling.booking import Request
from scheduling.errors import SeriesConflict, SlotNotOffered, SlotTaken, TooManyHolds
from scheduling.models import AppointmentView, Filter, Hold
from scheduling.service import Change

pytestmark = pytest.mark.integration


@pytest.fixture
async def clinic(make_context: MakeContext) -> Clinic:
    clock = FixedClock()
    return clinic_over(await make_context(clock=clock), clock)


async def book(clinic: Clinic, patient: Principal, doctor: Principal, hour: int = 10) -> AppointmentView:
    return await clinic.module.booking.book(patient, Request(doctor.id, patient.id, at(hour)))


async def free_starts(clinic: Clinic, doctor: Principal) -> set[object]:
    free, _ = await clinic.module.offers.available(doctor.id, at(9).date())
    return {slot.start for slot in free}


async def test_nobody_holds_books_or_repeats_for_strangers(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    booking = clinic.module.booking
    hold = await booking.hold(patient, doctor.id, patient.id, at(10))
    for stranger in (ANONYMOUS, clinic.person("patient"), clinic.person("auditor"), doctor):
        with pytest.raises(Forbidden):
            await booking.hold(stranger, doctor.id, patient.id, at(11))
        with pytest.raises(Forbidden):
            await booking.show_hold(stranger, hold.id)
        with pytest.raises(Forbidden):
            await booking.release(stranger, hold.id)
        with pytest.raises(Forbidden):
            await booking.book_series(stranger, Request(doctor.id, patient.id, at(11)), "week", 2)
    with pytest.raises(Forbidden):
        await booking.book(patient, Request(doctor.id, patient.id, at(10), overlap_reason="I want it"))


async def test_a_held_slot_is_its_patients_alone_until_it_runs_out(clinic: Clinic) -> None:
    patient, other, doctor = clinic.person("patient"), clinic.person("patient"), await clinic.doctor()
    assert at(10) in await free_starts(clinic, doctor)
    hold = await clinic.module.booking.hold(patient, doctor.id, patient.id, at(10))
    assert hold.expires_at == NOON + timedelta(minutes=5)
    assert at(10) not in await free_starts(clinic, doctor)
    with pytest.raises(SlotTaken):
        await book(clinic, other, doctor)
    with pytest.raises(SlotTaken):
        await clinic.module.booking.hold(other, doctor.id, other.id, at(10))
    # No job has run: the time alone frees it, and shows it free.
    clinic.clock.moment = hold.expires_at
    assert at(10) in await free_starts(clinic, doctor)
    with pytest.raises(NotFound):
        await clinic.module.booking.show_hold(patient, hold.id)
    assert (await book(clinic, other, doctor)).appointment.status == "booked"


async def test_booking_uses_up_the_own_hold(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    hold = await clinic.module.booking.hold(patient, doctor.id, patient.id, at(10))
    made = (await book(clinic, patient, doctor)).appointment
    with pytest.raises(NotFound):
        await clinic.module.booking.show_hold(patient, hold.id)
    clinic.clock.moment = hold.expires_at
    assert at(10) not in await free_starts(clinic, doctor)
    assert made.start == at(10)


async def test_a_refused_booking_leaves_the_hold_as_it_was(clinic: Clinic) -> None:
    patient, doctor, desk = clinic.person("patient"), await clinic.doctor(), clinic.person("desk")
    hold = await clinic.module.booking.hold(patient, doctor.id, patient.id, at(10))
    other = clinic.person("patient")
    await clinic.module.booking.book(
        desk, Request(doctor.id, other.id, at(10, 15), overlap_reason="Emergency, agreed by phone")
    )
    with pytest.raises(SlotTaken):
        await book(clinic, patient, doctor)
    assert await clinic.module.booking.show_hold(patient, hold.id) == hold


async def test_released_is_free_and_holds_are_few(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    booking = clinic.module.booking
    holds = [await booking.hold(patient, doctor.id, patient.id, at(hour)) for hour in (9, 10, 11)]
    with pytest.raises(TooManyHolds):
        await booking.hold(patient, doctor.id, patient.id, at(12))
    again = await booking.hold(patient, doctor.id, patient.id, at(11))
    assert again.id != holds[2].id
    await booking.release(patient, holds[0].id)
    assert at(9) in await free_starts(clinic, doctor)
    await booking.hold(patient, doctor.id, patient.id, at(12))


async def test_holds_and_bookings_at_once_have_one_winner(clinic: Clinic) -> None:
    doctor = await clinic.doctor()
    people = [clinic.person("patient") for _ in range(30)]
    tries = [clinic.module.booking.hold(each, doctor.id, each.id, at(10)) for each in people[:15]]
    answers = await asyncio.gather(
        *tries, *(book(clinic, each, doctor) for each in people[15:]), return_exceptions=True
    )
    won = [each for each in answers if isinstance(each, Hold | AppointmentView)]
    assert len(won) == 1
    assert all(isinstance(each, SlotTaken) for each in answers if each is not won[0])


async def test_staff_overlap_with_a_reason_that_is_audited(clinic: Clinic) -> None:
    patient, other, doctor, desk = (
        clinic.person("patient"),
        clinic.person("patient"),
        await clinic.doctor(),
        clinic.person("desk"),
    )
    first = (await book(clinic, patient, doctor)).appointment
    wanted = Request(doctor.id, other.id, at(10, 10), overlap_reason="Agreed with the doctor")
    made = (await clinic.module.booking.book(desk, wanted)).appointment
    assert (made.start, made.end) == (at(10, 10), at(10, 40))
    stored = await clinic.module.appointments.get(made.id)
    assert stored is not None
    assert stored.overlap
    async with clinic.context.database("core").reading() as tx:
        row = await tx.fetchrow("SELECT action, reason FROM core.audit_log WHERE resource_id = $1", str(made.id))
    assert row is not None
    assert (row["action"], row["reason"]) == ("appointment.overlapped", "Agreed with the doctor")
    # With the first one called off, the second still has its time.
    await clinic.module.appointments.cancel(patient, first.id)
    assert not {at(10), at(10, 30)} & await free_starts(clinic, doctor)
    with pytest.raises(SlotTaken):
        await book(clinic, patient, doctor)
    with pytest.raises(SlotNotOffered):
        past = Request(doctor.id, other.id, NOON - timedelta(hours=1), overlap_reason="Agreed")
        await clinic.module.booking.book(desk, past)


async def test_a_series_keeps_its_wall_time_through_the_clock_change(clinic: Clinic) -> None:
    clinic.clock.moment = at(12, days=135)  # 14 October: Paris leaves summer time on the 25th
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    start = at(10, days=140)
    series_id, made = await clinic.module.booking.book_series(patient, Request(doctor.id, patient.id, start), "week", 3)
    starts = [each.appointment.start for each in made]
    hour = timedelta(hours=1)
    assert starts == [start, start + timedelta(days=7) + hour, start + timedelta(days=14) + hour]
    assert {each.appointment.series_id for each in made} == {series_id}
    listed, _ = await clinic.module.appointments.search(patient, Filter())
    assert [each.appointment.start for each in listed] == starts


async def test_a_series_is_all_or_nothing_and_names_the_dates(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    await clinic.module.booking.book(clinic.person("desk"), Request(doctor.id, patient.id, at(10, days=8)))
    other = clinic.person("patient")
    with pytest.raises(SeriesConflict) as refused:
        await clinic.module.booking.book_series(other, Request(doctor.id, other.id, at(10)), "week", 10)
    conflicts = refused.value.extra["conflicts"]
    assert conflicts[0] == {"date": "2026-06-09", "start": "2026-06-09T08:00:00.000Z", "code": "slot_taken"}
    # From the ninth week on, the horizon of 60 days is over.
    assert {(each["date"], each["code"]) for each in conflicts[1:]} == {("2026-08-04", "slot_not_offered")}
    assert (await clinic.module.appointments.search(other, Filter()))[0] == []
    assert at(10) in await free_starts(clinic, doctor)


async def test_a_proxy_books_and_cancels_and_reads_no_reason(clinic: Clinic) -> None:
    child, parent, doctor = clinic.person("patient"), clinic.person("patient"), await clinic.doctor()
    with pytest.raises(Forbidden):
        await clinic.module.booking.book(parent, Request(doctor.id, child.id, at(10), "Cough"))
    clinic.authority.pairs.add((parent.id, child.id))
    made = (await clinic.module.booking.book(parent, Request(doctor.id, child.id, at(10), "Cough"))).appointment
    seen = await clinic.module.appointments.view(parent, made.id)
    assert (seen.appointment.patient_id, seen.reason) == (child.id, None)
    assert (await clinic.module.appointments.view(child, made.id)).reason == "Cough"
    assert (await clinic.module.appointments.cancel(parent, made.id)).appointment.status == "cancelled"
    clinic.authority.pairs.clear()
    with pytest.raises(Forbidden):
        await clinic.module.appointments.view(parent, made.id)


async def test_a_licence_closes_the_days_after_it(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    clinic.directory.profiles[doctor.id] = clinic.licence(doctor, at(9, days=2).date())
    offers = clinic.module.offers
    assert (await offers.available(doctor.id, at(9, days=2).date()))[0]
    assert (await offers.available(doctor.id, at(9, days=3).date()))[0] == []
    with pytest.raises(SlotNotOffered):
        await clinic.module.booking.book(patient, Request(doctor.id, patient.id, at(10, days=3)))
    made = (await clinic.module.booking.book(patient, Request(doctor.id, patient.id, at(10, days=2)))).appointment
    with pytest.raises(SlotNotOffered):
        await clinic.module.appointments.change(patient, made.id, Change(start=at(10, days=3)))
    unknown = uuid7()
    with pytest.raises(NotFound):
        await offers.available(unknown, at(9).date())
