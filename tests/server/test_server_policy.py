"""The one policy table: every published route and every event asks it, and what it does not allow is refused."""

from __future__ import annotations

import re

import pytest
from harness import MakeClient, MakeContext, TokenSessions

from core.context import Context
from core.errors import Forbidden
from core.http.routes import Route
from core.ids import uuid7
from core.security.policy import ACCOUNTS, OWN_ACCOUNT, PUBLIC, Policy
from core.security.principal import ANONYMOUS, ROLES
from notifications.namespace import NAME, REFRESH
from server.composition import compose
from signaling.edge import Edge, _Connection


@pytest.fixture
def composed(context: Context) -> Context:
    compose(context, frozenset({"api", "signaling"}))
    return context


def routes_of(context: Context) -> list[Route]:
    return [route for table in context.routes for route in table.all]


def filled(route: Route) -> str:
    return re.sub(r"\{[^}]+\}", str(uuid7()), route.path)


def may(policy: Policy, role: str, action: str) -> bool:
    return any((row[0], row[1]) == (role, action) for row in policy.rows())


def test_nothing_is_allowed_that_no_row_allows() -> None:
    policy = Policy()
    for role in ROLES:
        with pytest.raises(Forbidden):
            policy.admit(role, "record.read")
    assert not policy.allows(ANONYMOUS, "record.read", ["self"])
    policy.admit("anonymous", PUBLIC)
    with pytest.raises(Forbidden):
        policy.admit("anonymous", OWN_ACCOUNT)
    with pytest.raises(Forbidden):
        policy.admit("", PUBLIC)  # a connection nobody knows


@pytest.mark.integration
async def test_every_route_and_event_has_a_row_and_only_open_ones_are_for_everybody(composed: Context) -> None:
    known = {action for _, action, _ in composed.policy.rows()}
    for route in routes_of(composed):
        where = f"{route.method} {route.path}"
        assert route.action in known, f"{where} asks for {route.action}, which nobody may"
        assert (route.auth == "none") == (route.action == PUBLIC), where
        if route.auth == "guest":
            assert may(composed.policy, "guest", route.action), where
    namespaces = composed.realtime.namespace_handlers
    assert set(namespaces) == {"/consultation", "/practice", "/probe", "/queue", "/notifications"}
    for name, namespace in namespaces.items():
        if name == NAME:
            assert REFRESH in known
            continue
        assert isinstance(namespace, Edge)
        for event in namespace.events:
            assert event in known, f"{name} {event} is allowed to nobody"
            assert not may(composed.policy, "anonymous", event)


@pytest.mark.integration
async def test_no_route_answers_whom_the_table_does_not_name(composed: Context, make_client: MakeClient) -> None:
    client, sessions = await make_client(composed), TokenSessions(composed)
    asked = 0
    for route in routes_of(composed):
        if route.auth != "access":
            continue
        answer = await client.request(route.method, filled(route))
        assert answer.status == 401, f"{route.method} {route.path} without a sign-in: {answer.status}"
        for role in ACCOUNTS:
            if may(composed.policy, role, route.action):
                continue
            headers = sessions.sign_in(uuid7(), role)
            answer = await client.request(route.method, filled(route), headers=headers, json={})
            assert answer.status == 403, f"{route.method} {route.path} as {role}: {answer.status}"
            asked += 1
    assert asked > 100


@pytest.mark.integration
async def test_with_an_empty_table_nothing_answers(make_context: MakeContext, make_client: MakeClient) -> None:
    """Takes every row away but those that need no account: a route that asks no policy would show here."""
    base = await make_context()
    # Every route as everybody comes from one address within seconds.
    limits = base.settings.limits.model_copy(update={"per_address_per_minute": 1_000_000})
    composed = await make_context(settings=base.settings.model_copy(update={"limits": limits}))
    compose(composed, frozenset({"api", "signaling"}))
    public = {key: row for key, row in Policy()._table.items() if key[1] == PUBLIC}
    composed.policy._table = public
    client, sessions = await make_client(composed), TokenSessions(composed)
    for route in routes_of(composed):
        if route.auth == "access":
            for role in ACCOUNTS:
                headers = sessions.sign_in(uuid7(), role)
                answer = await client.request(route.method, filled(route), headers=headers, json={})
                assert answer.status == 403, f"{route.method} {route.path} as {role}: {answer.status}"


@pytest.mark.integration
async def test_no_event_is_handled_for_whom_the_table_does_not_name(
    composed: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for namespace in composed.realtime.namespace_handlers.values():
        if not isinstance(namespace, Edge):
            continue
        for role in sorted(ROLES | {""}):
            monkeypatch.setattr(namespace, "role_of", lambda sid, role=role: role)
            for event in namespace.events:
                if may(composed.policy, role, event):
                    continue
                namespace._connections["x"] = _Connection(tokens=100.0, at=composed.clock.monotonic())
                answer = await namespace._event(event, "x", ({},))
                assert answer["error"]["code"] == "forbidden", f"{event} as {role or 'nobody'}: {answer}"
