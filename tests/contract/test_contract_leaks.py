"""Health data is nowhere in clear: marked text goes in through every free-text input, then everything is searched.

The last of the contract's tests by name, since it completes the demonstration's open visit.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from contract_clinic import Clinic
from redis.asyncio import Redis

from core.ids import uuid7
from core.settings import load
from server.attach import attach

pytestmark = pytest.mark.integration

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
DOSE = {"dose": 1, "frequency": 2}


class Marks:
    """Each use gives another text with a mark of its own, so that a finding names its way in."""

    def __init__(self) -> None:
        self.given: dict[str, str] = {}

    def __call__(self, place: str, start: str = "") -> str:
        mark = f"zq{secrets.token_hex(8)}"
        self.given[mark] = place
        return f"{start}{mark}"

    def found_in(self, data: bytes) -> set[str]:
        """Where the marks in these bytes came in: as text, as hexadecimal, or in base64."""
        found = set()
        for mark, place in self.given.items():
            raw = mark.encode()
            # Base64 of the mark at each of the three alignments, without the characters its neighbours share.
            coded = [base64.b64encode(b"\0" * shift + raw)[shift and 4 : -4] for shift in range(3)]
            if any(each in data for each in (raw, raw.upper(), raw.hex().encode(), *coded)):
                found.add(place)
        return found


async def test_nothing_a_person_wrote_is_found_in_clear(clinic: Clinic) -> None:
    mark = Marks()
    visit = await live_visit(clinic, mark)
    await over_http(clinic, mark, visit)
    await refused_input(clinic, mark)
    await everything_handled(clinic)

    settings = attach(load(environ={"BEDSIDE_DATA_DIR": str(clinic.demo.data_dir)}))
    leaks: dict[str, set[str]] = {}

    def look(where: str, data: bytes) -> None:
        if found := mark.found_in(data):
            leaks.setdefault(where, set()).update(found)

    assert len(mark.given) > 30
    look("/metrics", (await clinic.ask("GET", "/metrics")).raw)
    look("health", (await clinic.ask("GET", "/admin/health", "admin")).raw)
    look("audit", (await clinic.ask("GET", "/audit?limit=100", "admin")).raw)
    look("deliveries", (await clinic.ask("GET", "/notifications/deliveries?limit=100", "desk")).raw)
    connection = await asyncpg.connect(settings.database.url.get_secret_value())
    try:
        await _search_postgres(connection, look)
    finally:
        await connection.close()
    redis = Redis.from_url(settings.redis.url.get_secret_value())
    try:
        await _search_redis(redis, look)
    finally:
        await redis.aclose()
    # Everything that was ever written, in whatever file: logs, mails, write-ahead log, Redis' journal, uploads.
    for file, data in await asyncio.to_thread(lambda: list(_files(clinic.demo.data_dir))):
        look(f"file {file}", data)
    assert leaks == {}
    await clinic.is_well()


async def live_visit(clinic: Clinic, mark: Marks) -> str:
    """What is written in a visit; its appointment."""
    visit, patient = clinic.visit, clinic.ids["patient"]
    target = {"appointment_id": visit, "participant_id": patient}
    async with (
        clinic.connected("/consultation", await clinic.token("patient", "visit")) as line,
        clinic.connected("/consultation", await clinic.token("doctor", "visit")) as doctor,
        clinic.connected("/practice", await clinic.token("doctor", "practice")) as practice,
    ):
        await line.ok("waiting.enter", {})
        await line.ok("chat.send", {"client_id": uuid7().hex, "text": mark("chat while waiting"), "audience": "all"})
        text = {"appointment_id": visit, "client_id": uuid7().hex, "text": mark("practice's chat")}
        await practice.ok("practice.chat", text)
        await practice.ok("waiting.hold", {**target, "reason": mark("why held")})
        await practice.call("waiting.transfer", {**target, "practitioner_id": str(uuid7()), "note": mark("transfer")})
        await practice.ok("waiting.admit", target)
        await doctor.ok("call.join", {})
        await line.ok("call.join", {})
        sent = await line.ok("chat.send", {"client_id": uuid7().hex, "text": mark("chat"), "audience": "all"})
        await line.ok("chat.edit", {"message_id": sent["message_id"], "text": mark("edited chat")})
        clinicians = {"client_id": uuid7().hex, "text": mark("clinicians' chat"), "audience": "clinicians"}
        await doctor.ok("chat.send", clinicians)
        form = aiohttp.FormData()
        content = PNG + mark("content of a file").encode()
        form.add_field("file", content, filename=f"{mark('name of a file')}.png", content_type="image/png")
        reply = await clinic.ask("POST", f"/consultations/{visit}/files", "patient", data=form)
        assert reply.status == 201, reply
        with_file = {"client_id": uuid7().hex, "file_id": reply.json["file_id"], "text": mark("text beside a file")}
        await line.ok("chat.send", {**with_file, "audience": "all"})
        # Refused input must not be written down either.
        await line.call("chat.send", {"client_id": uuid7().hex, "text": mark("refused chat") * 1000})
        await line.call("chat.send", {"no_such_field": mark("refused field")})
        await line.call(mark("name of an event"), {"text": mark("unknown event")})
        await line.call("media.publish", {"generation": 1, "sdp": "v=0\r\n" + mark("sdp"), "tracks": []})
        assert (await line.ok("chat.history", {}))["messages"], "what is stored can be read"
        await line.ok("call.leave", {})
        await doctor.ok("call.leave", {})
    return visit


async def over_http(clinic: Clinic, mark: Marks, visit: str) -> None:
    patient = clinic.ids["patient"]

    async def ok(method: str, path: str, who: str, body: Any) -> Any:
        reply = await clinic.ask(method, path, who, json=body, headers={"Idempotency-Key": uuid7().hex})
        assert reply.status < 300, (method, path, reply)
        return reply.json

    await ok("PATCH", f"/appointments/{visit}", "patient", {"reason": mark("changed reason")})
    provider = (await clinic.ask("GET", "/providers?limit=5")).json["items"][2]
    slot = {"practitioner_id": provider["id"], "start": provider["next_slots"][1]["start"]}
    booked = await ok("POST", "/appointments", "patient", {**slot, "reason": mark("reason")})
    status = {"status": "cancelled", "reason": mark("why cancelled")}
    await ok("PUT", f"/appointments/{booked['id']}/status", "patient", status)
    notes = (await clinic.ask("GET", f"/consultations/{visit}/notes", "doctor")).json
    await ok("PUT", f"/consultations/{visit}/notes", "doctor", {"text": mark("notes"), "version": notes["version"]})
    record = (await clinic.ask("GET", f"/records/{patient}", "doctor")).json
    change = {
        "version": record["version"],
        "summary": {
            "history": mark("history"),
            **{name: [mark(name)] for name in ("allergies", "conditions", "medications")},
        },
        "add": [
            {"kind": kind, "content": {"text": mark(kind), mark("key of content"): [1]}}
            for kind in ("note", "diagnosis", "allergy", "vital", "history")
        ],
    }
    await ok("PATCH", f"/records/{patient}", "doctor", change)
    prescription = {
        "medication": {"code": mark("code of a drug"), "display": mark("name of a drug")},
        "dosage": {**DOSE, "text": mark("dosage"), "unit": mark("unit"), "period": mark("period")},
    }
    await ok("POST", f"/appointments/{visit}/prescriptions", "doctor", prescription)
    coverage = {"insurer": "Sandbox", "member_number": mark("member number") + "7"}
    await ok("POST", "/billing/coverages", "patient", coverage)
    await ok("PATCH", "/me", "patient", {"birth_date": "1984-05-06"})
    await ok(
        "POST",
        f"/consultations/{visit}/complete",
        "doctor",
        {"summary": mark("summary"), "outcome": mark("outcome")},
    )
    invoice = await due_invoice_of(clinic, visit)
    line = {"description": mark("line of an invoice"), "amount": {**invoice["total"], "amount_minor": 700}}
    adjustment = {"version": invoice["version"], "lines": [line], "reason": mark("why adjusted")}
    await ok("PATCH", f"/billing/invoices/{invoice['id']}", "desk", adjustment)
    payment = await ok("POST", "/payments/process", "patient", {"invoice_id": invoice["id"], "gateway": "sandbox"})
    async with asyncio.timeout(20):
        while (await clinic.ask("GET", f"/payments/{payment['id']}", "patient")).json["status"] != "succeeded":
            await asyncio.sleep(0.1)
    refund = {"amount": {**invoice["total"], "amount_minor": 100}, "reason": mark("why refunded")}
    await ok("POST", f"/payments/{payment['id']}/refunds", "desk", refund)
    found = (await clinic.ask("GET", f"/consultations/{visit}", "doctor")).raw
    assert "summary" in mark.found_in(found), "what is stored can be read"


async def due_invoice_of(clinic: Clinic, visit: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            listed = await clinic.ask("GET", f"/billing/invoices?appointment_id={visit}", "desk")
            if listed.json["items"] and listed.json["items"][0]["status"] == "due":
                return dict(listed.json["items"][0])
            await asyncio.sleep(0.1)


async def refused_input(clinic: Clinic, mark: Marks) -> None:
    """What is refused must not end in a log or a metric."""
    for body in (
        {"practitioner_id": mark("refused id"), "start": mark("refused time"), "reason": mark("refused reason") * 100},
        {mark("name of a refused field"): 1},
    ):
        await clinic.ask("POST", "/appointments", "patient", json=body)
    broken = ('{"reason": "' + mark("malformed body")).encode()
    await clinic.ask("POST", "/appointments", "patient", data=broken, headers={"Content-Type": "application/json"})
    await clinic.ask("GET", f"/appointments/{mark('id in a path')}", "patient")
    await clinic.ask("GET", f"/{mark('unknown path')}", "patient")
    await clinic.ask("GET", f"/providers?name={mark('query')}")
    await clinic.ask("GET", f"/providers?{mark('name of a parameter')}=1")
    await clinic.ask("GET", f"/people?q={mark('search')}", "desk")
    await clinic.ask("GET", "/me", headers={"Authorization": f"Bearer {mark('token')}"})
    await clinic.ask("POST", "/auth/login", json={"email": "a@example.org", "password": mark("password")})
    await clinic.ask("POST", "/auth/verify-email", json={"secret": mark("secret of a link")})
    await clinic.ask("POST", "/auth/password-reset/finish", json={"secret": mark("reset link"), "password": "x" * 20})
    for path in ("email-change/confirm", "email-change/undo", "staff-invitations/read"):
        await clinic.ask("POST", f"/auth/{path}", json={"secret": mark(f"secret for {path}")})
    pending = {"pending_token": mark("pending token"), "code": mark("code")}
    await clinic.ask("POST", "/auth/login/factor", json=pending)
    await clinic.ask("POST", "/invitations/redeem", json={"secret": mark("secret of an invitation")})
    await clinic.ask("GET", "/me", "patient", headers={"X-Request-Id": "x y " + mark("request id")})


async def everything_handled(clinic: Clinic) -> None:
    """Facts are handled, notices written and mails sent, so that they are searched, too."""

    async def quiet() -> bool:
        checks = {each["name"]: each for each in (await clinic.ask("GET", "/admin/health", "admin")).json["checks"]}
        mails = (await clinic.ask("GET", "/notifications/deliveries?limit=100", "desk")).json["items"]
        facts = str(checks["facts"]["detail"])
        handled = facts.startswith("0 to publish") and facts.endswith("; 0 to handle")
        return handled and all(each["status"] in ("sent", "skipped", "failed") for each in mails)

    async with asyncio.timeout(90):
        while not await quiet():
            await asyncio.sleep(0.2)


async def _search_postgres(connection: Any, look: Any) -> None:
    tables = await connection.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    names = [row["name"] for row in tables]
    assert "core.outbox" in names
    assert "core.audit_log" in names
    for name in names:
        # A whole row as text: bytea comes in hexadecimal.
        for row in await connection.fetch(f"SELECT t::text AS line FROM {name} t"):  # noqa: S608 - names of our tables
            look(f"table {name}", row["line"].encode())


async def _search_redis(redis: Redis, look: Any) -> None:
    seen = 0
    async for key in redis.scan_iter(count=500):
        seen += 1
        look(f"key {key!r}", key)
        kind = (await redis.type(key)).decode()
        if kind == "none":
            continue  # it has just run out
        value: Any = {
            "string": lambda key=key: redis.get(key),
            "hash": lambda key=key: redis.hgetall(key),
            "list": lambda key=key: redis.lrange(key, 0, -1),
            "set": lambda key=key: redis.smembers(key),
            "zset": lambda key=key: redis.zrange(key, 0, -1),
            "stream": lambda key=key: redis.xrange(key),
        }[kind]()
        look(f"{kind} {key!r}", _flat(await value))
    assert seen > 20


def _flat(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return b"\n".join(_flat(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple | set):
        return b"\n".join(_flat(each) for each in value)
    return str(value).encode()


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in folder.rglob("*"):
        if file.is_file():
            try:
                yield str(file.relative_to(folder)), file.read_bytes()
            except OSError:
                continue  # gone meanwhile
