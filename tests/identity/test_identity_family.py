"""Acting for somebody else, over all modules: first those who may not, then who may what, and until when."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from family_house import Household, MovedClock
from harness import MakeClient, MakeContext

from core.ids import uuid7
from core.settings import Family
from identity.proxies import Proxies
from server.composition import compose

pytestmark = pytest.mark.integration

ALL = ["book", "attend", "read"]


@pytest.fixture
async def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def house(make_context: MakeContext, make_client: MakeClient, clock: MovedClock) -> Household:
    context = await make_context(clock=clock)
    modules = compose(context, frozenset({"api"}))
    made = Household(context, modules, await make_client(context), clock)
    await made.begin()
    return made


async def everything(house: Household, who: str, patient: str, visit: str) -> dict[str, int]:
    """The status of each thing that somebody may want to do for a patient."""
    invoice = str(uuid7())
    calls: dict[str, tuple[str, str, Any]] = {
        "list": ("GET", f"/appointments?patient_id={patient}", None),
        "see": ("GET", f"/appointments/{visit}", None),
        "hold": (
            "POST",
            "/appointments/holds",
            {"practitioner_id": str(house.id("doctor")), "patient_id": patient, "start": _far()},
        ),
        "waitlist": ("GET", f"/waitlist?patient_id={patient}", None),
        "drop_ins": ("GET", f"/drop-ins?patient_id={patient}", None),
        "reason": ("PATCH", f"/appointments/{visit}", {"reason": "Cough all day"}),
        "coverage": ("GET", f"/billing/coverages?patient_id={patient}", None),
        "invoices": ("GET", f"/billing/invoices?patient_id={patient}", None),
        "no_invoice": ("GET", f"/billing/invoices/{invoice}", None),
        "visit": ("GET", f"/consultations/{visit}", None),
        "token": ("GET", f"/appointments/{visit}/video-token", None),
        "probe": ("POST", f"/appointments/{visit}/probe-token", None),
        "check_in": ("GET", f"/appointments/{visit}/check-in", None),
        "guests": ("GET", f"/consultations/{visit}/invitations", None),
        "record": ("GET", f"/patients/{patient}/medical-records", None),
        "prescriptions": ("GET", f"/prescriptions?patient_id={patient}", None),
        "profile": ("GET", f"/patients/{patient}", None),
        "consents": ("GET", f"/patients/{patient}/consents", None),
        "proxies": ("GET", f"/patients/{patient}/proxies", None),
    }
    return {name: (await house.ask(who, *call))[0] for name, call in calls.items()}


def _far() -> str:
    """A time that is never offered: whoever may hold times learns that, others don't."""
    return "2199-01-01T10:07:00Z"


BOOK = {"list", "see", "hold", "waitlist", "drop_ins", "reason", "coverage", "invoices", "proxies"}
ATTEND = {"list", "see", "visit", "token", "probe", "check_in", "guests", "proxies"}
READ = {"visit", "record", "prescriptions", "profile", "consents", "proxies"}


def allowed(found: dict[str, int]) -> set[str]:
    """What was not refused; an invoice that is not there is not there for anybody."""
    assert found["no_invoice"] == 404
    return {name for name, status in found.items() if status not in (401, 403) and name != "no_invoice"}


async def test_nobody_without_authority_sees_or_does_anything(house: Household) -> None:
    child = await house.child()
    patient, made = child["patient_id"], child["id"]
    visit = (await house.book("parent", patient))[1]["id"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/family", None),
        ("POST", "/family/dependants", {"name": "Ada", "birth_date": "2020-01-01"}),
        ("POST", "/family/invitations", {"email": "a@example.org", "kind": "carer", "scopes": ALL}),
        ("POST", f"/family/invitations/{uuid7()}/accept", None),
        ("DELETE", f"/family/invitations/{uuid7()}", None),
        ("GET", f"/patients/{patient}/proxies", None),
        ("POST", f"/patients/{patient}/proxies", {"proxy_id": str(uuid7()), "kind": "carer", "scopes": ALL}),
        ("POST", f"/proxies/{made}/verify", None),
        ("POST", f"/proxies/{made}/end", {}),
    ]
    for method, path, body in calls:
        assert (await house.ask(None, method, path, body))[0] == 401, path
    for who in ("doctor", "colleague", "desk", "auditor"):
        for method, path, body in calls[:5]:
            assert (await house.ask(who, method, path, body))[0] == 403, (who, path)
    for who in ("stranger", "carer", "colleague", "auditor"):
        for method, path, body in calls[5:]:
            assert (await house.ask(who, method, path, body))[0] == 403, (who, path)
    assert allowed(await everything(house, "stranger", patient, visit)) == set()
    assert (await house.book("stranger", patient))[0] == 403
    assert (await house.ask("stranger", "DELETE", f"/appointments/{visit}"))[0] == 403
    say = {"given": True, "version": 1, "language": "en"}
    assert (await house.ask("stranger", "PUT", f"/patients/{patient}/consents/research", say))[0] == 403


async def test_a_parent_adds_a_child_and_does_all_for_them(house: Household) -> None:
    child = await house.child()
    patient = child["patient_id"]
    assert (child["kind"], child["state"], child["how"], set(child["scopes"])) == (
        "parent",
        "in_force",
        "added",
        set(ALL),
    )
    assert datetime.fromisoformat(child["ends_at"]) > house.clock.now() + timedelta(days=3000)
    status, visit = await house.book("parent", patient)
    assert status == 201, visit
    assert (visit["patient_name"], visit["reason"]) == ("Tim Keller", "Cough at night")
    found = await everything(house, "parent", patient, visit["id"])
    assert allowed(found) == BOOK | ATTEND | READ, found
    token = (await house.ask("parent", "GET", f"/appointments/{visit['id']}/video-token"))[1]
    assert token["participant_id"] == patient
    claims = house.context.tokens.verify(token["token"], "visit")
    assert claims.extra["by"] == str(house.id("parent"))
    assert (await house.ask("parent", "DELETE", f"/appointments/{visit['id']}"))[1]["status"] == "cancelled"
    cancelled = (await house.trail("appointment.cancelled", patient))[-1]
    assert cancelled["actor_id"] == house.id("parent")
    assert [each["proxy_id"] for each in await house.facts("proxy.granted", patient)] == [str(house.id("parent"))]
    # One's own list stays one's own.
    mine = (await house.ask("parent", "GET", "/appointments"))[1]["items"]
    assert mine == []


async def test_nobody_signs_in_as_a_child(house: Household) -> None:
    child = await house.child()
    patient = child["patient_id"]
    for address in (f"NO ACCOUNT {UUID(patient).hex}", f"no account {UUID(patient).hex}", ""):
        body = {"email": address, "password": ""}
        assert (await house.ask(None, "POST", "/auth/login", body))[0] in (400, 401)
        assert (await house.ask(None, "POST", "/auth/password-reset", {"email": address}))[0] == 400
    profile = (await house.ask("parent", "GET", f"/patients/{patient}"))[1]
    assert (profile["name"], profile["email"]) == ("Tim Keller", "")


async def test_a_helper_may_what_the_patient_chose_and_no_more(house: Household) -> None:
    patient = str(house.id("adult"))
    visit = (await house.book("adult", patient))[1]["id"]
    for scopes, may in ((["book"], BOOK), (["attend"], ATTEND), (["read"], READ), (ALL, BOOK | ATTEND | READ)):
        assert allowed(await everything(house, "carer", patient, visit)) == set()
        made = await house.helper(scopes)
        found = await everything(house, "carer", patient, visit)
        assert allowed(found) == may, (scopes, found)
        assert (await house.book("carer", patient, soon=False))[0] == (201 if "book" in scopes else 403)
        ending = "adult" if len(scopes) == 1 else "carer"
        status, ended = await house.ask(ending, "POST", f"/proxies/{made['id']}/end", {"note": "We moved apart"})
        assert (status, ended["state"], ended["end_note"]) == (200, "ended", "We moved apart")
        assert (await house.ask(ending, "POST", f"/proxies/{made['id']}/end", {}))[1]["code"] == "authority_ended"
    assert allowed(await everything(house, "carer", patient, visit)) == set()


async def test_authority_that_has_run_out_or_not_begun_counts_for_nothing(house: Household) -> None:
    patient, now = str(house.id("adult")), house.clock.now()
    visit = (await house.book("adult", patient))[1]["id"]
    body = {"proxy_id": str(house.id("carer")), "kind": "legal", "scopes": ALL}
    for wrong in ({"until": (now - timedelta(days=1)).isoformat()}, {"proxy_id": patient}, {"proxy_id": str(uuid7())}):
        assert (await house.ask("desk", "POST", f"/patients/{patient}/proxies", {**body, **wrong}))[0] == 400, wrong
    assert (await house.ask("desk", "POST", f"/patients/{uuid7()}/proxies", body))[0] == 404
    dates = {"since": (now + timedelta(minutes=4)).isoformat(), "until": (now + timedelta(minutes=8)).isoformat()}
    status, made = await house.ask("desk", "POST", f"/patients/{patient}/proxies", {**body, **dates})
    assert (status, made["state"]) == (201, "to_come")
    assert made["verified_at"] is not None
    assert (await house.ask("admin", "POST", f"/patients/{patient}/proxies", body))[1]["code"] == "already_acts"
    assert allowed(await everything(house, "carer", patient, visit)) == set()
    house.clock.ahead = timedelta(minutes=4, seconds=1)
    assert "token" in allowed(await everything(house, "carer", patient, visit))
    house.clock.ahead = timedelta(minutes=8, seconds=1)
    assert allowed(await everything(house, "carer", patient, visit)) == set()
    proxies: Proxies = house.modules.identity.proxies
    await proxies.lapse()
    listed = (await house.ask("adult", "GET", "/family"))[1]["acted_for_by"]
    assert [(each["state"], each["end_reason"]) for each in listed] == [("ended", "until")]
    assert [each["by"] for each in await house.facts("proxy.ended", patient)] == [None]
    assert (await house.ask("desk", "POST", f"/patients/{patient}/proxies", body))[0] == 201


async def test_a_parents_authority_ends_when_the_child_is_of_age(house: Household) -> None:
    child = await house.child(years=17)
    patient = child["patient_id"]
    of_age = datetime.fromisoformat(child["ends_at"])
    visit = (await house.book("parent", patient))[1]["id"]
    assert allowed(await everything(house, "parent", patient, visit)) == BOOK | ATTEND | READ
    house.clock.ahead = of_age - house.clock.now() + timedelta(seconds=1)
    assert allowed(await everything(house, "parent", patient, visit)) == set()
    assert await house.modules.identity.proxies.grow_up() >= 1
    mine = (await house.ask("parent", "GET", "/family"))[1]["acts_for"]
    assert [(each["state"], each["end_reason"]) for each in mine] == [("ended", "of_age")]
    grown_up = {"name": "Grown up", "birth_date": "1990-05-17"}
    assert (await house.ask("parent", "POST", "/family/dependants", grown_up))[0] == 400


async def test_an_invitation_is_for_one_address_and_one_answer(house: Household) -> None:
    body = {"email": house.email("carer").upper(), "kind": "carer", "scopes": ["book"]}
    assert (await house.ask("adult", "POST", "/family/invitations", {**body, "kind": "legal"}))[0] == 400
    assert (await house.ask("adult", "POST", "/family/invitations", {**body, "kind": "parent"}))[0] == 400
    assert (await house.ask("adult", "POST", "/family/invitations", {**body, "email": house.email("adult")}))[0] == 400
    other = {**body, "patient_id": str(house.id("stranger"))}
    assert (await house.ask("adult", "POST", "/family/invitations", other))[0] == 403
    status, asked = await house.ask("adult", "POST", "/family/invitations", body)
    assert (status, asked["to_me"], asked["patient_name"]) == (201, False, "The adult")
    nobody = {**body, "email": f"{uuid7().hex}@example.org"}
    same = (await house.ask("adult", "POST", "/family/invitations", nobody))[1]
    assert same.keys() == asked.keys()
    for who in ("stranger", "adult", "parent"):
        assert (await house.ask(who, "POST", f"/family/invitations/{asked['id']}/accept"))[0] == 404, who
    assert (await house.ask("stranger", "GET", "/family"))[1]["invitations"] == []
    waiting = (await house.ask("carer", "GET", "/family"))[1]["invitations"]
    assert [(each["id"], each["to_me"]) for each in waiting] == [(asked["id"], True)]
    assert (await house.ask("carer", "POST", f"/family/invitations/{asked['id']}/accept"))[0] == 200
    assert (await house.ask("carer", "POST", f"/family/invitations/{asked['id']}/accept"))[0] == 404
    again = (await house.ask("adult", "POST", "/family/invitations", body))[1]
    assert (await house.ask("carer", "POST", f"/family/invitations/{again['id']}/accept"))[1]["code"] == "already_acts"
    assert (await house.ask("stranger", "DELETE", f"/family/invitations/{again['id']}"))[0] == 404
    assert (await house.ask("adult", "DELETE", f"/family/invitations/{again['id']}"))[0] == 204
    assert (await house.ask("carer", "DELETE", f"/family/invitations/{again['id']}"))[0] == 404


async def test_an_unverified_address_is_asked_nothing(house: Household) -> None:
    identity = house.modules.identity
    email = f"{uuid7().hex}@example.org"
    person = await identity.accounts.create_person(
        email=email, password="of no use in this test", name="Not yet", roles=("patient",), verified=False
    )
    house.who["not yet"] = (person.id, "patient", email)
    body = {"email": email, "kind": "carer", "scopes": ALL}
    asked = (await house.ask("adult", "POST", "/family/invitations", body))[1]
    family = (await house.ask("not yet", "GET", "/family"))[1]
    assert (family["invitations"], family["email_verified"]) == ([], False)
    assert (await house.ask("not yet", "POST", f"/family/invitations/{asked['id']}/accept"))[0] == 404


async def test_the_other_parent_is_asked_and_a_helper_can_ask_nobody(house: Household) -> None:
    child = await house.child()
    patient = child["patient_id"]
    body = {"patient_id": patient, "email": house.email("adult"), "kind": "parent", "scopes": ALL}
    asked = (await house.ask("parent", "POST", "/family/invitations", body))[1]
    assert (await house.ask("adult", "POST", f"/family/invitations/{asked['id']}/accept"))[0] == 200
    helper = {**body, "email": house.email("carer"), "kind": "carer", "scopes": ["attend"]}
    asked = (await house.ask("adult", "POST", "/family/invitations", helper))[1]
    status, made = await house.ask("carer", "POST", f"/family/invitations/{asked['id']}/accept")
    assert status == 200
    further = {**helper, "email": house.email("stranger")}
    assert (await house.ask("carer", "POST", "/family/invitations", further))[0] == 403
    seen = (await house.ask("parent", "GET", "/family"))[1]["acted_for_by"]
    assert {each["proxy_name"] for each in seen} == {"The adult", "The carer"}
    # One parent does not end the other's authority; who asked the helper does.
    other = next(each["id"] for each in seen if each["proxy_name"] == "The adult")
    assert (await house.ask("carer", "POST", f"/proxies/{other}/end", {}))[0] == 403
    assert (await house.ask("adult", "POST", f"/proxies/{child['id']}/end", {}))[0] == 403
    assert (await house.ask("adult", "POST", f"/proxies/{made['id']}/end", {}))[1]["end_reason"] == "granter"
    # What was asked by somebody who acts no more is void.
    asked = (await house.ask("adult", "POST", "/family/invitations", {**helper, "email": house.email("stranger")}))[1]
    assert (await house.ask("desk", "POST", f"/proxies/{other}/end", {"note": "By the court"}))[1][
        "end_reason"
    ] == "staff"
    assert (await house.ask("stranger", "POST", f"/family/invitations/{asked['id']}/accept"))[0] == 404


async def test_staff_verify_and_it_is_all_on_the_trail(house: Household) -> None:
    child = await house.child()
    patient = child["patient_id"]
    assert (await house.ask("parent", "POST", f"/proxies/{child['id']}/verify"))[0] == 403
    assert (await house.ask("desk", "POST", f"/proxies/{uuid7()}/verify"))[0] == 404
    assert (await house.ask("desk", "POST", f"/proxies/{child['id']}/verify"))[1]["verified_at"] is not None
    assert (await house.ask("admin", "POST", f"/proxies/{child['id']}/end", {"note": "Wrong child"}))[0] == 200
    assert (await house.ask("desk", "POST", f"/proxies/{child['id']}/verify"))[1]["code"] == "authority_ended"
    actions = {name: await house.trail(f"proxy.{name}", patient) for name in ("granted", "verified", "ended")}
    assert [actions[name][0]["actor_role"] for name in ("granted", "verified", "ended")] == ["patient", "desk", "admin"]
    assert "Wrong child" not in str(actions)
    assert (await house.ask("desk", "GET", f"/patients/{patient}/proxies"))[1]["items"][0]["end_note"] == "Wrong child"
    # Who cares for the patient sees who acts for them.
    assert (await house.ask("doctor", "GET", f"/patients/{patient}/proxies"))[0] == 403


async def test_consents_are_given_for_a_child_and_kept_with_who_said_so(house: Household) -> None:
    patient = (await house.child())["patient_id"]
    version = (await house.ask("parent", "GET", "/consents/texts?language=en"))[1]["items"][0]
    say = {"given": True, "version": version["version"], "language": "en"}
    status, said = await house.ask("parent", "PUT", f"/patients/{patient}/consents/{version['kind']}", say)
    assert (status, said["given"]) == (200, True)
    assert (await house.ask("parent", "GET", "/me/consents"))[1]["items"] == []
    trail = (await house.trail("consent.given", patient))[-1]
    assert trail["actor_id"] == house.id("parent")


async def test_one_person_adds_so_many_children(make_context: MakeContext, make_client: MakeClient) -> None:
    base = await make_context()
    settings = base.settings.model_copy(update={"family": Family(dependants=2)})
    clock = MovedClock()
    context = await make_context(clock=clock, settings=settings)
    house = Household(context, compose(context, frozenset({"api"})), await make_client(context), clock)
    await house.begin()
    for _ in range(2):
        await house.child()
    body = {"name": "One more", "birth_date": clock.now().date().isoformat()}
    assert (await house.ask("parent", "POST", "/family/dependants", body))[1]["code"] == "too_many_dependants"


async def test_notices_of_a_childs_visits_go_to_the_parent(house: Household, run_facts: Any) -> None:
    run_facts(house.context)
    patient = (await house.child())["patient_id"]
    assert (await house.book("parent", patient, soon=False))[0] == 201
    adult = str(house.id("adult"))
    await house.helper(["attend"])
    assert (await house.book("adult", adult, soon=False))[0] == 201

    async def kinds(who: str) -> list[tuple[str, str]]:
        found = (await house.ask(who, "GET", "/notifications"))[1]["items"]
        return [(each["kind"], each["body"]) for each in found]

    await _until(lambda: _has(kinds, "parent", "For Tim Keller: You meet"))
    await _until(lambda: _has(kinds, "carer", "For The adult: You meet"))
    await _until(lambda: _has(kinds, "adult", "The carer may now act for you"))
    assert any(kind == "appointment.booked" and body.startswith("You meet") for kind, body in await kinds("adult"))
    async with house.context.database("notifications").reading() as tx:
        assert await tx.fetchval("SELECT count(*) FROM notices WHERE person_id = $1", UUID(patient)) == 0


async def test_who_is_erased_acts_for_nobody(house: Household) -> None:
    made = await house.helper(ALL)
    child = await house.child()
    await house.modules.identity.personal.erase(house.id("adult"))
    await house.modules.identity.personal.erase(house.id("parent"))
    over = house.modules.identity.proxies.over
    assert await over(house.id("carer"), house.id("adult")) == frozenset()
    assert await over(house.id("parent"), UUID(child["patient_id"])) == frozenset()
    left = (await house.ask("desk", "GET", f"/patients/{child['patient_id']}/proxies"))[1]["items"]
    assert [each["end_reason"] for each in left] == ["erased"]
    assert (await house.ask("desk", "POST", f"/proxies/{made['id']}/verify"))[0] == 404


async def _has(kinds: Any, who: str, beginning: str) -> bool:
    return any(body.startswith(beginning) for _, body in await kinds(who))


async def _until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.05)
