"""Sign-in against the real PostgreSQL and Valkey."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from core.context import Context
from core.errors import Forbidden, InvalidInput, InvalidToken, NotFound, StepUpRequired, TooManyRequests
from core.events import Envelope
from core.ids import uuid7
from core.security.principal import ANONYMOUS, Principal, Role
from core.settings import Settings
from identity import Identity, setup
from identity.errors import EmailTaken, InvalidCredentials, LinkGone, RefreshReused
from identity.guard import FREE, LONGEST_WAIT_S
from identity.people import Person, PractitionerProfile
from identity.search import Search
from identity.sessions import GRACE_S
from identity.signin import Device
from scheduling.events import AppointmentBooked, AppointmentCancelled

pytestmark = pytest.mark.integration

PASSWORD = "a quiet harbour at dawn"


def here(client: str = "browser") -> Device:
    """Each time from another address: wrong tries of one test slow no other."""
    return Device(client, "test", uuid7().hex)


class HandClock:
    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def app(make_context: Callable[..., Awaitable[Context]], clock: HandClock) -> Context:
    return await make_context(clock=clock)


@pytest.fixture
def identity(app: Context) -> Identity:
    return setup(app)


async def person(identity: Identity, *roles: Role, **more: object) -> Person:
    given: dict[str, Any] = {"email": f"{uuid7().hex}@example.org", "password": PASSWORD, "name": "Awa Traoré", **more}
    return await identity.accounts.create_person(roles=roles or ("patient",), **given)


async def signed_in(identity: Identity, who: Person, role: Role | None = None):  # type: ignore[no-untyped-def]
    return await identity.sign_in.login(who.email, PASSWORD, role, here())


def principal(who: Person, role: Role | None = None) -> Principal:
    return Principal(who.id, role or who.roles[0], frozenset(who.roles), None, who.name)


# -- who may not


async def test_nobody_reads_people_without_a_right(identity: Identity) -> None:
    patient, other = await person(identity), await person(identity)
    doctor = await person(identity, "practitioner")
    for who in (ANONYMOUS, principal(other), principal(doctor)):
        with pytest.raises(Forbidden):
            await identity.directory.patient(who, patient.id)
        with pytest.raises(Forbidden):
            await identity.administration.find(who, role=None, text=None, cursor=None, limit=10)


async def test_unknown_and_wrong_get_the_same_answer(identity: Identity) -> None:
    who = await person(identity)
    answers = set()
    for email, password in ((who.email, "wrong"), ("nobody@example.org", PASSWORD), (who.email, "x" * 5000)):
        with pytest.raises(InvalidCredentials) as refused:
            await identity.sign_in.login(email, password, None, here())
        answers.add((refused.value.code, refused.value.detail))
    assert len(answers) == 1


async def test_guessing_is_slowed_even_with_the_right_password(identity: Identity, clock: HandClock) -> None:
    who, waits = await person(identity), []
    for _ in range(FREE + 1):
        with pytest.raises(InvalidCredentials):
            await identity.sign_in.login(who.email, "wrong", None, here())
    for _ in range(4):
        with pytest.raises(TooManyRequests) as refused:
            await identity.sign_in.login(who.email, PASSWORD, None, here())
        waits.append(int(refused.value.headers["Retry-After"]))
        clock.forward(waits[-1] + 0.001)
        with pytest.raises(InvalidCredentials):
            await identity.sign_in.login(who.email.upper(), "wrong", None, here())
    assert waits == [1, 2, 4, 8]
    clock.forward(LONGEST_WAIT_S)
    await signed_in(identity, who)
    with pytest.raises(InvalidCredentials):  # the right one has cleared the count
        await identity.sign_in.login(who.email, "wrong", None, here())
    await signed_in(identity, who)


async def test_guessing_many_accounts_from_one_address_is_slowed(identity: Identity, app: Context) -> None:
    one, network = Device("browser", "test", uuid7().hex), f"2001:db8:{uuid7().hex[-4:]}:1::"
    for index in range(app.settings.limits.wrong_per_address + 1):
        for device in (one, Device("browser", "test", f"{network}{index + 1:x}")):
            with pytest.raises(InvalidCredentials):
                await identity.sign_in.login(f"{uuid7().hex}@example.org", "wrong", None, device)
    who = await person(identity)
    for device in (one, Device("browser", "test", f"{network}ffff")):
        with pytest.raises(TooManyRequests):
            await identity.sign_in.login(who.email, PASSWORD, None, device)
    await signed_in(identity, who)


async def test_a_role_one_does_not_hold_is_refused(identity: Identity) -> None:
    with pytest.raises(Forbidden):
        await signed_in(identity, await person(identity), "admin")


async def test_another_kind_of_token_does_not_sign_in(identity: Identity, app: Context) -> None:
    who = await person(identity)
    extra = {"session": uuid7(), "role": "patient", "roles": ["patient"]}
    for token in (
        app.tokens.issue("visit", who.id, timedelta(minutes=1), **extra),
        app.tokens.issue("access", who.id, timedelta(minutes=1), **extra),  # its session never was
        app.tokens.issue("access", who.id, timedelta(minutes=1)),
    ):
        with pytest.raises(InvalidToken):
            await identity.sign_in.authenticate(token)


# -- sign-in


async def test_sign_in_and_act_in_a_role(identity: Identity) -> None:
    who = await person(identity, "practitioner", "patient")
    first = await signed_in(identity, who)
    acting = await identity.sign_in.authenticate(first.access_token)
    assert (acting.person_id, acting.role, acting.name) == (who.id, "practitioner", "Awa Traoré")
    assert (await identity.sign_in.authenticate((await signed_in(identity, who, "patient")).access_token)).role == (
        "patient"
    )


async def test_acting_in_another_role_needs_a_fresh_proof_and_ends_the_first(
    identity: Identity, clock: HandClock
) -> None:
    who = await person(identity, "practitioner", "patient")
    first = await signed_in(identity, who)
    acting = await identity.sign_in.authenticate(first.access_token)
    with pytest.raises(Forbidden):
        await identity.sign_in.act_as(acting, "admin", here())
    clock.forward(601)
    with pytest.raises(StepUpRequired):
        await identity.sign_in.act_as(acting, "patient", here())
    clock.forward(-601)
    second = await identity.sign_in.act_as(acting, "patient", here())
    assert (await identity.sign_in.authenticate(second.access_token)).role == "patient"
    with pytest.raises(InvalidToken):
        await identity.sign_in.authenticate(first.access_token)
    with pytest.raises(InvalidToken):
        await identity.sign_in.refresh(first.refresh_token or "")
    with pytest.raises(InvalidToken):  # nor twice
        await identity.sign_in.act_as(acting, "patient", here())


async def test_the_address_is_one_however_it_is_spelt(identity: Identity) -> None:
    who = await person(identity)
    assert (await identity.sign_in.login(who.email.upper(), PASSWORD, None, here())).person.id == who.id
    with pytest.raises(EmailTaken):
        await person(identity, email=who.email.title())


async def test_weak_passwords_are_refused_at_registering(identity: Identity) -> None:
    with pytest.raises(InvalidInput):
        await identity.accounts.register(f"{uuid7().hex}@example.org", "bedside-demo", "Somebody", "en", "UTC")


# -- refreshing


async def test_refresh_tokens_rotate(identity: Identity, clock: HandClock) -> None:
    first = await signed_in(identity, await person(identity))
    token = first.refresh_token
    for _ in range(5):
        clock.forward(600)
        answer = await identity.sign_in.refresh(token)
        assert answer.refresh_token != token
        token = answer.refresh_token
        await identity.sign_in.authenticate(answer.access_token)


async def test_a_lost_answer_is_given_again_within_the_grace(identity: Identity, clock: HandClock) -> None:
    first = await signed_in(identity, await person(identity))
    lost = await identity.sign_in.refresh(first.refresh_token)
    clock.forward(GRACE_S - 1)
    again = await identity.sign_in.refresh(first.refresh_token)
    assert again.refresh_token == lost.refresh_token
    await identity.sign_in.refresh(again.refresh_token)


async def test_a_reused_token_ends_the_whole_family(identity: Identity, clock: HandClock) -> None:
    first = await signed_in(identity, await person(identity))
    second = await identity.sign_in.refresh(first.refresh_token)
    clock.forward(GRACE_S + 1)
    with pytest.raises(RefreshReused):
        await identity.sign_in.refresh(first.refresh_token)
    for refused in (second.refresh_token, first.refresh_token):
        with pytest.raises(InvalidToken):
            await identity.sign_in.refresh(refused)
    with pytest.raises(InvalidToken):
        await identity.sign_in.authenticate(second.access_token)


@pytest.mark.parametrize("token", ["", ".", "x.y", "0" * 32 + "." + "A" * 43, "é" * 32 + "." + "A" * 43])
async def test_rubbish_does_not_refresh(identity: Identity, token: str) -> None:
    with pytest.raises(InvalidToken):
        await identity.sign_in.refresh(token)


# -- sessions


async def test_signing_out_counts_at_once_and_is_told(identity: Identity, app: Context) -> None:
    first = await signed_in(identity, await person(identity))
    async with app.redis.pubsub() as channel:
        await channel.subscribe("identity:revoked")
        assert (await channel.get_message(timeout=5))["type"] == "subscribe"
        await identity.sign_in.logout(first.access_token, None)
        message = await channel.get_message(ignore_subscribe_messages=True, timeout=5)
        assert json.loads(message["data"])["person_id"] == str(first.person.id)
    with pytest.raises(InvalidToken):
        await identity.sign_in.authenticate(first.access_token)
    with pytest.raises(InvalidToken):
        await identity.sign_in.refresh(first.refresh_token)


async def test_signing_out_with_the_refresh_token_alone(identity: Identity) -> None:
    first = await signed_in(identity, await person(identity))
    await identity.sign_in.logout("rubbish", first.refresh_token)
    with pytest.raises(InvalidToken):
        await identity.sign_in.authenticate(first.access_token)


async def test_signing_out_everywhere_and_everywhere_else(identity: Identity) -> None:
    who, other = await person(identity), await signed_in(identity, await person(identity))
    first, second, third = [await signed_in(identity, who) for _ in range(3)]
    acting = await identity.sign_in.authenticate(first.access_token)
    assert await identity.sign_in.end_sessions(acting, others=True) == 2
    await identity.sign_in.authenticate(first.access_token)
    for gone in (second, third):
        with pytest.raises(InvalidToken):
            await identity.sign_in.authenticate(gone.access_token)
        with pytest.raises(InvalidToken):
            await identity.sign_in.refresh(gone.refresh_token or "")
    assert await identity.sign_in.end_sessions(acting, others=False) == 1
    with pytest.raises(InvalidToken):
        await identity.sign_in.authenticate(first.access_token)
    await identity.sign_in.authenticate(other.access_token)


@pytest.mark.parametrize(("role", "idle", "absolute"), [("patient", 14 * 86400, 90 * 86400), ("desk", 3600, 12 * 3600)])
async def test_sessions_end_unused_and_end_at_all(
    identity: Identity, clock: HandClock, role: Role, idle: int, absolute: int
) -> None:
    unused = await signed_in(identity, await person(identity, role))
    clock.forward(idle)
    with pytest.raises(InvalidToken):
        await identity.sign_in.refresh(unused.refresh_token or "")
    used = await signed_in(identity, await person(identity, role))
    token, lived = used.refresh_token or "", 0
    while lived + idle - 1 < absolute:
        clock.forward(idle - 1)
        lived += idle - 1
        answer = await identity.sign_in.refresh(token)
        assert answer.lives_s == min(idle, absolute - lived)
        assert answer.expires_in <= answer.lives_s
        token = answer.refresh_token or ""
    clock.forward(absolute - lived)
    with pytest.raises(InvalidToken):
        await identity.sign_in.refresh(token)


async def test_only_the_owner_ends_a_session(identity: Identity) -> None:
    first, other = await signed_in(identity, await person(identity)), await person(identity)
    acting = await identity.sign_in.authenticate(first.access_token)
    assert acting.session_id is not None
    with pytest.raises(NotFound):
        await identity.sign_in.end_session(principal(other), acting.session_id)
    assert [each.id for each in await identity.sign_in.sessions(acting)] == [acting.session_id]
    await identity.sign_in.end_session(acting, acting.session_id)
    assert await identity.sign_in.sessions(acting) == []


# -- verifying an address


@pytest.fixture
async def production(make_context: Callable[..., Awaitable[Context]], app: Context) -> Identity:
    settings: Settings = app.settings.model_copy(update={"mode": "production"})
    return setup(await make_context(settings=settings))


async def test_the_link_verifies_once(production: Identity, app: Context) -> None:
    who = await production.accounts.register(f"{uuid7().hex}@example.org", PASSWORD, "Somebody", "en", "UTC")
    assert not await production.directory.email_verified(who.id)
    async with app.database("core").reading() as tx:
        payload = await tx.fetchval(
            "SELECT payload FROM core.outbox WHERE name = 'account.verification_requested' AND order_key = $1", who.id
        )
    link = await production.accounts.verification_link(UUID(payload["verification_id"]))
    assert link is not None
    _, _, secret = link.partition("#")
    for wrong in ("", "x.y", secret[:-1], uuid7().hex + secret[32:], secret + "é"):
        with pytest.raises(LinkGone):
            await production.accounts.verify_email(wrong)
    await production.accounts.verify_email(secret)
    assert await production.directory.email_verified(who.id)
    with pytest.raises(LinkGone):
        await production.accounts.verify_email(secret)
    assert await production.accounts.verification_link(UUID(payload["verification_id"])) is None


async def test_the_demonstration_verifies_at_once(identity: Identity) -> None:
    who = await identity.accounts.register(f"{uuid7().hex}@example.org", PASSWORD, "Somebody", "en", "UTC")
    assert who.email_verified
    assert await identity.directory.email_verified(who.id)


# -- profiles and care


async def test_phone_and_birth_date_are_stored_encrypted(identity: Identity, app: Context) -> None:
    who = await person(identity)
    await identity.directory.change_me(principal(who), phone="+2250700000000", birth_date=date(1990, 1, 2))
    _, contact = await identity.directory.me(principal(who))
    assert (contact.phone, contact.birth_date) == ("+2250700000000", date(1990, 1, 2))
    async with app.database("identity").reading() as tx:
        row = await tx.fetchrow("SELECT phone, birth_date FROM people WHERE id = $1", who.id)
    assert row is not None
    assert b"0700" not in row["phone"]
    assert b"1990" not in row["birth_date"]
    await identity.directory.change_me(principal(who), phone=None)
    person_, contact = await identity.directory.me(principal(who))
    assert (contact.phone, contact.birth_date, person_.name) == (None, date(1990, 1, 2), "Awa Traoré")


async def test_an_appointment_makes_a_care_relation_until_it_is_cancelled(identity: Identity, app: Context) -> None:
    patient, doctor = await person(identity), await person(identity, "practitioner")
    moment = app.clock.now()
    ids = {"appointment_id": uuid7(), "patient_id": patient.id, "practitioner_id": doctor.id}
    booked = AppointmentBooked(**ids, start=moment, end=moment, specialty="x", fee_minor=1, currency="XOF")
    cancelled = AppointmentCancelled(**ids, start=moment, end=moment, by="patient", in_time=True)
    for fact in (booked, booked, cancelled):
        for each in app.subscriptions.of("identity", fact.name):
            async with app.database("identity").transaction() as tx:
                envelope = Envelope(uuid7(), fact.name, fact.order_key, moment, {})
                await each.handler(tx, fact, envelope)
        expected = fact is booked
        assert await identity.directory.care_relation(doctor.id, patient.id) is expected
        if expected:
            found, _ = await identity.directory.patient(principal(doctor), patient.id)
            assert found.id == patient.id
    async with app.database("core").reading() as tx:
        actions = await tx.fetch(
            "SELECT actor_id FROM core.audit_log WHERE action = 'patient.read' AND patient_id = $1", patient.id
        )
    assert {row["actor_id"] for row in actions} == {doctor.id}


async def test_practitioners_are_found_when_published(identity: Identity) -> None:
    specialty = f"test-{uuid7().hex}"
    ids = []
    for index in range(5):
        profile = PractitionerProfile(
            "Dr", (specialty,), ("fr", "en"), f"L{index}", 1500, "XOF", "Abidjan", published=index != 0
        )
        profile = replace(profile, insurers=(f"{specialty} {index}",))
        ids.append((await person(identity, "practitioner", practitioner=profile)).id)
    seen: list[UUID] = []
    cursor = None
    while True:
        page, cursor = await identity.directory.search(
            Search(specialty=specialty, language="fr"), cursor=cursor, limit=3
        )
        seen += [each.id for each in page]
        if cursor is None:
            break
    assert seen == ids[1:]
    assert (await identity.directory.search(Search(specialty=specialty, language="de")))[0] == []
    assert (await identity.directory.search(Search(specialty=specialty, name="a%T")))[0] == []
    assert len((await identity.directory.search(Search(specialty=specialty, name="traor")))[0]) == 4
    assert ids[0] in await identity.directory.practitioners(ids)
    counted = {each.code: each.providers for each in await identity.directory.specialties()}
    assert counted[specialty] == 4
    insurers, currencies = await identity.directory.search_choices()
    assert {f"{specialty} {index}" for index in range(1, 5)} <= set(insurers)
    assert f"{specialty} 0" not in insurers, "nobody finds whoever is not published"
    assert "XOF" in currencies
    with pytest.raises(InvalidInput):
        await identity.directory.search(Search(), cursor="rubbish")


async def test_staff_find_people_page_by_page(identity: Identity) -> None:
    desk = principal(await person(identity, "desk"))
    who = [await person(identity) for _ in range(3)]
    page, cursor = await identity.administration.find(desk, role="patient", text="traor", cursor=None, limit=2)
    assert [each.id for each in page] == [who[2].id, who[1].id]
    page, _ = await identity.administration.find(desk, role="patient", text=None, cursor=cursor, limit=1)
    assert page[0].id == who[0].id
    found, _ = await identity.administration.find(desk, role=None, text=who[1].email[:30], cursor=None, limit=9)
    assert [each.id for each in found] == [who[1].id]
