"""Scheduling over HTTP."""

from __future__ import annotations

from datetime import date, datetime

from core.errors import Forbidden, InvalidInput, InvalidTransition, NotFound, VersionConflict
from core.http.routes import Call, Routes
from scheduling import schedule_schemas, schemas
from scheduling.booking import Booking, Request
from scheduling.drop_ins import DropIns
from scheduling.errors import SeriesConflict, SlotNotOffered, SlotTaken, TooManyHolds
from scheduling.lifecycle import Word
from scheduling.models import Filter
from scheduling.offers import Offers
from scheduling.queue_routes import drop_in_routes, patient_of, waitlist_routes
from scheduling.service import Appointments, Change
from scheduling.waitlist import Waitlist


def build_routes(
    booking: Booking, appointments: Appointments, offers: Offers, waitlist: Waitlist, drop_ins: DropIns
) -> Routes:
    routes = Routes("scheduling")
    _offers(routes, offers)
    _booking(routes, booking)
    _holds(routes, booking)
    _appointments(routes, appointments)
    waitlist_routes(routes, waitlist)
    drop_in_routes(routes, drop_ins)
    return routes


def _offers(routes: Routes, offers: Offers) -> None:
    @routes.get("/specialties", action="public", returns=schemas.Specialties, auth="none")
    async def specialties(call: Call[None, None]) -> schemas.Specialties:
        """List specialties with the number of practitioners in each"""
        return schemas.Specialties(
            items=[
                schemas.SpecialtyView(code=each.code, name=each.name, providers=each.providers)
                for each in await offers.specialties()
            ]
        )

    @routes.get("/providers", action="public", query=schemas.ProviderQuery, returns=schemas.Providers, auth="none")
    async def providers(call: Call[None, schemas.ProviderQuery]) -> schemas.Providers:
        """Find practitioners and their next free slots"""
        query = call.query
        found, following = await offers.search(query.wanted(), day=query.date, cursor=query.cursor, limit=query.limit)
        items = [schemas.Provider.of(each.profile, each.time_zone, each.next_slots) for each in found]
        return schemas.Providers.model_construct(items=items, next_cursor=following)

    @routes.get("/providers/choices", action="public", returns=schemas.ProviderChoices, auth="none")
    async def choices(call: Call[None, None]) -> schemas.ProviderChoices:
        """List the insurers and currencies that a search can be narrowed to"""
        insurers, currencies = await offers.choices()
        return schemas.ProviderChoices(insurers=insurers, currencies=currencies)

    @routes.get("/providers/{id}", action="public", returns=schemas.Provider, auth="none", errors=(NotFound,))
    async def provider(call: Call[None, None]) -> schemas.Provider:
        """Show one practitioner"""
        found = await offers.provider(call.id())
        return schemas.Provider.of(found.profile, found.time_zone, found.next_slots)

    @routes.get(
        "/appointments/available",
        action="public",
        query=schemas.AvailableQuery,
        returns=schemas.Slots,
        auth="none",
        errors=(NotFound,),
    )
    async def available(call: Call[None, schemas.AvailableQuery]) -> schemas.Slots:
        """List a practitioner's free slots of a day or several, days in the practitioner's zone"""
        query = call.query
        free, time_zone = await offers.available(query.practitioner_id, query.date, query.days)
        return schemas.Slots(items=[schemas.Slot.of(each) for each in free], time_zone=time_zone)

    @routes.get(
        "/practitioners/{id}/schedule",
        action="schedule.read",
        returns=schedule_schemas.ScheduleBody,
        errors=(Forbidden, NotFound),
    )
    async def read_schedule(call: Call[None, None]) -> schedule_schemas.ScheduleBody:
        """Read a practitioner's opening hours"""
        return schedule_schemas.ScheduleBody.of(await offers.schedule(call.principal, call.id()))

    @routes.put(
        "/practitioners/{id}/schedule",
        action="schedule.write",
        body=schedule_schemas.ScheduleBody,
        returns=schedule_schemas.ScheduleBody,
        errors=(Forbidden, NotFound, VersionConflict),
    )
    async def write_schedule(call: Call[schedule_schemas.ScheduleBody, None]) -> schedule_schemas.ScheduleBody:
        """Replace a practitioner's opening hours"""
        body = call.body
        return schedule_schemas.ScheduleBody.of(
            await offers.save_schedule(call.principal, call.id(), body.schedule(), body.version)
        )

    @routes.post(
        "/practitioners/{id}/schedule/preview",
        action="schedule.write",
        body=schedule_schemas.PreviewBody,
        returns=schedule_schemas.PreviewSlots,
        idempotency="none",
        errors=(Forbidden, NotFound),
    )
    async def preview(call: Call[schedule_schemas.PreviewBody, None]) -> schedule_schemas.PreviewSlots:
        """Show the slots a schedule would give; saves nothing"""
        body = call.body
        shown = await offers.preview(call.principal, call.id(), body.schedule.schedule(), body.first, body.days)
        return schedule_schemas.PreviewSlots(
            items=[schemas.Slot.of(each) for each in shown.slots],
            taken=[schemas.Slot.of(each) for each in shown.taken],
            time_zone=body.schedule.time_zone,
        )


def _booking(routes: Routes, booking: Booking) -> None:
    @routes.post(
        "/appointments",
        action="appointment.book",
        body=schemas.BookAppointment,
        returns=schemas.AppointmentBody,
        status=201,
        errors=(Forbidden, SlotTaken, SlotNotOffered),
    )
    async def book(call: Call[schemas.BookAppointment, None]) -> schemas.AppointmentBody:
        """Book a slot; staff name the patient"""
        patient_id = patient_of(call.principal, call.body.patient_id)
        return schemas.AppointmentBody.of(await booking.book(call.principal, call.body.request(patient_id)))

    @routes.post(
        "/patients/{id}/appointments",
        action="appointment.book",
        body=schemas.BookAppointment,
        returns=schemas.AppointmentBody,
        status=201,
        errors=(Forbidden, SlotTaken, SlotNotOffered),
    )
    async def book_for(call: Call[schemas.BookAppointment, None]) -> schemas.AppointmentBody:
        """Book a slot for the patient in the path"""
        if call.body.patient_id not in (None, call.id()):
            raise InvalidInput.of("patient_id", "Another patient than in the address")
        return schemas.AppointmentBody.of(await booking.book(call.principal, call.body.request(call.id())))

    @routes.post(
        "/appointments/series",
        action="appointment.book",
        body=schemas.BookSeries,
        returns=schemas.Series,
        status=201,
        errors=(Forbidden, SeriesConflict, SlotNotOffered),
    )
    async def book_series(call: Call[schemas.BookSeries, None]) -> schemas.Series:
        """Book repeated visits, all or none"""
        body = call.body
        wanted = Request(body.practitioner_id, patient_of(call.principal, body.patient_id), body.start, body.reason)
        series_id, made = await booking.book_series(call.principal, wanted, body.every, body.count)
        return schemas.Series(series_id=series_id, items=[schemas.AppointmentBody.of(each) for each in made])


def _holds(routes: Routes, booking: Booking) -> None:
    @routes.post(
        "/appointments/holds",
        action="appointment.book",
        body=schemas.MakeHold,
        returns=schemas.HoldBody,
        status=201,
        errors=(Forbidden, SlotTaken, SlotNotOffered, TooManyHolds),
    )
    async def hold(call: Call[schemas.MakeHold, None]) -> schemas.HoldBody:
        """Keep a slot for a few minutes"""
        body = call.body
        patient_id = patient_of(call.principal, body.patient_id)
        return schemas.HoldBody.of(await booking.hold(call.principal, body.practitioner_id, patient_id, body.start))

    @routes.get(
        "/appointments/holds/{id}", action="appointment.book", returns=schemas.HoldBody, errors=(Forbidden, NotFound)
    )
    async def show_hold(call: Call[None, None]) -> schemas.HoldBody:
        """Show a hold that still stands"""
        return schemas.HoldBody.of(await booking.show_hold(call.principal, call.id()))

    @routes.delete("/appointments/holds/{id}", action="appointment.book", status=204, errors=(Forbidden, NotFound))
    async def release(call: Call[None, None]) -> None:
        """Give a hold back"""
        await booking.release(call.principal, call.id())


def _appointments(routes: Routes, appointments: Appointments) -> None:
    @routes.get(
        "/appointments",
        action="appointment.read",
        query=schemas.AppointmentQuery,
        returns=schemas.Appointments,
        errors=(Forbidden,),
    )
    async def search(call: Call[None, schemas.AppointmentQuery]) -> schemas.Appointments:
        """List appointments by start: one's own, or anybody's for staff"""
        query = call.query
        wanted = Filter(
            practitioner_id=query.practitioner_id,
            patient_id=query.patient_id,
            since=query.since,
            until=query.until,
            day=query.date if isinstance(query.date, date) else None,
            statuses=(query.status,) if query.status else (),
            after=schemas.decode_cursor(query.cursor) if query.cursor else None,
            limit=query.limit,
        )
        views, following = await appointments.search(call.principal, wanted, today=query.date == "today")
        return schemas.Appointments(
            items=[schemas.AppointmentBody.of(each) for each in views],
            next_cursor=schemas.encode_cursor(*following) if following else None,
        )

    @routes.get(
        "/appointments/{id}", action="appointment.read", returns=schemas.AppointmentBody, errors=(Forbidden, NotFound)
    )
    async def read(call: Call[None, None]) -> schemas.AppointmentBody:
        """Show one appointment"""
        return schemas.AppointmentBody.of(await appointments.view(call.principal, call.id()))

    changing = (Forbidden, NotFound, InvalidTransition, VersionConflict, SlotTaken, SlotNotOffered)

    @routes.put(
        "/appointments/{id}/status",
        action="appointment.change",
        body=schemas.ChangeStatus,
        returns=schemas.AppointmentBody,
        errors=changing,
    )
    async def change_status(call: Call[schemas.ChangeStatus, None]) -> schemas.AppointmentBody:
        """Change the status, or move to another start with "rescheduled" """
        wanted = _change(call.body.status, call.body.start, call.body.reason, None)
        return schemas.AppointmentBody.of(await appointments.change(call.principal, call.id(), wanted))

    @routes.patch(
        "/appointments/{id}",
        action="appointment.change",
        body=schemas.ChangeAppointment,
        returns=schemas.AppointmentBody,
        errors=changing,
    )
    async def change(call: Call[schemas.ChangeAppointment, None]) -> schemas.AppointmentBody:
        """Change start, status or reason"""
        body = call.body
        wanted = _change(body.status, body.start, body.reason, body.version)
        return schemas.AppointmentBody.of(await appointments.change(call.principal, call.id(), wanted))

    @routes.delete(
        "/appointments/{id}",
        action="appointment.cancel",
        returns=schemas.AppointmentBody,
        errors=(Forbidden, NotFound, InvalidTransition),
    )
    async def cancel(call: Call[None, None]) -> schemas.AppointmentBody:
        """Cancel an appointment"""
        return schemas.AppointmentBody.of(await appointments.cancel(call.principal, call.id()))


def _change(status: Word | None, start: datetime | None, reason: str | None, version: int | None) -> Change:
    return Change(start=start, status=None if status == "rescheduled" else status, reason=reason, version=version)
