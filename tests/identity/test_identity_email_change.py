"""Another address: proved, told to the old one, and undone from there. First those who may not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from accounts_house import PASSWORD, HandClock, House, here

from core.errors import InvalidInput, InvalidToken, StepUpRequired
from core.ids import uuid7
from core.security.principal import Principal
from identity.email_changes import A_DAY, CONFIRM_WITHIN, UNDO_WITHIN
from identity.errors import EmailTaken, InvalidCredentials, LinkGone
from identity.people import Person

pytestmark = pytest.mark.integration


def fresh() -> str:
    return f"{uuid7().hex}@example.org"


async def asked(house: House, acting: Principal, email: str) -> str | None:
    """The secret in the letter to the new address, if one was sent."""
    before = await house.facts("account.email_change_requested", acting.id)
    await house.identity.email_changes.request(acting, email)
    new = [each for each in await house.facts("account.email_change_requested", acting.id) if each not in before]
    if not new:
        return None
    letter = await house.identity.email_changes.letter(UUID(new[0]["change_id"]))
    assert letter is not None
    assert letter.email == email, "to the new mailbox alone"
    page, _, secret = letter.link.partition("#")
    assert page.endswith("/new-email"), "the secret is in the fragment alone"
    return secret


async def undo_secret(house: House, who: Person) -> str:
    """Of the newest letter to an old address."""
    told = (await house.facts("account.email_changed", who.id))[-1]
    letter = await house.identity.email_changes.undo_letter(UUID(told["undo_id"]))
    assert letter is not None
    return letter.link.partition("#")[2]


async def test_an_old_proof_and_an_own_address_change_nothing(house: House, clock: HandClock) -> None:
    who = await house.person()
    acting = await house.acting(who)
    with pytest.raises(InvalidInput):
        await house.identity.email_changes.request(acting, who.email.upper())
    clock.forward(601)
    with pytest.raises(StepUpRequired):
        await house.identity.email_changes.request(acting, fresh())
    assert await house.facts("account.email_change_requested", who.id) == []


async def test_forged_and_other_links_are_refused(house: House) -> None:
    acting = await house.acting(await house.person())
    secret = await asked(house, acting, fresh())
    assert secret is not None
    link_id = UUID(secret.partition(".")[0])
    others = [house.identity.accounts._links.secret(link_id), house.identity.resetting._links.secret(link_id)]
    for wrong in ("", ".", secret[:-1], secret + "A", uuid7().hex + secret[32:], *others):
        with pytest.raises(LinkGone):
            await house.identity.email_changes.confirm(wrong)
        with pytest.raises(LinkGone):
            await house.identity.email_changes.undo(wrong)
    with pytest.raises(LinkGone):
        await house.identity.email_changes.undo(secret)


async def test_a_taken_address_gets_the_same_answer_and_its_owner_is_told(house: House) -> None:
    who, owner = await house.person(), await house.person()
    acting = await house.acting(who)
    assert await asked(house, acting, owner.email) is None
    assert len(await house.facts("account.registration_repeated", owner.id)) == 1
    assert await house.identity.email_changes.waiting(acting) is not None, "as for any other address"


async def test_the_address_changes_once_and_other_sign_ins_end(house: House) -> None:
    who, new = await house.person(), fresh()
    here_signed, elsewhere = await house.signed_in(who), await house.signed_in(who)
    acting = await house.principal(here_signed)
    earlier, secret = await asked(house, acting, fresh()), await asked(house, acting, new)
    assert earlier is not None
    assert secret is not None
    await house.signed_in(who)  # nothing has changed yet
    await house.identity.email_changes.confirm(secret)
    for gone in (secret, earlier):
        with pytest.raises(LinkGone):
            await house.identity.email_changes.confirm(gone)
    await house.identity.sign_in.authenticate(here_signed.access_token)
    with pytest.raises(InvalidToken):
        await house.identity.sign_in.authenticate(elsewhere.access_token)
    with pytest.raises(InvalidCredentials):
        await house.signed_in(who)
    signed = await house.identity.sign_in.login(new, PASSWORD, None, here())
    assert signed.person.id == who.id
    assert signed.person.email_verified
    assert await house.identity.email_changes.waiting(acting) is None


async def test_the_old_address_undoes_it_and_shuts_everybody_out(house: House) -> None:
    who, new = await house.person(), fresh()
    acting = await house.acting(who)
    secret = await asked(house, acting, new)
    assert secret is not None
    await house.identity.email_changes.confirm(secret)
    thief = await house.identity.sign_in.login(new, PASSWORD, None, here())
    again = await asked(house, await house.principal(thief), fresh())
    assert again is not None
    undo = await undo_secret(house, who)
    await house.identity.email_changes.confirm(again)  # moved on meanwhile: the first address can still undo it all

    await house.identity.email_changes.undo(undo)
    with pytest.raises(InvalidToken):
        await house.identity.sign_in.authenticate(thief.access_token)
    for email in (new, who.email):
        with pytest.raises(InvalidCredentials):
            await house.identity.sign_in.login(email, PASSWORD, None, here())
    with pytest.raises(LinkGone):
        await house.identity.email_changes.undo(undo)
    resets = [
        each for each in await house.facts("account.password_reset_requested") if each["person_id"] == str(who.id)
    ]
    link = await house.identity.resetting.link(UUID(resets[-1]["reset_id"]))
    assert link is not None
    await house.identity.resetting.finish(link.partition("#")[2], "another harbour, at dusk")
    await house.identity.sign_in.login(who.email, "another harbour, at dusk", None, here())


async def test_nobody_else_gets_the_old_address_while_it_can_be_undone(house: House, clock: HandClock) -> None:
    who = await house.person()
    secret = await asked(house, await house.acting(who), fresh())
    assert secret is not None
    await house.identity.email_changes.confirm(secret)
    await house.identity.accounts.register(who.email, PASSWORD, "Somebody Else", "en", "UTC")
    with pytest.raises(InvalidCredentials):
        await house.identity.sign_in.login(who.email, PASSWORD, None, here())
    other = await house.acting(await house.person())
    assert await asked(house, other, who.email) is None

    clock.forward(UNDO_WITHIN / timedelta(seconds=1))
    with pytest.raises(LinkGone):
        await house.identity.email_changes.undo(house.identity.email_changes._undo_links.secret(uuid7()))
    await house.identity.email_changes.forget_old()
    async with house.context.database("identity").reading() as tx:
        row = await tx.fetchrow("SELECT old_email, new_email FROM email_changes WHERE person_id = $1", who.id)
    assert row is not None
    assert list(row.values()) == [None, None], "past, no address is kept"
    registered = await house.identity.accounts.register(who.email, PASSWORD, "Somebody Else", "en", "UTC")
    signed = await house.identity.sign_in.login(who.email, PASSWORD, None, here())
    assert signed.person.id == registered.id


async def test_links_run_out_and_can_be_taken_back(house: House, clock: HandClock) -> None:
    who = await house.person()
    acting = await house.acting(who)
    taken_back = await asked(house, acting, fresh())
    await house.identity.email_changes.cancel(acting)
    late = await asked(house, acting, fresh())
    clock.forward(CONFIRM_WITHIN / timedelta(seconds=1))
    for gone in (taken_back, late):
        with pytest.raises(LinkGone):
            await house.identity.email_changes.confirm(gone or "")
    await house.signed_in(who)


async def test_an_address_taken_meanwhile_is_refused(house: House) -> None:
    acting, new = await house.acting(await house.person()), fresh()
    secret = await asked(house, acting, new)
    await house.identity.accounts.create_person(email=new, password=PASSWORD, name="Faster", roles=("patient",))
    with pytest.raises(EmailTaken):
        await house.identity.email_changes.confirm(secret or "")


async def test_nobody_is_flooded_with_letters(house: House) -> None:
    acting = await house.acting(await house.person())
    sent = [await asked(house, acting, fresh()) for _ in range(A_DAY + 2)]
    assert [each is not None for each in sent] == [True] * A_DAY + [False, False]
