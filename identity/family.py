"""A person's family: the children they add, those who ask them for help, and whom they ask. One transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Forbidden, InvalidInput, NotFound, TooManyRequests
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import Principal
from core.security.vault import Vault
from core.settings import Settings
from identity import family_repository as repository
from identity import repository as people
from identity.authority import SCOPES, Authority, Kind, Scope
from identity.errors import TooManyDependants
from identity.events import PatientRegistered, ProxyInvited
from identity.family_repository import Invitation
from identity.guard import Guard
from identity.people import Person, email_key
from identity.proxies import Proxies, Shown

MOST_LISTED = 200
INVITATIONS_A_DAY = 30


@dataclass(frozen=True, slots=True)
class InvitationShown:
    """``to_me``: the one who looks is asked; else they, or somebody for them, have asked."""

    invitation: Invitation
    patient_name: str
    from_name: str
    to_me: bool


@dataclass(frozen=True, slots=True)
class FamilyView:
    """``verified``: the address is proved, so that invitations to it are shown."""

    acts_for: list[Shown]
    acted_for_by: list[Shown]
    invitations: list[InvitationShown]
    verified: bool


class Family:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        policy: Policy,
        clock: Clock,
        proxies: Proxies,
        guard: Guard,
        settings: Settings,
    ) -> None:
        self._database = database
        self._vault = vault
        self._policy = policy
        self._clock = clock
        self._proxies = proxies
        self._guard = guard
        self._settings = settings.family
        self.home = settings.visit.countries[0] if settings.visit.countries else "SN"

    async def mine(self, principal: Principal) -> FamilyView:
        """Whom one acts for, who acts for oneself and for those one is a parent of, and what waits for an answer."""
        self._policy.require(principal, "family.keep")
        now = self._clock.now()
        async with self._database.reading() as tx:
            me = await self._me(tx, principal)
            found = await repository.about(tx, me.id, MOST_LISTED)
            asked = await repository.invitations(tx, me.id, me.email if me.email_verified else None, now)
            ids = {each for one in asked for each in (one.person_id, one.patient_id)}
            names = {each.id: each.name for each in await people.people(tx, sorted(ids))}
        mine = await self._proxies.show([each for each in found if each.proxy_id == me.id])
        # Who else acts for a child is for its parent to see.
        children = [one.authority.patient_id for one in mine if one.state == "in_force" and _answers_for(one.authority)]
        async with self._database.reading() as tx:
            others = await repository.over_patients(tx, children, ended=True)
        own = [each for each in found if each.patient_id == me.id]
        return FamilyView(
            mine,
            await self._proxies.show([*own, *(each for each in others if each.proxy_id != me.id)]),
            [
                InvitationShown(
                    each,
                    names.get(each.patient_id, ""),
                    names.get(each.person_id, ""),
                    me.email_verified and email_key(each.email) == email_key(me.email),
                )
                for each in asked
            ],
            me.email_verified,
        )

    async def add_child(self, principal: Principal, name: str, born: date, country: str | None) -> Shown:
        """A patient of their own without an account, whose parent one is. Raises TooManyDependants, InvalidInput."""
        self._policy.require(principal, "family.keep")
        now, child_id = self._clock.now(), uuid7()
        if born > now.date():
            raise InvalidInput.of("birth_date", "lies in the future")
        sealed = await self._vault.encrypt_text(child_id, f"person/{child_id}/birth_date", born.isoformat())
        made = Authority(
            uuid7(),
            child_id,
            principal.id,
            "parent",
            SCOPES,
            country or self.home,
            now,
            None,
            principal.id,
            principal.role,
            "added",
            now,
        )
        async with self._database.transaction() as tx:
            me = await self._me(tx, principal)
            # One after the other, so that two at once do not pass the limit together.
            await repository.lock_person(tx, me.id)
            if await repository.dependants_of(tx, me.id) >= self._settings.dependants:
                raise TooManyDependants()
            await repository.insert_dependant(tx, child_id, name, me.language, me.time_zone, sealed, now)
            await tx.publish(PatientRegistered(person_id=child_id))
            await tx.audit(
                "person.created",
                actor_id=me.id,
                actor_role=principal.role,
                resource="person",
                resource_id=child_id,
                patient_id=child_id,
            )
            await self._proxies.grant(tx, principal, made)
        return (await self._proxies.show([made]))[0]

    async def invite(
        self,
        principal: Principal,
        patient_id: UUID,
        *,
        email: str,
        kind: Kind,
        scopes: Sequence[Scope],
        until: datetime | None,
    ) -> InvitationShown:
        """Ask whoever has the address to act for oneself, or for a child who has no account.

        The answer is the same whether or not somebody has it. Raises Forbidden, InvalidInput, TooManyRequests.
        """
        self._policy.require(principal, "family.keep")
        now = self._clock.now()
        if until is not None and until <= now:
            raise InvalidInput.of("until", "lies in the past")
        if kind == "legal":
            raise InvalidInput.of("kind", "what a court or the law decided is recorded by the practice")
        # Each one is a letter to somebody.
        if not await self._guard.take("family invitations", str(principal.id), INVITATIONS_A_DAY, 86400):
            raise TooManyRequests()
        async with self._database.transaction() as tx:
            me = await self._me(tx, principal)
            patient = await self._askable(tx, me, patient_id, kind, scopes)
            if email_key(email) == email_key(me.email):
                raise InvalidInput.of("email", "is your own")
            asked = Invitation(
                uuid7(),
                me.id,
                patient.id,
                email,
                kind,
                tuple(scopes),
                until,
                now,
                now + timedelta(seconds=self._settings.invitation_s),
            )
            await repository.put_invitation(tx, asked)
            account = await people.account_by_email(tx, email)
            invited = None if account is None or not account.person.email_verified else account.person.id
            await tx.publish(ProxyInvited(invitation_id=asked.id, patient_id=patient.id, invited_id=invited))
            await self._audit(tx, principal, "proxy.invited", asked)
        return InvitationShown(asked, patient.name, me.name, to_me=False)

    async def accept(self, principal: Principal, invitation_id: UUID) -> Shown:
        """By whoever has the address, verified. Raises NotFound, AlreadyActs, InvalidInput."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            asked = await self._for_me(tx, principal, invitation_id, now)
            inviter = await people.person(tx, asked.person_id)
            if inviter is None:
                raise NotFound()
            # Whoever asked must still be one who may: a parent's own authority may have ended since.
            try:
                await self._askable(tx, inviter, asked.patient_id, asked.kind, asked.scopes)
            except Forbidden:
                raise NotFound() from None
            made = Authority(
                uuid7(),
                asked.patient_id,
                principal.id,
                asked.kind,
                asked.scopes,
                await self._country(tx, asked),
                now,
                asked.until,
                asked.person_id,
                "patient",
                "invited",
                now,
            )
            await repository.forget_invitation(tx, asked.id)
            await self._proxies.grant(tx, principal, made)
        return (await self._proxies.show([made]))[0]

    async def decline(self, principal: Principal, invitation_id: UUID) -> None:
        """By the one who is asked; or taken back by who asked, or the patient. Raises NotFound."""
        self._policy.require(principal, "family.keep")
        now = self._clock.now()
        async with self._database.transaction() as tx:
            asked = await repository.invitation(tx, invitation_id, now, lock=True)
            if asked is None:
                raise NotFound()
            if principal.id not in (asked.person_id, asked.patient_id):
                asked = await self._for_me(tx, principal, invitation_id, now)
            await repository.forget_invitation(tx, asked.id)
            taken_back = principal.id in (asked.person_id, asked.patient_id)
            await self._audit(tx, principal, "proxy.invitation_withdrawn" if taken_back else "proxy.declined", asked)

    # -- parts

    async def _me(self, tx: Transaction, principal: Principal) -> Person:
        person = await people.person(tx, principal.id)
        if person is None:
            raise NotFound()
        return person

    async def _for_me(self, tx: Transaction, principal: Principal, invitation_id: UUID, now: datetime) -> Invitation:
        """Somebody else's invitation looks as if there were none."""
        self._policy.require(principal, "family.keep")
        asked = await repository.invitation(tx, invitation_id, now, lock=True)
        me = await self._me(tx, principal)
        if asked is None or not me.email_verified or email_key(asked.email) != email_key(me.email):
            raise NotFound()
        return asked

    async def _askable(
        self, tx: Transaction, me: Person, patient_id: UUID, kind: Kind, scopes: Sequence[Scope]
    ) -> Person:
        """The patient, if ``me`` may give others authority over them: oneself, or a child of one's without account.

        A parent gives no more than they have. An adult names no parents. Raises Forbidden, InvalidInput.
        """
        if patient_id == me.id:
            if kind == "parent":
                raise InvalidInput.of("kind", "parents are those of a child")
            return me
        patient = await people.person(tx, patient_id)
        held = await repository.standing(tx, me.id, patient_id)
        if patient is None or patient.has_account or held is None or not _answers_for(held):
            raise Forbidden()
        if not await self._proxies.in_force(tx, held):
            raise Forbidden()
        if not set(scopes) <= set(held.scopes):
            raise InvalidInput.of("scopes", "are more than your own")
        return patient

    async def _country(self, tx: Transaction, asked: Invitation) -> str:
        """The law that the inviter's own authority is under."""
        held = await repository.standing(tx, asked.person_id, asked.patient_id)
        return self.home if held is None else held.country

    async def _audit(self, tx: Transaction, principal: Principal, action: str, asked: Invitation) -> None:
        await tx.audit(
            action,
            actor_id=principal.id,
            actor_role=principal.role,
            resource="proxy_invitation",
            resource_id=asked.id,
            patient_id=asked.patient_id,
            details={"kind": asked.kind, "scopes": list(asked.scopes)},
        )


def _answers_for(each: Authority) -> bool:
    """A parent or guardian, who may also say who else acts for the patient; a helper may not."""
    return each.kind in ("parent", "legal")
