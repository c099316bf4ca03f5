"""HTTP of check-in and of interpreters."""

from __future__ import annotations

from consultations.errors import OfferGone, VisitNotOpen
from consultations.schemas import (
    AgreeToVideo,
    CheckInQuery,
    CheckInView,
    GuestSession,
    InterpreterList,
    InterpreterView,
    Interpreting,
    Languages,
    LicencePlaces,
    OnDuty,
    SaveCheckIn,
)
from consultations.service import Consultations
from core.errors import ConsentTextChanged, Forbidden, NotFound
from core.http.routes import Answer, Call, Routes
from core.security.policy import Policy

NO_STORE = {"Cache-Control": "no-store"}


def build(service: Consultations, policy: Policy) -> Routes:
    routes = Routes("check-in and interpreters")
    interpreters = service.interpreters

    @routes.get(
        "/appointments/{id}/check-in",
        action="consultation.check_in.read",
        query=CheckInQuery,
        returns=CheckInView,
        errors=(Forbidden, NotFound),
    )
    async def read_check_in(call: Call[None, CheckInQuery]) -> Answer:
        """What the patient confirmed, or has to confirm, with the emergency number and red flags"""
        found = await service.check_ins.read(call.principal, call.id(), call.query.country, call.query.language)
        return Answer(found, headers=NO_STORE)

    @routes.put(
        "/appointments/{id}/check-in",
        action="consultation.check_in",
        body=SaveCheckIn,
        returns=CheckInView,
        errors=(Forbidden, NotFound, VisitNotOpen),
    )
    async def save_check_in(call: Call[SaveCheckIn, None]) -> Answer:
        """The patient confirms who they are, where they are now and where to call back"""
        return Answer(await service.check_ins.save(call.principal, call.id(), call.body), headers=NO_STORE)

    @routes.put(
        "/appointments/{id}/consent",
        action="consultation.check_in",
        body=AgreeToVideo,
        returns=CheckInView,
        errors=(Forbidden, NotFound, ConsentTextChanged),
    )
    async def agree(call: Call[AgreeToVideo, None]) -> Answer:
        """The patient agrees to care by video, after reading the text that `GET …/check-in` gave"""
        return Answer(await service.check_ins.agree(call.principal, call.id(), call.body), headers=NO_STORE)

    @routes.put(
        "/practitioners/{id}/licence-places",
        action="licence_places.write",
        body=LicencePlaces,
        status=204,
        errors=(Forbidden, NotFound),
    )
    async def licence_places(call: Call[LicencePlaces, None]) -> None:
        """The countries in which a practitioner is licensed; none: those of the practice"""
        policy.require(call.principal, "licence_places.write")
        await service.check_ins.set_places(call.id(), frozenset(call.body.countries))

    @routes.get("/interpreters", action="interpreters.keep", returns=InterpreterList, errors=(Forbidden,))
    async def list_interpreters(call: Call[None, None]) -> InterpreterList:
        """Who may be asked to interpret"""
        return InterpreterList(
            items=[
                InterpreterView(person_id=person_id, name=name, languages=languages, on_duty=on_duty)
                for person_id, name, languages, on_duty in await interpreters.all(call.principal)
            ]
        )

    @routes.put(
        "/interpreters/{id}",
        action="interpreters.keep",
        body=Languages,
        returns=InterpreterView,
        errors=(Forbidden, NotFound),
    )
    async def put_interpreter(call: Call[Languages, None]) -> InterpreterView:
        """Let somebody with an account be asked for these languages"""
        name, languages, on_duty = await interpreters.put(call.principal, call.id(), call.body.languages)
        return InterpreterView(person_id=call.id(), name=name, languages=languages, on_duty=on_duty)

    @routes.delete("/interpreters/{id}", action="interpreters.keep", status=204, errors=(Forbidden, NotFound))
    async def remove_interpreter(call: Call[None, None]) -> None:
        """Somebody is asked no more"""
        await interpreters.remove(call.principal, call.id())

    @routes.get("/me/interpreting", action="interpreting", returns=Interpreting, errors=(Forbidden, NotFound))
    async def mine(call: Call[None, None]) -> Answer:
        """An interpreter's languages, duty and open requests"""
        policy.require(call.principal, "interpreting")
        return Answer(await interpreters.mine(call.principal), headers=NO_STORE)

    @routes.put(
        "/me/interpreting", action="interpreting", body=OnDuty, returns=Interpreting, errors=(Forbidden, NotFound)
    )
    async def set_duty(call: Call[OnDuty, None]) -> Interpreting:
        """Be asked, or not"""
        policy.require(call.principal, "interpreting")
        return await interpreters.set_duty(call.principal, call.body.on_duty)

    @routes.post(
        "/interpreter-offers/{id}/accept",
        action="interpreting",
        returns=GuestSession,
        errors=(Forbidden, NotFound, OfferGone),
    )
    async def accept(call: Call[None, None]) -> Answer:
        """Come to interpret: a session for this visit alone"""
        policy.require(call.principal, "interpreting")
        return Answer(await interpreters.accept(call.principal, call.id()), headers=NO_STORE)

    @routes.post(
        "/interpreter-offers/{id}/decline", action="interpreting", status=204, errors=(Forbidden, NotFound, OfferGone)
    )
    async def decline(call: Call[None, None]) -> None:
        """Not now; the next is asked"""
        policy.require(call.principal, "interpreting")
        await interpreters.decline(call.principal, call.id())

    return routes
