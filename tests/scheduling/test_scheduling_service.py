"""Booking, changing and reading appointments over the real database: first by those who may not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from harness import MakeContext
from scheduling_clinic import NOON, Clinic, FixedClock, at, clinic_over

from consultations.events import ConsultationCompleted, PatientWaiting
from core.errors import Forbidden, InvalidInput, InvalidTransition, NotFound, VersionConflict
from core.events import Envelope, Fact
from core.ids import uuid7
from core.security.principal import ANONYMOUS, SYSTEM, Principal
from scheduling.booking import Request
from scheduling.errors import SlotNotOffered, SlotTaken
from scheduling.models import AppointmentView, Filter
from scheduling.ports import Wanted
from scheduling.service import Change

pytestmark = pytest.mark.integration

REASON = "A rash that nobody else should read about"


@pytest.fixture
async def clinic(make_context: MakeContext) -> Clinic:
    clock = FixedClock()
    return clinic_over(await make_context(clock=clock), clock)


async def book(clinic: Clinic, patient: Principal, doctor: Principal, hour: int = 10) -> AppointmentView:
    return await clinic.module.booking.book(patient, Request(doctor.id, patient.id, at(hour), REASON))


async def deliver(clinic: Clinic, fact: Fact) -> None:
    """Hand a fact to scheduling's subscribers, each in its own transaction as the consumer does."""
    envelope = Envelope(uuid7(), fact.name, fact.order_key, clinic.clock.now(), fact.model_dump(mode="json"))
    for subscription in clinic.context.subscriptions.of("scheduling", fact.name):
        async with clinic.context.database("scheduling").transaction() as tx:
            await subscription.handler(tx, fact, envelope)


async def test_anonymous_and_the_wrong_people_may_do_nothing(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    other, colleague = clinic.person("patient"), await clinic.doctor()
    auditor = clinic.person("auditor")
    made = (await book(clinic, patient, doctor)).appointment
    service = clinic.module.appointments
    for stranger in (ANONYMOUS, other, colleague, auditor):
        with pytest.raises(Forbidden):
            await clinic.module.booking.book(stranger, Request(doctor.id, patient.id, at(11), None))
        with pytest.raises(Forbidden):
            await service.view(stranger, made.id)
        with pytest.raises(Forbidden):
            await service.cancel(stranger, made.id)
        for change in (Change(start=at(12)), Change(status="no_show"), Change(status="completed"), Change(reason="x")):
            with pytest.raises(Forbidden):
                await service.change(stranger, made.id, change)
        with pytest.raises(Forbidden):
            await service.search(stranger, Filter(patient_id=patient.id, practitioner_id=doctor.id))
    with pytest.raises(Forbidden):
        await clinic.module.arranging.arrange(patient, doctor.id, patient.id, at(13))
    with pytest.raises(Forbidden):
        await service.change(patient, made.id, Change(status="no_show"))
    assert (await service.get(made.id)) == made


async def test_a_booking_has_its_fact_its_audit_row_and_a_reason_only_two_may_read(clinic: Clinic) -> None:
    patient, doctor, desk = clinic.person("patient"), await clinic.doctor(), clinic.person("desk")
    view = await book(clinic, patient, doctor)
    made = view.appointment
    assert view.reason == REASON
    assert (made.start, made.end) == (at(10), at(10, 30))
    assert (made.fee_minor, made.currency, made.time_zone) == (15000, "XOF", "Europe/Paris")
    assert view.window.opens_at == at(9, 30)
    assert view.window.closes_at == at(11, 30)
    assert made.reason is not None
    assert REASON.encode() not in made.reason
    assert await clinic.facts(made.id) == ["appointment.booked"]
    service = clinic.module.appointments
    assert (await service.view(doctor, made.id)).reason == REASON
    assert (await service.view(desk, made.id)).reason is None
    assert await clinic.audits(made.id) == [("appointment.booked", "patient"), ("appointment.read", "practitioner")]


async def test_fifty_attempts_at_one_slot_have_one_winner(clinic: Clinic) -> None:
    doctor = await clinic.doctor()
    patients = [clinic.person("patient") for _ in range(50)]
    answers = await asyncio.gather(*(book(clinic, each, doctor) for each in patients), return_exceptions=True)
    winners = [each for each in answers if isinstance(each, AppointmentView)]
    assert len(winners) == 1
    assert all(isinstance(each, SlotTaken) for each in answers if each is not winners[0])


async def test_bookings_of_a_moment_share_a_commit_and_each_has_its_own_outcome(clinic: Clinic) -> None:
    doctors = [await clinic.doctor() for _ in range(3)]
    people = [clinic.person("patient") for _ in range(4)]
    where = (doctors[0], doctors[1], doctors[2], doctors[0])
    # What a first booking waits for has been asked before, so that all four come at the same moment.
    await clinic.context.vault.prepare([each.id for each in people])
    for doctor in doctors:
        await clinic.module.free_times.schedule(doctor.id)
    answers = await asyncio.gather(
        *(book(clinic, each, doctor) for each, doctor in zip(people, where, strict=True)), return_exceptions=True
    )
    made = [each.appointment for each in answers if isinstance(each, AppointmentView)]
    assert [each.practitioner_id for each in made] == [each.id for each in doctors]
    assert isinstance(answers[3], SlotTaken)
    async with clinic.context.database("scheduling").reading() as tx:
        commits = await tx.fetchval(
            "SELECT count(DISTINCT xmin::text) FROM appointments WHERE id = ANY($1)", [each.id for each in made]
        )
    assert commits == 1
    for each in made:
        assert await clinic.facts(each.id) == ["appointment.booked"]
        assert await clinic.audits(each.id) == [("appointment.booked", "patient")]


async def test_a_booking_that_the_database_refuses_spoils_no_other(clinic: Clinic) -> None:
    well, broken = await clinic.doctor(), await clinic.doctor()
    clinic.directory.profiles[broken.id] = replace(clinic.directory.profiles[broken.id], fee_minor=-1)
    people = [clinic.person("patient") for _ in range(2)]
    answers = await asyncio.gather(
        book(clinic, people[0], well), book(clinic, people[1], broken), return_exceptions=True
    )
    assert isinstance(answers[0], AppointmentView)
    assert isinstance(answers[1], asyncpg.CheckViolationError)
    assert await clinic.facts(answers[0].appointment.id) == ["appointment.booked"]


async def test_a_buffer_is_held_too(clinic: Clinic) -> None:
    doctor = await clinic.doctor(buffer=10)
    patient = clinic.person("patient")
    await clinic.module.arranging.arrange(SYSTEM, doctor.id, patient.id, at(9, 5), minutes=30)
    free, zone = await clinic.module.offers.available(doctor.id, at(9).date())
    assert zone == "Europe/Paris"
    assert free[0].start == at(10, 20)  # 09:00 and 09:40 touch 09:05 to 09:45


async def test_only_what_is_offered_can_be_booked(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    for start in (at(8), at(10, 10), at(17), at(9, days=-1), at(10, days=61), NOON + timedelta(minutes=30)):
        with pytest.raises(SlotNotOffered):
            await clinic.module.booking.book(patient, Request(doctor.id, patient.id, start, None))
    with pytest.raises(SlotNotOffered):
        await clinic.module.booking.book(patient, Request(uuid7(), patient.id, at(10), None))
    with pytest.raises(InvalidInput):
        await clinic.module.booking.book(clinic.person("desk"), Request(doctor.id, uuid7(), at(10), None))


async def test_staff_book_for_a_patient(clinic: Clinic) -> None:
    patient, doctor, desk = clinic.person("patient"), await clinic.doctor(), clinic.person("desk")
    view = await clinic.module.booking.book(desk, Request(doctor.id, patient.id, at(15), REASON))
    assert view.reason is None
    assert view.appointment.booked_role == "desk"
    assert (await clinic.module.appointments.view(patient, view.appointment.id)).reason == REASON


async def test_a_cancelled_time_is_free_again(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    made = (await book(clinic, patient, doctor)).appointment
    assert (await clinic.module.appointments.cancel(patient, made.id)).appointment.status == "cancelled"
    with pytest.raises(InvalidTransition):
        await clinic.module.appointments.cancel(patient, made.id)
    again = await book(clinic, clinic.person("patient"), doctor)
    assert again.appointment.start == made.start
    assert await clinic.facts(made.id) == ["appointment.booked", "appointment.cancelled"]


async def test_moving_is_one_step_and_never_onto_somebody(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    made = (await book(clinic, patient, doctor)).appointment
    await book(clinic, clinic.person("patient"), doctor, 11)
    service = clinic.module.appointments
    with pytest.raises(SlotTaken):
        await service.change(patient, made.id, Change(start=at(11)))
    with pytest.raises(SlotNotOffered):
        await service.change(patient, made.id, Change(start=at(3)))
    with pytest.raises(VersionConflict):
        await service.change(patient, made.id, Change(start=at(12), version=9))
    moved = (await service.change(patient, made.id, Change(start=at(12), version=1))).appointment
    assert (moved.start, moved.version, moved.status) == (at(12), 2, "booked")
    assert await clinic.facts(made.id) == ["appointment.booked", "appointment.rescheduled"]
    await book(clinic, clinic.person("patient"), doctor, 10)


async def test_waiting_then_completed_by_the_practitioner_is_told_once(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    made = (await book(clinic, patient, doctor)).appointment
    about = {"appointment_id": made.id, "patient_id": patient.id, "practitioner_id": doctor.id}
    clinic.clock.moment = at(10)
    await deliver(clinic, PatientWaiting(**about))
    await deliver(clinic, PatientWaiting(**about))
    assert await _status(clinic, made.id) == "arrived"
    with pytest.raises(Forbidden):
        await clinic.module.appointments.change(clinic.person("admin"), made.id, Change(status="completed"))
    done = await clinic.module.appointments.change(doctor, made.id, Change(status="completed", reason="Better"))
    assert done.appointment.status == "fulfilled"
    assert clinic.visits.completed == [made.id]
    await deliver(clinic, ConsultationCompleted(**about))
    facts = await clinic.facts(made.id)
    assert facts.count("appointment.completed") == 1
    with pytest.raises(InvalidTransition):
        await clinic.module.appointments.change(doctor, made.id, Change(status="completed"))


async def test_completion_arriving_as_a_fact_alone_fulfils(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    made = (await book(clinic, patient, doctor)).appointment
    fact = ConsultationCompleted(appointment_id=made.id, patient_id=patient.id, practitioner_id=doctor.id)
    await deliver(clinic, fact)
    await deliver(clinic, fact)
    assert await _status(clinic, made.id) == "fulfilled"
    assert await clinic.facts(made.id) == ["appointment.booked", "appointment.completed"]


async def test_lists_are_ones_own_in_pages_and_days_are_the_practitioners(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor("Asia/Tokyo")
    service, offers = clinic.module.appointments, clinic.module.offers
    free, _ = await offers.available(doctor.id, at(9).date())
    for slot in free[:5]:
        await clinic.module.booking.book(patient, Request(doctor.id, patient.id, slot.start, REASON))
    page, following = await service.search(patient, Filter(limit=3))
    assert [each.appointment.start for each in page] == [each.start for each in free[:3]]
    rest, end = await service.search(patient, Filter(limit=3, after=following))
    assert [each.appointment.start for each in rest] == [each.start for each in free[3:5]]
    assert end is None
    own, _ = await service.search(doctor, Filter(day=at(9).date()))
    assert len(own) == 5
    assert (await service.search(doctor, Filter(day=at(9, days=2).date())))[0] == []
    # 09:00 on 2 June in Tokyo is midnight UTC; at 16:00 UTC on 1 June it is already the 2nd there.
    clinic.clock.moment = NOON + timedelta(hours=4)
    assert len((await service.search(doctor, Filter(), today=True))[0]) == 5


async def test_nobody_came_and_the_clean_up_says_so_once(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    made = (await book(clinic, patient, doctor)).appointment
    clinic.clock.moment = at(11, 29)
    await clinic.module.upkeep.decide_ended()
    assert await _status(clinic, made.id) == "booked"
    clinic.clock.moment = at(11, 31)
    await asyncio.gather(clinic.module.upkeep.decide_ended(), clinic.module.upkeep.decide_ended())
    assert await _status(clinic, made.id) == "noshow"
    assert await clinic.facts(made.id) == ["appointment.booked", "appointment.no_show"]


async def test_providers_come_with_three_slots_and_no_taken_one(clinic: Clinic) -> None:
    specialty = f"rare-{uuid7().hex[-8:]}"
    doctors = [await clinic.doctor(specialty=specialty) for _ in range(4)]
    await book(clinic, clinic.person("patient"), doctors[0], 9)
    found, _ = await clinic.module.offers.search(Wanted(specialty=specialty), day=at(9).date())
    first = {each.profile.id: [slot.start for slot in each.next_slots] for each in found}
    assert first[doctors[0].id] == [at(9, 30), at(10), at(10, 30)]
    assert first[doctors[1].id] == [at(9), at(9, 30), at(10)]
    soon, _ = await clinic.module.offers.search(Wanted(specialty=specialty))
    assert all(len(each.next_slots) == 3 for each in soon)
    far, _ = await clinic.module.offers.search(Wanted(specialty=specialty), day=at(9, days=400).date())
    assert far == []


async def test_a_demonstration_visit_is_open_now_and_made_once(clinic: Clinic) -> None:
    patient, doctor = clinic.person("patient"), await clinic.doctor()
    service = clinic.module.appointments
    one = await clinic.module.arranging.ensure_open_visit(doctor.id, patient.id, REASON)
    assert service.window(one).is_open(NOON)
    assert (await clinic.module.arranging.ensure_open_visit(doctor.id, patient.id, REASON)).id == one.id
    other = await clinic.module.arranging.ensure_open_visit(doctor.id, clinic.person("patient").id, REASON)
    assert other.start >= one.end
    await service.fulfil(one.id)
    again = await clinic.module.arranging.ensure_open_visit(doctor.id, patient.id, REASON)
    assert again.id != one.id
    assert service.window(again).is_open(NOON)


async def test_schedules_are_their_owners_and_versioned(clinic: Clinic) -> None:
    doctor, other = await clinic.doctor(), await clinic.doctor()
    offers = clinic.module.offers
    stored = await offers.schedule(doctor, doctor.id)
    for stranger in (ANONYMOUS, other, clinic.person("patient")):
        with pytest.raises(Forbidden):
            await offers.schedule(stranger, doctor.id)
        with pytest.raises(Forbidden):
            await offers.save_schedule(stranger, doctor.id, stored.schedule, 1)
    assert (await offers.save_schedule(doctor, doctor.id, stored.schedule, 1)).version == 2
    with pytest.raises(VersionConflict):
        await offers.save_schedule(doctor, doctor.id, stored.schedule, 1)
    with pytest.raises(NotFound):
        await offers.save_schedule(clinic.person("desk"), uuid7(), stored.schedule, 0)


async def _status(clinic: Clinic, appointment_id: UUID) -> str:
    found = await clinic.module.appointments.get(appointment_id)
    assert found is not None
    return found.status
