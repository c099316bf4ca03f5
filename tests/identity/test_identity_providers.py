"""Signing in with a real OpenID Connect provider: a process of its own on this machine."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest
from accounts_house import PASSWORD, HandClock, House, here
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from harness import MakeContext
from pydantic import ValidationError

from core.errors import InvalidToken, NotFound, StepUpRequired
from core.ids import uuid7
from core.settings import Oidc, Provider
from identity import setup
from identity.errors import (
    AlreadyLinked,
    EmailTaken,
    InvalidCredentials,
    LinkRequired,
    NotLinked,
    ProviderFailed,
    SignInGone,
)
from identity.oidc import ProviderClient, challenge_of

RETURN = "http://127.0.0.1/sign-in/return"


@pytest.mark.parametrize(
    "change",
    [{"issuer": "http://sso.example"}, {"issuer": "file:///etc/passwd"}, {"id": "A/B"}, {"client_id": ""}],
)
def test_providers_that_are_refused(change: dict[str, Any]) -> None:
    good = {"id": "sso", "name": "SSO", "issuer": "https://sso.example", "client_id": "bedside"}
    Provider(**good)
    with pytest.raises(ValidationError):
        Provider(**(good | change))
    with pytest.raises(ValidationError):
        Oidc(providers=[Provider(**good), Provider(**good)])


def test_the_challenge_is_that_of_the_standard() -> None:  # RFC 7636, appendix B
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


pytestmark = pytest.mark.integration


@dataclass
class Clinic(House):
    issuer: str = ""

    async def arrive(self, url: str, subject: str) -> dict[str, str]:
        """Sign in at the provider; what it adds to the address of our return page."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data={"sub": subject}, allow_redirects=False) as answer,
        ):
            assert answer.status == 302, await answer.text()
            query = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {"state": query["state"][0], "code": query["code"][0]}

    async def know(self, subject: str, **claims: Any) -> None:
        """The provider learns of somebody."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.issuer}/users/{subject}", json=claims) as answer,
        ):
            assert answer.status == 204, await answer.text()

    async def returned(self, subject: str) -> dict[str, str]:
        begun = await self.identity.federation.begin("sso")
        return {**await self.arrive(begun.address, subject), "browser": begun.browser}

    async def enter(self, **came: str) -> Any:
        return await self.identity.federation.finish(**came, role=None, device=here())


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/.well-known/openid-configuration") as answer:
                    described = await answer.json()
                    break
            except aiohttp.ClientError:
                assert process.returncode is None, "the provider died"
                await asyncio.sleep(0.1)
    yield described["issuer"]
    process.terminate()
    await process.wait()


@pytest.fixture
async def clinic(make_context: MakeContext, house: House, clock: HandClock, issuer: str) -> Clinic:
    settings = house.context.settings
    sso = Provider(
        id="sso",
        name="SSO",
        issuer=issuer,
        client_id=uuid7().hex,
        client_secret="secret",
        allow_http=True,  # type: ignore[arg-type]
    )
    context = await make_context(clock=clock, settings=settings.model_copy(update={"oidc": Oidc(providers=[sso])}))
    return Clinic(context, setup(context), issuer)


async def test_a_stranger_of_the_provider_gets_in_nowhere(clinic: Clinic) -> None:
    await clinic.know("stranger")
    with pytest.raises(NotLinked):
        await clinic.enter(**await clinic.returned("stranger"))
    with pytest.raises(NotFound):
        await clinic.identity.federation.begin("other")


async def test_an_unverified_address_proves_nothing(clinic: Clinic) -> None:
    who = await clinic.person()
    for verified in (False, "true", None):
        await clinic.know("forger", email=who.email, email_verified=verified)
        with pytest.raises(NotLinked):
            await clinic.enter(**await clinic.returned("forger"))


async def test_only_the_browser_that_began_may_come_back_and_once(clinic: Clinic) -> None:
    await clinic.know("somebody")
    came = await clinic.returned("somebody")
    for wrong in ({**came, "browser": "another"}, {**came, "state": "x"}):
        with pytest.raises(SignInGone):
            await clinic.enter(**wrong)
    again = await clinic.returned("somebody")
    with pytest.raises(NotLinked):
        await clinic.enter(**again)
    with pytest.raises(SignInGone):
        await clinic.enter(**again)


async def test_a_code_of_another_sign_in_fails_its_challenge(clinic: Clinic) -> None:
    await clinic.know("somebody")
    one, other = await clinic.returned("somebody"), await clinic.returned("somebody")
    with pytest.raises(ProviderFailed):
        await clinic.enter(**{**one, "code": other["code"]})
    with pytest.raises(ProviderFailed):
        await clinic.enter(**{**other, "code": "made up"})


async def test_a_verified_address_and_the_own_password_link_once(clinic: Clinic) -> None:
    who, subject = await clinic.person(), uuid7().hex
    await clinic.know(subject, email=who.email.upper(), email_verified=True)
    tokens = []
    for _ in range(2):
        with pytest.raises(LinkRequired) as asked:
            await clinic.enter(**await clinic.returned(subject))
        tokens.append(asked.value.extra["link_token"])
    federation = clinic.identity.federation
    with pytest.raises(InvalidCredentials):
        await federation.link_and_sign_in(tokens[0], "wrong", None, None, here())
    for forged in (tokens[0][:-4] + "AAAA", clinic.context.tokens.issue("pending", who.id, timedelta(minutes=1))):
        with pytest.raises(InvalidToken):
            await federation.link_and_sign_in(forged, PASSWORD, None, None, here())
    signed_in = await federation.link_and_sign_in(tokens[0], PASSWORD, None, None, here())
    assert (await clinic.principal(signed_in)).methods == {"pwd", "fed"}
    with pytest.raises(InvalidCredentials):  # signs in once
        await federation.link_and_sign_in(tokens[0], PASSWORD, None, None, here())
    entered = await clinic.enter(**await clinic.returned(subject))
    assert entered.person.id == who.id
    assert [each["what"] for each in await clinic.facts("account.security_changed", who.id)] == ["identity_linked"]


async def test_an_address_that_nobody_has_is_asked_for_its_password_too(clinic: Clinic) -> None:
    subject = uuid7().hex
    await clinic.know(subject, email=f"{subject}@example.org", email_verified=True)
    with pytest.raises(LinkRequired) as asked:
        await clinic.enter(**await clinic.returned(subject))
    with pytest.raises(InvalidCredentials):
        token = asked.value.extra["link_token"]
        await clinic.identity.federation.link_and_sign_in(token, PASSWORD, None, None, here())


async def test_who_has_no_account_opens_one_after_saying_who_they_are(clinic: Clinic) -> None:
    subject, opening = uuid7().hex, clinic.identity.provider_accounts
    email = f"{subject}@example.org"
    await clinic.know(subject, email=email, email_verified=True)
    tokens = []
    for _ in range(2):
        with pytest.raises(LinkRequired) as asked:
            await clinic.enter(**await clinic.returned(subject))
        tokens.append(asked.value.extra["link_token"])
    said = ("Awa Traoré", date(1990, 5, 17), "fr", "Africa/Dakar")
    for forged in (tokens[0][:-4] + "AAAA", clinic.context.tokens.issue("pending", uuid7(), timedelta(minutes=1))):
        with pytest.raises(InvalidToken):
            await opening.open(forged, *said, here())
    signed_in = await opening.open(tokens[0], *said, here())
    acting = await clinic.principal(signed_in)
    assert (signed_in.person.roles, signed_in.person.email_verified, acting.methods) == (("patient",), True, {"fed"})
    person, contact = await clinic.identity.directory.me(acting)
    assert (person.email, contact.birth_date) == (email, date(1990, 5, 17))
    for used in tokens:
        with pytest.raises(EmailTaken):
            await opening.open(used, *said, here())
    assert (await clinic.enter(**await clinic.returned(subject))).person.id == person.id
    with pytest.raises(InvalidCredentials):  # nobody knows its password
        await clinic.identity.sign_in.login(email, PASSWORD, None, here())


async def test_an_account_that_is_there_is_not_opened_anew(clinic: Clinic) -> None:
    who, subject = await clinic.person(), uuid7().hex
    await clinic.know(subject, email=who.email, email_verified=True)
    with pytest.raises(LinkRequired) as asked:
        await clinic.enter(**await clinic.returned(subject))
    token = asked.value.extra["link_token"]
    with pytest.raises(EmailTaken):
        await clinic.identity.provider_accounts.open(token, "Thief", date(1990, 5, 17), "en", "UTC", here())
    signed_in = await clinic.identity.federation.link_and_sign_in(token, PASSWORD, None, None, here())
    assert signed_in.person.id == who.id, "its own password links it still"


async def test_linking_as_a_signed_in_person(clinic: Clinic, clock: HandClock) -> None:
    who, other, subject = await clinic.acting(await clinic.person()), await clinic.person(), uuid7().hex
    await clinic.know(subject)
    federation = clinic.identity.federation

    async def came(acting: Any) -> dict[str, str]:
        begun = await federation.begin("sso", acting)
        return {**await clinic.arrive(begun.address, subject), "browser": begun.browser}

    with pytest.raises(SignInGone):  # begun to link, it signs nobody in
        await clinic.enter(**await came(who))
    with pytest.raises(SignInGone):  # nor does it link another's account
        await federation.link(await clinic.acting(other), **await came(who))
    await federation.link(who, **await came(who))
    assert [each.provider_id for each in await federation.linked(who)] == ["sso"]
    with pytest.raises(AlreadyLinked):
        acting = await clinic.acting(other)
        await federation.link(acting, **await came(acting))
    assert (await clinic.enter(**await clinic.returned(subject))).person.id == who.id
    clock.forward(601)
    for act in (federation.begin("sso", who), federation.unlink(who, "sso")):
        with pytest.raises(StepUpRequired):
            await act
    clock.forward(-601)
    await federation.unlink(who, "sso")
    with pytest.raises(NotFound):
        await federation.unlink(who, "sso")
    with pytest.raises(NotLinked):
        await clinic.enter(**await clinic.returned(subject))


async def test_forged_identity_tokens_are_refused(clinic: Clinic) -> None:
    provider = clinic.identity.federation.providers[0]
    client = ProviderClient(provider, RETURN)
    described = await client._described()
    key, now = generate_private_key(65537, 2048), int(clinic.context.clock.now().timestamp())
    claims = {"iss": provider.issuer, "sub": "x", "aud": provider.client_id, "iat": now, "exp": now + 60, "nonce": "n"}
    kid = json.loads(json.dumps((await client._ask("GET", described["jwks_uri"]))["keys"][0])).get("kid")
    for token in (
        "",
        "a.b.c",
        jwt.encode(claims, key, "RS256", headers={"kid": kid}),
        jwt.encode(claims, key, "RS256", headers={"kid": "unknown"}),
        jwt.encode(claims, "secret" * 10, "HS256", headers={"kid": kid}),
        jwt.encode(claims, "", "none"),
    ):
        with pytest.raises(ProviderFailed):
            await client._verified(token, described)
    # And what is signed well but says something else.
    for change in ({"nonce": "other"}, {"azp": "other"}, {"aud": [provider.client_id, "other"]}, {"sub": ""}):
        with pytest.raises(ProviderFailed):
            client._read({**claims, **change}, "n")
    assert client._read(claims, "n").subject == "x"
