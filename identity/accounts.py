"""Accounts: registering, and verifying an address."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput
from core.ids import uuid7
from core.security.principal import Principal, Role
from core.settings import Settings
from identity import email_change_repository, repository
from identity.errors import EmailTaken, LinkGone
from identity.events import EmailVerified, PatientRegistered, RegistrationRepeated, VerificationRequested
from identity.links import Links
from identity.passwords import Passwords, weakness
from identity.people import Person, PractitionerProfile
from identity.steady import no_sooner_than

VERIFICATION_LIVES = timedelta(days=2)
# Hashing takes some 40 ms; what is done for a new address and for a known one differs by a few.
REGISTERED_AFTER_S = 0.2


class Accounts:
    def __init__(
        self, database: Database, passwords: Passwords, links: Links, clock: Clock, settings: Settings
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._links = links
        self._clock = clock
        self._settings = settings

    async def register(self, email: str, password: str, name: str, language: str, time_zone: str) -> Person:
        """A new patient. Raises InvalidInput for a weak password.

        The address is still to be verified, but in the demonstration, which sends mail to nobody. Where it has an
        account already the answer is the same, after the same time: its owner alone is told, by mail.
        """
        weak = weakness(password, email, name)
        if weak is not None:
            raise InvalidInput.of("password", weak)
        verified = self._settings.mode == "demo"
        async with no_sooner_than(REGISTERED_AFTER_S):
            try:
                return await self._create(
                    uuid7(), email, password, name, ("patient",), language, time_zone, verified, None
                )
            except EmailTaken:
                await self._repeated(email)
        now = self._clock.now()
        return Person(uuid7(), email.strip(), name.strip(), ("patient",), language, time_zone, verified, now)

    async def _repeated(self, email: str) -> None:
        async with self._database.transaction() as tx:
            account = await repository.account_by_email(tx, email)
            if account is None:
                return  # erased in between
            owner = account.person
            await tx.publish(RegistrationRepeated(person_id=owner.id, attempt_id=uuid7()))
            await tx.audit(
                "person.registration_repeated",
                actor_id=None,
                actor_role="anonymous",
                resource="person",
                resource_id=owner.id,
            )

    async def create_person(
        self,
        *,
        email: str,
        password: str,
        name: str,
        roles: tuple[Role, ...],
        language: str = "en",
        time_zone: str = "UTC",
        verified: bool = True,
        practitioner: PractitionerProfile | None = None,
        person_id: UUID | None = None,
    ) -> Person:
        """For administrators' tools and the demonstration: any roles, any password. Raises EmailTaken."""
        return await self._create(
            person_id or uuid7(), email, password, name, roles, language, time_zone, verified, practitioner
        )

    async def _create(
        self,
        person_id: UUID,
        email: str,
        password: str,
        name: str,
        roles: tuple[Role, ...],
        language: str,
        time_zone: str,
        verified: bool,
        practitioner: PractitionerProfile | None,
    ) -> Person:
        now = self._clock.now()
        hashed = await self._passwords.hash(password)
        person = Person(person_id, email.strip(), name.strip(), roles, language, time_zone, verified, now)
        async with self._database.transaction() as tx:
            if await email_change_repository.reserved(tx, email, now):
                raise EmailTaken()
            await repository.insert_person(tx, person, hashed, now if verified else None)
            if practitioner is not None:
                await repository.put_practitioner(tx, person_id, practitioner, now)
            if "patient" in roles:
                await tx.publish(PatientRegistered(person_id=person_id))
            if not verified:
                await self._request_verification(tx, person_id)
            await tx.audit(
                "person.created",
                actor_id=person_id,
                actor_role=roles[0],
                resource="person",
                resource_id=person_id,
                patient_id=person_id if "patient" in roles else None,
            )
        return person

    # -- verifying an address

    async def send_verification(self, principal: Principal) -> None:
        """Ask for another letter with a link; nothing happens when the address is verified."""
        async with self._database.transaction() as tx:
            person = await repository.person(tx, principal.id)
            if person is not None and not person.email_verified:
                await self._request_verification(tx, person.id)

    async def verification_link(self, verification_id: UUID) -> str | None:
        """The link to send, its secret in the fragment; None when it is used or over."""
        async with self._database.reading() as tx:
            found = await repository.verification(tx, verification_id)
        if found is None or found.used_at is not None or found.expires_at <= self._clock.now():
            return None
        return f"{self._settings.public_url}/verify#{self._links.secret(verification_id)}"

    def page_for(self, kind: str) -> str:
        """The page that a letter about the account leads to, where it carries no secret."""
        signed_out = kind in ("account.registration_repeated", "account.password")
        return f"{self._settings.public_url}/{'forgot-password' if signed_out else 'security'}"

    async def verify_email(self, secret: str) -> None:
        """Use the link's secret, once. Raises LinkGone."""
        verification_id = self._links.read(secret)
        async with self._database.transaction() as tx:
            person_id = await repository.use_verification(tx, verification_id, self._clock.now())
            if person_id is None:
                raise LinkGone()
            await tx.publish(EmailVerified(person_id=person_id))
            await tx.audit(
                "person.email_verified",
                actor_id=person_id,
                actor_role="patient",
                resource="person",
                resource_id=person_id,
            )

    async def _request_verification(self, tx: Transaction, person_id: UUID) -> None:
        verification = repository.Verification(uuid7(), person_id, self._clock.now() + VERIFICATION_LIVES, None)
        await repository.insert_verification(tx, verification)
        await tx.publish(VerificationRequested(person_id=person_id, verification_id=verification.id))
