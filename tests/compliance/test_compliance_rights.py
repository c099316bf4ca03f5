"""Consents, a person's own copy, being forgotten and research, over all modules. First those who may not."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from harness import MakeClient, MakeContext
from test_compliance_break_glass import House, MovedClock

from compliance import audit_keys
from compliance.erasures import Erasure, kept_of
from compliance.ports import Held
from compliance.research import SHIFT_DAYS, pseudonym, shift
from core.clock import SystemClock
from core.ids import uuid7
from core.security.policy import ACCOUNTS
from core.security.principal import Principal
from core.security.vault import KeyDestroyed
from core.settings import Privacy
from server.composition import compose

pytestmark = pytest.mark.integration

MARK = "Qz7-marked-history-of-asthma"


@pytest.fixture
async def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def house(make_context: MakeContext, make_client: MakeClient, clock: MovedClock) -> House:
    base = await make_context()
    privacy = Privacy(erasure_grace_s=3600, retention_years={"records": 0, "invoices": 0})
    context = await make_context(clock=clock, settings=base.settings.model_copy(update={"privacy": privacy}))
    modules = compose(context, frozenset({"api"}))
    made = House(context, modules, await make_client(context))
    for name in ("patient", "other"):
        await made.person(name, "patient")
    for name, role in (("doctor", "practitioner"), ("desk", "desk"), ("auditor", "auditor"), ("admin", "admin")):
        await made.person(name, role)  # type: ignore[arg-type]  # each is a role
    async with context.database("identity").transaction() as tx:
        await tx.execute(
            "INSERT INTO care_relations (appointment_id, practitioner_id, patient_id, since)"
            " VALUES ($1, $2, $3, now())",
            uuid7(),
            made.id("doctor"),
            made.id("patient"),
        )
    return made


async def write_record(house: House) -> None:
    body = {"version": 0, "summary": {"history": MARK}, "add": [{"kind": "note", "content": {"text": MARK}}]}
    status, answer = await house.ask("doctor", "PATCH", f"/records/{house.id('patient')}", body)
    assert status == 200, answer


# -- consents


async def test_consents_are_one_s_own_and_of_the_text_in_force(house: House) -> None:
    for method, path in (("GET", "/me/consents"), ("PUT", "/me/consents/research"), ("GET", "/consents/texts")):
        assert (await house.ask(None, method, path))[0] == 401
    status, texts = await house.ask("patient", "GET", "/consents/texts?language=fr-SN")
    assert status == 200
    assert {(each["kind"], each["language"]) for each in texts["items"]} == {
        ("telehealth", "fr"),
        ("recording", "fr"),
        ("research", "fr"),
    }
    say = {"given": True, "version": 1, "language": "fr"}
    assert (await house.ask("patient", "PUT", "/me/consents/anything", say))[0] == 404
    for wrong in ({**say, "version": 99}, {**say, "language": "de"}, {**say, "given": "perhaps"}, {}):
        assert (await house.ask("patient", "PUT", "/me/consents/research", wrong))[0] == 400, wrong
    consents = house.modules.compliance.consents
    assert not await consents.stand([house.id("patient")], "research")
    assert (await house.ask("patient", "PUT", "/me/consents/research", say))[1]["stands"] is True
    assert await consents.stand([house.id("patient"), house.id("other")], "research") == {house.id("patient")}
    assert (await house.ask("other", "GET", "/me/consents"))[1]["items"] == []
    assert (await house.ask("patient", "PUT", "/me/consents/research", {**say, "given": False}))[0] == 200
    assert not await consents.stand([house.id("patient")], "research")
    said = (await house.ask("patient", "GET", "/me/consents"))[1]["items"]
    assert [(each["given"], len(each["text_digest"])) for each in said] == [(False, 64), (True, 64)]


async def test_consents_are_evidence_that_the_program_can_t_change(house: House) -> None:
    say = {"given": True, "version": 1, "language": "en"}
    await house.ask("patient", "PUT", "/me/consents/telehealth", say)
    for statement in ("UPDATE consents SET given = false", "DELETE FROM consents"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with house.context.database("compliance").transaction() as tx:
                await tx.execute(statement)


# -- research


def test_a_pseudonym_is_stable_and_needs_the_key() -> None:
    person, other = uuid7(), uuid7()
    assert pseudonym(b"k", person) == pseudonym(b"k", person)
    assert len({pseudonym(b"k", person), pseudonym(b"x", person), pseudonym(b"k", other)}) == 3
    shifts = {shift(b"k", uuid7()).days for _ in range(500)}
    assert 0 not in shifts
    assert max(map(abs, shifts)) <= SHIFT_DAYS
    assert len(shifts) > 200


async def test_research_gets_those_who_agreed_and_no_names(house: House) -> None:
    assert (await house.ask(None, "GET", "/research/visits"))[0] == 401
    for role in ACCOUNTS:
        if role != "admin":
            await house.person(f"curious {role}", role)
            assert (await house.ask(f"curious {role}", "GET", "/research/visits"))[0] == 403, role
    start = SystemClock().now() - timedelta(days=30)
    async with house.context.database("scheduling").transaction() as tx:
        for name in ("patient", "other"):
            await tx.execute(
                "INSERT INTO appointments (id, practitioner_id, patient_id, kind, specialty, starts_at, ends_at,"
                " blocked_from, blocked_until, time_zone, local_date, fee_minor, currency, booked_role, location,"
                " overlap, status, created_at, updated_at) VALUES ($1, $2, $3, 'video', 'cardiology', $4, $5, $4, $5,"
                " 'UTC', $6, 0, 'XOF', 'patient', '', false, 'fulfilled', $4, $4)",
                uuid7(),
                house.id("doctor"),
                house.id(name),
                start,
                start + timedelta(minutes=30),
                start.date(),
            )
    await house.ask("patient", "PUT", "/me/consents/research", {"given": True, "version": 1, "language": "en"})

    async def rows() -> list[dict[str, Any]]:
        found, cursor = [], ""
        while True:
            status, page = await house.ask("admin", "GET", f"/research/visits?limit=100{cursor}")
            assert status == 200
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    research = house.modules.compliance.research
    mine, theirs = (pseudonym(research._key, house.id(name)) for name in ("patient", "other"))
    found = {row["subject"]: row for row in await rows()}
    assert theirs not in found
    moved = start + shift(research._key, house.id("patient"))
    assert found[mine] == {
        "subject": mine,
        "specialty": "cardiology",
        "kind": "video",
        "status": "fulfilled",
        "day": moved.date().isoformat(),
        "minutes": 30,
    }
    text = json.dumps(list(found.values()))
    assert str(house.id("patient")) not in text
    assert str(house.id("doctor")) not in text
    await house.ask("patient", "PUT", "/me/consents/research", {"given": False, "version": 1, "language": "en"})
    assert mine not in {row["subject"] for row in await rows()}


# -- the copy


async def download(house: House, who: str, export: str) -> tuple[int, bytes]:
    headers = house.sessions.sign_in(*house.who[who], who)
    async with house.client.get(f"/api/v1/me/exports/{export}/file", headers=headers) as answer:
        return answer.status, await answer.read()


async def test_a_copy_is_made_once_for_its_person_alone(house: House, tmp_path: Path, clock: MovedClock) -> None:
    assert (await house.ask(None, "POST", "/me/exports"))[0] == 401
    assert (await house.ask(None, "GET", f"/me/exports/{uuid7()}/file"))[0] == 401
    await write_record(house)
    status, asked = await house.ask("patient", "POST", "/me/exports")
    assert (status, asked["state"]) == (202, "waiting")
    assert (await house.ask("patient", "POST", "/me/exports"))[1]["code"] == "export_running"
    assert (await download(house, "patient", asked["id"]))[0] == 404  # not ready yet
    assert await house.modules.compliance.exports.make() >= 1
    assert (await house.ask("patient", "GET", "/me/exports"))[1]["items"][0]["state"] == "ready"
    assert (await house.ask("other", "GET", "/me/exports"))[1]["items"] == []
    for who in ("other", "doctor", "admin"):
        assert (await download(house, who, asked["id"]))[0] == 404, who
    stored = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert stored
    assert not any(MARK.encode() in path.read_bytes() or b"PK\x03\x04" in path.read_bytes()[:64] for path in stored)
    status, content = await download(house, "patient", asked["id"])
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        parts = ("account", "appointments", "visits", "records", "invoices", "notices", "privacy")
        assert {f"{part}.json" for part in parts} <= names
        records = json.loads(archive.read("records.json"))
        assert records["record"]["summary"]["history"] == MARK
        account = json.loads(archive.read("account.json"))
        assert account["id"] == str(house.id("patient"))
        seen = json.loads(archive.read("privacy.json"))["record_accesses"]
        assert "record.updated" in {each["action"] for each in seen}
    assert (await download(house, "patient", asked["id"]))[0] == 404  # once
    again = (await house.ask("patient", "POST", "/me/exports"))[1]["id"]
    await house.modules.compliance.exports.make()
    clock.ahead = timedelta(seconds=house.context.settings.privacy.export_s + 1)
    assert (await download(house, "patient", again))[0] == 404
    await house.modules.compliance.exports.make()
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


# -- being forgotten


def test_what_the_law_keeps_and_until_when() -> None:
    now = SystemClock().now()
    held = [Held("records", 3, now - timedelta(days=4 * 366)), Held("invoices", 1, now - timedelta(days=400))]
    assert kept_of(held, {"records": 0, "invoices": 0}, now) == []
    assert [each["kind"] for each in kept_of(held, {"records": 10, "invoices": 1}, now)] == ["records"]
    assert [each["kind"] for each in kept_of(held, {"records": 3, "invoices": 10}, now)] == ["invoices"]
    assert kept_of([Held("records", 0, now)], {"records": 10}, now) == []


async def test_nobody_is_forgotten_by_others_or_by_mistake(house: House, clock: MovedClock) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("POST", "/confirm"), ("DELETE", "")):
        assert (await house.ask(None, method, f"/me/erasure{path}"))[0] == 401
    assert (await house.ask("patient", "GET", "/erasures"))[0] == 403
    assert (await house.ask("doctor", "POST", "/me/erasure"))[1]["reason"] == "works_here"
    assert (await house.ask("patient", "POST", "/me/erasure/confirm", {"sure": True}))[0] == 404
    assert (await house.ask("patient", "POST", "/me/erasure"))[0] == 201
    assert (await house.ask("patient", "POST", "/me/erasure"))[1]["code"] == "erasure_exists"
    assert (await house.ask("patient", "POST", "/me/erasure/confirm", {"sure": False}))[0] == 400
    clock.ahead = timedelta(days=30)
    await house.modules.compliance.erasures.carry_out()
    assert (await house.ask("patient", "GET", "/me"))[1]["name"] == "patient"  # it was not confirmed
    assert (await house.ask("patient", "POST", "/me/erasure/confirm", {"sure": True}))[1]["state"] == "confirmed"
    await house.modules.compliance.erasures.carry_out()
    assert (await house.ask("patient", "GET", "/me"))[1]["name"] == "patient"  # the days of grace
    assert (await house.ask("patient", "DELETE", "/me/erasure"))[0] == 204
    clock.ahead = timedelta(days=60)
    await house.modules.compliance.erasures.carry_out()
    assert (await house.ask("patient", "GET", "/me"))[1]["name"] == "patient"
    assert (await house.ask("patient", "DELETE", "/me/erasure"))[0] == 404


async def forget(house: House, clock: MovedClock) -> dict[str, Any]:
    await house.ask("patient", "POST", "/me/erasure")
    await house.ask("patient", "POST", "/me/erasure/confirm", {"sure": True})
    clock.ahead += timedelta(hours=2)
    await house.modules.compliance.erasures.carry_out()
    found = (await house.ask("auditor", "GET", "/erasures"))[1]["items"]
    return next(each for each in found if each["person_id"] == str(house.id("patient")))


async def test_what_is_forgotten_is_not_in_the_data_files_and_opens_no_more(
    house: House, clock: MovedClock, postgres: str, tmp_path: Path
) -> None:
    await write_record(house)
    await house.ask("patient", "PATCH", "/me", {"phone": "+221770001122"})
    await house.ask("patient", "POST", "/me/exports")
    await house.modules.compliance.exports.make()
    patient = house.id("patient")
    email = (await house.ask("patient", "GET", "/me"))[1]["email"]
    owner = await asyncpg.connect(postgres)
    try:
        sealed = await owner.fetch("SELECT id, content FROM records.blobs WHERE patient_id = $1", patient)
        assert sealed
        opened = [await house.context.vault.decrypt(patient, f"record/{row['id']}", row["content"]) for row in sealed]
        assert any(MARK.encode() in each for each in opened)
        folder = Path(await owner.fetchval("SHOW data_directory"))
        await owner.execute("CHECKPOINT")
        assert holding(folder, MARK) == []  # before it is forgotten it is encrypted already
        assert holding(folder, email) != []
        erasure = await forget(house, clock)
        assert (erasure["state"], erasure["kept"]) == ("done", [])
        for row in sealed:
            with pytest.raises(KeyDestroyed):
                await house.context.vault.decrypt(patient, f"record/{row['id']}", row["content"])
        wrapped = await owner.fetchrow("SELECT wrapped FROM core.person_keys WHERE person_id = $1", patient)
        assert wrapped["wrapped"] is None
        tables = await owner.fetch(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables"
            " WHERE table_schema = ANY($1) AND table_type = 'BASE TABLE'",
            ["identity", "scheduling", "consultations", "records", "billing", "notifications", "compliance", "core"],
        )
        for (table,) in tables:
            rows = await owner.fetch(f"SELECT t::text FROM {table} t")  # noqa: S608  # the catalogue's names
            assert not any(email in row[0] for row in rows), table
        # What PostgreSQL has set aside of the old row goes with its next tidying up.
        await owner.execute("VACUUM FULL identity.people")
        await owner.execute("CHECKPOINT")
        assert [path for path in holding(folder, email) if "pg_wal" not in path.parts] == []
    finally:
        await owner.close()
    assert (await house.ask("doctor", "GET", f"/records/{patient}"))[0] in (403, 410)
    assert (await house.ask("admin", "GET", f"/people?q={email}"))[1]["items"] == []
    found = (await erasures_of(house))[0]
    public = Ed25519PublicKey.from_public_bytes(audit_keys(house.context.settings).signer.public)
    public.verify(bytes.fromhex(erasure["signature"]), found.proof())  # raises when it does not fit
    with pytest.raises(InvalidSignature):
        public.verify(bytes.fromhex(erasure["signature"]), replace(found, kept=[{"kind": "records"}]).proof())


async def test_what_the_law_keeps_keeps_the_key_until_its_time(
    make_context: MakeContext, make_client: MakeClient, house: House, clock: MovedClock
) -> None:
    erasures = house.modules.compliance.erasures
    erasures._years = {"records": 10, "invoices": 10}
    await write_record(house)
    outlook = (await house.ask("patient", "GET", "/me/erasure"))[1]
    assert [each["kind"] for each in outlook["would_keep"]] == ["records"]
    erasure = await forget(house, clock)
    assert (erasure["state"], erasure["destroyed_at"]) == ("kept", None)
    assert erasure["kept"][0]["why"]
    people = (await house.ask("admin", "GET", f"/people?q={house.id('patient').hex}"))[1]["items"]
    assert (people[0]["name"], people[0]["deactivated_at"] is not None) == ("Erased person", True)
    assert (await house.ask("doctor", "GET", f"/records/{house.id('patient')}"))[0] == 403  # the relation has ended
    blob = await first_blob(house)
    assert MARK.encode() in await house.context.vault.decrypt(house.id("patient"), *blob)
    clock.ahead += timedelta(days=11 * 366)
    await erasures.carry_out()
    with pytest.raises(KeyDestroyed):
        await house.context.vault.decrypt(house.id("patient"), *blob)
    async with house.context.database("compliance").reading() as tx:
        row = await tx.fetchrow("SELECT state, signature FROM erasures WHERE person_id = $1", house.id("patient"))
    assert row is not None
    assert row["state"] == "done"
    assert len(row["signature"]) == 64


async def first_blob(house: House) -> tuple[str, bytes]:
    async with house.context.database("records").reading() as tx:
        row = await tx.fetchrow(
            "SELECT e.blob_id, b.content FROM entries e JOIN blobs b ON b.id = e.blob_id WHERE e.patient_id = $1",
            house.id("patient"),
        )
    assert row is not None
    return f"record/{row['blob_id']}", row["content"]


async def erasures_of(house: House) -> list[Erasure]:
    auditor = Principal(house.id("auditor"), "auditor", frozenset({"auditor"}))
    found = await house.modules.compliance.erasures.search(auditor, None, 100)
    return [each for each in found if each.person_id == house.id("patient")]


def holding(folder: Path, text: str) -> list[Path]:
    """Files of the database in which the text stands in clear."""
    found = subprocess.run(["grep", "-rlaF", text, str(folder)], capture_output=True, text=True, check=False)
    return [Path(line) for line in found.stdout.splitlines()]
