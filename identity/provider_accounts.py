"""A patient's account begun at an outside provider that has verified the address."""

from __future__ import annotations

import secrets
from datetime import date

from core.clock import Clock
from core.database import Database
from core.errors import InvalidToken
from core.ids import uuid7
from core.security.tokens import Tokens
from core.security.vault import Vault
from identity import email_change_repository, factor_repository, repository
from identity.errors import AlreadyLinked, EmailTaken
from identity.events import PatientRegistered
from identity.guard import Guard
from identity.passwords import Passwords
from identity.people import Person
from identity.signin import Device, SignedIn, SignIn


class ProviderAccounts:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        passwords: Passwords,
        guard: Guard,
        tokens: Tokens,
        sign_in: SignIn,
        clock: Clock,
    ) -> None:
        self._database = database
        self._vault = vault
        self._passwords = passwords
        self._guard = guard
        self._tokens = tokens
        self._sign_in = sign_in
        self._clock = clock

    async def open(
        self, link_token: str, name: str, birth_date: date, language: str, time_zone: str, device: Device
    ) -> SignedIn:
        """Make the account and sign in. ``link_token`` is what ``LinkRequired`` carried; it opens one account.

        It has no password that anybody knows: one is set by the link of a letter, like a forgotten one. Raises
        InvalidToken, EmailTaken where the address has an account (it is linked by its own password), AlreadyLinked.
        """
        claims = self._tokens.verify(link_token, "link")
        issuer, subject = claims.extra["outside"]
        now = self._clock.now()
        person = Person(uuid7(), claims.extra["email"], name.strip(), ("patient",), language, time_zone, True, now)
        hashed = await self._passwords.hash(secrets.token_urlsafe(32))
        born = await self._vault.encrypt_text(person.id, f"person/{person.id}/birth_date", birth_date.isoformat())
        async with self._database.transaction() as tx:
            if await email_change_repository.reserved(tx, person.email, now):
                raise EmailTaken()
            await repository.insert_person(tx, person, hashed, now)
            await repository.update_person(tx, person.id, {"birth_date": born})
            if not await factor_repository.link(tx, person.id, issuer, subject, now):
                raise AlreadyLinked()
            if not await self._guard.take("link used", str(claims.token_id), 1, 1200):
                raise InvalidToken()
            await tx.publish(PatientRegistered(person_id=person.id))
            await tx.audit(
                "person.created",
                actor_id=person.id,
                actor_role="patient",
                resource="person",
                resource_id=person.id,
                patient_id=person.id,
                details={"by": "provider", "terms": True},
            )
        async with self._database.reading() as tx:
            kinds = await factor_repository.kinds(tx, person.id)
        return await self._sign_in.open(person, "patient", device, {"fed"}, kinds)
