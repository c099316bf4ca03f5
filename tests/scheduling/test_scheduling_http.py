"""Scheduling over HTTP: refusals first, then the contract's shapes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from harness import MakeClient, MakeContext, TokenSessions
from scheduling_clinic import Clinic, FixedClock, at, clinic_over

from core.clock import rfc3339
from core.ids import uuid7
from core.security.principal import Principal

pytestmark = pytest.mark.integration

APPOINTMENT = {
    "id", "status", "kind", "practitioner_id", "patient_id", "practitioner_name", "patient_name", "specialty", "start",
    "end", "practitioner_time_zone", "location", "overlap", "series_id", "reason", "free_cancel_until",
    "visit_opens_at", "visit_closes_at", "fee", "created_at", "version",
}  # fmt: skip


@dataclass
class Desk:
    """The clinic behind its HTTP address."""

    clinic: Clinic
    client: TestClient[web.Request, web.Application]
    sessions: TokenSessions

    async def call(self, who: Principal | None, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        headers = self.sessions.sign_in(who.id, who.role, who.name) if who else {}
        answer = await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        return answer.status, await answer.json()


@pytest.fixture
async def desk(make_context: MakeContext, make_client: MakeClient) -> Desk:
    clock = FixedClock()
    context = await make_context(clock=clock)
    clinic = clinic_over(context, clock)
    return Desk(clinic, await make_client(context), TokenSessions(context))


def booking(doctor: Principal, hour: int = 10, **more: Any) -> dict[str, Any]:
    return {"practitioner_id": str(doctor.id), "start": rfc3339(at(hour)), "reason": "Cough", **more}


async def test_anonymous_and_the_wrong_person_are_refused(desk: Desk) -> None:
    patient, doctor = desk.clinic.person("patient"), await desk.clinic.doctor()
    other = desk.clinic.person("patient")
    _, made = await desk.call(patient, "POST", "/appointments", booking(doctor))
    path = f"/appointments/{made['id']}"
    for method, where, body in (
        ("POST", "/appointments", booking(doctor, 11)),
        ("GET", "/appointments", None),
        ("GET", path, None),
        ("PATCH", path, {"start": rfc3339(at(12))}),
        ("PUT", f"{path}/status", {"status": "cancelled"}),
        ("DELETE", path, None),
        ("GET", f"/practitioners/{doctor.id}/schedule", None),
    ):
        status, problem = await desk.call(None, method, where, body)
        assert (status, problem["code"]) == (401, "not_signed_in")
        if where not in ("/appointments",):
            status, problem = await desk.call(other, method, where, body)
            assert (status, problem["code"]) == (403, "forbidden")
    assert (await desk.call(other, "POST", f"/patients/{patient.id}/appointments", booking(doctor, 11)))[0] == 403
    assert (await desk.call(other, "GET", f"/appointments?patient_id={patient.id}"))[0] == 403
    assert (await desk.call(other, "GET", "/appointments"))[1]["items"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"start": "tomorrow"},
        {"start": "2026-06-02T08:00:00"},
        {"start": 1780000000},
        {"start": "9999-12-31T23:59:59-12:00"},
        {"practitioner_id": "me"},
        {"reason": "x" * 501},
        {"reason": 7},
        {"kind": "telepathy"},
        {"surprise": True},
    ],
)
async def test_bad_bookings_name_the_field(desk: Desk, change: dict[str, Any]) -> None:
    patient, doctor = desk.clinic.person("patient"), await desk.clinic.doctor()
    status, problem = await desk.call(patient, "POST", "/appointments", {**booking(doctor), **change})
    assert (status, problem["code"]) == (400, "invalid_input")
    assert problem["errors"][0]["field"] == next(iter(change))


async def test_a_booking_answers_in_the_contracts_shape(desk: Desk) -> None:
    patient, doctor = desk.clinic.person("patient", "Awa"), await desk.clinic.doctor()
    status, made = await desk.call(patient, "POST", "/appointments", booking(doctor))
    assert status == 201
    assert set(made) == APPOINTMENT
    assert made["start"] == "2026-06-02T08:00:00.000Z"
    assert made["visit_opens_at"] == "2026-06-02T07:30:00.000Z"
    assert made["fee"] == {"amount_minor": 15000, "currency": "XOF"}
    assert (made["patient_name"], made["reason"], made["status"]) == ("Awa", "Cough", "booked")
    assert (await desk.call(patient, "GET", f"/appointments/{made['id']}"))[1] == made
    assert (await desk.call(patient, "GET", "/appointments"))[1] == {"items": [made], "next_cursor": None}


async def test_fifty_at_once_one_created(desk: Desk) -> None:
    doctor = await desk.clinic.doctor()
    patients = [desk.clinic.person("patient") for _ in range(50)]
    answers = await asyncio.gather(*(desk.call(each, "POST", "/appointments", booking(doctor)) for each in patients))
    assert sorted(status for status, _ in answers) == [201] + [409] * 49
    assert {body["code"] for status, body in answers if status == 409} == {"slot_taken"}


async def test_the_life_of_an_appointment_over_http(desk: Desk) -> None:
    patient, doctor, staff = desk.clinic.person("patient"), await desk.clinic.doctor(), desk.clinic.person("desk")
    _, made = await desk.call(staff, "POST", "/appointments", booking(doctor, patient_id=str(patient.id)))
    assert made["reason"] is None
    path = f"/appointments/{made['id']}"
    status, moved = await desk.call(patient, "PATCH", path, {"start": rfc3339(at(12)), "version": 1})
    assert (status, moved["start"], moved["version"]) == (200, rfc3339(at(12)), 2)
    status, problem = await desk.call(patient, "PATCH", path, {"start": rfc3339(at(13)), "version": 1})
    assert (status, problem["code"]) == (409, "version_conflict")
    wanted = {"status": "rescheduled", "start": rfc3339(at(14))}
    assert (await desk.call(doctor, "PUT", f"{path}/status", wanted))[1]["start"] == rfc3339(at(14))
    status, problem = await desk.call(doctor, "PUT", f"{path}/status", {"status": "no_show"})
    assert (status, problem["code"]) == (409, "invalid_transition")
    desk.clinic.clock.moment = at(14)
    for word, fhir in (("arrived", "arrived"), ("checked_in", "checked-in"), ("completed", "fulfilled")):
        assert (await desk.call(doctor, "PUT", f"{path}/status", {"status": word}))[1]["status"] == fhir
    status, problem = await desk.call(patient, "DELETE", path)
    assert (status, problem["code"]) == (409, "invalid_transition")
    today = await desk.call(doctor, "GET", f"/appointments?practitioner_id={doctor.id}&date=today&status=fulfilled")
    assert [each["id"] for each in today[1]["items"]] == [made["id"]]


async def test_delete_cancels(desk: Desk) -> None:
    patient, doctor = desk.clinic.person("patient"), await desk.clinic.doctor()
    _, made = await desk.call(patient, "POST", f"/patients/{patient.id}/appointments", booking(doctor))
    status, cancelled = await desk.call(patient, "DELETE", f"/appointments/{made['id']}")
    assert (status, cancelled["status"]) == (200, "cancelled")
    assert (await desk.call(patient, "DELETE", f"/appointments/{uuid7()}"))[0] == 404
    assert (await desk.call(patient, "DELETE", "/appointments/nonsense"))[0] == 404


async def test_finding_is_open_to_all(desk: Desk) -> None:
    specialty = f"s{uuid7().hex[-8:]}"
    doctor = await desk.clinic.doctor("America/New_York", specialty=specialty)
    status, found = await desk.call(None, "GET", f"/providers?specialty={specialty}")
    assert status == 200
    (provider,) = found["items"]
    assert provider["time_zone"] == "America/New_York"
    assert len(provider["next_slots"]) == 3
    assert (await desk.call(None, "GET", f"/providers/{doctor.id}"))[1] == provider
    _, free = await desk.call(None, "GET", f"/appointments/available?practitioner_id={doctor.id}&date=2026-06-02")
    assert free["time_zone"] == "America/New_York"
    assert free["items"][0] == {
        "start": "2026-06-02T13:00:00.000Z",
        "end": "2026-06-02T13:30:00.000Z",
        "location": "",
    }
    _, listed = await desk.call(None, "GET", "/specialties")
    assert {"code": specialty, "name": specialty.title(), "providers": 1} in listed["items"]
    _, choices = await desk.call(None, "GET", "/providers/choices")
    assert "XOF" in choices["currencies"]
    assert (await desk.call(None, "GET", f"/providers/{uuid7()}"))[0] == 404
    assert (await desk.call(None, "GET", "/providers?date=soon"))[0] == 400


async def test_a_schedule_is_read_changed_and_refused_when_wrong(desk: Desk) -> None:
    doctor = await desk.clinic.doctor()
    path = f"/practitioners/{doctor.id}/schedule"
    _, schedule = await desk.call(doctor, "GET", path)
    assert schedule["rules"][0] == {"weekday": 0, "start": "09:00", "end": "17:00", "location": ""}
    changed = {**schedule, "exceptions": [{"date": "2026-06-02", "closed": True}], "slot_minutes": 20}
    status, saved = await desk.call(doctor, "PUT", path, changed)
    assert (status, saved["version"]) == (200, 2)
    _, free = await desk.call(None, "GET", f"/appointments/available?practitioner_id={doctor.id}&date=2026-06-02")
    assert free["items"] == []
    assert (await desk.call(doctor, "PUT", path, changed))[1]["code"] == "version_conflict"
    for wrong in (
        {"time_zone": "Mars/Olympus"},
        {"rules": [{"weekday": 0, "start": "17:00", "end": "09:00"}]},
        {"rules": [{"weekday": 7, "start": "09:00", "end": "17:00"}]},
        {"rules": [{"weekday": 0, "start": "9", "end": "17:00"}]},
        {"slot_minutes": 0},
        {"exceptions": [{"date": "2026-02-30", "closed": True}]},
        {"exceptions": [{"date": "2026-06-02", "closed": False}]},
    ):
        status, problem = await desk.call(doctor, "PUT", path, {**saved, **wrong})
        assert (status, problem["code"]) == (400, "invalid_input")
