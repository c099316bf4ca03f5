"""Signing in with an outside provider, and linking it to one's account after proof."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.clock import Clock
from core.database import Database
from core.errors import NotFound, Unavailable
from core.ids import uuid7
from core.security.principal import Principal, Role
from core.security.stepup import require_recent
from core.security.tokens import Tokens
from core.settings import Provider
from identity import factor_repository, repository
from identity.errors import AlreadyLinked, InvalidCredentials, LinkRequired, NotLinked, SecondFactorRequired, SignInGone
from identity.events import SecurityChanged
from identity.guard import Guard
from identity.oidc import Outsider, ProviderClient
from identity.second_factors import SecondFactors
from identity.signin import Device, SignedIn, SignIn

BEGUN_S = 600
LINK_LIVES = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Begun:
    """``address`` is for the browser to go to, ``browser`` for its cookie: only there may it come back."""

    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class Linked:
    provider_id: str
    name: str
    linked_at: datetime


class Federation:
    def __init__(
        self,
        database: Database,
        redis: Redis,
        providers: Sequence[Provider],
        public_url: str,
        sign_in: SignIn,
        factors: SecondFactors,
        guard: Guard,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._database = database
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command
        self._clients = {each.id: ProviderClient(each, f"{public_url}/sign-in/return") for each in providers}
        self._sign_in = sign_in
        self._factors = factors
        self._guard = guard
        self._tokens = tokens
        self._clock = clock

    @property
    def providers(self) -> list[Provider]:
        return [each.provider for each in self._clients.values()]

    # -- signing in

    async def begin(self, provider_id: str, principal: Principal | None = None) -> Begun:
        """To sign in, or to link for ``principal``. Raises NotFound, ProviderFailed, StepUpRequired."""
        client = self._client(provider_id)
        if principal is not None:
            require_recent(principal, self._clock.now())
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        address = await client.address(state, nonce, verifier)
        person = None if principal is None else str(principal.id)
        kept = json.dumps([provider_id, nonce, verifier, _digest(browser), person])
        await self._do("SET", _key(state), kept, "EX", BEGUN_S)
        return Begun(address, browser)

    async def finish(self, state: str, code: str, browser: str, role: Role | None, device: Device) -> SignedIn:
        """Back from the provider. Raises SignInGone, ProviderFailed, LinkRequired, NotLinked, SecondFactorRequired."""
        outsider = await self._came_back(state, code, browser, None)
        async with self._database.reading() as tx:
            person_id = await factor_repository.outside_person(tx, outsider.issuer, outsider.subject)
            person = None if person_id is None else await repository.person(tx, person_id)
        if person is not None and person.roles:
            return await self._sign_in.proceed(person, role, device, {"fed"})
        if outsider.email is None:
            raise NotLinked()
        # The same for an address that has an account and one that has none.
        token = self._tokens.issue(
            "link", uuid7(), LINK_LIVES, outside=[outsider.issuer, outsider.subject], email=outsider.email
        )
        raise LinkRequired(link_token=token)

    async def link_and_sign_in(
        self, link_token: str, password: str, code: str | None, role: Role | None, device: Device
    ) -> SignedIn:
        """Link the account that has the provider's verified address, given its own password (and code), once.

        Raises InvalidToken, InvalidCredentials, SecondFactorRequired, WrongCode, AlreadyLinked.
        """
        claims = self._tokens.verify(link_token, "link")
        person = await self._sign_in.prove_password(claims.extra["email"], password, device.address)
        methods = {"pwd", "fed"}
        if (await self._factors.kinds(person.id)).any:
            if code is None:
                raise SecondFactorRequired(methods=["totp", "recovery_code"])
            await self._factors.use_code(person.id, code, device.address)
            methods.add("otp")
        if not await self._guard.take("link used", str(claims.token_id), 1, 1200):
            raise InvalidCredentials()
        issuer, subject = claims.extra["outside"]
        outsider = Outsider(issuer, subject, claims.extra["email"])
        await self._link(person.id, person.roles[0], outsider)
        kinds = await self._factors.kinds(person.id)
        return await self._sign_in.open(person, role or person.roles[0], device, methods, kinds)

    # -- one's own

    async def link(self, principal: Principal, state: str, code: str, browser: str) -> None:
        """Back from the provider, signed in. Raises SignInGone, ProviderFailed, AlreadyLinked, StepUpRequired."""
        require_recent(principal, self._clock.now())
        await self._link(principal.id, principal.role, await self._came_back(state, code, browser, principal.id))

    async def linked(self, principal: Principal) -> list[Linked]:
        async with self._database.reading() as tx:
            found = await factor_repository.outside_identities(tx, principal.id)
        by_issuer = {each.issuer: each for each in self.providers}
        return [Linked(by_issuer[issuer].id, by_issuer[issuer].name, at) for issuer, at in found if issuer in by_issuer]

    async def unlink(self, principal: Principal, provider_id: str) -> None:
        """Raises StepUpRequired, NotFound."""
        require_recent(principal, self._clock.now())
        issuer = self._client(provider_id).provider.issuer
        async with self._database.transaction() as tx:
            if not await factor_repository.unlink(tx, principal.id, issuer):
                raise NotFound()
            await tx.audit(
                "identity.unlinked",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="person",
                resource_id=principal.id,
                details={"provider": provider_id},
            )

    async def _link(self, person_id: UUID, role: str, outsider: Outsider) -> None:
        async with self._database.transaction() as tx:
            if not await factor_repository.link(tx, person_id, outsider.issuer, outsider.subject, self._clock.now()):
                raise AlreadyLinked()
            await tx.publish(SecurityChanged(person_id=person_id, change_id=uuid7(), what="identity_linked"))
            await tx.audit(
                "identity.linked", actor_id=person_id, actor_role=role, resource="person", resource_id=person_id
            )

    async def _came_back(self, state: str, code: str, browser: str, person_id: UUID | None) -> Outsider:
        kept = await self._do("GETDEL", _key(state))
        if kept is None:
            raise SignInGone()
        provider_id, nonce, verifier, digest, person = json.loads(kept)
        if not hmac.compare_digest(digest, _digest(browser)) or person != (person_id and str(person_id)):
            raise SignInGone()
        return await self._client(provider_id).exchange(code, verifier, nonce)

    def _client(self, provider_id: str) -> ProviderClient:
        client = self._clients.get(provider_id)
        if client is None:
            raise NotFound()
        return client

    async def _do(self, *command: Any) -> Any:
        try:
            return await self._command(*command)
        except (RedisError, OSError):
            raise Unavailable() from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _key(state: str) -> str:
    return f"identity:oidc:{_digest(state)}"
