"""Identity over HTTP: cookies, refusals, shapes."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from harness import MakeClient, MakeContext, TokenSessions

import identity
from core.context import Context
from core.ids import uuid7
from identity.accounts import REGISTERED_AFTER_S

pytestmark = pytest.mark.integration

PASSWORD = "a quiet harbour at dawn"
Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def app(make_context: MakeContext) -> Context:
    context = await make_context()
    identity.setup(context)
    return context


@pytest.fixture
async def client(app: Context, make_client: MakeClient) -> Client:
    return await make_client(app)


async def post(client: Client, path: str, body: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"/api/v1{path}", json=body, **more)
    return answer.status, await answer.json() if answer.status != 204 else {}


async def register(client: Client) -> str:
    email = f"{uuid7().hex}@example.org"
    status, made = await post(client, "/auth/register", {"email": email, "password": PASSWORD, "name": "Awa Traoré"})
    assert (status, made["user"]["roles"], made["user"]["email_verified"]) == (201, ["patient"], True)
    return email


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/me"), ("PATCH", "/me"), ("GET", "/people"), ("GET", "/patients/1")]
)
async def test_anonymous_is_refused(client: Client, method: str, path: str) -> None:
    assert (await client.request(method, f"/api/v1{path}")).status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"email": "nobody"},
        {"email": "a@b"},
        {"password": "short"},
        {"name": " "},
        {"name": "a\u0007"},
        {"time_zone": "Mars/Olympus"},
        {"language": "French"},
        {"role": "admin"},
        {"password": 5},
    ],
)
async def test_bad_registrations_are_refused(client: Client, change: dict[str, Any]) -> None:
    body = {"email": f"{uuid7().hex}@example.org", "password": PASSWORD, "name": "Awa"} | change
    status, problem = await post(client, "/auth/register", body)
    assert (status, problem["code"]) == (400, "invalid_input")
    assert {each["field"] for each in problem["errors"]} == set(change)


async def test_browsers_keep_the_refresh_token_in_a_cookie_alone(client: Client) -> None:
    email = await register(client)
    answer = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
    body = await answer.json()
    cookie = answer.cookies["bedside_refresh"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"]) == ("Strict", "/api/v1/auth")
    assert body["refresh_token"] is None
    assert answer.headers["Cache-Control"] == "no-store"
    status, refreshed = await post(client, "/auth/refresh", {})
    assert (status, refreshed["user"]) == (200, body["user"])
    assert (await post(client, "/auth/logout", {}))[0] == 204
    assert (await post(client, "/auth/refresh", {}))[0] == 401


async def test_native_clients_keep_it_themselves(client: Client) -> None:
    email = await register(client)
    _, body = await post(client, "/auth/login", {"email": email, "password": PASSWORD, "client": "native"})
    status, following = await post(client, "/auth/refresh", {"refresh_token": body["refresh_token"]})
    assert status == 200
    assert following["refresh_token"] not in (None, body["refresh_token"])


async def test_signing_in_with_a_wrong_password(client: Client) -> None:
    email = await register(client)
    status, problem = await post(client, "/auth/login", {"email": email, "password": "wrong"})
    assert (status, problem["code"]) == (401, "invalid_credentials")


async def test_registering_again_looks_like_registering(client: Client, app: Context) -> None:
    email, name = await register(client), "Binta Kone"
    first = {"email": f"{uuid7().hex}@example.org", "password": PASSWORD, "name": name}
    shapes, took = [], []
    for body in (first, {**first, "email": email.upper(), "password": "another quiet harbour"}):
        began = time.monotonic()
        status, made = await post(client, "/auth/register", body)
        took.append(time.monotonic() - began)
        user = made["user"]
        assert (user.pop("email"), UUID(user.pop("id")).version) == (body["email"], 7)
        shapes.append((status, made))
    assert shapes[0] == shapes[1]
    assert min(took) >= REGISTERED_AFTER_S, "known and new wait for the same moment"
    # The account is its owner's still, who is told.
    assert (await post(client, "/auth/login", {"email": email, "password": "another quiet harbour"}))[0] == 401
    _, owner = await post(client, "/auth/login", {"email": email, "password": PASSWORD})
    async with app.database("core").reading() as tx:
        told = await tx.fetch(
            "SELECT name FROM core.outbox WHERE order_key = $1 AND name = 'account.registration_repeated'",
            UUID(owner["user"]["id"]),
        )
    assert len(told) == 1


async def test_me_and_what_can_be_changed(client: Client, app: Context) -> None:
    _, made = await post(
        client, "/auth/register", {"email": f"{uuid7().hex}@example.org", "password": PASSWORD, "name": "Awa"}
    )
    headers = TokenSessions(app).sign_in(made["user"]["id"], "patient", "Awa")
    changes = {"phone": "+2250700000000", "birth_date": "1990-01-02", "time_zone": "Africa/Abidjan"}
    answer = await client.patch("/api/v1/me", json=changes, headers=headers)
    assert answer.status == 200
    me = await (await client.get("/api/v1/me", headers=headers)).json()
    assert {name: me[name] for name in changes} == changes
    for wrong in ({"name": None}, {"birth_date": "2999-01-01"}, {"phone": "12"}, {"email": "x@example.org"}):
        assert (await client.patch("/api/v1/me", json=wrong, headers=headers)).status == 400
    patient = await (await client.get(f"/api/v1/patients/{me['id']}", headers=headers)).json()
    assert patient["birth_date"] == "1990-01-02"


async def test_the_keys_are_public(client: Client) -> None:
    answer = await client.get("/api/v1/auth/jwks")
    assert answer.status == 200
    assert all(key["crv"] == "Ed25519" and "d" not in key for key in (await answer.json())["keys"])
