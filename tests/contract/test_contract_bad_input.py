"""Hostile input over HTTP, for every route that is published: never a 500, always a documented problem."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from contract_clinic import Clinic

from core.ids import uuid7
from core.settings import load
from server.attach import attach
from server.serving import open_context

pytestmark = pytest.mark.integration

MAX_BODY = 1_048_576
Operation = tuple[str, str, dict[str, Any]]  # method, path with its braces, OpenAPI's operation


@pytest.fixture(scope="module")
async def operations(clinic: Clinic) -> list[Operation]:
    document = (await clinic.ask("GET", "/openapi.json")).json
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def filled(path: str, value: str | None = None) -> str:
    """The path with every parameter replaced, by something that exists nowhere unless said."""
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + (value or str(uuid7())) + rest.partition("}")[2]
    return path


def takes_json(operation: dict[str, Any]) -> bool:
    return "application/json" in operation.get("requestBody", {}).get("content", {})


def needs(operation: dict[str, Any]) -> str | None:
    """The scheme of the token it wants: ``access``, ``guest``, or None for open routes."""
    return next(iter(operation["security"][0])) if operation["security"] else None


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- tokens -------------------------------------------------------------------------------------------------------


async def test_every_route_that_is_not_open_wants_a_sign_in(clinic: Clinic, operations: list[Operation]) -> None:
    assert len(operations) > 60
    for method, path, operation in operations:
        if needs(operation):
            reply = await clinic.ask(method, filled(path))
            assert (reply.status, reply.code) == (401, "not_signed_in"), (method, path)


async def test_open_routes_are_these_alone(operations: list[Operation]) -> None:
    """A new open route is noticed here."""
    found = {f"{method} {path.removeprefix('/api/v1')}" for method, path, each in operations if needs(each) is None}
    assert {each for each in found if not each.startswith("GET /demo")} == {
        *("POST /auth/login", "POST /auth/register", "POST /auth/refresh", "POST /auth/logout"),
        *("POST /auth/verify-email", "GET /auth/jwks", "POST /invitations/redeem"),
        *("POST /auth/login/factor", "POST /auth/passkey", "POST /auth/passkey/options"),
        *("POST /auth/password-reset", "POST /auth/password-reset/finish"),
        *("GET /auth/providers", "POST /auth/providers/{provider}"),
        *("POST /auth/providers/return", "POST /auth/providers/link", "POST /auth/providers/register"),
        *("POST /auth/email-change/confirm", "POST /auth/email-change/undo"),
        *("POST /auth/staff-invitations/read", "POST /auth/staff-invitations/accept"),
        *("GET /specialties", "GET /providers", "GET /providers/{id}", "GET /providers/choices"),
        "GET /appointments/available",
        "GET /calendar/{token}.ics",
    }


def forgeries(good: str) -> dict[str, str]:
    """Tokens made from a good one that must not pass."""
    header, payload, signature = good.split(".")

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    head = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    return {
        "no token at all": "nonsense",
        "three empty parts": "..",
        "not ASCII": "é.é.é",
        "another's signature": f"{header}.{payload}.{'A' * len(signature)}",
        "no signature": f"{header}.{payload}.",
        "algorithm none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "algorithm changed": f"{part({**head, 'alg': 'HS256'})}.{payload}.{signature}",
        "unknown key": f"{part({**head, 'kid': 'unknown'})}.{payload}.{signature}",
        "key is a path": f"{part({**head, 'kid': '../../secrets/master_key'})}.{payload}.{signature}",
        "another role": f"{header}.{part({**claims, 'role': 'admin', 'roles': ['admin']})}.{signature}",
        "too long": good + "A" * 5000,
    }


async def test_forged_expired_and_other_kinds_of_tokens_pass_nowhere(
    clinic: Clinic, operations: list[Operation]
) -> None:
    good = clinic.headers["patient"]["Authorization"].removeprefix("Bearer ")
    wrong = forgeries(good)
    wrong["a visit's"] = await clinic.token("patient", "visit")
    wrong["a probe's"] = await clinic.token("patient", "probe")
    wrong["the practice's"] = await clinic.token("doctor", "practice")
    settings = attach(load(environ={"BEDSIDE_DATA_DIR": str(clinic.demo.data_dir)}))
    patient = uuid.UUID(clinic.ids["patient"])
    async with open_context(settings) as context:
        claims: dict[str, Any] = {"session": str(uuid7()), "role": "admin", "roles": ["admin"], "name": ""}
        claims |= {"auth_time": int(time.time()), "amr": ["pwd"]}
        session = (await clinic.ask("GET", "/me/sessions", "patient")).json["items"][0]["id"]
        short = context.tokens.issue("access", patient, timedelta(seconds=1), **{**claims, "session": session})
        wrong["one without its session"] = context.tokens.issue("access", patient, timedelta(minutes=5), **claims)
        wrong["one between password and factor"] = context.tokens.issue(
            "pending", patient, timedelta(minutes=5), **claims
        )
        wrong["a guest's"] = context.tokens.issue("guest", patient, timedelta(minutes=5), role="guest", name="X")
    async with asyncio.timeout(60):
        while (await clinic.ask("GET", "/me", headers=bearer(short))).status != 401:
            await asyncio.sleep(0.2)
    wrong["an expired one"] = short
    for method, path, operation in operations:
        kind = needs(operation)
        if kind is None:
            continue
        tokens = dict(wrong)
        if kind == "guest":
            del tokens["a guest's"]
            tokens["an access token"] = good
        for name, token in tokens.items():
            reply = await clinic.ask(method, filled(path), headers=bearer(token))
            assert (reply.status, reply.code) == (401, "invalid_token"), (method, path, name)
    for scheme in ("Basic", "bearer2", ""):
        reply = await clinic.ask("GET", "/me", headers={"Authorization": f"{scheme} {good}"})
        assert reply.status == 401, scheme


# --- bodies, queries, paths ---------------------------------------------------------------------------------------

MALFORMED = [b"{", b'{"a":', b"nonsense", b"\xff\xfe", b"{'a': 1}", b"[" * 20_000, b'{"a": "\x01"}']
NO_IDS = ("x", "0", "null", "a" * 2000, "%00", "..%2f..", "%F0%9F%92%8A", str(uuid.UUID(int=0)), str(uuid7()))
WRONG_SHAPES: list[Any] = [[], [1], 5, "text", None, True, {"no_such_field": 1}, {"": ""}, {"__proto__": {}}]
WRONG_VALUES: list[Any] = [
    *(None, True, -1, 0, 1.5, 10**30, 1e308, "", "x", "\u0000", "\ud800", "a" * 100_000, "2026-02-31", "0001-01-01"),
    *([], [None], [[]], {}, {"a": {"b": []}}, "9999-12-31T23:59:59Z", "'; DROP TABLE people; --", "-1e999"),
]


async def let_in(clinic: Clinic, method: str, address: str) -> str:
    """Somebody whose role may do this at all: others are refused before their body is looked at."""
    for who in ("patient", "doctor", "desk", "admin"):
        reply = await clinic.ask(method, address, who, data=b"{", headers={"Content-Type": "application/json"})
        if reply.status != 403:
            return who
    raise AssertionError(f"{method} {address} lets nobody in")


async def test_bodies_that_are_no_json_or_of_another_shape(clinic: Clinic, operations: list[Operation]) -> None:
    for method, path, operation in operations:
        if not takes_json(operation):
            continue
        address = filled(path)
        kind = {"Content-Type": "application/json", "Idempotency-Key": uuid7().hex}
        if needs(operation) == "guest":
            continue
        who = await let_in(clinic, method, address) if needs(operation) else None
        for raw in MALFORMED:
            reply = await clinic.ask(method, address, who, data=raw, headers=kind)
            assert (reply.status, reply.code) == (400, "malformed_json"), (method, path, raw[:20], reply)
        for value in WRONG_SHAPES:
            reply = await clinic.ask(method, address, who, data=json.dumps(value), headers=kind)
            assert (reply.status, reply.code) == (400, "invalid_input"), (method, path, value, reply)
            assert all(each.keys() == {"field", "message"} for each in reply.json["errors"]), reply
            assert reply.json["errors"]
        reply = await clinic.ask(method, address, who, data=b" " * (MAX_BODY + 1), headers=kind)
        assert (reply.status, reply.code) == (413, "body_too_large"), (method, path)
        for other in ("text/plain", "application/xml", "application/json; charset=utf-16"):
            reply = await clinic.ask(method, address, who, data=b"{}", headers={**kind, "Content-Type": other})
            assert (reply.status, reply.code) == (415, "unsupported_media_type"), (method, path, other)
    await clinic.is_well()


async def test_wrong_values_in_every_field(clinic: Clinic, operations: list[Operation]) -> None:
    """What is left of a body when one field is nonsense is refused, or is a fine body: it never breaks the server."""
    document = (await clinic.ask("GET", "/openapi.json")).json
    for method, path, operation in operations:
        if not takes_json(operation) or needs(operation) == "guest":
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        fields = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]].get("properties", {})
        address = filled(path).replace("/auth/logout", "/auth/refresh")
        for who in ("patient", "doctor", "admin") if needs(operation) else (None,):
            for name in fields:
                for value in WRONG_VALUES:
                    body = {**BODIES.get(f"{method} {path.removeprefix('/api/v1')}", {}), name: value}
                    if f"{method} {path}" == "PATCH /api/v1/me" and isinstance(value, str) and name == "name":
                        continue  # a name may be nearly anything
                    await clinic.ask(
                        method, address, who, data=json.dumps(body), headers={"Content-Type": "application/json"}
                    )
    await clinic.is_well()


ENDS_ITS_SESSION = ("POST /api/v1/auth/logout", "DELETE /api/v1/me/sessions")
QUERY_VALUES = ("", "x", "-1", "0", "101", "99999999999999999999", "NaN", "1e309", "%00", "%ff", "a" * 3000, "null")
QUERY_VALUES += ("9999-12-31", "0001-01-01", "2026-02-31", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00%2B14:00")
QUERY_VALUES += ("00000000-0000-0000-0000-000000000000", "'%20OR%201=1--", "%F0%9F%92%8A", "eyJhIjoxfQ", "....", "LTE")


async def test_wrong_queries(clinic: Clinic, operations: list[Operation]) -> None:
    for method, path, operation in operations:
        if needs(operation) == "guest" or f"{method} {path}" in ENDS_ITS_SESSION:
            continue
        address = filled(path)
        names = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
        for who in ("patient", "doctor", "admin") if needs(operation) else (None,):
            unknown = await clinic.ask(method, f"{address}?no_such_parameter=1", who)
            if unknown.status == 403:
                continue  # this role may not do it at all, whatever is asked
            for name in names:
                for value in QUERY_VALUES:
                    await clinic.ask(method, f"{address}?{name}={value}", who)
                twice = f"{address}?{name}=1&{name}=2"
                assert (await clinic.ask(method, twice, who)).status == 400, twice
            if method == "GET":
                assert (unknown.status, unknown.code) == (400, "invalid_input"), path
    await clinic.is_well()


async def test_ids_that_are_none(clinic: Clinic, operations: list[Operation]) -> None:
    for method, path, operation in operations:
        if "{" not in path or needs(operation) == "guest":
            continue
        body = BODIES.get(f"{method} {path.removeprefix('/api/v1')}")
        for value in (
            "x",
            "0",
            "null",
            "a" * 2000,
            "%00",
            "..%2f..",
            "%F0%9F%92%8A",
            str(uuid.UUID(int=0)),
            str(uuid7()),
        ):
            for who in ("patient", "admin") if needs(operation) else (None,):
                reply = await clinic.ask(
                    method, filled(path, value), who, json=body, headers={"Idempotency-Key": uuid7().hex}
                )
                nobody_to_book = path.startswith("/api/v1/patients/") and reply.code == "slot_not_offered"
                assert reply.status in (403, 404, 415) or nobody_to_book, (method, path, value, reply)
    assert (await clinic.ask("GET", "/no-such-route", "patient")).code == "not_found"
    assert (await clinic.ask("PUT", "/auth/login")).code == "method_not_allowed"
    await clinic.is_well()


# --- other people's -----------------------------------------------------------------------------------------------

START = "2027-03-01T09:00:00Z"
MONEY = {"amount_minor": 1, "currency": "XOF"}
SCHEDULE: dict[str, Any] = {
    "time_zone": "Africa/Dakar",
    "slot_minutes": 20,
    "buffer_minutes": 0,
    "notice_minutes": 0,
    "horizon_days": 30,
    "rules": [],
    "exceptions": [],
    "version": 1,
}
DOSAGE = {"text": "One each day", "dose": 1, "unit": "tablet", "frequency": 1, "period": "day"}
# A good body for each route that wants more than {}.
BODIES: dict[str, dict[str, Any]] = {
    "POST /appointments/{id}/prescriptions": {"medication": {"code": "x", "display": "X"}, "dosage": DOSAGE},
    "PUT /appointments/{id}/status": {"status": "cancelled"},
    "POST /practitioners/{id}/calendars": {"name": "Home", "address": "https://calendar.invalid/a.ics"},
    "POST /practitioners/{id}/schedule/preview": {"schedule": SCHEDULE, "from": "2027-03-01"},
    "PATCH /appointments/{id}": {"reason": "Mine now"},
    "PATCH /billing/invoices/{id}": {"version": 1, "lines": [{"description": "Gift", "amount": MONEY}], "reason": "x"},
    "POST /consultations/{id}/complete": {"summary": "Done"},
    "POST /consultations/{id}/invitations": {"role": "guest", "name": "Spy"},
    "PUT /appointments/{id}/check-in": {
        "identity_confirmed": True,
        "red_flags_read": True,
        "country": "SN",
        "place": "Dakar",
        "callback_phone": "+221771234567",
    },
    "PUT /appointments/{id}/consent": {"version": 1, "language": "en"},
    "PUT /interpreters/{id}": {"languages": ["wo"]},
    "PATCH /me/passkeys/{id}": {"name": "Phone"},
    "PUT /me/consents/{kind}": {"given": False, "version": 1, "language": "en"},
    "PUT /people/{id}/roles": {"roles": ["patient"]},
    "PUT /practitioners/{id}/licence": {"verified": False},
    "POST /patients/{id}/break-glass": {"reason": "I would like to know"},
    "PUT /practitioners/{id}/licence-places": {"countries": ["SN"]},
    "PUT /consultations/{id}/notes": {"text": "Mine now", "version": 0},
    "POST /patients/{id}/appointments": {"practitioner_id": str(uuid.UUID(int=0)), "start": START},
    "POST /patients/{id}/proxies": {"proxy_id": str(uuid.UUID(int=0)), "kind": "carer", "scopes": ["book"]},
    "PUT /patients/{id}/consents/{kind}": {"given": False, "version": 1, "language": "en"},
    "POST /payments/{id}/refunds": {"amount": MONEY, "reason": "x"},
    "PUT /practitioners/{id}/schedule": SCHEDULE,
    "PATCH /records/{patient_id}": {"version": 0, "summary": {"history": "Mine now"}},
    "POST /appointments": {"practitioner_id": str(uuid.UUID(int=0)), "start": START},
    "POST /billing/claims": {"invoice_id": str(uuid.UUID(int=0)), "coverage_id": str(uuid.UUID(int=0))},
    "POST /billing/coverages": {"insurer": "X", "member_number": "12345"},
    "POST /payments/process": {"invoice_id": str(uuid.UUID(int=0)), "gateway": "sandbox"},
}
OPEN_TO_ALL = {"GET /providers/{id}"}


async def test_nobody_reaches_what_is_somebody_elses(clinic: Clinic, operations: list[Operation]) -> None:
    invoice = (await clinic.ask("GET", "/billing/invoices?limit=1&status=paid", "patient")).json["items"][0]
    notice = (await clinic.ask("GET", "/notifications?limit=1", "patient")).json["items"][0]
    own_session = (await clinic.ask("GET", "/me/sessions", "patient")).json["items"][0]
    payment = await clinic.ask(
        "POST",
        "/payments/process",
        "patient",
        json={"invoice_id": await due_invoice(clinic), "gateway": "sandbox"},
        headers={"Idempotency-Key": uuid7().hex},
    )
    assert payment.status in (201, 202), payment
    victims = {
        "/appointments/": clinic.visit,
        "/consultations/": clinic.visit,
        "/billing/invoices/": invoice["id"],
        "/patients/": clinic.ids["patient"],
        "/records/": clinic.ids["patient"],
        "/notifications/": notice["id"],
        "/me/sessions/": own_session["id"],
        "/practitioners/": clinic.ids["doctor"],
        "/payments/": payment.json["id"],
    }
    tried = 0
    for method, path, operation in operations:
        short = path.removeprefix("/api/v1")
        route = f"{method} {short}"
        victim = next((found for start, found in victims.items() if short.startswith(start) and "{" in short), None)
        if victim is None or route in OPEN_TO_ALL:
            continue
        body = BODIES.get(route) if takes_json(operation) else None
        if takes_json(operation) and body is None:
            body = {}
        who = "patient" if short.startswith("/practitioners/") else "other"
        reply = await clinic.ask(method, filled(path, victim), who, json=body, headers={"Idempotency-Key": uuid7().hex})
        if route == "GET /practitioners/{id}/schedule" and reply.status == 200:
            continue
        tried += 1
        if route == "POST /consultations/{id}/files":
            assert reply.status in (403, 404, 415), reply
        else:
            assert (reply.status, reply.code) in {
                (403, "forbidden"),
                (403, "no_care_relation"),
                (404, "not_found"),
            }, (route, reply)
    assert tried > 20
    await clinic.is_well()


async def due_invoice(clinic: Clinic) -> str:
    for status in ("due", "pending"):
        found = (await clinic.ask("GET", f"/billing/invoices?limit=1&status={status}", "patient")).json["items"]
        if found:
            return str(found[0]["id"])
    raise AssertionError("the demonstration's patient has nothing to pay")


async def test_lists_of_somebody_else_show_nothing(clinic: Clinic) -> None:
    patient, doctor = clinic.ids["patient"], clinic.ids["doctor"]
    for path in (
        *(f"/appointments?patient_id={patient}", f"/appointments?practitioner_id={doctor}"),
        *(f"/prescriptions?patient_id={patient}", f"/billing/coverages?patient_id={patient}"),
        *(f"/billing/invoices?patient_id={patient}", f"/billing/invoices?appointment_id={clinic.visit}"),
        *(f"/audit?patient_id={patient}", "/people?q=a", "/analytics/summary", "/notifications/deliveries"),
    ):
        reply = await clinic.ask("GET", path, "other")
        if reply.status == 200:
            mine = clinic.ids["other"]
            assert all(each["patient_id"] == mine for each in reply.json["items"]), path
        else:
            assert reply.status in (403, 404), (path, reply)


async def test_nobody_books_or_pays_for_somebody_else(clinic: Clinic) -> None:
    provider = (await clinic.ask("GET", "/providers?limit=1")).json["items"][0]
    slot = {"practitioner_id": provider["id"], "start": provider["next_slots"][0]["start"]}
    for path, body in (
        ("/appointments", {**slot, "patient_id": clinic.ids["patient"]}),
        (f"/patients/{clinic.ids['patient']}/appointments", slot),
        ("/billing/coverages", {"patient_id": clinic.ids["patient"], "insurer": "X", "member_number": "12345"}),
    ):
        reply = await clinic.ask("POST", path, "other", json=body)
        assert reply.status in (403, 404), (path, reply)
    reply = await clinic.ask("POST", "/appointments", "desk", json={**slot, "patient_id": str(uuid7())})
    assert (reply.status, reply.code) == (400, "invalid_input"), "there is no such patient"
    key = {"Idempotency-Key": uuid7().hex}
    sent = {"invoice_id": await due_invoice(clinic), "gateway": "sandbox"}
    assert (await clinic.ask("POST", "/payments/process", "other", json=sent, headers=key)).status in (403, 404)
    cash = {**sent, "gateway": "cash"}
    assert (await clinic.ask("POST", "/payments/process", "patient", json=cash, headers=key)).status == 403


async def test_fifty_bookings_of_one_slot_at_once(clinic: Clinic) -> None:
    people = (await clinic.ask("GET", "/people?role=patient&limit=50", "desk")).json["items"]
    provider = (await clinic.ask("GET", "/providers?limit=5")).json["items"][-1]
    start = provider["next_slots"][0]["start"]

    async def book(number: int) -> tuple[int, str | None]:
        patient = people[number % len(people)]["id"]
        sent = {"practitioner_id": provider["id"], "start": start, "patient_id": patient, "reason": "Race"}
        reply = await clinic.ask("POST", "/appointments", "desk", json=sent)
        return reply.status, reply.code

    answers = await asyncio.gather(*(book(number) for number in range(50)))
    assert sorted(answers, key=str) == [(201, None), *[(409, "slot_taken")] * 49]
    await clinic.is_well()
