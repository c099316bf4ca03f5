"""Another address: proved by a link sent to it, told to the old one, and undone from there for some days."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from core.clock import Clock, rfc3339
from core.database import Database, Transaction
from core.errors import InvalidInput, InvalidToken
from core.ids import uuid7
from core.security.principal import Principal
from core.security.stepup import require_recent
from core.settings import Settings
from identity import email_change_repository as changes
from identity import factor_repository, repository
from identity.email_change_repository import EmailChange
from identity.errors import EmailTaken, LinkGone
from identity.events import (
    EmailChanged,
    EmailChangeRequested,
    PasswordResetRequested,
    RegistrationRepeated,
)
from identity.guard import Guard
from identity.letters import AccountLetter
from identity.links import Links
from identity.passwords import Passwords
from identity.people import email_key
from identity.resetting import RESET_LIVES
from identity.sessions import Sessions
from identity.steady import no_sooner_than

CONFIRM_WITHIN = timedelta(days=1)
UNDO_WITHIN = timedelta(days=7)
KEPT = timedelta(days=30)  # rows of changes that are over
A_DAY = 5  # changes asked for by one person
ASKED_AFTER_S = 0.1


class EmailChanges:
    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        guard: Guard,
        passwords: Passwords,
        links: Links,
        undo_links: Links,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._guard = guard
        self._passwords = passwords
        self._links = links
        self._undo_links = undo_links
        self._clock = clock
        self._settings = settings

    async def request(self, principal: Principal, email: str) -> None:
        """Send a link to the new address. Where it has an account, its owner is told instead: the answer is the same.

        Raises StepUpRequired, InvalidInput for the address one has.
        """
        now = self._clock.now()
        require_recent(principal, now)
        async with no_sooner_than(ASKED_AFTER_S):
            if not await self._guard.take("email changes", str(principal.id), A_DAY, 86_400):
                return
            async with self._database.transaction() as tx:
                person = await repository.person(tx, principal.id)
                if person is None:
                    raise InvalidToken()
                if email_key(email) == email_key(person.email):
                    raise InvalidInput.of("email", "is the address you have")
                owner = await repository.account_by_email(tx, email)
                if owner is not None:
                    await tx.publish(RegistrationRepeated(person_id=owner.person.id, attempt_id=uuid7()))
                change = EmailChange(
                    id=uuid7(),
                    undo_id=uuid7(),
                    person_id=principal.id,
                    session_id=principal.session_id,
                    new_email=email.strip(),
                    old_email=None,
                    expires_at=now + CONFIRM_WITHIN,
                    confirmed_at=None,
                    undo_until=None,
                    over_at=None,
                )
                await changes.insert(tx, change, now)
                if owner is None and not await changes.reserved(tx, email, now, but=principal.id):
                    await tx.publish(EmailChangeRequested(person_id=principal.id, change_id=change.id))
                await self._audit(tx, "person.email_change_requested", principal.id, principal.role)

    async def waiting(self, principal: Principal) -> tuple[str, str] | None:
        """The address that waits for its confirmation, and until when (RFC 3339)."""
        async with self._database.reading() as tx:
            found = await changes.open_of(tx, principal.id, self._clock.now())
        return None if found is None or found.new_email is None else (found.new_email, rfc3339(found.expires_at))

    async def cancel(self, principal: Principal) -> None:
        """The link to the new address counts no more."""
        async with self._database.transaction() as tx:
            if await changes.end_open(tx, principal.id, self._clock.now()):
                await self._audit(tx, "person.email_change_cancelled", principal.id, principal.role)

    async def confirm(self, secret: str) -> None:
        """By the link in the new mailbox, once; signs out everywhere but where it was asked for.

        Raises LinkGone, EmailTaken when somebody took the address meanwhile.
        """
        change_id, now = self._links.read(secret), self._clock.now()
        async with self._database.transaction() as tx:
            change = await changes.by_id(tx, change_id, lock=True)
            person = None if change is None else await repository.person(tx, change.person_id)
            if (
                change is None
                or person is None
                or not person.roles
                or change.new_email is None
                or change.over_at is not None
                or change.confirmed_at is not None
                or change.expires_at <= now
            ):
                raise LinkGone()
            if await changes.reserved(tx, change.new_email, now, but=person.id):
                raise EmailTaken()
            await changes.set_email(tx, person.id, change.new_email, now)
            await changes.confirm(tx, change.id, person.email, now, now + UNDO_WITHIN)
            await factor_repository.end_resets(tx, person.id, now)
            await tx.publish(EmailChanged(person_id=person.id, change_id=change.id, undo_id=change.undo_id))
            await self._audit(tx, "person.email_changed", person.id, person.roles[0])
        await self._sessions.end_all(person.id, but=change.session_id)

    async def undo(self, secret: str) -> None:
        """By the link in the old mailbox: the old address is back, every session ends, and the password counts no more.

        A letter to the old address lets its owner choose a new one. Raises LinkGone.
        """
        undo_id, now = self._undo_links.read(secret), self._clock.now()
        hashed = await self._passwords.hash(secrets.token_urlsafe(32))
        async with self._database.transaction() as tx:
            change = await changes.by_undo_id(tx, undo_id, lock=True)
            if (
                change is None
                or change.over_at is not None
                or change.old_email is None
                or change.undo_until is None
                or change.undo_until <= now
            ):
                raise LinkGone()
            await changes.set_email(tx, change.person_id, change.old_email, now)
            await changes.end_since(tx, change.person_id, change.id, now)
            await repository.set_password_hash(tx, change.person_id, hashed)
            await factor_repository.end_resets(tx, change.person_id, now)
            reset_id = uuid7()
            await factor_repository.insert_reset(tx, reset_id, email_key(change.old_email), now + RESET_LIVES)
            await tx.publish(PasswordResetRequested(reset_id=reset_id, person_id=change.person_id))
            await self._audit(tx, "person.email_change_undone", change.person_id, "anonymous")
        await self._sessions.end_all(change.person_id)

    # -- what letters say

    async def letter(self, change_id: UUID) -> AccountLetter | None:
        """To the new address; None when it is used or over."""
        async with self._database.reading() as tx:
            found = await changes.by_id(tx, change_id)
        if found is None or found.new_email is None or found.over_at is not None or found.confirmed_at is not None:
            return None
        if found.expires_at <= self._clock.now():
            return None
        return AccountLetter(f"{self._settings.public_url}/new-email#{self._links.secret(change_id)}", found.new_email)

    async def undo_letter(self, undo_id: UUID) -> AccountLetter | None:
        """To the old address; None when it is over."""
        async with self._database.reading() as tx:
            found = await changes.by_undo_id(tx, undo_id)
        if found is None or found.old_email is None or found.over_at is not None:
            return None
        return AccountLetter(
            f"{self._settings.public_url}/old-email#{self._undo_links.secret(undo_id)}", found.old_email
        )

    async def forget_old(self) -> None:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            await changes.forget(tx, now, now - KEPT)

    async def _audit(self, tx: Transaction, action: str, person_id: UUID, role: str) -> None:
        await tx.audit(action, actor_id=person_id, actor_role=role, resource="person", resource_id=person_id)
