"""The demonstration as a person starts it: it becomes ready, heals after any kill, and ends cleanly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from server_process import Demonstration, children, environment, exists, free_port, run, until

pytestmark = pytest.mark.integration

# What the supervisor runs, by a word of each command line.
PARTS = {
    "server": "server serve",
    "media worker": "media-worker",
    "mail catcher": "mail-catcher",
    "PostgreSQL": "/postgres ",
    "Valkey": "valkey",
}


@pytest.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demonstration]:
    running = Demonstration(tmp_path_factory.mktemp("demonstration"))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as opened:
        yield opened


async def get(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> Any:
    async with session.get(url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_it_says_where_and_who_and_ready_last(demo: Demonstration) -> None:
    text = "\n".join(demo.lines)
    assert demo.url in text
    for email in ("patient", "doctor", "desk", "admin"):
        assert f"{email}@demo.bedside" in text
    assert "bedside-demo" in text
    assert demo.lines[-1] == "ready"


async def test_the_sign_in_page_learns_the_accounts(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    accounts = (await get(session, f"{demo.url}/api/v1/demo", {}))["accounts"]
    assert {each["role"] for each in accounts} == {"patient", "practitioner", "desk", "admin"}


async def test_a_visit_of_patient_and_doctor_is_open_now(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    headers = await demo.sign_in(session, "patient@demo.bedside")
    listed = await get(session, f"{demo.url}/api/v1/appointments?limit=100", headers)
    now = datetime.now(UTC)
    opened = [
        each
        for each in listed["items"]
        if datetime.fromisoformat(each["visit_opens_at"]) <= now < datetime.fromisoformat(each["visit_closes_at"])
        and each["status"] in ("booked", "arrived", "checked-in")
    ]
    assert [each["practitioner_name"] for each in opened] == ["Awa Diop"]
    token = await get(session, f"{demo.url}/api/v1/appointments/{opened[0]['id']}/video-token", headers)
    assert token["namespace"] == "/consultation"
    statuses = {each["status"] for each in listed["items"]}
    assert {"fulfilled", "booked", "cancelled"} <= statuses


async def test_no_page_is_empty(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    patient = await demo.sign_in(session, "patient@demo.bedside")
    api = f"{demo.url}/api/v1"
    invoices = (await get(session, f"{api}/billing/invoices?limit=100", patient))["items"]
    assert {"paid", "due", "pending", "void"} <= {each["status"] for each in invoices}
    assert (await get(session, f"{api}/prescriptions", patient))["items"]
    assert (await get(session, f"{api}/notifications", patient))["items"]
    doctor = await demo.sign_in(session, "doctor@demo.bedside")
    record = await get(session, f"{api}/records/{invoices[0]['patient_id']}", doctor)
    assert record["summary"]["allergies"]
    assert [each["kind"] for each in record["entries"]].count("visit") == 2
    admin = await demo.sign_in(session, "admin@demo.bedside")
    figures = await get(session, f"{api}/analytics/summary", admin)
    assert figures["visits_completed"] > 5
    assert 0 < figures["no_show_rate"] < 0.5
    assert figures["revenue"]
    # Past and present each have their own date: nothing of the history happened "today".
    paid = [each for each in invoices if each["status"] == "paid"]
    assert all(each["issued_at"] < datetime.now(UTC).strftime("%Y-%m-%d") for each in paid)


async def test_two_time_zones_and_many_specialties(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    providers = (await get(session, f"{demo.url}/api/v1/providers?limit=50", {}))["items"]
    assert len({each["time_zone"] for each in providers}) == 2
    assert len({each["specialties"][0] for each in providers}) >= 6
    assert all(each["next_slots"] for each in providers)


@pytest.mark.parametrize("part", PARTS)
async def test_a_killed_part_comes_back_by_itself(
    demo: Demonstration, session: aiohttp.ClientSession, part: str
) -> None:
    before = demo.pid_of(PARTS[part])
    assert before is not None, children(demo.process.pid if demo.process else 0)
    os.kill(before, signal.SIGKILL)
    await demo.healed(PARTS[part], before)
    headers = await demo.sign_in(session, "doctor@demo.bedside")
    day = await get(session, f"{demo.url}/api/v1/appointments?date=today", headers)
    assert day["items"]


@pytest.mark.parametrize("part", ["server", "PostgreSQL", "Valkey"])
async def test_no_answered_booking_is_lost_by_a_kill(
    demo: Demonstration, session: aiohttp.ClientSession, part: str
) -> None:
    headers = await demo.sign_in(session, "khady.gueye@demo.bedside")
    before = demo.pid_of(PARTS[part])
    assert before is not None
    answered: list[str] = []
    killed = asyncio.Event()
    for practitioner, start in await _free_slots(demo, session, 12):
        if len(answered) == 4 and not killed.is_set():
            os.kill(before, signal.SIGKILL)
            killed.set()
        try:
            async with session.post(
                f"{demo.url}/api/v1/appointments",
                json={"practitioner_id": practitioner, "start": start, "reason": "Fever"},
                headers=headers,
            ) as answer:
                if answer.status == 201:
                    answered.append((await answer.json())["id"])
                else:
                    assert answer.status in (503, 409), await answer.text()
        except aiohttp.ClientError:
            assert killed.is_set()
    assert killed.is_set()
    await demo.healed(PARTS[part], before)
    headers = await demo.sign_in(session, "khady.gueye@demo.bedside")
    for each in answered:
        found = await get(session, f"{demo.url}/api/v1/appointments/{each}", headers)
        assert found["status"] == "booked"
        async with session.delete(f"{demo.url}/api/v1/appointments/{each}", headers=headers) as answer:
            assert answer.status == 200


async def _free_slots(demo: Demonstration, session: aiohttp.ClientSession, count: int) -> list[tuple[str, str]]:
    providers = (await get(session, f"{demo.url}/api/v1/providers?limit=50", {}))["items"]
    slots = [(each["id"], slot["start"]) for each in providers for slot in each["next_slots"]]
    return slots[:count]


# --- the operator's commands --------------------------------------------------------------------------------------


async def told(demo: Demonstration, *arguments: str, **settings: str) -> str:
    code, out, error = await run(*arguments, env=demo.env | settings)
    assert code == 0, error
    return out


async def test_facts_and_audit_trail_are_in_order(demo: Demonstration) -> None:
    assert await told(demo, "events", "parked") == "waiting: 0\ngiven up: 0\n"
    assert "intact" in await told(demo, "audit", "verify")


async def test_an_administrator_is_made(demo: Demonstration, session: aiohttp.ClientSession) -> None:
    arguments = ("user", "create-admin", "--email", "chief@clinic.example", "--name", "Chief")
    password = "three-blue-herons-at-dusk"
    await told(demo, *arguments, BEDSIDE_NEW_PASSWORD=password)
    login = {"email": "chief@clinic.example", "password": password}
    async with session.post(f"{demo.url}/api/v1/auth/login", json=login) as answer:
        assert (await answer.json())["user"]["roles"] == ["admin"]
    code, _, error = await run(*arguments, env=demo.env | {"BEDSIDE_NEW_PASSWORD": password})
    assert (code, len(error.strip().splitlines())) == (2, 1)


async def test_load_tests_get_visits_to_join(demo: Demonstration) -> None:
    made = json.loads(await told(demo, "loadtest", "provision", "--calls", "2", "--people", "3"))
    assert [[each["role"] for each in call["participants"]] for call in made] == [
        ["practitioner", "patient", "guest"]
    ] * 2
    for each in made[0]["participants"]:
        assert (await _join(demo, each["token"]))["ok"] is True
    waiting = json.loads(await told(demo, "loadtest", "provision", "--waiting"))
    refusal = await _join(demo, waiting[0]["participants"][1]["token"])
    assert (refusal["ok"], refusal["error"]["code"]) == (False, "not_admitted")


async def _join(demo: Demonstration, token: str) -> Any:
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(demo.url, namespace="/consultation", auth={"token": token}, transports=["websocket"])
        return await client.call("call.join", {})


async def test_load_tests_are_refused_in_production(demo: Demonstration) -> None:
    await refused("loadtest", "provision", env=demo.env | {"BEDSIDE_MODE": "production"})


# --- what can't be done is one line and exit code 2 ---------------------------------------------------------------


async def refused(*arguments: str, env: dict[str, str]) -> str:
    code, _, error = await run(*arguments, env=env)
    assert code == 2, error
    assert len(error.strip().splitlines()) == 1, error
    return error


async def test_a_taken_port_is_named_with_its_setting(demo: Demonstration, tmp_path: Path) -> None:
    env = environment(
        tmp_path, BEDSIDE_HTTP_PORT=str(demo.http_port), BEDSIDE_MEDIA_PORT=str(free_port()), BEDSIDE_MEDIA_WORKERS="1"
    )
    error = await refused("demo", env=env)
    assert str(demo.http_port) in error
    assert "BEDSIDE_HTTP_PORT" in error
    env["BEDSIDE_HTTP_PORT"], env["BEDSIDE_MEDIA_PORT"] = str(free_port()), str(demo.media_port)
    error = await refused("demo", env=env)
    assert str(demo.media_port) in error
    assert "BEDSIDE_MEDIA_PORT" in error


async def test_a_data_folder_serves_one_instance(demo: Demonstration) -> None:
    other = Demonstration(demo.data_dir)
    error = await refused("demo", env=other.env)
    assert "in use" in error


async def test_production_has_no_demonstration(tmp_path: Path) -> None:
    assert "production" in await refused("demo", env=environment(tmp_path, BEDSIDE_MODE="production"))


async def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    assert "BEDSIDE_COLOUR" in await refused("serve", env=environment(tmp_path, BEDSIDE_COLOUR="red"))


async def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    assert "BEDSIDE_DATABASE_URL" in await refused("serve", env=environment(tmp_path))


async def test_help_tells_the_commands() -> None:
    code, out, _ = await run("--help", env=environment(Path("unused")))
    assert code == 0
    for command in ("serve", "demo", "migrate", "media-worker", "openapi"):
        assert command in out


async def test_openapi_is_printed() -> None:
    code, out, error = await run("openapi", env=environment(Path("unused")))
    assert code == 0, error
    assert '"/api/v1/appointments"' in out


# --- beside another, and its end ----------------------------------------------------------------------------------


async def test_a_second_instance_ends_cleanly_and_keeps_its_data(
    demo: Demonstration, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    other = Demonstration(tmp_path / "other")
    await other.start()
    assert await demo.ready()
    headers = await other.sign_in(session, "patient@demo.bedside")
    before = await get(session, f"{other.url}/api/v1/appointments?limit=100", headers)
    assert other.process is not None
    pids = [pid for pid, _ in children(other.process.pid)]
    assert len(pids) == len(PARTS)

    # Killed with no chance to stop anything: nothing survives it, and it starts again.
    await other.stop(signal.SIGKILL)
    await until(lambda: not any(exists(pid) for pid in pids), 20)
    assert not any(exists(pid) for pid in pids)
    await other.start()
    headers = await other.sign_in(session, "patient@demo.bedside")
    after = await get(session, f"{other.url}/api/v1/appointments?limit=100", headers)
    assert [each["id"] for each in after["items"]] == [each["id"] for each in before["items"]]

    pids = [pid for pid, _ in children(other.process.pid)]
    assert await other.stop() == 0
    assert not any(exists(pid) for pid in pids)
