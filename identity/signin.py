"""Signing in and out: the password, the second factor, sessions, and who an access token stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from core.clock import Clock
from core.database import Database
from core.errors import Forbidden, InvalidToken, NotFound
from core.security.principal import ROLES, Principal, Role
from core.security.stepup import require_recent
from core.security.tokens import Tokens
from core.settings import Settings
from identity import factor_repository, repository
from identity.errors import InvalidCredentials, SecondFactorRequired
from identity.factor_repository import Kinds
from identity.guard import ADDRESS, PASSWORD, Guard
from identity.passwords import LONGEST, Passwords
from identity.people import Person, email_key
from identity.second_factors import SecondFactors
from identity.sessions import Session, Sessions

PENDING_LIVES = timedelta(minutes=5)
PENDING_TRIES = 8  # codes tried with one pending token
SECOND = frozenset({"otp", "hwk"})  # methods that are, or hold, a second factor


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signs in: ``client`` is browser or native, ``agent`` what it calls itself."""

    client: str
    agent: str
    address: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``role`` is ``enrolling`` while the wanted role's second factor is missing."""

    person: Person
    role: Role
    access_token: str
    expires_in: int  # seconds
    refresh_token: str | None  # None where the one at hand stays good
    lives_s: int  # the refresh token
    client: str  # browser or native: browsers keep the refresh token in a cookie


class SignIn:
    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        guard: Guard,
        passwords: Passwords,
        factors: SecondFactors,
        tokens: Tokens,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._guard = guard
        self._passwords = passwords
        self._factors = factors
        self._tokens = tokens
        self._clock = clock
        self._settings = settings

    # -- signing in

    async def login(
        self, email: str, password: str, role: Role | None, device: Device, code: str | None = None
    ) -> SignedIn:
        """Raises InvalidCredentials for unknown and wrong alike, after the same time; SecondFactorRequired, WrongCode;
        TooManyRequests when guessed.
        """
        person = await self.prove_password(email, password, device.address)
        return await self.proceed(person, role, device, {"pwd"}, code)

    async def prove_password(self, email: str, password: str, address: str) -> Person:
        """The person whose address and password these are. Raises InvalidCredentials, TooManyRequests."""
        key = email_key(email)
        await self._guard.check(ADDRESS, address)
        await self._guard.check(PASSWORD, key)
        async with self._database.reading() as tx:
            account = await repository.account_by_email(tx, email)
        stored = None if account is None else account.password_hash
        if len(password) > LONGEST or not await self._passwords.matches(stored, password) or account is None:
            await self._guard.failed(PASSWORD, key)
            await self._guard.failed(ADDRESS, address)
            raise InvalidCredentials()
        await self._guard.forget(PASSWORD, key)
        if self._passwords.is_outdated(account.password_hash):
            hashed = await self._passwords.hash(password)
            async with self._database.transaction() as tx:
                await repository.set_password_hash(tx, account.person.id, hashed)
        return account.person

    async def proceed(
        self, person: Person, role: Role | None, device: Device, methods: Iterable[str], code: str | None = None
    ) -> SignedIn:
        """After the first factor: sign in, or ask for the second. Raises SecondFactorRequired, WrongCode, Forbidden."""
        acting = role or person.roles[0]
        if acting not in person.roles:
            raise Forbidden("You do not hold this role")
        kinds = await self._factors.kinds(person.id)
        if not kinds.any:
            return await self.open(person, acting, device, methods, kinds)
        if code is not None:
            await self._factors.use_code(person.id, code, device.address)
            return await self.open(person, acting, device, {*methods, "otp"}, kinds)
        pending = self._tokens.issue(
            "pending",
            person.id,
            PENDING_LIVES,
            role=acting,
            client=device.client,
            methods=sorted(methods),
        )
        raise SecondFactorRequired(pending_token=pending, methods=_names(kinds))

    async def finish(
        self,
        pending_token: str,
        device: Device,
        *,
        code: str | None = None,
        passkey: tuple[str, str, str] | None = None,
    ) -> SignedIn:
        """The second factor, after ``SecondFactorRequired``: a code, or a passkey's (ceremony, credential, origin).

        The token signs in once.

        Raises InvalidToken, WrongCode, PasskeyRefused, TooManyRequests.
        """
        claims = self._tokens.verify(pending_token, "pending")
        if not await self._guard.take("pending tries", str(claims.token_id), PENDING_TRIES, 600):
            raise InvalidToken()
        if code is not None:
            await self._factors.use_code(claims.subject, code, device.address)
            proved = "otp"
        elif passkey is not None:
            await self._factors.use_passkey(*passkey, address=device.address, person_id=claims.subject)
            proved = "hwk"
        else:
            raise InvalidToken()
        if not await self._guard.take("pending used", str(claims.token_id), 1, 600):
            raise InvalidToken()
        async with self._database.reading() as tx:
            person = await repository.person(tx, claims.subject)
        role = claims.extra["role"]
        if person is None or role not in person.roles:
            raise InvalidToken()
        device = Device(claims.extra["client"], device.agent, device.address)
        kinds = await self._factors.kinds(person.id)
        return await self.open(person, role, device, {*claims.extra["methods"], proved}, kinds)

    async def with_passkey(
        self, ceremony: str, credential: str, origin: str, role: Role | None, device: Device
    ) -> SignedIn:
        """A passkey alone is both factors: the device, and whoever unlocked it. Raises PasskeyRefused, Forbidden."""
        person_id = await self._factors.use_passkey(ceremony, credential, origin, address=device.address)
        async with self._database.reading() as tx:
            person = await repository.person(tx, person_id)
        if person is None or not person.roles:  # erased, or closed
            raise InvalidToken()
        acting = role or person.roles[0]
        if acting not in person.roles:
            raise Forbidden("You do not hold this role")
        return await self.open(person, acting, device, {"hwk"}, await self._factors.kinds(person.id))

    async def open(self, person: Person, role: Role, device: Device, methods: Iterable[str], kinds: Kinds) -> SignedIn:
        session, refresh = await self._sessions.open(
            person.id, role, device.client, device.agent, methods, self._clock.now()
        )
        async with self._database.transaction() as tx:
            await tx.audit(
                "session.opened",
                actor_id=person.id,
                actor_role=role,
                resource="session",
                resource_id=session.id,
                details={"methods": sorted(session.methods)},
            )
        return self._signed_in(person, session, refresh, kinds)

    # -- proving oneself again

    async def step_up(
        self,
        principal: Principal,
        device: Device,
        *,
        password: str | None = None,
        code: str | None = None,
        passkey: tuple[str, str, str] | None = None,
    ) -> SignedIn:
        """A fresh proof for this session: a passkey, or the password with a code where a second factor is on.

        Raises InvalidCredentials, SecondFactorRequired, WrongCode, PasskeyRefused, TooManyRequests.
        """
        session = await self._own(principal)
        async with self._database.reading() as tx:
            person = await repository.person(tx, principal.id)
        if person is None:
            raise InvalidToken()
        kinds = await self._factors.kinds(person.id)
        if passkey is not None:
            await self._factors.use_passkey(*passkey, address=device.address, person_id=person.id)
            methods = {"hwk"}
        else:
            if password is None:
                raise InvalidCredentials()
            await self.prove_password(person.email, password, device.address)
            methods = {"pwd"}
            if kinds.any:
                if code is None:
                    raise SecondFactorRequired(methods=_names(kinds))
                await self._factors.use_code(person.id, code, device.address)
                methods.add("otp")
        return await self.proved(session, person, methods)

    async def proved(self, session: Session, person: Person, methods: Iterable[str]) -> SignedIn:
        """A new access token for a session whose person has just proved themselves."""
        now = self._clock.now()
        session = await self._sessions.authenticated(session, methods, now)
        async with self._database.transaction() as tx:
            await tx.audit(
                "session.stepped_up",
                actor_id=person.id,
                actor_role=session.role,
                resource="session",
                resource_id=session.id,
                details={"methods": sorted(methods)},
            )
        return self._signed_in(person, session, None, await self._factors.kinds(person.id))

    async def factor_proved(self, principal: Principal, method: str) -> SignedIn:
        """A new factor was shown to work in this session: it counts from now on. Raises InvalidToken."""
        session = await self._own(principal)
        async with self._database.reading() as tx:
            person = await repository.person(tx, principal.id)
        if person is None:
            raise InvalidToken()
        return await self.proved(session, person, {method})

    async def act_as(self, principal: Principal, role: Role, device: Device) -> SignedIn:
        """Go on in another of one's roles, in a session of its own; the one at hand ends.

        Raises StepUpRequired, Forbidden for a role one does not hold.
        """
        require_recent(principal, self._clock.now())
        session = await self._own(principal)
        async with self._database.reading() as tx:
            person = await repository.person(tx, principal.id)
        if person is None or role not in person.roles:
            raise Forbidden("You do not hold this role")
        kinds = await self._factors.kinds(person.id)
        device = Device(session.client, device.agent, device.address)
        signed_in = await self.open(person, role, device, session.methods, kinds)
        await self._sessions.end(session)
        return signed_in

    # -- sessions

    async def refresh(self, refresh_token: str) -> SignedIn:
        """The next pair of tokens. Raises InvalidToken, RefreshReused."""
        session, following = await self._sessions.rotate(refresh_token, self._clock.now())
        async with self._database.reading() as tx:
            person = await repository.person(tx, session.person_id)
            kinds = await factor_repository.kinds(tx, session.person_id)
        held = person is not None and session.role in person.roles
        # A factor set up elsewhere since: this session has not shown it, where its role needs one.
        unproved = kinds.any and not session.methods & SECOND and self._settings.needs_second_factor(session.role)
        if person is None or not held or unproved:  # erased, or the role was taken away
            await self._sessions.end(session)
            raise InvalidToken()
        return self._signed_in(person, session, following, kinds)

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
        principal = principal_of(claims.subject, claims.extra)
        if principal.session_id is None or not await self._sessions.alive(principal.session_id):
            raise InvalidToken()
        return principal

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
        await self._audit_end(principal, session_id, {})

    async def end_sessions(self, principal: Principal, *, others: bool) -> int:
        """Sign out everywhere, or everywhere ``others`` than here; how many sessions ended."""
        ended = await self._sessions.end_all(principal.id, principal.session_id if others else None)
        await self._audit_end(principal, None, {"ended": ended})
        return ended

    async def _audit_end(self, principal: Principal, session_id: UUID | None, details: dict[str, Any]) -> None:
        async with self._database.transaction() as tx:
            await tx.audit(
                "session.ended",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="session",
                resource_id=session_id,
                details=details,
            )

    async def _own(self, principal: Principal) -> Session:
        session = None if principal.session_id is None else await self._sessions.get(principal.session_id)
        if session is None or session.person_id != principal.person_id:
            raise InvalidToken()
        return session

    def _signed_in(self, person: Person, session: Session, refresh: str | None, kinds: Kinds) -> SignedIn:
        role: Role | None = next((role for role in person.roles if role == session.role), None)
        if role is None:  # taken away meanwhile
            raise InvalidToken()
        if self._settings.needs_second_factor(role) and not (kinds.any and session.methods & SECOND):
            role = "enrolling"
        left = self._sessions.lifetimes(session.role).left_s(session.created_at, self._clock.now())
        seconds = max(1, min(self._settings.security.access_token_s, left))
        token = self._tokens.issue(
            "access",
            person.id,
            timedelta(seconds=seconds),
            session=session.id,
            role=role,
            roles=list(person.roles),
            name=person.name,
            auth_time=int(session.authenticated_at.timestamp()),
            amr=sorted(session.methods),
        )
        return SignedIn(person, role, token, seconds, refresh, left, session.client)


def principal_of(person_id: UUID, claims: dict[str, Any]) -> Principal:
    """Raises InvalidToken for claims that are none of an access token's."""
    try:
        session_id = UUID(claims["session"])
        role, roles = claims["role"], frozenset(claims["roles"])
        proved = datetime.fromtimestamp(claims["auth_time"], UTC)
        methods = frozenset(claims["amr"])
    except (KeyError, ValueError, TypeError, OverflowError):
        raise InvalidToken() from None
    if not roles <= ROLES or (role not in roles and role != "enrolling"):
        raise InvalidToken()
    return Principal(person_id, role, roles, session_id, str(claims.get("name", "")), proved, methods)


def _names(kinds: Kinds) -> list[str]:
    """What a page may ask for."""
    names = ["totp"] if kinds.totp else []
    names += ["passkey"] if kinds.passkeys else []
    return names + (["recovery_code"] if kinds.recovery_codes else [])
