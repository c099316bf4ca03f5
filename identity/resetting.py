"""New passwords: by a one-time link when the old one is forgotten, or as a signed-in person."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput, InvalidToken
from core.ids import uuid7
from core.security.principal import Principal
from core.security.stepup import require_recent
from core.settings import Settings
from identity import factor_repository, repository
from identity.errors import LinkGone
from identity.events import PasswordResetRequested, SecurityChanged
from identity.guard import PASSWORD, Guard
from identity.links import Links
from identity.passwords import Passwords, weakness
from identity.people import Person, email_key
from identity.sessions import Sessions
from identity.steady import no_sooner_than

RESET_LIVES = timedelta(minutes=30)
KEPT = timedelta(days=30)  # rows of links that are over
LETTERS_AN_HOUR = 3  # to one address; more are asked for in vain, without a word
ASKED_AFTER_S = 0.1


class Resetting:
    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        guard: Guard,
        passwords: Passwords,
        links: Links,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._guard = guard
        self._passwords = passwords
        self._links = links
        self._clock = clock
        self._settings = settings

    async def request(self, email: str) -> None:
        """Send a link if somebody has this address. The same work and the same time whether or not."""
        key = email_key(email)
        async with no_sooner_than(ASKED_AFTER_S):
            if not await self._guard.take("reset letters", key, LETTERS_AN_HOUR, 3600):
                return
            reset_id = uuid7()
            async with self._database.transaction() as tx:
                expires_at = self._clock.now() + RESET_LIVES
                person_id = await factor_repository.insert_reset(tx, reset_id, key, expires_at)
                await tx.publish(PasswordResetRequested(reset_id=reset_id, person_id=person_id))
                await tx.audit(
                    "person.password_reset_requested",
                    actor_id=None,
                    actor_role="anonymous",
                    resource="person",
                    resource_id=person_id,
                )

    async def link(self, reset_id: UUID) -> str | None:
        """The link to send, its secret in the fragment; None when it is used or over."""
        async with self._database.reading() as tx:
            found = await factor_repository.reset(tx, reset_id)
        if found is None or found.used_at is not None or found.expires_at <= self._clock.now():
            return None
        return f"{self._settings.public_url}/reset-password#{self._links.secret(reset_id)}"

    async def finish(self, secret: str, password: str) -> None:
        """Set a password by a link, once; every session ends. Raises LinkGone, InvalidInput for a weak one.

        A second factor stays: the next sign-in asks for it.
        """
        reset_id, now = self._links.read(secret), self._clock.now()
        async with self._database.reading() as tx:
            found = await factor_repository.reset(tx, reset_id)
            person = None if found is None or found.person_id is None else await repository.person(tx, found.person_id)
        if found is None or person is None or found.used_at is not None or found.expires_at <= now:
            raise LinkGone()
        hashed = await self._hashed(password, person)
        async with self._database.transaction() as tx:
            if not await factor_repository.use_resets(tx, reset_id, now):
                raise LinkGone()
            await factor_repository.mark_verified(tx, person.id, now)  # the link came by mail
            await self._set(tx, person, hashed, "person.password_reset", "anonymous")
        await self._sessions.end_all(person.id)
        await self._guard.forget(PASSWORD, email_key(person.email))

    async def change(self, principal: Principal, password: str) -> None:
        """A new password; every other session ends. Raises StepUpRequired, InvalidInput for a weak one."""
        now = self._clock.now()
        require_recent(principal, now)
        async with self._database.reading() as tx:
            person = await repository.person(tx, principal.id)
        if person is None:
            raise InvalidToken()
        hashed = await self._hashed(password, person)
        async with self._database.transaction() as tx:
            await factor_repository.end_resets(tx, person.id, now)
            await self._set(tx, person, hashed, "person.password_changed", principal.role)
        await self._sessions.end_all(person.id, but=principal.session_id)

    async def forget_old(self) -> None:
        async with self._database.transaction() as tx:
            await factor_repository.forget_resets(tx, self._clock.now() - KEPT)

    async def _hashed(self, password: str, person: Person) -> str:
        weak = weakness(password, person.email, person.name)
        if weak is not None:
            raise InvalidInput.of("password", weak)
        return await self._passwords.hash(password)

    async def _set(self, tx: Transaction, person: Person, hashed: str, action: str, role: str) -> None:
        await repository.set_password_hash(tx, person.id, hashed)
        await tx.publish(SecurityChanged(person_id=person.id, change_id=uuid7(), what="password"))
        await tx.audit(
            action, actor_id=person.id, actor_role=role, resource="person", resource_id=person.id, details={}
        )
