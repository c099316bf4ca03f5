"""Wire shapes of authority over other people."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from core.http.routes import AwareTime, Moment, Wire
from identity.authority import End, How, Kind, Scope, State
from identity.family import FamilyView, InvitationShown
from identity.proxies import Shown
from identity.schemas import Email, Name


def _distinct(scopes: list[Scope]) -> list[Scope]:
    if len(set(scopes)) != len(scopes):
        raise ValueError("each once")
    return scopes


Scopes = Annotated[list[Scope], Field(min_length=1, max_length=3), AfterValidator(_distinct)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class AddDependant(Wire):
    """A child without an account. ``country`` (ISO 3166-1): whose law says when they are of age."""

    name: Name
    birth_date: date = Field(ge=date(1880, 1, 1))
    country: Country | None = None


class Invite(Wire):
    """``patient_id``: a child of one's own without an account; left out, it is oneself."""

    patient_id: UUID | None = None
    email: Email
    kind: Literal["parent", "carer"] = "carer"
    scopes: Scopes
    until: AwareTime | None = None


class RecordProxy(Wire):
    """What staff have seen papers for."""

    proxy_id: UUID
    kind: Kind
    scopes: Scopes
    country: Country | None = None
    since: AwareTime | None = None
    until: AwareTime | None = None


class EndProxy(Wire):
    """``note``: why, for those concerned; it is kept encrypted."""

    note: Note | None = None


class ProxyBody(Wire):
    """``ends_at``: when it ends by itself, by its date or because the child is of age."""

    id: UUID
    patient_id: UUID
    patient_name: str
    proxy_id: UUID
    proxy_name: str
    kind: Kind
    scopes: list[Scope]
    state: State
    how: How
    country: str
    since: Moment
    ends_at: Moment | None
    verified_at: Moment | None
    ended_at: Moment | None
    end_reason: End | None
    end_note: str | None

    @classmethod
    def of(cls, shown: Shown) -> ProxyBody:
        each = shown.authority
        return cls(
            id=each.id,
            patient_id=each.patient_id,
            patient_name=shown.patient_name,
            proxy_id=each.proxy_id,
            proxy_name=shown.proxy_name,
            kind=each.kind,
            scopes=list(each.scopes),
            state=shown.state,
            how=each.how,
            country=each.country,
            since=each.since,
            ends_at=shown.ends_at,
            verified_at=each.verified_at,
            ended_at=each.ended_at,
            end_reason=each.end_reason,
            end_note=shown.note,
        )


class Proxies(Wire):
    items: list[ProxyBody]


class ProxyInvitation(Wire):
    """``to_me``: it waits for the answer of whoever looks."""

    id: UUID
    patient_id: UUID
    patient_name: str
    from_name: str
    email: str
    kind: Kind
    scopes: list[Scope]
    until: Moment | None
    expires_at: Moment
    to_me: bool

    @classmethod
    def of(cls, shown: InvitationShown) -> ProxyInvitation:
        each = shown.invitation
        return cls(
            id=each.id,
            patient_id=each.patient_id,
            patient_name=shown.patient_name,
            from_name=shown.from_name,
            email=each.email,
            kind=each.kind,
            scopes=list(each.scopes),
            until=each.until,
            expires_at=each.expires_at,
            to_me=shown.to_me,
        )


class FamilyBody(Wire):
    """``acted_for_by``: who acts for oneself, and who else for those one is a parent of. The ended are there too."""

    acts_for: list[ProxyBody]
    acted_for_by: list[ProxyBody]
    invitations: list[ProxyInvitation]
    email_verified: bool

    @classmethod
    def of(cls, view: FamilyView) -> FamilyBody:
        return cls(
            acts_for=[ProxyBody.of(each) for each in view.acts_for],
            acted_for_by=[ProxyBody.of(each) for each in view.acted_for_by],
            invitations=[ProxyInvitation.of(each) for each in view.invitations],
            email_verified=view.verified,
        )
