"""HTTP of what administrators do with accounts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, field_serializer

from core.clock import rfc3339
from core.errors import Forbidden, NotFound
from core.http.routes import Call, Page, Routes, Wire
from identity.administration import Administration, NotYourself
from identity.administration_repository import Licence, Member
from identity.schemas import FindPeople, PersonRole


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
    created_at: datetime
    deactivated_at: datetime | None
    licence: LicenceView | None

    @field_serializer("created_at", "deactivated_at")
    def _time(self, value: datetime | None) -> str | None:
        return None if value is None else rfc3339(value)

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


def build_administration_routes(administration: Administration) -> Routes:
    routes = Routes("identity")

    @routes.get("/people", action="people.list", query=FindPeople, returns=MemberPage, errors=(Forbidden,))
    async def people(call: Call[None, FindPeople]) -> MemberPage:
        """Find people."""
        query = call.query
        found, cursor = await administration.find(
            call.principal, role=query.role, text=query.q, cursor=query.cursor, limit=query.limit
        )
        return MemberPage(items=[MemberView.of(each) for each in found], next_cursor=cursor)

    @routes.put(
        "/people/{id}/roles",
        action="people.administer",
        body=SetRoles,
        returns=MemberView,
        errors=(Forbidden, NotFound, NotYourself),
    )
    async def set_roles(call: Call[SetRoles, None]) -> MemberView:
        """Give and take roles; who loses one is signed out where they act in it."""
        return MemberView.of(await administration.set_roles(call.principal, call.id(), call.body.roles))

    @routes.post(
        "/people/{id}/deactivate",
        action="people.administer",
        returns=MemberView,
        errors=(Forbidden, NotFound, NotYourself),
    )
    async def deactivate(call: Call[None, None]) -> MemberView:
        """Close an account: all its sessions, connections and media end within a second."""
        return MemberView.of(await administration.set_active(call.principal, call.id(), active=False))

    @routes.post(
        "/people/{id}/activate",
        action="people.administer",
        returns=MemberView,
        errors=(Forbidden, NotFound, NotYourself),
    )
    async def activate(call: Call[None, None]) -> MemberView:
        """Open a closed account again."""
        return MemberView.of(await administration.set_active(call.principal, call.id(), active=True))

    @routes.put(
        "/practitioners/{id}/licence",
        action="licence.verify",
        body=SetLicence,
        returns=MemberView,
        errors=(Forbidden, NotFound),
    )
    async def set_licence(call: Call[SetLicence, None]) -> MemberView:
        """Say that a practitioner's licence was checked, until when it is good, and whether people find them."""
        body = call.body
        member = await administration.set_licence(
            call.principal, call.id(), verified=body.verified, expires_on=body.expires_on, published=body.published
        )
        return MemberView.of(member)

    return routes
