"""Inviting staff and practitioners, over HTTP. First those who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from accounts_house import PASSWORD, HandClock, House
from test_identity_security_http import Client, ask, client_of, token_of

from core.ids import uuid7
from identity.staff_invitations import LIVES

pytestmark = pytest.mark.integration

WORK = {
    "title": "Dr",
    "specialties": ["cardiology"],
    "languages": ["fr"],
    "licence_number": "SN-1234",
    "fee_minor": 15000,
    "currency": "XOF",
    "location": "Dakar",
}


@pytest.fixture
async def client(strict: House) -> AsyncIterator[Client]:
    """Where practitioners need a second factor."""
    async with await client_of(strict) as made:
        yield made


def invitation(**more: Any) -> dict[str, Any]:
    return {"email": f"{uuid7().hex}@example.org", "name": "Nora Camara", "role": "desk", "language": "fr", **more}


async def invited(client: Client, admin: str, **more: Any) -> dict[str, Any]:
    status, made = await ask(client, "POST", "/staff-invitations", invitation(**more), admin)
    assert status == 201, made
    found: dict[str, Any] = made
    return found


async def secret_of(house: House, made: dict[str, Any]) -> str:
    """From the letter."""
    letter = await house.identity.staff_invitations.letter(UUID(made["id"]))
    assert letter is not None
    assert (letter.email, letter.name, letter.language) == (made["email"], "Nora Camara", "fr")
    page, _, secret = letter.link.partition("#")
    assert page.endswith("/invited"), "the secret is in the fragment alone"
    return secret


async def accept(client: Client, secret: str, **more: Any) -> tuple[int, Any]:
    body = {"secret": secret, "name": "Nora Camara", "password": PASSWORD, **more}
    return await ask(client, "POST", "/auth/staff-invitations/accept", body)


async def admin_of(house: House, client: Client) -> str:
    return await token_of(client, (await house.person("admin")).email)


async def test_administrators_alone_invite_see_and_revoke(strict: House, client: Client) -> None:
    made = await invited(client, await admin_of(strict, client))
    calls = (
        ("POST", "/staff-invitations", invitation()),
        ("GET", "/staff-invitations", None),
        ("DELETE", f"/staff-invitations/{made['id']}", None),
    )
    for method, path, body in calls:
        assert (await ask(client, method, path, body))[0] == 401
        for role in ("patient", "desk", "auditor"):
            token = await token_of(client, (await strict.person(role)).email)  # type: ignore[arg-type]  # each is a role
            status, problem = await ask(client, method, path, body, token)
            assert (status, problem["code"]) == (403, "forbidden"), (role, path)


async def test_wrong_invitations_are_refused(strict: House, client: Client, clock: HandClock) -> None:
    admin = await admin_of(strict, client)
    for wrong in (
        {"role": "patient"},
        {"role": "system"},
        {"email": "nobody"},
        {"name": ""},
        {"role": "practitioner"},
        {"practitioner": WORK},
        {"role": "practitioner", "practitioner": {**WORK, "specialties": ["magic"]}},
        {"role": "practitioner", "practitioner": {**WORK, "fee_minor": -1}},
        {"role": "practitioner", "practitioner": {**WORK, "published": True}},
    ):
        status, problem = await ask(client, "POST", "/staff-invitations", invitation(**wrong), admin)
        assert (status, problem["code"]) == (400, "invalid_input"), wrong
    clock.forward(601)
    _, refreshed = await ask(client, "POST", "/auth/refresh", {})
    status, problem = await ask(client, "POST", "/staff-invitations", invitation(), refreshed["access_token"])
    assert (status, problem["code"]) == (403, "step_up_required")


async def test_a_new_colleague_opens_an_account_once(strict: House, client: Client) -> None:
    admin = await admin_of(strict, client)
    made = await invited(client, admin)
    secret = await secret_of(strict, made)
    for wrong in ("", "x.y", secret[:-1], uuid7().hex + secret[32:]):
        for path in ("/auth/staff-invitations/read", "/auth/staff-invitations/accept"):
            body = {"secret": wrong} | ({"name": "Thief", "password": PASSWORD} if path.endswith("accept") else {})
            assert (await ask(client, "POST", path, body))[0] == 410
    status, read = await ask(client, "POST", "/auth/staff-invitations/read", {"secret": secret})
    assert (status, read["role"], read["email"], read["has_account"]) == (200, "desk", made["email"], False)
    assert (await accept(client, secret, password="short"))[0] == 400
    assert (await accept(client, secret, role="admin"))[0] == 400
    status, signed_in = await accept(client, secret)
    assert status == 200, signed_in
    assert (signed_in["user"]["roles"], signed_in["user"]["role"]) == (["desk"], "desk")
    assert signed_in["user"]["email_verified"]
    assert (await accept(client, secret))[0] == 410
    assert await strict.identity.staff_invitations.letter(UUID(made["id"])) is None
    _, listed = await ask(client, "GET", "/staff-invitations", token=admin)
    mine = next(each for each in listed["items"] if each["id"] == made["id"])
    assert (mine["state"], mine["person_id"]) == ("accepted", signed_in["user"]["id"])


async def test_a_practitioner_needs_a_second_factor_and_is_shown_to_nobody_yet(strict: House, client: Client) -> None:
    made = await invited(client, await admin_of(strict, client), role="practitioner", practitioner=WORK)
    status, signed_in = await accept(client, await secret_of(strict, made))
    assert (status, signed_in["user"]["role"]) == (200, "enrolling")
    [doctor] = (await strict.identity.directory.practitioners([UUID(signed_in["user"]["id"])])).values()
    assert (doctor.profile.published, doctor.profile.licence_verified) == (False, False)
    assert (doctor.profile.specialties, doctor.profile.fee_minor) == (("cardiology",), 15000)


async def test_who_has_an_account_adds_the_role_to_it(strict: House, client: Client) -> None:
    admin, who = await admin_of(strict, client), await strict.person()
    made = await invited(client, admin, email=who.email)
    secret = await secret_of(strict, made)
    _, read = await ask(client, "POST", "/auth/staff-invitations/read", {"secret": secret})
    assert read["has_account"]
    assert (await accept(client, secret))[0] == 409, "nobody takes the account over by a link"
    assert (await ask(client, "POST", "/me/staff-invitations", {"secret": secret}))[0] == 401
    other = await token_of(client, (await strict.person()).email)
    status, problem = await ask(client, "POST", "/me/staff-invitations", {"secret": secret}, other)
    assert (status, problem["code"]) == (403, "other_address")
    mine = await token_of(client, who.email)
    status, user = await ask(client, "POST", "/me/staff-invitations", {"secret": secret}, mine)
    assert (status, user["roles"], user["role"]) == (200, ["patient", "desk"], "patient")
    assert (await ask(client, "POST", "/me/staff-invitations", {"secret": secret}, mine))[0] == 410
    status, desk = await ask(client, "POST", "/auth/role", {"role": "desk"}, mine)
    assert (status, desk["user"]["role"]) == (200, "desk")


async def test_links_are_revoked_replaced_and_run_out(strict: House, client: Client, clock: HandClock) -> None:
    admin = await admin_of(strict, client)
    revoked = await invited(client, admin)
    secrets = [await secret_of(strict, revoked)]
    assert (await ask(client, "DELETE", f"/staff-invitations/{revoked['id']}", token=admin))[0] == 204
    assert (await ask(client, "DELETE", f"/staff-invitations/{uuid7()}", token=admin))[0] == 404
    replaced = await invited(client, admin)
    secrets.append(await secret_of(strict, replaced))
    standing = await invited(client, admin, email=replaced["email"].upper())
    for gone in secrets:
        assert (await accept(client, gone))[0] == 410
    async with strict.context.database("identity").reading() as tx:
        rows = await tx.fetch("SELECT * FROM staff_invitations WHERE email_key = $1", replaced["email"])
    assert len(rows) == 2
    assert secrets[1].partition(".")[2] not in str([dict(row) for row in rows]), "nothing stored lets anybody in"
    late = (await strict.identity.staff_invitations.letter(UUID(standing["id"]))) or pytest.fail("it stands")
    clock.forward(LIVES / timedelta(seconds=1))
    assert (await accept(client, late.link.partition("#")[2]))[0] == 410
