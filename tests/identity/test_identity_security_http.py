"""Second factors over HTTP, with the sessions that identity keeps."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from accounts_house import PASSWORD, House
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from authenticator import Authenticator

from core.http.application import Edge, build_application
from core.http.idempotency import Idempotency
from core.http.ratelimit import RateLimiter
from core.ids import uuid7
from core.telemetry import Telemetry
from identity.factors import totp_code
from identity.routes import COOKIE
from identity.signin import Device

pytestmark = pytest.mark.integration

Client = TestClient[web.Request, web.Application]
ORIGIN = "http://localhost:8080"
OWN = [
    ("GET", "/me/security"),
    ("PUT", "/me/password"),
    ("DELETE", "/me/sessions"),
    ("POST", "/me/factors/totp"),
    ("POST", "/me/factors/totp/confirm"),
    ("DELETE", "/me/factors/totp"),
    ("POST", "/me/factors/recovery-codes"),
    ("POST", "/me/passkeys/options"),
    ("POST", "/me/passkeys"),
    ("PATCH", "/me/passkeys/0190b5a0-0000-7000-8000-000000000000"),
    ("DELETE", "/me/passkeys/0190b5a0-0000-7000-8000-000000000000"),
    ("POST", "/auth/step-up"),
    ("GET", "/me/email-change"),
    ("PUT", "/me/email-change"),
    ("DELETE", "/me/email-change"),
    ("POST", "/me/staff-invitations"),
    ("GET", "/me/identities"),
    ("POST", "/auth/identities/sso"),
    ("POST", "/auth/identities/return"),
    ("DELETE", "/me/identities/sso"),
]


async def client_of(house: House) -> Client:
    context = house.context
    limits = context.settings.limits.model_copy(
        update={"wrong_per_address": 1000, "login_per_address_per_minute": 1000}
    )
    edge = Edge(
        settings=context.settings,
        clock=context.clock,
        tokens=context.tokens,
        sessions=house.identity.sign_in,
        policy=context.policy,
        limiter=RateLimiter(limits, context.redis),
        idempotency=Idempotency(context.database("core"), context.vault),
        telemetry=Telemetry(),
    )
    return TestClient(TestServer(build_application(context.routes, edge)))


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with await client_of(house) as made:
        yield made


@pytest.fixture
async def strict_client(strict: House) -> AsyncIterator[Client]:
    async with await client_of(strict) as made:
        yield made


async def ask(
    client: Client, method: str, path: str, body: Any = None, token: str | None = None, **headers: str
) -> tuple[int, Any]:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with client.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


async def token_of(client: Client, email: str) -> str:
    status, made = await ask(client, "POST", "/auth/login", {"email": email, "password": PASSWORD})
    assert status == 200, made
    token: str = made["access_token"]
    return token


@pytest.mark.parametrize(("method", "path"), OWN)
async def test_anonymous_is_refused(client: Client, method: str, path: str) -> None:
    assert (await ask(client, method, path, {}))[0] == 401


async def test_an_enrolling_person_reaches_their_account_alone(strict: House, strict_client: Client) -> None:
    doctor = await strict.person("practitioner")
    token = await token_of(strict_client, doctor.email)
    for method, path in (("GET", f"/patients/{uuid7()}"), ("POST", "/me/verification"), ("GET", "/me/identities")):
        status, problem = await ask(strict_client, method, path, {} if method == "POST" else None, token)
        assert (status, problem["code"]) == (403, "second_factor_needed"), path
    _, state = await ask(strict_client, "GET", "/me/security", token=token)
    assert (state["required"], state["totp"], state["passkeys"]) == (True, False, [])
    status, offer = await ask(strict_client, "POST", "/me/factors/totp", {}, token)
    assert status == 200
    assert offer["qr"].startswith("<svg")
    secret = base64.b32decode(offer["secret"])
    code = totp_code(secret, int(strict.context.clock.now().timestamp()) // 30)
    status, added = await ask(strict_client, "POST", "/me/factors/totp/confirm", {"code": code}, token)
    assert (status, added["user"]["role"], len(added["recovery_codes"])) == (200, "practitioner", 10)
    token = added["access_token"]
    assert (await ask(strict_client, "GET", "/me/identities", token=token))[0] == 200
    # The old access token says enrolling still: it is of no more use than before.
    status, refreshed = await ask(strict_client, "POST", "/auth/refresh", {})
    assert (status, refreshed["user"]["role"]) == (200, "practitioner")


async def test_the_whole_way_of_a_passkey(house: House, client: Client) -> None:
    who, device = await house.person(), Authenticator(ORIGIN)
    settings = house.context.settings
    assert settings.public_url.startswith("http://127.0.0.1:8080"), "where localhost is another name of it"
    token = await token_of(client, who.email)
    status, problem = await ask(client, "POST", "/me/passkeys/options", {}, token, Origin="https://evil.example")
    assert (status, problem["code"]) == (409, "passkeys_unavailable")
    _, offered = await ask(client, "POST", "/me/passkeys/options", {}, token, Origin=ORIGIN)
    made = {"ceremony": offered["ceremony"], "credential": device.create(offered["options"]), "name": "Phone"}
    status, added = await ask(client, "POST", "/me/passkeys", made, token)
    assert (status, len(added["recovery_codes"])) == (200, 10)
    _, begun = await ask(client, "POST", "/auth/passkey/options", {}, Origin=ORIGIN)
    answer = {"ceremony": begun["ceremony"], "credential": device.get(begun["options"])}
    status, signed_in = await ask(client, "POST", "/auth/passkey", answer, Origin=ORIGIN)
    assert (status, signed_in["user"]["id"]) == (200, str(who.id))
    status, problem = await ask(client, "POST", "/auth/passkey", answer, Origin=ORIGIN)
    assert (status, problem["code"]) == (401, "passkey_refused")
    status, problem = await ask(client, "POST", "/auth/login", {"email": who.email, "password": PASSWORD})
    assert (status, problem["code"], problem["methods"]) == (
        401,
        "second_factor_required",
        ["passkey", "recovery_code"],
    )
    given = {"pending_token": problem["pending_token"], "code": added["recovery_codes"][0]}
    assert (await ask(client, "POST", "/auth/login/factor", given))[0] == 200
    assert (await ask(client, "POST", "/auth/login/factor", given))[0] == 401
    for wrong in ({"pending_token": "x"}, {**given, "passkey": answer}):
        assert (await ask(client, "POST", "/auth/login/factor", wrong))[0] == 400


async def test_the_cookie_ends_with_the_session(house: House, client: Client) -> None:
    for role, lives in (("patient", 14 * 86400), ("desk", 3600)):
        who = await house.person(role)  # type: ignore[arg-type]
        async with client.post("/api/v1/auth/login", json={"email": who.email, "password": PASSWORD}) as answer:
            assert int(answer.cookies[COOKIE]["max-age"]) == lives


async def test_asking_for_a_password_says_nothing(house: House, client: Client) -> None:
    who = await house.person()
    answers, took = [], []
    for email in (who.email, f"{uuid7().hex}@example.org"):
        began = time.monotonic()
        async with client.post("/api/v1/auth/password-reset", json={"email": email}) as answer:
            answers.append((answer.status, await answer.read(), sorted(answer.headers)))
        took.append(time.monotonic() - began)
    assert answers[0] == answers[1]
    assert min(took) >= 0.1


async def test_signing_out_everywhere_else(house: House, client: Client) -> None:
    who = await house.person()
    token, other = await token_of(client, who.email), await token_of(client, who.email)
    assert (await ask(client, "DELETE", "/me/sessions?others=true", token=token))[0] == 204
    assert (await ask(client, "GET", "/me", token=other))[0] == 401
    assert (await ask(client, "GET", "/me", token=token))[0] == 200
    _, listed = await ask(client, "GET", "/me/sessions", token=token)
    assert [each["current"] for each in listed["items"]] == [True]


async def test_a_stale_proof_is_told_and_renewed(house: House, client: Client) -> None:
    who = await house.person()
    signed_in = await house.identity.sign_in.login(who.email, PASSWORD, None, Device("native", "", uuid7().hex))
    house.context.clock.forward(601)  # type: ignore[attr-defined]
    renewed = await house.identity.sign_in.refresh(signed_in.refresh_token or "")
    change = {"password": "another harbour, at dusk"}
    status, problem = await ask(client, "PUT", "/me/password", change, renewed.access_token)
    assert (status, problem["code"], problem["max_age"]) == (403, "step_up_required", 600)
    status, problem = await ask(client, "POST", "/auth/step-up", {"password": "wrong"}, renewed.access_token)
    assert (status, problem["code"]) == (401, "invalid_credentials")
    status, proved = await ask(client, "POST", "/auth/step-up", {"password": PASSWORD}, renewed.access_token)
    assert (status, proved["refresh_token"]) == (200, None)
    assert (await ask(client, "PUT", "/me/password", change, proved["access_token"]))[0] == 204


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
async def test_another_site_s_form_moves_nothing(house: House, client: Client, path: str, kind: str) -> None:
    """What a page elsewhere can send without asking first; the cookie is beside it, as if the browser let it."""
    who = await house.person()
    await token_of(client, who.email)
    held = client.session.cookie_jar.filter_cookies(client.make_url("/api/v1/auth/refresh"))[COOKIE].value
    headers = {"Content-Type": kind, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with client.post(f"/api/v1{path}", data=b"{}", headers=headers) as answer:
        assert answer.status == 415
        assert COOKIE not in answer.cookies
    status, refreshed = await ask(client, "POST", "/auth/refresh", {})
    assert (status, refreshed["user"]["id"]) == (200, str(who.id)), "signed in as before"
    assert held
    preflight = await client.options(
        f"/api/v1{path}", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert not [name for name in preflight.headers if name.lower().startswith("access-control-")]


async def test_no_address_or_name_becomes_a_header_of_a_letter(house: House, client: Client) -> None:
    who, admin = await house.person(), await house.person("admin")
    mine, theirs = await token_of(client, who.email), await token_of(client, admin.email)
    evil = f"{uuid7().hex}@example.org\r\nBcc: everybody@example.org"
    for method, path, body, token in (
        ("POST", "/auth/register", {"email": evil, "password": PASSWORD, "name": "Awa"}, None),
        ("POST", "/auth/register", {"email": who.email, "password": PASSWORD, "name": "Awa\r\nBcc: x@y.zz"}, None),
        ("POST", "/auth/password-reset", {"email": evil}, None),
        ("PUT", "/me/email-change", {"email": evil}, mine),
        ("PATCH", "/me", {"name": "Awa\nSubject: you won"}, mine),
        ("POST", "/staff-invitations", {"email": evil, "name": "Nora", "role": "desk"}, theirs),
        ("POST", "/staff-invitations", {"email": who.email, "name": "Nora\nBcc: x@y.zz", "role": "desk"}, theirs),
    ):
        status, problem = await ask(client, method, path, body, token)
        assert (status, problem["code"]) == (400, "invalid_input"), (path, body)
