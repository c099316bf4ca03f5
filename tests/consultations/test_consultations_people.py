"""Check-in, invitations as they stand and interpreters over HTTP: strangers and the wrong people first."""

from __future__ import annotations

from typing import Any

import pytest
from test_consultations_http import Clinic, clinic

from consultations import emergency
from consultations.interpreting import primary
from core.ids import uuid7

__all__ = ["clinic"]
pytestmark = pytest.mark.integration

SAID = {
    "identity_confirmed": True,
    "red_flags_read": True,
    "country": "CI",
    "place": "Abidjan, Cocody",
    "callback_phone": "+2250700000000",
}


async def test_anonymous_and_the_wrong_person_get_nothing(clinic: Clinic) -> None:
    somebody = clinic.neighbours.person("Somebody")
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"/appointments/{clinic.visit}/check-in", None),
        ("PUT", f"/appointments/{clinic.visit}/check-in", SAID),
        ("PUT", f"/appointments/{clinic.visit}/consent", {"version": 1, "language": "en"}),
        ("GET", f"/consultations/{clinic.visit}/invitations", None),
        ("DELETE", f"/consultations/{clinic.visit}/invitations/{uuid7()}", None),
        ("PUT", f"/practitioners/{clinic.doctor}/licence-places", {"countries": ["CI"]}),
        ("GET", "/interpreters", None),
        ("PUT", f"/interpreters/{somebody}", {"languages": ["wo"]}),
        ("DELETE", f"/interpreters/{somebody}", None),
    ]
    for method, path, body in calls:
        status, problem = await clinic.call(None, method, path, body)
        assert (status, problem["code"]) == (401, "not_signed_in"), path
        for role in ("patient", "practitioner"):
            status, problem = await clinic.call((somebody, role), method, path, body)  # type: ignore[arg-type]  # a literal
            assert (status, problem["code"]) == (403, "forbidden"), (path, role)
    status, _ = await clinic.call(clinic.as_doctor, "PUT", f"/appointments/{clinic.visit}/check-in", SAID)
    assert status == 403, "the patient's own word"
    for method, path in (("GET", "/me/interpreting"), ("PUT", "/me/interpreting")):
        body = {"on_duty": True} if method == "PUT" else None
        assert (await clinic.call((somebody, "patient"), method, path, body))[0] == 404
    offer = f"/interpreter-offers/{uuid7()}"
    for act in ("accept", "decline"):
        status, problem = await clinic.call((somebody, "patient"), "POST", f"{offer}/{act}")
        assert (status, problem["code"]) == (404, "not_found")


async def test_checking_in_shows_the_number_of_the_place_and_whether_the_licence_holds_there(clinic: Clinic) -> None:
    path = f"/appointments/{clinic.visit}/check-in"
    status, blank = await clinic.call(clinic.as_patient, "GET", f"{path}?country=CI&language=fr")
    assert (status, blank["done"], blank["emergency_number"], blank["licensed_here"]) == (200, False, "185", False)
    assert blank["name"] == "Moussa Traoré"
    assert blank["birth_date"] == "1990-05-17"
    assert "poitrine" in blank["red_flags"][0]["text"]
    for change in (
        {"identity_confirmed": False},
        {"red_flags_read": False},
        {"country": "Ivory Coast"},
        {"callback_phone": "07 00"},
        {"place": ""},
        {"more": 1},
    ):
        status, problem = await clinic.call(clinic.as_patient, "PUT", path, SAID | change)
        assert (status, problem["code"]) == (400, "invalid_input"), change
    status, done = await clinic.call(clinic.as_patient, "PUT", path, SAID)
    assert (status, done["done"], done["licensed_here"], done["country"]) == (200, True, False, "CI")
    assert clinic.neighbours.told[-1] == clinic.patient
    admin = (clinic.neighbours.person("Admin"), "admin")
    places = f"/practitioners/{clinic.doctor}/licence-places"
    headers = clinic.sessions.sign_in(admin[0], "admin")
    answer = await clinic.client.put(f"/api/v1{places}", json={"countries": ["CI", "SN"]}, headers=headers)
    assert answer.status == 204
    _, again = await clinic.call(clinic.as_patient, "PUT", path, SAID)
    assert again["licensed_here"] is True
    _, read = await clinic.call(clinic.as_doctor, "GET", path)
    assert (read["place"], read["callback_phone"]) == ("Abidjan, Cocody", "+2250700000000")
    async with clinic.context.database("consultations").reading() as tx:
        sealed = await tx.fetchval("SELECT sealed FROM check_ins WHERE consultation_id = $1", clinic.visit)
    assert b"Cocody" not in sealed
    assert b"0700000000" not in sealed


async def test_the_patient_agrees_to_care_by_video_on_the_way_in(clinic: Clinic) -> None:
    check_in, path = f"/appointments/{clinic.visit}/check-in", f"/appointments/{clinic.visit}/consent"
    _, blank = await clinic.call(clinic.as_patient, "GET", f"{check_in}?language=fr")
    asked = blank["consent"]
    assert (asked["version"], asked["language"]) == (1, "fr")
    assert "vidéo" in asked["body"]
    read = {"version": asked["version"], "language": "fr"}
    assert (await clinic.call(clinic.as_doctor, "PUT", path, read))[0] == 403, "the patient's own word"
    for wrong in (
        {"version": 0, "language": "fr"},
        {"version": 1, "language": "xx"},
        {"version": 1},
        read | {"more": 1},
    ):
        assert (await clinic.call(clinic.as_patient, "PUT", path, wrong))[0] == 400, wrong
    assert (await clinic.call(clinic.as_patient, "PUT", path, read | {"version": 7}))[0] == 400, "no such text"
    status, agreed = await clinic.call(clinic.as_patient, "PUT", path, read)
    assert (status, agreed["consent"]) == (200, None)
    async with clinic.context.database("compliance").reading() as tx:
        row = await tx.fetchrow("SELECT * FROM consents WHERE person_id = $1", clinic.patient)
    assert row is not None
    assert (row["kind"], row["given"], row["how"], row["said_by"]) == ("telehealth", True, "visit", clinic.patient)
    assert len(row["text_digest"]) == 32
    assert clinic.neighbours.told[-1] == clinic.patient


async def test_a_patient_withdraws_their_own_links_alone(clinic: Clinic) -> None:
    base = f"/consultations/{clinic.visit}/invitations"
    _, by_doctor = await clinic.call(clinic.as_doctor, "POST", base, {"role": "interpreter", "name": "Binta"})
    _, by_patient = await clinic.call(clinic.as_patient, "POST", base, {"role": "guest", "name": "Fatou"})
    status, problem = await clinic.call(clinic.as_patient, "DELETE", f"{base}/{by_doctor['id']}")
    assert (status, problem["code"]) == (404, "not_found")
    headers = clinic.sessions.sign_in(clinic.patient, "patient")
    for _ in range(2):
        answer = await clinic.client.delete(f"/api/v1{base}/{by_patient['id']}", headers=headers)
        assert answer.status == 204
    secret = by_patient["url"].partition("#")[2]
    status, problem = await clinic.call(None, "POST", "/invitations/redeem", {"secret": secret})
    assert (status, problem["code"]) == (410, "invitation_gone")
    _, listed = await clinic.call(clinic.as_doctor, "GET", base)
    assert [(each["name"], each["state"]) for each in listed["items"]] == [("Binta", "open"), ("Fatou", "revoked")]
    assert "secret" not in str(listed)


def test_numbers_and_languages() -> None:
    assert emergency.number_of("SN", {}) == "1515"
    assert emergency.number_of("SN", {"SN": "15"}) == "15"
    assert emergency.number_of("XX", {}) == "112"
    assert {code for code, _ in emergency.red_flags("fr-SN")} == {code for code, _ in emergency.red_flags("en")}
    assert primary("WO-Latn-SN") == "wo"
