"""The waitlist and drop-ins over HTTP."""

from __future__ import annotations

from uuid import UUID

from core.errors import Forbidden, InvalidInput, InvalidTransition, NotFound
from core.http.routes import Call, Routes
from core.security.principal import Principal
from scheduling import queue_schemas as schemas
from scheduling.drop_ins import DropIns
from scheduling.errors import AlreadyWaiting, OfferGone, SlotNotOffered, SlotTaken
from scheduling.schemas import AppointmentBody
from scheduling.waitlist import Waitlist


def patient_of(principal: Principal, named: UUID | None) -> UUID:
    """The patient a call is for: the one named, else the caller. Raises InvalidInput when staff name nobody."""
    if named is None and principal.role != "patient":
        raise InvalidInput.of("patient_id", "Say for whom")
    return named or principal.id


def waitlist_routes(routes: Routes, waitlist: Waitlist) -> None:
    @routes.post(
        "/waitlist",
        action="appointment.book",
        body=schemas.JoinWaitlist,
        returns=schemas.WaitlistEntryBody,
        status=201,
        errors=(Forbidden, AlreadyWaiting),
    )
    async def join(call: Call[schemas.JoinWaitlist, None]) -> schemas.WaitlistEntryBody:
        """Wait for a time with a practitioner, or with anybody of a specialty"""
        body = call.body
        return schemas.WaitlistEntryBody.of(
            await waitlist.join(
                call.principal,
                patient_of(call.principal, body.patient_id),
                practitioner_id=body.practitioner_id,
                specialty=body.specialty,
                first_day=body.first_day,
                last_day=body.last_day,
            )
        )

    @routes.get(
        "/waitlist",
        action="queue.see",
        query=schemas.WaitlistQuery,
        returns=schemas.WaitlistEntries,
        errors=(Forbidden,),
    )
    async def entries(call: Call[None, schemas.WaitlistQuery]) -> schemas.WaitlistEntries:
        """List who waits, in line: oneself or somebody one acts for, or a practitioner's people"""
        query = call.query
        found, following = await waitlist.entries(
            call.principal, query.practitioner_id, query.patient_id, query.cursor, query.limit
        )
        return schemas.WaitlistEntries(
            items=[schemas.WaitlistEntryBody.of(each) for each in found],
            next_cursor=str(following) if following else None,
        )

    @routes.post(
        "/waitlist/{id}/accept",
        action="appointment.book",
        body=schemas.AcceptOffer,
        returns=AppointmentBody,
        status=201,
        errors=(Forbidden, NotFound, OfferGone, SlotTaken, SlotNotOffered),
    )
    async def accept(call: Call[schemas.AcceptOffer, None]) -> AppointmentBody:
        """Book the time that is offered"""
        return AppointmentBody.of(await waitlist.accept(call.principal, call.id(), call.body.reason))

    @routes.post(
        "/waitlist/{id}/decline",
        action="appointment.book",
        returns=schemas.WaitlistEntryBody,
        errors=(Forbidden, NotFound, OfferGone),
    )
    async def decline(call: Call[None, None]) -> schemas.WaitlistEntryBody:
        """Let the offered time go to the next, and wait for another"""
        return schemas.WaitlistEntryBody.of(await waitlist.decline(call.principal, call.id()))

    @routes.delete(
        "/waitlist/{id}",
        action="appointment.book",
        returns=schemas.WaitlistEntryBody,
        errors=(Forbidden, NotFound, InvalidTransition),
    )
    async def leave(call: Call[None, None]) -> schemas.WaitlistEntryBody:
        """Wait no more"""
        return schemas.WaitlistEntryBody.of(await waitlist.leave(call.principal, call.id()))


def drop_in_routes(routes: Routes, drop_ins: DropIns) -> None:
    @routes.post(
        "/drop-ins",
        action="appointment.book",
        body=schemas.JoinDropIns,
        returns=schemas.DropInBody,
        status=201,
        errors=(Forbidden, AlreadyWaiting),
    )
    async def join(call: Call[schemas.JoinDropIns, None]) -> schemas.DropInBody:
        """Wait for the next free clinician of a specialty"""
        body = call.body
        return schemas.DropInBody.of(
            await drop_ins.join(
                call.principal, patient_of(call.principal, body.patient_id), body.specialty, body.reason
            )
        )

    @routes.get(
        "/drop-ins", action="queue.see", query=schemas.DropInQuery, returns=schemas.DropInList, errors=(Forbidden,)
    )
    async def line(call: Call[None, schemas.DropInQuery]) -> schemas.DropInList:
        """List who waits for a clinician"""
        found = await drop_ins.line(call.principal, call.query.specialty, call.query.patient_id)
        return schemas.DropInList(items=[schemas.DropInBody.of(each) for each in found])

    @routes.get("/drop-ins/{id}", action="queue.see", returns=schemas.DropInBody, errors=(Forbidden, NotFound))
    async def show(call: Call[None, None]) -> schemas.DropInBody:
        """Show a place in the line, and the visit once it is taken"""
        return schemas.DropInBody.of(await drop_ins.show(call.principal, call.id()))

    @routes.delete(
        "/drop-ins/{id}",
        action="appointment.book",
        returns=schemas.DropInBody,
        errors=(Forbidden, NotFound, InvalidTransition),
    )
    async def leave(call: Call[None, None]) -> schemas.DropInBody:
        """Leave the line"""
        return schemas.DropInBody.of(await drop_ins.leave(call.principal, call.id()))

    @routes.post(
        "/drop-ins/next",
        action="drop_in.take",
        returns=AppointmentBody,
        status=201,
        errors=(Forbidden, NotFound, SlotTaken, SlotNotOffered),
    )
    async def take_next(call: Call[None, None]) -> AppointmentBody:
        """Take whoever has waited longest; the visit begins now"""
        return AppointmentBody.of(await drop_ins.take_next(call.principal))
