"""HTTP of the visit."""

from __future__ import annotations

from consultations.errors import (
    InvitationGone,
    NotesChanged,
    NotPossibleNow,
    NotVerified,
    VisitNotOpen,
)
from consultations.schemas import (
    Complete,
    ConsultationView,
    GuestSession,
    Invitation,
    InvitationList,
    Invite,
    Notes,
    PracticeToken,
    ProbeToken,
    Redeem,
    SaveNotes,
    VideoToken,
)
from consultations.service import Consultations
from core.errors import Forbidden, NotFound
from core.http.routes import Answer, Call, Routes

NO_STORE = {"Cache-Control": "no-store"}


def build(service: Consultations, public_url: str) -> Routes:
    routes = Routes("consultations")

    @routes.get(
        "/appointments/{id}/video-token",
        action="consultation.join",
        returns=VideoToken,
        errors=(VisitNotOpen, NotVerified, NotFound),
    )
    async def video_token(call: Call[None, None]) -> Answer:
        """A short-lived token for one person and one visit"""
        return Answer(await service.video_token(call.principal, call.id()), headers=NO_STORE)

    @routes.post(
        "/appointments/{id}/probe-token",
        action="consultation.join",
        returns=ProbeToken,
        errors=(Forbidden, NotFound),
        idempotency="none",
    )
    async def probe_token(call: Call[None, None]) -> Answer:
        """A token for the network test before a visit"""
        return Answer(await service.probe_token(call.principal, call.id()), headers=NO_STORE)

    @routes.post(
        "/practice/token", action="practice.open", returns=PracticeToken, errors=(Forbidden,), idempotency="none"
    )
    async def practice_token(call: Call[None, None]) -> Answer:
        """A token for the practice's live waiting list"""
        return Answer(await service.practice_token(call.principal), headers=NO_STORE)

    @routes.post(
        "/consultations/{id}/invitations",
        action="consultation.invite",
        body=Invite,
        returns=Invitation,
        status=201,
        errors=(VisitNotOpen, Forbidden, NotFound),
    )
    async def invite(call: Call[Invite, None]) -> Invitation:
        """Invite an interpreter or a guest by a one-time link"""
        made, secret, expires_at = await service.guests.invite(
            call.principal, call.id(), call.body.role, call.body.name
        )
        return Invitation(id=made, url=f"{public_url}/join#{secret}", expires_at=expires_at)

    @routes.get(
        "/consultations/{id}/invitations",
        action="consultation.invite",
        returns=InvitationList,
        errors=(Forbidden, NotFound),
    )
    async def invitations(call: Call[None, None]) -> Answer:
        """Who was invited to the visit, and what has become of the links"""
        found = await service.guests.invitations(call.principal, call.id())
        return Answer(InvitationList(items=found), headers=NO_STORE)

    @routes.delete(
        "/consultations/{id}/invitations/{invitation_id}",
        action="consultation.invite",
        status=204,
        errors=(Forbidden, NotFound),
    )
    async def revoke(call: Call[None, None]) -> None:
        """Withdraw an invitation; whoever came by it leaves the visit at once"""
        await service.guests.revoke(call.principal, call.id(), call.id("invitation_id"))

    @routes.post(
        "/invitations/redeem", action="public", body=Redeem, returns=GuestSession, auth="none", errors=(InvitationGone,)
    )
    async def redeem(call: Call[Redeem, None]) -> Answer:
        """Exchange an invitation's secret for a guest session"""
        return Answer(await service.guests.redeem(call.body.secret), headers=NO_STORE)

    @routes.get(
        "/guest/video-token",
        action="visit.guest",
        returns=VideoToken,
        auth="guest",
        errors=(VisitNotOpen, InvitationGone),
    )
    async def guest_video_token(call: Call[None, None]) -> Answer:
        """A visit token for somebody who came by invitation"""
        return Answer(await service.guest_video_token(call.principal), headers=NO_STORE)

    @routes.get(
        "/consultations/{id}", action="consultation.read", returns=ConsultationView, errors=(Forbidden, NotFound)
    )
    async def read(call: Call[None, None]) -> Answer:
        """The visit with its chat, prescriptions, bill and attendance"""
        return Answer(await service.view(call.principal, call.id()), headers=NO_STORE)

    @routes.get("/consultations/{id}/notes", action="consultation.notes", returns=Notes, errors=(Forbidden, NotFound))
    async def read_notes(call: Call[None, None]) -> Answer:
        """The practitioner's notes"""
        return Answer(await service.notes(call.principal, call.id()), headers=NO_STORE)

    @routes.put(
        "/consultations/{id}/notes",
        action="consultation.notes",
        body=SaveNotes,
        returns=Notes,
        errors=(Forbidden, NotFound, NotesChanged),
    )
    async def save_notes(call: Call[SaveNotes, None]) -> Notes:
        """Save the practitioner's notes"""
        return await service.save_notes(call.principal, call.id(), call.body.text, call.body.version)

    @routes.post(
        "/consultations/{id}/complete",
        action="consultation.complete",
        body=Complete,
        returns=ConsultationView,
        errors=(Forbidden, NotFound, NotPossibleNow),
    )
    async def complete(call: Call[Complete, None]) -> ConsultationView:
        """Complete the consultation; it also ends the call"""
        return await service.complete(call.principal, call.id(), call.body.summary, call.body.outcome)

    return routes
