"""Staff and practitioners come by invitation: a one-time link to their mailbox, for one role."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Forbidden, InvalidInput, InvalidToken, NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import Principal
from core.security.stepup import require_recent
from core.settings import Settings
from identity import administration_repository, email_change_repository, factor_repository, repository
from identity import staff_invitation_repository as invitations
from identity.errors import EmailTaken, LinkGone
from identity.events import StaffInvited
from identity.letters import AccountLetter
from identity.links import Links
from identity.passwords import Passwords, weakness
from identity.people import Person, PractitionerProfile, email_key
from identity.signin import Device, SignedIn, SignIn
from identity.staff_invitation_repository import StaffInvitation, StaffRole

LIVES = timedelta(days=7)
KEPT = timedelta(days=90)  # after its end, where nobody accepted


class OtherAddress(Forbidden):
    code = "other_address"
    title = "This invitation is for another email address: sign in with that account, or accept it as a new person"


def allow(policy: Policy) -> None:
    """Add this part's rules."""
    policy.allow("staff.invite", "admin")


class StaffInvitations:
    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        links: Links,
        sign_in: SignIn,
        policy: Policy,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._links = links
        self._sign_in = sign_in
        self._policy = policy
        self._clock = clock
        self._settings = settings

    # -- the administrator's side

    async def invite(
        self,
        principal: Principal,
        *,
        email: str,
        name: str,
        language: str,
        role: StaffRole,
        work: Mapping[str, Any] | None,
    ) -> StaffInvitation:
        """Send a link; one sent before for this address and role counts no more. Raises Forbidden, StepUpRequired,
        InvalidInput for a practitioner without work, or work without a practitioner."""
        self._policy.require(principal, "staff.invite")
        now = self._clock.now()
        require_recent(principal, now)
        if (role == "practitioner") != (work is not None):
            raise InvalidInput.of("practitioner", "is needed for practitioners, and for nobody else")
        made = StaffInvitation(
            id=uuid7(),
            email=email.strip(),
            name=name,
            language=language,
            role=role,
            work=None if work is None else dict(work),
            invited_by=principal.id,
            created_at=now,
            expires_at=now + LIVES,
        )
        async with self._database.transaction() as tx:
            await invitations.insert(tx, made)
            await tx.publish(StaffInvited(invitation_id=made.id, invited_by=principal.id))
            await self._audit(tx, "staff.invited", principal.person_id, principal.role, made)
        return made

    async def list(
        self, principal: Principal, *, cursor: str | None, limit: int
    ) -> tuple[list[StaffInvitation], str | None]:
        """Newest first. Raises Forbidden, InvalidInput."""
        self._policy.require(principal, "staff.invite")
        try:
            after = None if cursor is None else UUID(cursor)
        except ValueError:
            raise InvalidInput.of("cursor", "is not one of ours") from None
        async with self._database.reading() as tx:
            found = await invitations.newest(tx, after, limit + 1)
        return found[:limit], str(found[limit - 1].id) if len(found) > limit else None

    async def revoke(self, principal: Principal, invitation_id: UUID) -> None:
        """The link counts no more; nothing changes for one that was accepted. Raises Forbidden, NotFound."""
        self._policy.require(principal, "staff.invite")
        now = self._clock.now()
        async with self._database.transaction() as tx:
            found = await invitations.get(tx, invitation_id, lock=True)
            if found is None:
                raise NotFound()
            if found.state(now) in ("open", "expired"):
                await invitations.revoke(tx, invitation_id, now)
                await self._audit(tx, "staff.invitation_revoked", principal.person_id, principal.role, found)

    # -- the invited person's side

    async def read(self, secret: str) -> tuple[StaffInvitation, bool]:
        """What one was invited to, and whether the address has an account already. Raises LinkGone."""
        async with self._database.reading() as tx:
            found = await self._open(tx, secret)
            account = await repository.account_by_email(tx, found.email)
        return found, account is not None

    async def accept_new(
        self, secret: str, name: str, password: str, language: str, time_zone: str, device: Device
    ) -> SignedIn:
        """Open an account with this role; the link proved the mailbox. Raises LinkGone, EmailTaken, InvalidInput."""
        found, _ = await self.read(secret)
        weak = weakness(password, found.email, name)
        if weak is not None:
            raise InvalidInput.of("password", weak)
        hashed, now = await self._passwords.hash(password), self._clock.now()
        person = Person(uuid7(), found.email, name.strip(), (found.role,), language, time_zone, True, now)
        async with self._database.transaction() as tx:
            found = await self._open(tx, secret, lock=True)
            if await email_change_repository.reserved(tx, found.email, now):
                raise EmailTaken()
            await repository.insert_person(tx, person, hashed, now)
            await self._settle(tx, found, person.id, now)
        kinds = await self._kinds(person.id)
        return await self._sign_in.open(person, found.role, device, {"pwd"}, kinds)

    async def accept_own(self, principal: Principal, secret: str) -> Person:
        """Add the role to the account one is signed in to, if it has the address that was invited.

        Raises LinkGone, OtherAddress, StepUpRequired.
        """
        now = self._clock.now()
        require_recent(principal, now)
        async with self._database.transaction() as tx:
            found = await self._open(tx, secret, lock=True)
            person = await repository.person(tx, principal.id)
            if person is None:
                raise InvalidToken()
            if email_key(person.email) != email_key(found.email):
                raise OtherAddress()
            if found.role not in person.roles:
                await administration_repository.set_roles(tx, person.id, [*person.roles, found.role], now)
            await factor_repository.mark_verified(tx, person.id, now)
            await self._settle(tx, found, person.id, now)
            after = await repository.person(tx, person.id)
        assert after is not None, "just seen"
        return after

    async def letter(self, invitation_id: UUID) -> AccountLetter | None:
        """What is sent to the address; None when it is used, revoked or over."""
        async with self._database.reading() as tx:
            found = await invitations.get(tx, invitation_id)
        if found is None or found.state(self._clock.now()) != "open":
            return None
        link = f"{self._settings.public_url}/invited#{self._links.secret(invitation_id)}"
        return AccountLetter(link, found.email, found.name, found.language)

    async def forget_old(self) -> None:
        async with self._database.transaction() as tx:
            await invitations.forget(tx, self._clock.now() - KEPT)

    async def _open(self, tx: Transaction, secret: str, *, lock: bool = False) -> StaffInvitation:
        found = await invitations.get(tx, self._links.read(secret), lock=lock)
        if found is None or found.state(self._clock.now()) != "open":
            raise LinkGone()
        return found

    async def _settle(self, tx: Transaction, found: StaffInvitation, person_id: UUID, now: datetime) -> None:
        """The role is theirs; a practitioner's page stays unseen until an administrator has checked the licence."""
        if found.work is not None and not await repository.practitioners(tx, [person_id]):
            await repository.put_practitioner(tx, person_id, profile_of(found.work), now)
        await invitations.accept(tx, found.id, person_id, now)
        await self._audit(tx, "staff.invitation_accepted", person_id, found.role, found)

    async def _kinds(self, person_id: UUID) -> factor_repository.Kinds:
        async with self._database.reading() as tx:
            return await factor_repository.kinds(tx, person_id)

    async def _audit(
        self, tx: Transaction, action: str, actor_id: UUID | None, role: str, found: StaffInvitation
    ) -> None:
        await tx.audit(
            action,
            actor_id=actor_id,
            actor_role=role,
            resource="staff_invitation",
            resource_id=found.id,
            details={"role": found.role},
        )


def profile_of(work: Mapping[str, Any]) -> PractitionerProfile:
    """Unpublished, with an unverified licence. Pure."""
    return PractitionerProfile(
        title=work["title"],
        specialties=tuple(work["specialties"]),
        languages=tuple(work["languages"]),
        licence_number=work["licence_number"],
        fee_minor=work["fee_minor"],
        currency=work["currency"],
        location=work["location"],
        about=work.get("about", ""),
    )
