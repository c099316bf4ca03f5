"""Authenticators and recovery codes, against the real PostgreSQL and Valkey."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from accounts_house import PASSWORD, HandClock, House, here
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from core.errors import Forbidden, InvalidToken, NotFound, StepUpRequired, TooManyRequests
from core.ids import uuid7
from identity.errors import FactorExists, InvalidCredentials, SecondFactorRequired, WrongCode
from identity.factors import STEP_S, normal_code, recovery_code, totp_code, totp_step, totp_uri
from identity.people import Person
from identity.signin import PENDING_LIVES, PENDING_TRIES

# RFC 6238, appendix B (SHA-1; the last six of eight digits).
VECTORS = [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (2000000000, "279037")]
SECRET = b"12345678901234567890"


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert totp_step(SECRET, code, moment, 0) == seconds // STEP_S
    for near in (-STEP_S, STEP_S):
        assert totp_step(SECRET, code, moment + timedelta(seconds=near), 0) == seconds // STEP_S
    for far in (-2 * STEP_S, 2 * STEP_S):
        assert totp_step(SECRET, code, moment + timedelta(seconds=far), 0) is None
    assert totp_step(SECRET, code, moment, seconds // STEP_S) is None, "used up"
    assert totp_code(SECRET, seconds // STEP_S) == code


def test_recovery_codes_are_typed_in_many_ways() -> None:
    code = recovery_code(b"\x10" * 10)
    assert len(code) == 19
    for typed in (code.upper(), code.replace("-", " "), code.replace("-", ""), code.replace("l", "1")):
        assert normal_code(typed) == normal_code(code)


def test_the_uri_names_account_and_issuer() -> None:
    uri = totp_uri(SECRET, "a+b@example.org", "Bedside")
    assert uri.startswith("otpauth://totp/Bedside%3Aa%2Bb%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&")
    assert "issuer=Bedside" in uri


class Phone:
    """An authenticator app."""

    def __init__(self, secret: str, clock: HandClock) -> None:
        self._totp = TOTP(base64.b32decode(secret + "=" * (-len(secret) % 8)), 6, SHA1(), 30)  # noqa: S303  (what authenticators do)
        self._clock = clock

    def code(self) -> str:
        return self._totp.generate(int(self._clock.now().timestamp())).decode()


async def enrolled(house: House, clock: HandClock, who: Person) -> tuple[Phone, list[str]]:
    acting = await house.acting(who)
    phone = Phone((await house.identity.factors.offer_totp(acting)).secret, clock)
    codes = await house.identity.factors.confirm_totp(acting, phone.code(), here().address)
    clock.forward(STEP_S)
    return phone, codes


async def pending(house: House, who: Person) -> str:
    with pytest.raises(SecondFactorRequired) as asked:
        await house.signed_in(who)
    token: str = asked.value.extra["pending_token"]
    return token


pytestmark = pytest.mark.integration


async def test_strangers_learn_nothing_of_factors(house: House, clock: HandClock) -> None:
    who = await house.person()
    await enrolled(house, clock, who)
    with pytest.raises(InvalidCredentials):
        await house.identity.sign_in.login(who.email, "wrong", None, here(), "000000")


async def test_other_tokens_do_not_stand_between_password_and_factor(house: House, clock: HandClock) -> None:
    who = await house.person()
    phone, _ = await enrolled(house, clock, who)
    token = await pending(house, who)
    tokens, extra = house.context.tokens, {"role": "patient", "client": "browser", "methods": ["pwd"]}
    for wrong in (
        "",
        token[:-4] + "AAAA",
        tokens.issue("access", who.id, PENDING_LIVES, **extra),
        tokens.issue("link", who.id, PENDING_LIVES, **extra),
        tokens.issue("visit", who.id, PENDING_LIVES, **extra),
    ):
        with pytest.raises(InvalidToken):
            await house.identity.sign_in.finish(wrong, here(), code=phone.code())
    with pytest.raises(InvalidToken):
        await house.identity.sign_in.authenticate(token)
    clock.forward(PENDING_LIVES / timedelta(seconds=1))
    with pytest.raises(InvalidToken):
        await house.identity.sign_in.finish(token, here(), code=phone.code())


async def test_another_persons_code_does_not_fit(house: House, clock: HandClock) -> None:
    who, other = await house.person(), await house.person()
    await enrolled(house, clock, who)
    phone, codes = await enrolled(house, clock, other)
    for code in (phone.code(), codes[0], "", "      ", "٠٠٠٠٠٠", "x" * 40):
        with pytest.raises(WrongCode):
            await house.signed_in(who, code)
        await house.identity.sign_in._guard.forget("factor", str(who.id))


async def test_sign_in_with_password_and_code_in_one_call_or_two(house: House, clock: HandClock) -> None:
    who = await house.person()
    phone, _ = await enrolled(house, clock, who)
    acting = await house.principal(await house.signed_in(who, phone.code()))
    assert acting.methods == {"pwd", "otp"}
    clock.forward(STEP_S)
    token = await pending(house, who)
    signed_in = await house.identity.sign_in.finish(token, here(), code=phone.code())
    assert (signed_in.client, signed_in.person.id) == ("browser", who.id)
    clock.forward(STEP_S)
    with pytest.raises(InvalidToken):  # signs in once
        await house.identity.sign_in.finish(token, here(), code=phone.code())


async def test_each_code_counts_once_and_no_earlier_one_after_it(house: House, clock: HandClock) -> None:
    who = await house.person()
    phone, _ = await enrolled(house, clock, who)
    earlier = phone.code()
    clock.forward(STEP_S)
    code = phone.code()
    await house.signed_in(who, code)
    for used in (code, earlier):
        with pytest.raises(WrongCode):
            await house.signed_in(who, used)
    clock.forward(STEP_S)
    await house.signed_in(who, phone.code())


async def test_recovery_codes_are_ten_and_each_counts_once(house: House, clock: HandClock) -> None:
    who = await house.person()
    _, codes = await enrolled(house, clock, who)
    assert len(set(codes)) == 10
    for code in codes[:2]:
        await house.signed_in(who, code.upper())
        with pytest.raises(WrongCode):
            await house.signed_in(who, code)
    assert (await house.identity.factors.kinds(who.id)).recovery_codes == 8
    told = [each["what"] for each in await house.facts("account.security_changed", who.id)]
    assert told == ["factor_added", "recovery_code_used", "recovery_code_used"]
    async with house.context.database("identity").reading() as tx:
        rows = await tx.fetch("SELECT digest FROM recovery_codes WHERE person_id = $1", who.id)
        secret = await tx.fetchval("SELECT secret FROM totp_factors WHERE person_id = $1", who.id)
    assert not {normal_code(code).encode() for code in codes} & {row["digest"] for row in rows}
    assert len(secret) > 20 + 16, "sealed"


async def test_new_recovery_codes_end_the_old(house: House, clock: HandClock) -> None:
    who = await house.person()
    phone, codes = await enrolled(house, clock, who)
    acting = await house.principal(await house.signed_in(who, phone.code()))
    fresh = await house.identity.factors.new_recovery_codes(acting)
    with pytest.raises(WrongCode):
        await house.signed_in(who, codes[0])
    await house.signed_in(who, fresh[0])


async def test_codes_are_not_guessed(house: House, clock: HandClock) -> None:
    who = await house.person()
    phone, _ = await enrolled(house, clock, who)
    token, refused = await pending(house, who), 0
    for _ in range(PENDING_TRIES):
        try:
            await house.identity.sign_in.finish(token, here(), code="000000")
        except WrongCode:
            pass
        except TooManyRequests:
            refused += 1
    assert refused, "the person's count"
    clock.forward(900)
    with pytest.raises(InvalidToken):  # the token's own count
        await house.identity.sign_in.finish(token, here(), code=phone.code())
    await house.signed_in(who, phone.code())


async def test_an_unproved_secret_is_asked_of_nobody(house: House, clock: HandClock) -> None:
    who = await house.person()
    acting = await house.acting(who)
    first = Phone((await house.identity.factors.offer_totp(acting)).secret, clock)
    await house.signed_in(who)
    second = Phone((await house.identity.factors.offer_totp(acting)).secret, clock)
    with pytest.raises(WrongCode):
        await house.identity.factors.confirm_totp(acting, first.code(), here().address)
    await house.identity.factors.confirm_totp(acting, second.code(), here().address)
    with pytest.raises(FactorExists):
        await house.identity.factors.offer_totp(acting)


async def test_factors_change_only_after_a_fresh_proof(house: House, clock: HandClock) -> None:
    who = await house.person()
    phone, _ = await enrolled(house, clock, who)
    signed_in = await house.signed_in(who, phone.code())
    clock.forward(601)
    answer = await house.identity.sign_in.refresh(signed_in.refresh_token or "")
    stale, factors = await house.principal(answer), house.identity.factors
    for act in (factors.offer_totp, factors.remove_totp, factors.new_recovery_codes):
        with pytest.raises(StepUpRequired):
            await act(stale)
    # The password alone is half a proof where a second factor is on.
    with pytest.raises(SecondFactorRequired):
        await house.identity.sign_in.step_up(stale, here(), password=PASSWORD)
    with pytest.raises(InvalidCredentials):
        await house.identity.sign_in.step_up(stale, here(), password="wrong", code=phone.code())
    with pytest.raises(InvalidCredentials):
        await house.identity.sign_in.step_up(stale, here(), code=phone.code())
    proved = await house.identity.sign_in.step_up(stale, here(), password=PASSWORD, code=phone.code())
    assert proved.refresh_token is None
    fresh = await house.principal(proved)
    await factors.remove_totp(fresh)
    with pytest.raises(NotFound):
        await factors.remove_totp(fresh)
    assert not (await factors.kinds(who.id)).any
    await house.signed_in(who)


async def test_nobody_steps_up_a_session_of_another(house: House) -> None:
    one, other = await house.acting(await house.person()), await house.person()
    stolen = replace(one, person_id=other.id)
    with pytest.raises(InvalidToken):
        await house.identity.sign_in.step_up(stolen, here(), password=PASSWORD)


async def test_a_role_that_needs_a_factor_enrols_first(strict: House, clock: HandClock) -> None:
    doctor = await strict.person("practitioner", "patient")
    first = await strict.signed_in(doctor)
    acting = await strict.principal(first)
    assert (first.role, acting.role) == ("enrolling", "enrolling")
    with pytest.raises(Forbidden):
        await strict.identity.administration.find(acting, role=None, text=None, cursor=None, limit=1)
    # As a patient nothing more is asked.
    assert (await strict.identity.sign_in.login(doctor.email, PASSWORD, "patient", here())).role == "patient"
    elsewhere = await strict.signed_in(doctor)
    phone = Phone((await strict.identity.factors.offer_totp(acting)).secret, clock)
    await strict.identity.factors.confirm_totp(acting, phone.code(), here().address)
    proved = await strict.identity.sign_in.factor_proved(acting, "otp")
    assert proved.role == "practitioner"
    answer = await strict.identity.sign_in.refresh(first.refresh_token or "")
    assert (answer.role, (await strict.principal(answer)).role) == ("practitioner", "practitioner")
    with pytest.raises(InvalidToken):  # a session that has not shown the factor
        await strict.identity.sign_in.refresh(elsewhere.refresh_token or "")
    clock.forward(STEP_S)
    assert (await strict.signed_in(doctor, phone.code())).role == "practitioner"


@pytest.mark.parametrize(
    ("mode", "role", "needed"),
    [
        ("production", "practitioner", True),
        ("production", "desk", True),
        ("production", "admin", True),
        ("production", "patient", False),
        ("demo", "admin", False),
    ],
)
async def test_who_needs_a_second_factor(house: House, mode: str, role: str, needed: bool) -> None:
    settings = house.context.settings.model_copy(update={"mode": mode})
    assert settings.needs_second_factor(role) is needed
    chosen = settings.security.model_copy(update={"second_factor_roles": ["patient"]})
    assert settings.model_copy(update={"security": chosen}).needs_second_factor("patient")


async def test_access_tokens_without_a_proof_do_not_count(house: House) -> None:
    who = await house.person()
    session = (await house.acting(who)).session_id
    extra = {"session": session, "role": "enrolling", "roles": ["patient"], "name": "", "auth_time": 0, "amr": []}
    minute = timedelta(minutes=1)
    for change in ({"role": "admin"}, {"roles": ["owner"]}, {"auth_time": "x"}, {"amr": None}, {"session": uuid7()}):
        token = house.context.tokens.issue("access", who.id, minute, **(extra | change))
        with pytest.raises(InvalidToken):
            await house.identity.sign_in.authenticate(token)
