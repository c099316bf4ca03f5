"""HTTP of inviting staff and practitioners, and of coming by such an invitation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from core.errors import Forbidden, NotFound, StepUpRequired
from core.http.routes import Answer, Call, Moment, Page, Routes, Wire
from core.settings import Settings
from identity.errors import EmailTaken, LinkGone
from identity.routes import NO_STORE, device_of, signed_in_answer
from identity.schemas import Email, Language, Name, TimeZone, Tokens, User
from identity.specialties import NAMES
from identity.staff_invitation_repository import StaffInvitation, StaffRole, State
from identity.staff_invitations import OtherAddress, StaffInvitations

MOST_FEE = 10_000_000_000  # minor units


def _specialty(code: str) -> str:
    if code not in NAMES:
        raise ValueError("is not one of the specialties on offer")
    return code


class Work(Wire):
    """What a practitioner's page begins with; the fee is in minor units of its currency."""

    title: str = Field(max_length=60)
    specialties: list[Annotated[str, AfterValidator(_specialty)]] = Field(min_length=1, max_length=10)
    languages: list[Language] = Field(min_length=1, max_length=20)
    licence_number: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    fee_minor: int = Field(ge=0, le=MOST_FEE)
    currency: str = Field(pattern="^[A-Z]{3}$")
    location: str = Field(max_length=120)


class Invite(Wire):
    """``practitioner`` is needed for that role, and for no other."""

    email: Email
    name: Name
    role: StaffRole
    language: Language = "en"
    practitioner: Work | None = None


class FindInvitations(Wire):
    cursor: str | None = Field(None, max_length=60)
    limit: int = Field(50, ge=1, le=100)


class StaffInvitationView(Wire):
    id: UUID
    email: str
    name: str
    role: StaffRole
    state: State
    invited_by: UUID
    created_at: Moment
    expires_at: Moment
    accepted_at: Moment | None
    person_id: UUID | None

    @classmethod
    def of(cls, found: StaffInvitation, now: datetime) -> StaffInvitationView:
        return cls(
            id=found.id,
            email=found.email,
            name=found.name,
            role=found.role,
            state=found.state(now),
            invited_by=found.invited_by,
            created_at=found.created_at,
            expires_at=found.expires_at,
            accepted_at=found.accepted_at,
            person_id=found.person_id,
        )


class StaffInvitationPage(Page):
    items: list[StaffInvitationView]


class Secret(Wire):
    """What follows the ``#`` in the letter's link."""

    secret: str = Field(max_length=200)


class Invited(Wire):
    """What somebody was invited to; ``has_account``: sign in to accept, else open an account."""

    email: str
    name: str
    role: Literal["practitioner", "desk", "admin", "auditor"]
    language: str
    has_account: bool


class AcceptInvitation(Secret):
    name: Name
    password: str = Field(max_length=1000)
    language: Language = "en"
    time_zone: TimeZone = "UTC"


def add_staff_invitation_routes(routes: Routes, invitations: StaffInvitations, settings: Settings) -> None:
    @routes.post(
        "/staff-invitations",
        action="staff.invite",
        body=Invite,
        returns=StaffInvitationView,
        status=201,
        errors=(Forbidden, StepUpRequired),
    )
    async def invite(call: Call[Invite, None]) -> StaffInvitationView:
        """Invite somebody to work here, by a link to their mailbox."""
        body = call.body
        made = await invitations.invite(
            call.principal,
            email=body.email,
            name=body.name,
            language=body.language,
            role=body.role,
            work=None if body.practitioner is None else body.practitioner.model_dump(mode="json"),
        )
        return StaffInvitationView.of(made, call.now)

    @routes.get(
        "/staff-invitations",
        action="staff.invite",
        query=FindInvitations,
        returns=StaffInvitationPage,
        errors=(Forbidden,),
    )
    async def listed(call: Call[None, FindInvitations]) -> StaffInvitationPage:
        """Who was invited, newest first."""
        found, cursor = await invitations.list(call.principal, cursor=call.query.cursor, limit=call.query.limit)
        return StaffInvitationPage(items=[StaffInvitationView.of(each, call.now) for each in found], next_cursor=cursor)

    @routes.delete("/staff-invitations/{id}", action="staff.invite", status=204, errors=(Forbidden, NotFound))
    async def revoke(call: Call[None, None]) -> None:
        """The link counts no more."""
        await invitations.revoke(call.principal, call.id())

    @routes.post(
        "/auth/staff-invitations/read",
        action="public",
        auth="none",
        body=Secret,
        returns=Invited,
        errors=(LinkGone,),
    )
    async def read(call: Call[Secret, None]) -> Answer:
        """What the holder of a link was invited to; it is not used up."""
        found, has_account = await invitations.read(call.body.secret)
        shown = Invited(
            email=found.email, name=found.name, role=found.role, language=found.language, has_account=has_account
        )
        return Answer(shown, headers=NO_STORE)

    @routes.post(
        "/auth/staff-invitations/accept",
        action="public",
        auth="none",
        body=AcceptInvitation,
        returns=Tokens,
        errors=(LinkGone, EmailTaken),
    )
    async def accept(call: Call[AcceptInvitation, None]) -> Answer:
        """Open an account with the role one was invited to, and be signed in. Once."""
        body, device = call.body, device_of(call, settings)
        signed_in = await invitations.accept_new(
            body.secret, body.name, body.password, body.language, body.time_zone, device
        )
        return signed_in_answer(signed_in, settings)

    @routes.post(
        "/me/staff-invitations",
        action="account.own",
        body=Secret,
        returns=User,
        errors=(LinkGone, OtherAddress, StepUpRequired),
    )
    async def accept_own(call: Call[Secret, None]) -> User:
        """Add the role one was invited to to one's own account. Once."""
        return User.of(await invitations.accept_own(call.principal, call.body.secret), call.principal.role)
