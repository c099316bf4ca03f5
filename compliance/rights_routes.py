"""HTTP of emergency access, consents and requests about one's data."""

from __future__ import annotations

from compliance.break_glass import AlreadyEnded, BreakGlass
from compliance.consent_texts import KINDS, in_force
from compliance.consents import Consents
from compliance.erasures import ErasureExists, ErasureHindered, Erasures
from compliance.exports import ExportRunning, Exports
from compliance.research import Research
from compliance.rights_schemas import (
    AccessPage,
    AccessView,
    ConfirmErasure,
    ConsentList,
    ConsentText,
    ConsentTexts,
    ConsentView,
    ErasureOutlook,
    ErasurePage,
    ErasureView,
    ExportList,
    ExportView,
    FindAccesses,
    KeptView,
    OpenAccess,
    ResearchPage,
    ResearchRow,
    RightsPage,
    SayConsent,
    TextQuery,
)
from core.errors import ConsentTextChanged, Forbidden, NotFound
from core.http.routes import Answer, Call, Routes


def build_rights_routes(
    emergency: BreakGlass, consents: Consents, exports: Exports, erasures: Erasures, research: Research
) -> Routes:
    routes = Routes("compliance")
    _break_glass(routes, emergency)
    _consents(routes, consents)
    _consents_for(routes, consents)
    _exports(routes, exports)
    _erasures(routes, erasures)
    _research(routes, research)
    return routes


def _break_glass(routes: Routes, emergency: BreakGlass) -> None:
    @routes.post(
        "/patients/{id}/break-glass",
        action="break_glass.open",
        body=OpenAccess,
        returns=AccessView,
        status=201,
        recent=True,
        errors=(Forbidden, NotFound),
    )
    async def open_access(call: Call[OpenAccess, None]) -> AccessView:
        """Open a patient's record in an emergency; the patient is told and sees the reason."""
        return AccessView.of(await emergency.open(call.principal, call.id(), call.body.reason))

    @routes.get("/break-glass", action="break_glass.read", query=FindAccesses, returns=AccessPage, errors=(Forbidden,))
    async def accesses(call: Call[None, FindAccesses]) -> AccessPage:
        """Emergency accesses, newest first: those about oneself, one's own, or all for auditors."""
        query = call.query
        found, cursor = await emergency.search(
            call.principal, patient_id=query.patient_id, before=query.cursor, limit=query.limit
        )
        return AccessPage(
            items=[AccessView.of(each) for each in found], next_cursor=None if cursor is None else str(cursor)
        )

    @routes.delete(
        "/break-glass/{id}",
        action="break_glass.end",
        returns=AccessView,
        errors=(Forbidden, NotFound, AlreadyEnded),
    )
    async def end(call: Call[None, None]) -> AccessView:
        """End an emergency access before its time; it counts at once."""
        return AccessView.of(await emergency.end(call.principal, call.id()))


def _consents(routes: Routes, consents: Consents) -> None:
    @routes.get("/consents/texts", action="consent.own", query=TextQuery, returns=ConsentTexts)
    async def texts(call: Call[None, TextQuery]) -> ConsentTexts:
        """What one may consent to, word by word, in the version in force."""
        return ConsentTexts(items=[ConsentText.of(each) for each in in_force(call.query.language)])

    @routes.get("/me/consents", action="consent.own", returns=ConsentList)
    async def mine(call: Call[None, None]) -> ConsentList:
        """What one has agreed to and withdrawn, newest first."""
        return ConsentList(items=[ConsentView.of(each) for each in await consents.of(call.principal)])

    @routes.put(
        "/me/consents/{kind}",
        action="consent.own",
        body=SayConsent,
        returns=ConsentView,
        errors=(NotFound, ConsentTextChanged),
    )
    async def say(call: Call[SayConsent, None]) -> ConsentView:
        """Agree, or withdraw: it counts from now on."""
        kind = next((each for each in KINDS if each == call.request.match_info["kind"]), None)
        if kind is None:
            raise NotFound()
        body = call.body
        said = await consents.say(call.principal, kind, given=body.given, version=body.version, language=body.language)
        return ConsentView.of(said)


def _consents_for(routes: Routes, consents: Consents) -> None:
    @routes.get("/patients/{id}/consents", action="consent.for", returns=ConsentList, errors=(Forbidden,))
    async def of_patient(call: Call[None, None]) -> ConsentList:
        """What was agreed to and withdrawn for a patient whom one acts for, newest first."""
        return ConsentList(items=[ConsentView.of(each) for each in await consents.of(call.principal, call.id())])

    @routes.put(
        "/patients/{id}/consents/{kind}",
        action="consent.for",
        body=SayConsent,
        returns=ConsentView,
        errors=(Forbidden, NotFound, ConsentTextChanged),
    )
    async def say_for(call: Call[SayConsent, None]) -> ConsentView:
        """Agree, or withdraw, for a patient whom one acts for: it counts from now on."""
        kind = next((each for each in KINDS if each == call.request.match_info["kind"]), None)
        if kind is None:
            raise NotFound()
        body = call.body
        said = await consents.say(
            call.principal,
            kind,
            given=body.given,
            version=body.version,
            language=body.language,
            patient_id=call.id(),
        )
        return ConsentView.of(said)


def _exports(routes: Routes, exports: Exports) -> None:
    @routes.post(
        "/me/exports", action="export.own", returns=ExportView, status=202, recent=True, errors=(ExportRunning,)
    )
    async def ask(call: Call[None, None]) -> Answer:
        """Ask for everything that is known about oneself; it is made in the background."""
        return Answer(ExportView.of(await exports.ask(call.principal)), status=202)

    @routes.get("/me/exports", action="export.own", returns=ExportList)
    async def listed(call: Call[None, None]) -> ExportList:
        """One's copies, newest first."""
        return ExportList(items=[ExportView.of(each) for each in await exports.of(call.principal)])

    @routes.get(
        "/me/exports/{id}/file", action="export.own", content_type="application/zip", recent=True, errors=(NotFound,)
    )
    async def download(call: Call[None, None]) -> Answer:
        """The copy, once: it is gone afterwards."""
        content = await exports.download(call.principal, call.id())
        headers = {"Content-Disposition": 'attachment; filename="bedside.zip"', "Cache-Control": "no-store"}
        return Answer(content, headers=headers, content_type="application/zip")


def _erasures(routes: Routes, erasures: Erasures) -> None:
    @routes.get("/me/erasure", action="erasure.own", returns=ErasureOutlook)
    async def outlook(call: Call[None, None]) -> ErasureOutlook:
        """One's request to be forgotten, and what the law would keep."""
        found, kept = await erasures.of(call.principal)
        return ErasureOutlook(
            request=None if found is None else ErasureView.of(found), would_keep=[KeptView(**each) for each in kept]
        )

    @routes.post(
        "/me/erasure",
        action="erasure.own",
        returns=ErasureView,
        status=201,
        recent=True,
        errors=(ErasureHindered, ErasureExists),
    )
    async def request(call: Call[None, None]) -> ErasureView:
        """Ask to be forgotten; it has to be confirmed."""
        return ErasureView.of(await erasures.request(call.principal))

    @routes.post(
        "/me/erasure/confirm",
        action="erasure.own",
        body=ConfirmErasure,
        returns=ErasureView,
        recent=True,
        errors=(ErasureHindered, NotFound),
    )
    async def confirm(call: Call[ConfirmErasure, None]) -> ErasureView:
        """Confirm it: it is carried out after the days of grace, until when it can be withdrawn."""
        return ErasureView.of(await erasures.confirm(call.principal))

    @routes.delete("/me/erasure", action="erasure.own", status=204, errors=(NotFound,))
    async def withdraw(call: Call[None, None]) -> None:
        """Withdraw it, until it is carried out."""
        await erasures.withdraw(call.principal)

    @routes.get("/erasures", action="erasure.read", query=RightsPage, returns=ErasurePage, errors=(Forbidden,))
    async def listed(call: Call[None, RightsPage]) -> ErasurePage:
        """Who asked to be forgotten, what was removed, what is kept and why; with the signed proof."""
        found = await erasures.search(call.principal, call.query.cursor, call.query.limit + 1)
        more, found = len(found) > call.query.limit, found[: call.query.limit]
        return ErasurePage(
            items=[ErasureView.of(each) for each in found], next_cursor=str(found[-1].id) if more else None
        )


def _research(routes: Routes, research: Research) -> None:
    @routes.get(
        "/research/visits", action="research.export", query=RightsPage, returns=ResearchPage, errors=(Forbidden,)
    )
    async def visits(call: Call[None, RightsPage]) -> ResearchPage:
        """Facts about visits of those who agreed, pseudonymised and with dates moved."""
        found, cursor = await research.export(call.principal, call.query.cursor, call.query.limit)
        rows = [
            ResearchRow(
                subject=each.subject,
                specialty=each.specialty,
                kind=each.kind,
                status=each.status,
                day=each.day,
                minutes=each.minutes,
            )
            for each in found
        ]
        return ResearchPage(items=rows, next_cursor=None if cursor is None else str(cursor))
