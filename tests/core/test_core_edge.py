"""What a browser is told by every answer, in production over TLS too: first what other sites may not."""

from __future__ import annotations

import pytest
from harness import MakeClient, MakeContext, TokenSessions
from shop import Shop

from core.ids import uuid7
from core.settings import Http

pytestmark = pytest.mark.integration

ELSEWHERE = {"Origin": "https://evil.example"}


async def test_no_answer_lets_another_site_in(make_context: MakeContext, make_client: MakeClient) -> None:
    context = await make_context()
    context.routes.append(Shop().routes())
    client, sessions = await make_client(context), TokenSessions(context)
    asked = {**ELSEWHERE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = await client.options("/api/v1/orders", headers=asked)
    assert preflight.status == 405
    signed_in = sessions.sign_in(uuid7())
    for answer in (
        preflight,
        await client.get("/api/v1/search", headers=ELSEWHERE),
        await client.post("/api/v1/orders", json={"amount": 1}, headers={**ELSEWHERE, **signed_in}),
    ):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("mode", "address", "expected"),
    [
        ("production", "https://care.example.org", True),
        ("demo", "https://care.example.org", False),
        ("development", "http://127.0.0.1:8080", False),
    ],
)
async def test_browsers_are_held_to_tls_in_production(
    make_context: MakeContext, make_client: MakeClient, mode: str, address: str, expected: bool
) -> None:
    base = await make_context()
    settings = base.settings.model_copy(update={"mode": mode, "http": Http(public_url=address)})
    context = await make_context(settings=settings)
    context.routes.append(Shop().routes())
    client = await make_client(context)
    for path in ("/api/v1/search", "/api/v1/orders", "/nowhere"):
        answer = await client.get(path)
        assert ("Strict-Transport-Security" in answer.headers) is expected, path
    if expected:
        age = answer.headers["Strict-Transport-Security"].partition("max-age=")[2].partition(";")[0]
        assert int(age) >= 31_536_000


async def test_limits_are_told_with_each_answer_and_refusals_say_when(
    make_context: MakeContext, make_client: MakeClient
) -> None:
    base = await make_context()
    limits = base.settings.limits.model_copy(update={"per_person_per_minute": 2})
    context = await make_context(settings=base.settings.model_copy(update={"limits": limits}))
    context.routes.append(Shop().routes())
    client = await make_client(context)
    headers = TokenSessions(context).sign_in(uuid7())
    answers = [await client.post("/api/v1/orders", json={"amount": 1}, headers=headers) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"person";q=2;w=60'
    assert answers[0].headers["RateLimit"].startswith('"person";r=1;t=')
    assert answers[2].headers["RateLimit"].startswith('"person";r=0;t=')
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
