"""HTTP of authority over other people: a person's family, and what staff record."""

from __future__ import annotations

from core.errors import Forbidden, NotFound, TooManyRequests
from core.http.routes import Call, Routes
from identity.directory import Directory
from identity.errors import AlreadyActs, AuthorityEnded, TooManyDependants
from identity.family import Family
from identity.family_schemas import (
    AddDependant,
    EndProxy,
    FamilyBody,
    Invite,
    ProxyBody,
    ProxyInvitation,
    RecordProxy,
)
from identity.family_schemas import Proxies as ProxyList
from identity.proxies import Proxies


def build_family_routes(family: Family, proxies: Proxies, directory: Directory) -> Routes:
    routes = Routes("identity")

    @routes.get("/family", action="family.keep", returns=FamilyBody, errors=(Forbidden,))
    async def mine(call: Call[None, None]) -> FamilyBody:
        """Whom one acts for, who acts for oneself, and what waits for an answer"""
        return FamilyBody.of(await family.mine(call.principal))

    @routes.post(
        "/family/dependants",
        action="family.keep",
        body=AddDependant,
        returns=ProxyBody,
        status=201,
        errors=(Forbidden, TooManyDependants),
    )
    async def add_child(call: Call[AddDependant, None]) -> ProxyBody:
        """Add a child who has no account, as its parent"""
        body = call.body
        return ProxyBody.of(await family.add_child(call.principal, body.name, body.birth_date, body.country))

    @routes.post(
        "/family/invitations",
        action="family.keep",
        body=Invite,
        returns=ProxyInvitation,
        status=201,
        recent=True,
        errors=(Forbidden, TooManyRequests),
    )
    async def invite(call: Call[Invite, None]) -> ProxyInvitation:
        """Ask somebody, by their address, to act for oneself or for a child of one's own"""
        body = call.body
        return ProxyInvitation.of(
            await family.invite(
                call.principal,
                body.patient_id or call.principal.id,
                email=body.email,
                kind=body.kind,
                scopes=body.scopes,
                until=body.until,
            )
        )

    @routes.post(
        "/family/invitations/{id}/accept",
        action="family.keep",
        returns=ProxyBody,
        errors=(Forbidden, NotFound, AlreadyActs),
    )
    async def accept(call: Call[None, None]) -> ProxyBody:
        """Agree to act for whoever asks; only from the account whose verified address was asked"""
        return ProxyBody.of(await family.accept(call.principal, call.id()))

    @routes.delete("/family/invitations/{id}", action="family.keep", status=204, errors=(Forbidden, NotFound))
    async def decline(call: Call[None, None]) -> None:
        """Decline what one is asked, or take back what one asked"""
        await family.decline(call.principal, call.id())

    @routes.get("/patients/{id}/proxies", action="proxy.read", returns=ProxyList, errors=(Forbidden, NotFound))
    async def of_patient(call: Call[None, None]) -> ProxyList:
        """Who acts, and acted, for a patient"""
        principal = call.principal
        care = principal.role == "practitioner" and await directory.care_relation(principal.id, call.id())
        found = await proxies.of_patient(principal, call.id(), care=care)
        return ProxyList(items=[ProxyBody.of(each) for each in found])

    @routes.post(
        "/patients/{id}/proxies",
        action="proxy.record",
        body=RecordProxy,
        returns=ProxyBody,
        status=201,
        errors=(Forbidden, NotFound, AlreadyActs),
    )
    async def record(call: Call[RecordProxy, None]) -> ProxyBody:
        """Record by what right somebody acts for a patient: staff have seen it"""
        body = call.body
        shown = await proxies.record(
            call.principal,
            call.id(),
            body.proxy_id,
            kind=body.kind,
            scopes=body.scopes,
            country=body.country or family.home,
            since=body.since,
            until=body.until,
        )
        return ProxyBody.of(shown)

    @routes.post(
        "/proxies/{id}/verify",
        action="proxy.verify",
        returns=ProxyBody,
        errors=(Forbidden, NotFound, AuthorityEnded),
    )
    async def verify(call: Call[None, None]) -> ProxyBody:
        """Say that staff have seen what somebody's authority rests on"""
        return ProxyBody.of(await proxies.verify(call.principal, call.id()))

    @routes.post(
        "/proxies/{id}/end",
        action="proxy.end",
        body=EndProxy,
        returns=ProxyBody,
        errors=(Forbidden, NotFound, AuthorityEnded),
    )
    async def end(call: Call[EndProxy, None]) -> ProxyBody:
        """End it at once: open visits and connections of whoever acted end within a second"""
        return ProxyBody.of(await proxies.end(call.principal, call.id(), call.body.note))

    return routes
