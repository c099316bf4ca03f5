"""The wire shapes of what administrators do with accounts."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from core.http.routes import Moment, Page, Wire
from identity.administration_repository import Licence, Member
from identity.schemas import PersonRole


def _distinct(roles: list[PersonRole]) -> list[PersonRole]:
    if len(set(roles)) != len(roles):
        raise ValueError("each role once")
    return roles


class SetRoles(Wire):
    """The first is the one acted in unless another is asked for."""

    roles: Annotated[list[PersonRole], Field(min_length=1, max_length=5), AfterValidator(_distinct)]


class SetLicence(Wire):
    verified: bool
    expires_on: date | None = None
    published: bool = False


class LicenceView(Wire):
    number: str
    expires_on: date | None
    verified: bool
    published: bool

    @classmethod
    def of(cls, licence: Licence) -> LicenceView:
        return cls(
            number=licence.number,
            expires_on=licence.expires_on,
            verified=licence.verified,
            published=licence.published,
        )


class MemberView(Wire):
    id: UUID
    name: str
    email: str
    roles: list[str]
    created_at: Moment
    deactivated_at: Moment | None
    licence: LicenceView | None

    @classmethod
    def of(cls, member: Member) -> MemberView:
        return cls(
            id=member.id,
            name=member.name,
            email=member.email,
            roles=list(member.roles),
            created_at=member.created_at,
            deactivated_at=member.deactivated_at,
            licence=None if member.licence is None else LicenceView.of(member.licence),
        )


class MemberPage(Page):
    items: list[MemberView]
