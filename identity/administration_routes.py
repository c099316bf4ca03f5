"""HTTP of what administrators do with accounts."""

from __future__ import annotations

from core.errors import Forbidden, NotFound
from core.http.routes import Call, Routes
from identity.administration import Administration, NotYourself
from identity.administration_schemas import MemberPage, MemberView, SetLicence, SetRoles
from identity.schemas import FindPeople


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
