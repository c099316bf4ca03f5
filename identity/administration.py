"""What administrators do with accounts: roles, closing and opening again, licences.

Whoever loses a role is signed out where they act in it, and their open connections and media end with that sign-in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Conflict, InvalidInput, NotFound
from core.security.policy import Policy
from core.security.principal import Principal
from identity import administration_repository as repository
from identity.administration_repository import Member
from identity.sessions import Sessions

# A sign-in that was under way while a role was taken is found by looking again.
LOOK_BACK = timedelta(minutes=2)
LOOK_EVERY_S = 5.0


class NotYourself(Conflict):
    code = "not_yourself"
    title = "Another administrator has to do this to your account"


def allow(policy: Policy) -> None:
    """Add this part's rules."""
    policy.allow("people.administer", "admin")
    policy.allow("licence.verify", "admin")


class Administration:
    def __init__(self, database: Database, sessions: Sessions, policy: Policy, clock: Clock) -> None:
        self._database = database
        self._sessions = sessions
        self._policy = policy
        self._clock = clock

    async def find(
        self, principal: Principal, *, role: str | None, text: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Member], str | None]:
        """Newest first, closed accounts too. Raises Forbidden, InvalidInput."""
        self._policy.require(principal, "people.list")
        try:
            after = None if cursor is None else UUID(cursor)
        except ValueError:
            raise InvalidInput.of("cursor", "is not one of ours") from None
        async with self._database.reading() as tx:
            found = await repository.find(tx, role=role, text=text, after=after, limit=limit + 1)
        return found[:limit], str(found[limit - 1].id) if len(found) > limit else None

    async def set_roles(self, principal: Principal, person_id: UUID, roles: Sequence[str]) -> Member:
        """Raises Forbidden, NotFound, NotYourself for taking one's own administration away."""
        self._policy.require(principal, "people.administer")
        if person_id == principal.id and "admin" not in roles:
            raise NotYourself()
        async with self._database.transaction() as tx:
            before = await self._member(tx, person_id)
            await repository.set_roles(tx, person_id, roles, self._clock.now())
            details = {"before": list(before.roles), "roles": list(roles)}
            await self._audit(tx, principal, "person.roles_changed", person_id, details)
            after = await self._member(tx, person_id)
        await self._cut(person_id, () if after.deactivated_at else after.roles)
        return after

    async def set_active(self, principal: Principal, person_id: UUID, active: bool) -> Member:
        """Close an account, or open it again. Raises Forbidden, NotFound, NotYourself."""
        self._policy.require(principal, "people.administer")
        if person_id == principal.id:
            raise NotYourself()
        async with self._database.transaction() as tx:
            before = await self._member(tx, person_id)
            if (before.deactivated_at is None) == active:
                return before
            await repository.set_active(tx, person_id, active, self._clock.now())
            await self._audit(tx, principal, "person.activated" if active else "person.deactivated", person_id, {})
            after = await self._member(tx, person_id)
        if not active:
            await self._cut(person_id, ())
        return after

    async def set_licence(
        self, principal: Principal, person_id: UUID, *, verified: bool, expires_on: date | None, published: bool
    ) -> Member:
        """An administrator has looked at the licence. Raises Forbidden, NotFound, InvalidInput."""
        self._policy.require(principal, "licence.verify")
        today = self._clock.now().date()
        if published and not verified:
            raise InvalidInput.of("published", "needs a verified licence")
        if verified and expires_on is not None and expires_on < today:
            raise InvalidInput.of("expires_on", "lies in the past")
        async with self._database.transaction() as tx:
            if not await repository.set_licence(
                tx,
                person_id,
                verified=verified,
                expires_on=expires_on,
                published=published,
                now=self._clock.now(),
            ):
                raise NotFound()
            details = {"verified": verified, "published": published}
            await self._audit(tx, principal, "practitioner.licence_checked", person_id, details)
            return await self._member(tx, person_id)

    async def has_addresses_in(self, domain: str) -> bool:
        """Whether anybody's address ends in it; no access check: for the program's own start."""
        async with self._database.reading() as tx:
            return await repository.has_addresses_in(tx, domain)

    async def look_again(self) -> None:
        """A periodic job: ends sessions in roles that were taken away while they were being opened."""
        async with self._database.reading() as tx:
            changed = await repository.changed_since(tx, self._clock.now() - LOOK_BACK)
        for person_id, roles in changed:
            await self._cut(person_id, roles)

    async def _cut(self, person_id: UUID, roles: Sequence[str]) -> None:
        for session in await self._sessions.of_person(person_id):
            if session.role not in roles:
                await self._sessions.end(session)

    async def _member(self, tx: Transaction, person_id: UUID) -> Member:
        found = await repository.member(tx, person_id, lock=True)
        if found is None:
            raise NotFound()
        return found

    async def _audit(
        self, tx: Transaction, principal: Principal, action: str, person_id: UUID, details: Mapping[str, object]
    ) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="person",
            resource_id=person_id,
            details=details,
        )
