"""The HTTP edge from outside: what bad input gets, who may come in, what every answer carries."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from harness import MakeClient
from pydantic import AwareDatetime, Field
from shop import Client, Shop, problem_of

from core.context import Context
from core.errors import InvalidInput
from core.http.docs_page import add_documentation
from core.http.openapi import describe
from core.http.pages import add_pages
from core.http.parsing import parse_body, parse_query
from core.http.routes import Wire
from core.ids import uuid7
from core.telemetry import Health, add_health_routes

pytestmark = pytest.mark.integration


async def test_anonymous_is_told_to_sign_in(client: Client) -> None:
    response = await client.post("/api/v1/orders", json={"amount": 1})
    await problem_of(response, 401, "not_signed_in")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("kind", ["visit", "probe", "guest", "practice"])
async def test_other_kinds_of_token_do_not_pass(client: Client, context: Context, kind: Any) -> None:
    token = context.tokens.issue(kind, uuid7(), timedelta(minutes=5), role="patient", name="")
    response = await client.get(f"/api/v1/orders/{uuid7()}", headers={"Authorization": f"Bearer {token}"})
    await problem_of(response, 401, "invalid_token")


@pytest.mark.parametrize("given", ["Bearer nonsense", "Bearer a.b.c", "Basic Zm9v", "Bearer", "Bearer " + "x" * 5000])
async def test_forged_tokens_do_not_pass(client: Client, given: str) -> None:
    response = await client.get(f"/api/v1/orders/{uuid7()}", headers={"Authorization": given})
    await problem_of(response, 401, "invalid_token")


async def test_an_altered_token_does_not_pass(client: Client, headers: dict[str, str]) -> None:
    head, payload, signature = headers["Authorization"].split(".")
    altered = ".".join((head, payload, ("A" if signature[0] != "A" else "B") + signature[1:]))
    response = await client.get(f"/api/v1/orders/{uuid7()}", headers={"Authorization": altered})
    await problem_of(response, 401, "invalid_token")


async def test_an_access_token_is_no_guest_token(client: Client, context: Context, headers: dict[str, str]) -> None:
    await problem_of(await client.get("/api/v1/guest", headers=headers), 401, "invalid_token")
    token = context.tokens.issue("guest", uuid7(), timedelta(minutes=5), role="interpreter", name="A")
    response = await client.get("/api/v1/guest", headers={"Authorization": f"Bearer {token}"})
    assert await response.json() == {"role": "interpreter"}


@pytest.mark.parametrize("body", ["{", "nothing", '{"amount": 1', "\x00", "[" * 5000])
async def test_malformed_json(client: Client, headers: dict[str, str], body: str) -> None:
    response = await client.post("/api/v1/orders", data=body, headers={**headers, "Content-Type": "application/json"})
    await problem_of(response, 400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": "1"}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 1, "colour": "vermilion"}, "colour"),
        ({}, "amount"),
        ({"amount": 1, "note": "a\0b"}, "note"),
    ],
)
async def test_wrong_fields_are_named_and_never_repeated(
    client: Client, headers: dict[str, str], shop: Shop, body: dict[str, Any], field: str
) -> None:
    document = await problem_of(await client.post("/api/v1/orders", json=body, headers=headers), 400, "invalid_input")
    assert [each["field"] for each in document["errors"]] == [field]
    assert "vermilion" not in str(document)
    assert shop.sold == 0


async def test_a_list_is_no_order(client: Client, headers: dict[str, str]) -> None:
    await problem_of(await client.post("/api/v1/orders", json=[1], headers=headers), 400, "invalid_input")


async def test_another_content_type(client: Client, headers: dict[str, str]) -> None:
    response = await client.post("/api/v1/orders", data={"amount": "1"}, headers=headers)
    await problem_of(response, 415, "unsupported_media_type")


async def test_an_over_long_body(client: Client, headers: dict[str, str], context: Context) -> None:
    long = b'{"note": "' + b"x" * context.settings.http.max_body_bytes + b'"}'
    declared = {**headers, "Content-Type": "application/json"}
    await problem_of(await client.post("/api/v1/orders", data=long, headers=declared), 413, "body_too_large")

    async def parts() -> Any:  # without a Content-Length to go by
        for start in range(0, len(long), 65536):
            yield long[start : start + 65536]

    await problem_of(await client.post("/api/v1/orders", data=parts(), headers=declared), 413, "body_too_large")
    assert (await client.post("/api/v1/orders", json={"amount": 1}, headers=headers)).status == 201


async def test_a_route_without_a_body_takes_no_fields(client: Client, headers: dict[str, str]) -> None:
    assert (await client.post("/api/v1/touch", headers=headers)).status == 204
    assert (await client.post("/api/v1/touch", json={}, headers=headers)).status == 204
    await problem_of(await client.post("/api/v1/touch", json={"a": 1}, headers=headers), 400, "invalid_input")


async def test_queries_are_strict(client: Client) -> None:
    response = await client.get("/api/v1/search?limit=5&tags=a&tags=b")
    assert await response.json() == {"limit": 5, "tags": ["a", "b"]}
    for wrong in ("limit=x", "limit=1&limit=2", "colour=red", "tags=%00"):
        await problem_of(await client.get(f"/api/v1/search?{wrong}"), 400, "invalid_input")


class Days(Wire):
    day: date | None = None
    since: AwareDatetime | None = Field(None, alias="from")
    number: int = 0


@pytest.mark.parametrize("query", ["day=0", "day=-1", "day=1e3", "from=0", "from=1763712000", "from=1.5"])
def test_a_number_is_no_date(query: str) -> None:
    with pytest.raises(InvalidInput):
        parse_query(Days, make_mocked_request("GET", f"/?{query}"))


class Stays(Wire):
    days: list[date] = []
    first: Days | None = None


@pytest.mark.parametrize(
    "body",
    [
        '{"day": "0"}',
        '{"day": "1763712000"}',
        '{"day": 0}',
        '{"day": "20261121"}',
        '{"day": "2026-02-31"}',
        '{"day": "2026-11-21T00:00:00Z"}',
        '{"from": "0"}',
        '{"from": 1763712000}',
        '{"from": "2026-11-21T08:00:00"}',
    ],
)
def test_a_body_s_dates_are_written_out(body: str) -> None:
    with pytest.raises(InvalidInput):
        parse_body(Days, body.encode())
    with pytest.raises(InvalidInput):
        parse_body(Stays, f'{{"first": {body}}}'.encode())


def test_a_body_s_dates_are_read() -> None:
    found = parse_body(Days, b'{"day": "2026-11-21", "from": "2026-11-21T08:00:00.5+01:00"}')
    assert found.day == date(2026, 11, 21)
    assert found.since is not None
    assert found.since.isoformat() == "2026-11-21T08:00:00.500000+01:00"
    assert parse_body(Stays, b'{"days": ["2026-11-21"]}').days == [date(2026, 11, 21)]
    with pytest.raises(InvalidInput) as failed:
        parse_body(Stays, b'{"days": ["2026-11-21", "0"]}')
    assert failed.value.extra["errors"][0]["field"] == "days.1"


def test_dates_and_numbers_are_read() -> None:
    request = make_mocked_request("GET", "/?day=2026-11-21&from=2026-11-21T08:00:00Z&number=5")
    found = parse_query(Days, request)
    assert found is not None
    assert (found.day, found.number) == (date(2026, 11, 21), 5)


async def test_unknown_paths_and_methods(client: Client, headers: dict[str, str]) -> None:
    await problem_of(await client.get("/api/v1/nowhere"), 404, "not_found")
    await problem_of(await client.get("/api/v1/orders/not-an-id", headers=headers), 404, "not_found")
    response = await client.delete("/api/v1/search")
    await problem_of(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET"


async def test_literal_paths_win_over_patterns(client: Client) -> None:
    response = await client.get("/api/v1/orders/latest")
    assert (response.content_type, await response.read()) == ("application/pdf", b"%PDF")


async def test_every_answer_is_guarded(client: Client) -> None:
    response = await client.get("/api/v1/search", headers={"X-Request-Id": "from-the-gateway-1"})
    assert response.headers["X-Request-Id"] == "from-the-gateway-1"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "camera=(self)" in response.headers["Permissions-Policy"]
    insane = await client.get("/api/v1/search", headers={"X-Request-Id": "<script>"})
    assert insane.headers["X-Request-Id"] != "<script>"


async def test_a_bug_is_a_problem_document_without_its_message(
    client: Client, headers: dict[str, str], shop: Shop
) -> None:
    shop.fail = ValueError("chest pain")
    document = await problem_of(
        await client.post("/api/v1/orders", json={"amount": 1}, headers=headers), 500, "internal"
    )
    assert "chest" not in str(document)


@pytest.mark.parametrize("error", [ConnectionRefusedError(), asyncpg.InterfaceError("closed"), TimeoutError()])
async def test_a_dependency_that_is_away_is_503(
    client: Client, headers: dict[str, str], shop: Shop, error: BaseException
) -> None:
    shop.fail = error
    response = await client.post("/api/v1/orders", json={"amount": 1}, headers=headers)
    await problem_of(response, 503, "unavailable")
    assert "Retry-After" in response.headers


# --- documents, health, pages -------------------------------------------------------------------------------------


def test_the_description_names_what_routes_declare(shop: Shop) -> None:
    document = describe([shop.routes()])
    order = document["paths"]["/api/v1/orders"]["post"]
    assert order["summary"] == "Order something."
    assert "`refused`" in order["responses"]["409"]["description"]
    assert order["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Order"}
    search = document["paths"]["/api/v1/search"]["get"]
    assert {each["name"] for each in search["parameters"]} == {"limit", "tags"}
    assert search["security"] == []


async def test_documentation_health_and_pages(
    context: Context, shop: Shop, make_client: MakeClient, tmp_path: Path
) -> None:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<title>Bedside</title>")
    (dist / "assets" / "app-123.js").write_text("1")
    (tmp_path / "secret.txt").write_text("x")
    health = Health()

    async def away() -> None:
        raise OSError("no")

    async def fine() -> str:
        return "1 worker"

    health.add("mail", away, hard=False)
    health.add("media", fine, hard=True)
    context.routes.append(shop.routes())

    def extend(application: web.Application) -> None:
        add_health_routes(application, health)
        add_documentation(application, context.routes)
        add_pages(application, dist)

    whole = await make_client(context, extend)
    assert (await whole.get("/health/live")).status == 200
    ready = await whole.get("/health/ready")
    assert ready.status == 200
    checks = {each["name"]: each for each in (await ready.json())["checks"]}
    assert checks["mail"] == {"name": "mail", "status": "failed", "detail": "OSError"}
    health.add("database", away, hard=True)
    assert (await whole.get("/health/ready")).status == 503
    assert "bedside_http_requests_total" in await (await whole.get("/metrics")).text()

    document = await (await whole.get("/api/v1/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    page = await whole.get("/api/docs")
    text = await page.text()
    assert "/api/v1/orders/{id}" in text
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script" not in text
    assert "style=" not in text

    for path in ("/", "/visit/123", "/sign-in"):
        answer = await whole.get(path)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    asset = await whole.get("/assets/app-123.js")
    assert "immutable" in asset.headers["Cache-Control"]
    for missing in ("/assets/none.js", "/../secret.txt", "/%2e%2e/secret.txt", "/favicon.ico", "/api/v2/x"):
        assert (await whole.get(missing)).status == 404
    assert (await whole.post("/api/v2/x")).status == 404
