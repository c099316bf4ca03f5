"""HTTP of signing in with outside providers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Literal

from pydantic import Field

from core.errors import InvalidInput, InvalidToken, NotFound, StepUpRequired
from core.http.routes import Answer, Call, Moment, Routes, Wire
from core.settings import Settings
from identity.errors import (
    AlreadyLinked,
    EmailTaken,
    InvalidCredentials,
    LinkRequired,
    NotLinked,
    ProviderFailed,
    SecondFactorRequired,
    SignInGone,
    WrongCode,
)
from identity.federation import Begun, Federation
from identity.provider_accounts import ProviderAccounts
from identity.routes import COOKIE_PATH, NO_STORE, cookie_of, device_of, signed_in_answer
from identity.schemas import Empty, Language, Name, PersonRole, TimeZone, Tokens

BROWSER_COOKIE = "bedside_provider"
BEGUN_S = 600


class ProviderRow(Wire):
    id: str
    name: str


class Providers(Wire):
    items: list[ProviderRow]


class GoThere(Wire):
    """Where the browser goes to; the cookie that came with it must come back."""

    url: str


class Returned(Wire):
    """What the provider put into the address of ``/sign-in/return``."""

    state: str = Field(max_length=200)
    code: str = Field(max_length=4000)


class Return(Returned):
    role: PersonRole | None = None


class LinkAccount(Wire):
    link_token: str = Field(max_length=4096)
    password: str = Field(max_length=1000)
    code: str | None = Field(None, max_length=40)
    role: PersonRole | None = None


class OpenAccount(Wire):
    """Who somebody is whom a provider knows and we don't; ``terms_accepted`` is needed."""

    link_token: str = Field(max_length=4096)
    name: Name
    birth_date: date = Field(ge=date(1880, 1, 1))
    language: Language = "en"
    time_zone: TimeZone = "UTC"
    terms_accepted: Literal[True]


class LinkedRow(Wire):
    provider: str
    name: str
    linked_at: Moment


class LinkedPage(Wire):
    items: list[LinkedRow]


def add_federation_routes(
    routes: Routes, federation: Federation, accounts: ProviderAccounts, settings: Settings
) -> None:
    # The return page of our own site sends it, so that nobody can finish a sign-in in another's browser.
    cookie: dict[str, Any] = {"name": BROWSER_COOKIE, **cookie_of(settings), "path": COOKIE_PATH}

    def begun(found: Begun) -> Answer:
        cookies = [{**cookie, "value": found.browser, "max_age": BEGUN_S}]
        return Answer(GoThere(url=found.address), headers=NO_STORE, set_cookies=cookies)

    def browser(call: Call[Any, Any]) -> str:
        return call.request.cookies.get(BROWSER_COOKIE, "")

    @routes.get("/auth/providers", action="public", auth="none", returns=Providers)
    async def providers(call: Call[None, None]) -> Providers:
        """Whose sign-in is accepted here beside our own."""
        return Providers(items=[ProviderRow(id=each.id, name=each.name) for each in federation.providers])

    @routes.post(
        "/auth/providers/{provider}",
        action="public",
        auth="none",
        body=Empty,
        returns=GoThere,
        errors=(NotFound, ProviderFailed),
    )
    async def begin(call: Call[Empty, None]) -> Answer:
        """Begin to sign in with a provider."""
        return begun(await federation.begin(call.request.match_info["provider"]))

    @routes.post(
        "/auth/providers/return",
        action="public",
        auth="none",
        body=Return,
        returns=Tokens,
        errors=(SignInGone, ProviderFailed, LinkRequired, NotLinked, SecondFactorRequired),
    )
    async def finish(call: Call[Return, None]) -> Answer:
        """Come back from a provider and be signed in."""
        body, device = call.body, device_of(call, settings)
        signed_in = await federation.finish(body.state, body.code, browser(call), body.role, device)
        return signed_in_answer(signed_in, settings)

    @routes.post(
        "/auth/providers/link",
        action="public",
        auth="none",
        body=LinkAccount,
        returns=Tokens,
        errors=(InvalidToken, InvalidCredentials, SecondFactorRequired, WrongCode, AlreadyLinked),
    )
    async def link_account(call: Call[LinkAccount, None]) -> Answer:
        """After ``link_required``: link the account with this verified address by its own password, and sign in."""
        body, device = call.body, device_of(call, settings)
        signed_in = await federation.link_and_sign_in(body.link_token, body.password, body.code, body.role, device)
        return signed_in_answer(signed_in, settings)

    @routes.post(
        "/auth/providers/register",
        action="public",
        auth="none",
        body=OpenAccount,
        returns=Tokens,
        status=201,
        limit="login",
        errors=(InvalidToken, EmailTaken, AlreadyLinked),
    )
    async def open_account(call: Call[OpenAccount, None]) -> Answer:
        """After `link_required`, by who has no account yet: make a patient's account, linked, and sign in."""
        body, device = call.body, device_of(call, settings)
        if body.birth_date > call.now.date():
            raise InvalidInput.of("birth_date", "lies in the future")
        signed_in = await accounts.open(
            body.link_token, body.name, body.birth_date, body.language, body.time_zone, device
        )
        answer = signed_in_answer(signed_in, settings)
        return replace(answer, status=201)

    @routes.get("/me/identities", action="account.own", returns=LinkedPage)
    async def linked(call: Call[None, None]) -> LinkedPage:
        """The providers that one's account is linked to."""
        found = await federation.linked(call.principal)
        items = [LinkedRow(provider=each.provider_id, name=each.name, linked_at=each.linked_at) for each in found]
        return LinkedPage(items=items)

    # Under /auth, where the cookie goes.
    @routes.post(
        "/auth/identities/{provider}",
        action="account.own",
        body=Empty,
        returns=GoThere,
        idempotency="none",
        errors=(NotFound, ProviderFailed, StepUpRequired),
    )
    async def begin_link(call: Call[Empty, None]) -> Answer:
        """Begin to link a provider to one's account."""
        return begun(await federation.begin(call.request.match_info["provider"], call.principal))

    @routes.post(
        "/auth/identities/return",
        action="account.own",
        body=Returned,
        status=204,
        idempotency="none",
        errors=(SignInGone, ProviderFailed, AlreadyLinked, StepUpRequired),
    )
    async def finish_link(call: Call[Returned, None]) -> None:
        """Come back from a provider and keep the link."""
        await federation.link(call.principal, call.body.state, call.body.code, browser(call))

    @routes.delete("/me/identities/{provider}", action="account.own", status=204, errors=(NotFound, StepUpRequired))
    async def unlink(call: Call[None, None]) -> None:
        """End the link to a provider."""
        await federation.unlink(call.principal, call.request.match_info["provider"])
