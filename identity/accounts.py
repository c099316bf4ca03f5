"""Accounts: registering, signing in and out, sessions, verifying an address."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Forbidden, InvalidInput, InvalidToken, NotFound, TooManyRequests
from core.ids import uuid7
from core.security.principal import ROLES, Principal, Role
from core.security.tokens import Tokens
from core.settings import Settings
from identity import repository
from identity.errors import InvalidCredentials, LinkGone
from identity.events import EmailVerified, PatientRegistered, VerificationRequested
from identity.passwords import LONGEST, Passwords, weakness
from identity.people import Person, PractitionerProfile
from identity.sessions import Attempts, Session, Sessions

VERIFICATION_LIVES = timedelta(days=2)
# Wrong passwords for one account in an hour, from wherever: NIST SP 800-63B-4, 3.2.2 allows at most 100 in a row.
FAILURES_PER_HOUR = 30
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class SignedIn:
    person: Person
    role: Role
    access_token: str
    expires_in: int  # seconds
    refresh_token: str


class Accounts:
    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        attempts: Attempts,
        passwords: Passwords,
        tokens: Tokens,
        clock: Clock,
        settings: Settings,
        link_key: bytes,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._attempts = attempts
        self._passwords = passwords
        self._tokens = tokens
        self._clock = clock
        self._settings = settings
        self._link_key = link_key

    async def register(self, email: str, password: str, name: str, language: str, time_zone: str) -> Person:
        """A new patient. Raises InvalidInput for a weak password, EmailTaken.

        The address is still to be verified, but in the demonstration, which sends mail to nobody.
        """
        weak = weakness(password, email, name)
        if weak is not None:
            raise InvalidInput.of("password", weak)
        return await self._create(
            uuid7(), email, password, name, ("patient",), language, time_zone, self._settings.mode == "demo", None
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

    async def login(self, email: str, password: str, role: Role | None, client: str, agent: str) -> SignedIn:
        """Raises InvalidCredentials for unknown and wrong alike, after the same time; TooManyRequests when guessed."""
        failures, left = await self._attempts.seen("failures", email.casefold())
        if failures >= FAILURES_PER_HOUR:
            raise TooManyRequests("Too many wrong passwords: wait a while", headers={"Retry-After": str(left)})
        async with self._database.reading() as tx:
            account = await repository.account_by_email(tx, email)
        stored = None if account is None else account.password_hash
        if len(password) > LONGEST or not await self._passwords.matches(stored, password) or account is None:
            await self._attempts.count("failures", email.casefold(), HOUR_S)
            raise InvalidCredentials()
        await self._attempts.forget("failures", email.casefold())
        person = account.person
        acting = role or person.roles[0]
        if acting not in person.roles:
            raise Forbidden("You do not hold this role")
        if self._passwords.is_outdated(account.password_hash):
            hashed = await self._passwords.hash(password)
            async with self._database.transaction() as tx:
                await repository.set_password_hash(tx, person.id, hashed)
        session_id, refresh = await self._sessions.open(person.id, acting, client, agent, self._clock.now())
        await self._audit(person, acting, "session.opened", session_id)
        return self._signed_in(person, acting, session_id, refresh)

    async def refresh(self, refresh_token: str) -> tuple[SignedIn, Session]:
        """The next pair of tokens. Raises InvalidToken, RefreshReused."""
        session, following = await self._sessions.rotate(refresh_token, self._clock.now())
        async with self._database.reading() as tx:
            person = await repository.person(tx, session.person_id)
        role = next((role for role in person.roles if role == session.role), None) if person else None
        if person is None or role is None:  # erased, or the role was taken away
            await self._sessions.end(session)
            raise InvalidToken()
        return self._signed_in(person, role, session.id, following), session

    async def logout(self, access_token: str | None, refresh_token: str | None) -> None:
        """End the session either token belongs to; nothing happens for tokens that no longer count."""
        if access_token is not None:
            try:
                principal = await self.authenticate(access_token)
                if principal.session_id is not None:
                    await self.end_session(principal, principal.session_id)
                return
            except (InvalidToken, NotFound):
                pass  # an expired access token does not keep anyone signed in: the refresh token decides
        if refresh_token is not None:
            try:
                session = await self._sessions.holder(refresh_token)
            except InvalidToken:
                return
            if session is not None:
                await self._sessions.end(session)

    async def authenticate(self, token: str) -> Principal:
        """Who an access token stands for, if its session lives. Raises InvalidToken, Unavailable. One Redis read."""
        claims = self._tokens.verify(token, "access")
        try:
            session_id = UUID(claims.extra["session"])
            role, roles = claims.extra["role"], frozenset(claims.extra["roles"])
        except (KeyError, ValueError, TypeError):
            raise InvalidToken() from None
        if role not in roles or not roles <= ROLES or not await self._sessions.alive(session_id):
            raise InvalidToken()
        return Principal(claims.subject, role, roles, session_id, str(claims.extra.get("name", "")))

    async def session_stands(self, session_id: UUID) -> bool:
        """For connections that outlive their token. Raises Unavailable."""
        return await self._sessions.alive(session_id)

    async def sessions(self, principal: Principal) -> list[Session]:
        return await self._sessions.of_person(principal.id)

    async def end_session(self, principal: Principal, session_id: UUID) -> None:
        """Raises NotFound for another person's session too."""
        session = await self._sessions.get(session_id)
        if session is None or session.person_id != principal.id:
            raise NotFound()
        await self._sessions.end(session)
        async with self._database.transaction() as tx:
            await tx.audit(
                "session.ended",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="session",
                resource_id=session_id,
            )

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
        return f"{self._settings.public_url}/verify#{verification_id.hex}.{self._secret(verification_id)}"

    async def verify_email(self, secret: str) -> None:
        """Use the link's secret, once. Raises LinkGone."""
        text, _, code = secret.partition(".")
        try:
            verification_id = UUID(text)
        except ValueError:
            raise LinkGone() from None
        if not hmac.compare_digest(self._secret(verification_id).encode(), code.encode()):
            raise LinkGone()
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

    def _secret(self, verification_id: UUID) -> str:
        digest = hmac.new(self._link_key, verification_id.bytes, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _signed_in(self, person: Person, role: Role, session_id: UUID, refresh: str) -> SignedIn:
        seconds = self._settings.security.access_token_s
        token = self._tokens.issue(
            "access",
            person.id,
            timedelta(seconds=seconds),
            session=session_id,
            role=role,
            roles=list(person.roles),
            name=person.name,
        )
        return SignedIn(person, role, token, seconds, refresh)

    async def _audit(self, person: Person, role: Role, action: str, session_id: UUID) -> None:
        async with self._database.transaction() as tx:
            await tx.audit(action, actor_id=person.id, actor_role=role, resource="session", resource_id=session_id)
