"""Passkeys: a software authenticator against the real service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from accounts_house import HandClock, House, here
from authenticator import Authenticator, encoded

from core.errors import NotFound, StepUpRequired
from core.ids import uuid7
from core.security.principal import Principal
from identity.errors import PasskeyRefused, PasskeysUnavailable, SecondFactorRequired
from identity.people import Person
from identity.relying_party import RelyingParty, relying_party

ORIGIN = "http://localhost:8080"


@pytest.mark.parametrize(
    ("public_url", "asked", "expected"),
    [
        ("https://clinic.example", "https://clinic.example", RelyingParty("clinic.example", "https://clinic.example")),
        ("https://clinic.example", None, RelyingParty("clinic.example", "https://clinic.example")),
        ("https://clinic.example", "https://evil.example", None),
        ("https://clinic.example", "http://clinic.example", None),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", None),
        ("http://127.0.0.1:8080", "http://localhost:8080", RelyingParty("localhost", "http://localhost:8080")),
        ("http://127.0.0.1:8080", "http://localhost:9090", None),
        ("http://192.0.2.7:8080", "http://localhost:8080", None),
        ("http://192.0.2.7:8080", None, None),
    ],
)
def test_passkeys_belong_to_a_name(public_url: str, asked: str | None, expected: RelyingParty | None) -> None:
    assert relying_party(public_url, asked) == expected


pytestmark = pytest.mark.integration


async def registered(house: House, acting: Principal, device: Authenticator, name: str = "Phone") -> list[str]:
    offered = await house.identity.factors.offer_passkey(acting, ORIGIN)
    credential = json.dumps(device.create(offered.options))
    return await house.identity.factors.add_passkey(acting, offered.ceremony, credential, name)


async def with_passkey(house: House) -> tuple[Person, Principal, Authenticator]:
    who, device = await house.person(), Authenticator(ORIGIN)
    acting = await house.acting(who)
    await registered(house, acting, device)
    return who, acting, device


async def answer(house: House, device: Authenticator, origin: str = ORIGIN, **changes: Any) -> tuple[str, str, str]:
    offered = await house.identity.factors.offer_sign_in(ORIGIN)
    return offered.ceremony, json.dumps(device.get(offered.options, **changes)), origin


async def test_unknown_and_foreign_passkeys_do_not_sign_in(house: House) -> None:
    who, _, device = await with_passkey(house)
    other, _, _ = await with_passkey(house)
    stranger = Authenticator(ORIGIN)
    elsewhere = Authenticator("https://evil.example")
    elsewhere.key, elsewhere.credential_id, elsewhere.handle = device.key, device.credential_id, device.handle
    copied = Authenticator(ORIGIN)  # says it is another's, signs with its own key
    copied.credential_id, copied.handle = device.credential_id, device.handle
    tries = [
        await answer(house, stranger),
        await answer(house, elsewhere),
        await answer(house, copied),
        await answer(house, device, origin="https://evil.example"),
        await answer(house, device, userHandle=encoded(other.id.bytes)),
        await answer(house, device, signature=encoded(b"x" * 70)),
        ("nothing", "{}", ORIGIN),
    ]
    for body in ("", "[]", "{}", '"x"', '{"id": 5}'):
        offered = await house.identity.factors.offer_sign_in(ORIGIN)
        tries.append((offered.ceremony, body, ORIGIN))
    for each in tries:
        with pytest.raises(PasskeyRefused):
            await house.identity.sign_in.with_passkey(*each, None, here())
    signed_in = await house.identity.sign_in.with_passkey(*await answer(house, device), None, here())
    assert signed_in.person.id == who.id
    assert (await house.principal(signed_in)).methods == {"hwk"}


async def test_a_challenge_is_answered_once(house: House) -> None:
    _, _, device = await with_passkey(house)
    given = await answer(house, device)
    await house.identity.sign_in.with_passkey(*given, None, here())
    with pytest.raises(PasskeyRefused):
        await house.identity.sign_in.with_passkey(*given, None, here())
    # Nor does an old answer fit a new challenge.
    fresh = await house.identity.factors.offer_sign_in(ORIGIN)
    with pytest.raises(PasskeyRefused):
        await house.identity.sign_in.with_passkey(fresh.ceremony, given[1], ORIGIN, None, here())


async def test_whoever_holds_the_device_must_unlock_it(house: House) -> None:
    _, acting, device = await with_passkey(house)
    device.verifies = False
    with pytest.raises(PasskeyRefused):
        await house.identity.sign_in.with_passkey(*await answer(house, device), None, here())
    lax = Authenticator(ORIGIN)
    lax.verifies = False
    with pytest.raises(PasskeyRefused):
        await registered(house, acting, lax)


async def test_a_copy_that_counts_backwards_is_refused(house: House) -> None:
    _, _, device = await with_passkey(house)
    device.count = 5
    await house.identity.sign_in.with_passkey(*await answer(house, device), None, here())
    device.count = 2
    with pytest.raises(PasskeyRefused):
        await house.identity.sign_in.with_passkey(*await answer(house, device), None, here())


async def test_a_ceremony_belongs_to_who_began_it(house: House) -> None:
    _, one, _ = await with_passkey(house)
    _, other, _ = await with_passkey(house)
    device, factors = Authenticator(ORIGIN), house.identity.factors
    offered = await factors.offer_passkey(one, ORIGIN)
    with pytest.raises(PasskeyRefused):
        await factors.add_passkey(other, offered.ceremony, json.dumps(device.create(offered.options)), "Mine")
    # Neither does a sign-in's challenge register.
    signing = await factors.offer_sign_in(ORIGIN)
    made = device.create(offered.options | {"challenge": signing.options["challenge"]})
    with pytest.raises(PasskeyRefused):
        await factors.add_passkey(one, signing.ceremony, json.dumps(made), "Mine")
    with pytest.raises(PasskeysUnavailable):
        await factors.offer_passkey(one, "https://evil.example")


async def test_a_known_credential_is_nobody_elses(house: House) -> None:
    _, _, device = await with_passkey(house)
    other = await house.acting(await house.person())
    with pytest.raises(PasskeyRefused):
        await registered(house, other, device)


async def test_after_the_password_a_passkey_is_the_second_factor(house: House) -> None:
    who, _, device = await with_passkey(house)
    _, _, others = await with_passkey(house)
    with pytest.raises(SecondFactorRequired) as asked:
        await house.signed_in(who)
    assert asked.value.extra["methods"] == ["passkey", "recovery_code"]
    token = asked.value.extra["pending_token"]
    with pytest.raises(PasskeyRefused):
        await house.identity.sign_in.finish(token, here(), passkey=await answer(house, others))
    signed_in = await house.identity.sign_in.finish(token, here(), passkey=await answer(house, device))
    assert (await house.principal(signed_in)).methods == {"pwd", "hwk"}


async def test_list_name_and_remove(house: House, clock: HandClock) -> None:
    _, acting, _ = await with_passkey(house)
    _, other, _ = await with_passkey(house)
    factors = house.identity.factors
    assert await registered(house, acting, Authenticator(ORIGIN), "Key ring") == [], "codes are made once"
    first, second = await factors.passkeys(acting)
    assert [first.name, second.name] == ["Phone", "Key ring"]
    for act in (factors.rename_passkey(other, first.id, "Mine"), factors.remove_passkey(other, first.id)):
        with pytest.raises(NotFound):
            await act
    await factors.rename_passkey(acting, first.id, "Old phone")
    clock.forward(601)
    with pytest.raises(StepUpRequired):
        await factors.remove_passkey(acting, first.id)
    clock.forward(-601)
    await factors.remove_passkey(acting, second.id)
    with pytest.raises(NotFound):
        await factors.remove_passkey(acting, uuid7())
    assert [each.name for each in await factors.passkeys(acting)] == ["Old phone"]
    await factors.remove_passkey(acting, first.id)
    assert await factors.kinds(acting.id) == type(await factors.kinds(acting.id))(False, 0, 0), "codes go with the last"


async def test_a_passkey_steps_up(house: House, clock: HandClock) -> None:
    _, acting, device = await with_passkey(house)
    clock.forward(601)
    with pytest.raises(StepUpRequired):
        await house.identity.resetting.change(acting, "another harbour, at dusk")
    proved = await house.identity.sign_in.step_up(acting, here(), passkey=await answer(house, device))
    await house.identity.resetting.change(await house.principal(proved), "another harbour, at dusk")
