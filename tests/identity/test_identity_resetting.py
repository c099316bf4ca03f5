"""Forgotten and changed passwords, against the real PostgreSQL and Valkey."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

import pytest
from accounts_house import PASSWORD, HandClock, House, here

from core.errors import InvalidInput, InvalidToken, StepUpRequired
from core.ids import uuid7
from identity.errors import InvalidCredentials, LinkGone
from identity.resetting import ASKED_AFTER_S, LETTERS_AN_HOUR, RESET_LIVES

pytestmark = pytest.mark.integration

OTHER = "another harbour, at dusk"


async def asked(house: House, email: str) -> list[tuple[UUID, UUID | None]]:
    """Ask for a link; what was told of it: reset and person."""
    before = await house.facts("account.password_reset_requested")
    await house.identity.resetting.request(email)
    new = [each for each in await house.facts("account.password_reset_requested") if each not in before]
    return [(UUID(each["reset_id"]), each["person_id"] and UUID(each["person_id"])) for each in new]


async def secret_of(house: House, email: str) -> str:
    [(reset_id, _)] = await asked(house, email)
    link = await house.identity.resetting.link(reset_id)
    assert link is not None
    page, _, secret = link.partition("#")
    assert page.endswith("/reset-password"), "the secret is in the fragment alone"
    return secret


async def test_strangers_get_the_same_answer_after_the_same_work(house: House) -> None:
    who, took = await house.person(), []
    for email, expected in ((who.email, who.id), (f"{uuid7().hex}@example.org", None)):
        began = time.monotonic()
        [(reset_id, person_id)] = await asked(house, email)
        took.append(time.monotonic() - began)
        assert person_id == expected
        async with house.context.database("identity").reading() as tx:
            assert await tx.fetchval("SELECT count(*) FROM password_resets WHERE id = $1", reset_id) == 1
    assert min(took) >= ASKED_AFTER_S


async def test_a_link_that_nobody_owns_sets_nothing(house: House) -> None:
    secret = await secret_of(house, f"{uuid7().hex}@example.org")
    with pytest.raises(LinkGone):
        await house.identity.resetting.finish(secret, OTHER)


async def test_forged_and_other_links_are_refused(house: House) -> None:
    who = await house.person()
    secret = await secret_of(house, who.email)
    verification = house.identity.accounts._links.secret(UUID(secret.partition(".")[0]))
    for wrong in ("", ".", "x.y", secret[:-1], secret + "A", uuid7().hex + secret[32:], secret + "é", verification):
        with pytest.raises(LinkGone):
            await house.identity.resetting.finish(wrong, OTHER)
    await house.signed_in(who)


async def test_the_link_works_once_and_ends_every_session(house: House) -> None:
    who = await house.person()
    before = [await house.signed_in(who) for _ in range(2)]
    earlier, secret = await secret_of(house, who.email), await secret_of(house, who.email)
    with pytest.raises(InvalidInput):
        await house.identity.resetting.finish(secret, "short")
    await house.identity.resetting.finish(secret, OTHER)
    for gone in (secret, earlier):
        with pytest.raises(LinkGone):
            await house.identity.resetting.finish(gone, "yet another harbour")
    for each in before:
        with pytest.raises(InvalidToken):
            await house.identity.sign_in.authenticate(each.access_token)
        with pytest.raises(InvalidToken):
            await house.identity.sign_in.refresh(each.refresh_token or "")
    with pytest.raises(InvalidCredentials):
        await house.signed_in(who)
    await house.identity.sign_in.login(who.email, OTHER, None, here())
    assert [each["what"] for each in await house.facts("account.security_changed", who.id)] == ["password"]


async def test_the_link_ends_after_half_an_hour(house: House, clock: HandClock) -> None:
    who = await house.person()
    secret = await secret_of(house, who.email)
    clock.forward(RESET_LIVES / timedelta(seconds=1))
    with pytest.raises(LinkGone):
        await house.identity.resetting.finish(secret, OTHER)
    assert await house.identity.resetting.link(UUID(secret.partition(".")[0])) is None


async def test_nothing_stored_lets_anybody_in(house: House) -> None:
    who = await house.person()
    secret = await secret_of(house, who.email)
    async with house.context.database("identity").reading() as tx:
        rows = await tx.fetch("SELECT * FROM password_resets WHERE person_id = $1", who.id)
    code = secret.partition(".")[2]
    assert code not in str([dict(row) for row in rows])


async def test_nobody_is_flooded_with_letters(house: House) -> None:
    who = await house.person()
    sent = [await asked(house, who.email.upper()) for _ in range(LETTERS_AN_HOUR + 2)]
    assert [len(each) for each in sent] == [1] * LETTERS_AN_HOUR + [0, 0]


async def test_a_reset_lifts_the_wait_of_a_guessed_account(house: House) -> None:
    who = await house.person()
    await house.guess(who)
    await house.identity.resetting.finish(await secret_of(house, who.email), OTHER)
    await house.identity.sign_in.login(who.email, OTHER, None, here())


async def test_changing_needs_a_fresh_proof_and_ends_the_others(house: House, clock: HandClock) -> None:
    who = await house.person()
    first, second = await house.signed_in(who), await house.signed_in(who)
    clock.forward(601)
    answer = await house.identity.sign_in.refresh(first.refresh_token or "")
    acting = await house.identity.sign_in.authenticate(answer.access_token)
    with pytest.raises(StepUpRequired):
        await house.identity.resetting.change(acting, OTHER)
    proved = await house.identity.sign_in.step_up(acting, here(), password=PASSWORD)
    acting = await house.identity.sign_in.authenticate(proved.access_token)
    with pytest.raises(InvalidInput):
        await house.identity.resetting.change(acting, who.email)
    await house.identity.resetting.change(acting, OTHER)
    await house.identity.sign_in.authenticate(proved.access_token)
    with pytest.raises(InvalidToken):
        await house.identity.sign_in.refresh(second.refresh_token or "")
    await house.identity.sign_in.login(who.email, OTHER, None, here())
