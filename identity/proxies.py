"""Authority over other people: asking whether it is in force, recording it, ending it. One transaction each.

Whether it is in force is decided anew at every question, so that what ends counts at once. Open connections are told
over Redis when it ends, like those of a sign-in that ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound
from core.ids import uuid7
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.proxies import to_patient
from core.security.vault import KeyDestroyed, Vault
from core.settings import Family as FamilySettings
from identity import authority as rules
from identity import family_repository as repository
from identity import repository as people
from identity.authority import Authority, End, Kind, Majority, Scope, State
from identity.errors import AuthorityEnded
from identity.events import ProxyEnded, ProxyGranted, ProxyVerified
from identity.sessions import REVOKED_CHANNEL

log = structlog.get_logger(__name__)

LAPSE_EVERY_S = 1.0
GROW_UP_EVERY_S = 3600.0
# A connection that was opening while authority ended is found by telling again.
TELL_AGAIN = timedelta(seconds=5)
GROW_UP_BATCH = 200
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """Authority with the names that go with it, as of the asking. ``ends_at``: by itself, for whatever reason."""

    authority: Authority
    patient_name: str
    proxy_name: str
    state: State
    ends_at: datetime | None
    note: str | None  # why it was ended, where somebody wrote it down


def allow(policy: Policy) -> None:
    """Add this part's rules."""
    policy.allow("family.keep", "patient")  # what one is part of oneself: there is no other to name
    policy.allow("proxy.read", "patient", relation=("self", "proxy_book", "proxy_attend", "proxy_read"))
    policy.allow("proxy.read", "practitioner", relation="care")
    policy.allow("proxy.read", "desk", "admin")
    policy.allow("proxy.record", "desk", "admin")
    policy.allow("proxy.verify", "desk", "admin")
    policy.allow("proxy.end", "patient", relation=("self", "own"))
    policy.allow("proxy.end", "desk", "admin")


def note_place(authority_id: UUID) -> str:
    """Where the ciphertext of an end's note belongs."""
    return f"proxy/{authority_id}/note"


class Proxies:
    def __init__(
        self, database: Database, vault: Vault, policy: Policy, clock: Clock, redis: Redis, settings: FamilySettings
    ) -> None:
        self._database = database
        self._vault = vault
        self._policy = policy
        self._clock = clock
        self._redis = redis
        self._majority = Majority(settings.of_age, settings.of_age_by_country)

    # -- for other modules, and the policy

    async def over(self, person_id: UUID, patient_id: UUID) -> frozenset[Relation]:
        """What the person may do for the patient now (``core.security.proxies.Authority``)."""
        async with self._database.reading() as tx:
            found = await repository.standing(tx, person_id, patient_id)
            if found is None or not await self.in_force(tx, found):
                return frozenset()
        return rules.relations(found.scopes)

    async def in_force(self, tx: Transaction, each: Authority) -> bool:
        """Now."""
        return rules.state(each, (await self._ages(tx, [each])).get(each.id), self._clock.now()) == "in_force"

    async def acting(self, patient_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[tuple[UUID, frozenset[Relation]]]]:
        """Who may act now for each of the patients, and how; those for whom nobody may are left out."""
        wanted = sorted(set(patient_ids))
        if not wanted:
            return {}
        async with self._database.reading() as tx:
            found = await repository.over_patients(tx, wanted, ended=False)
            ages = await self._ages(tx, found)
        now = self._clock.now()
        acting: dict[UUID, list[tuple[UUID, frozenset[Relation]]]] = {}
        for each in found:
            if rules.state(each, ages.get(each.id), now) == "in_force":
                acting.setdefault(each.patient_id, []).append((each.proxy_id, rules.relations(each.scopes)))
        return acting

    # -- reading

    async def of_patient(self, principal: Principal, patient_id: UUID, *, care: bool) -> list[Shown]:
        """Who acts and acted for a patient; ``care``: the practitioner has a care relation.

        Raises Forbidden, NotFound.
        """
        held: list[Relation] = ["care"] if care else await to_patient(principal, patient_id, self)
        self._policy.require(principal, "proxy.read", held)
        async with self._database.reading() as tx:
            patient = await people.person(tx, patient_id)
            if patient is None or "patient" not in patient.roles:
                raise NotFound()
            found = await repository.over_patients(tx, [patient_id], ended=True)
        return await self.show(found)

    async def show(self, found: Sequence[Authority]) -> list[Shown]:
        async with self._database.reading() as tx:
            ids = {each for one in found for each in (one.patient_id, one.proxy_id)}
            names = {each.id: each.name for each in await people.people(tx, sorted(ids))}
            ages = await self._ages(tx, found)
        now, shown = self._clock.now(), []
        for each in found[:MOST_SHOWN]:
            alone = rules.ends_by_itself(each, ages.get(each.id))
            shown.append(
                Shown(
                    each,
                    names.get(each.patient_id, ""),
                    names.get(each.proxy_id, ""),
                    rules.state(each, ages.get(each.id), now),
                    None if alone is None else alone[0],
                    await self._note(each),
                )
            )
        return shown

    # -- staff

    async def record(
        self,
        principal: Principal,
        patient_id: UUID,
        proxy_id: UUID,
        *,
        kind: Kind,
        scopes: Sequence[Scope],
        country: str,
        since: datetime | None,
        until: datetime | None,
    ) -> Shown:
        """Staff have seen by what right somebody acts for a patient. Raises Forbidden, NotFound, AlreadyActs,
        InvalidInput."""
        self._policy.require(principal, "proxy.record")
        now = self._clock.now()
        async with self._database.transaction() as tx:
            await self._two_people(tx, patient_id, proxy_id)
            made = Authority(
                uuid7(),
                patient_id,
                proxy_id,
                kind,
                tuple(scopes),
                country,
                since or now,
                until,
                principal.id,
                principal.role,
                "recorded",
                now,
                principal.id,
                now,
            )
            await self.grant(tx, principal, made)
        return (await self.show([made]))[0]

    async def verify(self, principal: Principal, authority_id: UUID) -> Shown:
        """Staff have seen what it rests on. Raises Forbidden, NotFound, AuthorityEnded."""
        self._policy.require(principal, "proxy.verify")
        async with self._database.transaction() as tx:
            if await repository.get(tx, authority_id) is None:
                raise NotFound()
            changed = await repository.verify(tx, authority_id, principal.id, self._clock.now())
            if changed is None:
                raise AuthorityEnded()
            await self._audit(tx, principal, "proxy.verified", changed)
            await tx.publish(
                ProxyVerified(authority_id=changed.id, patient_id=changed.patient_id, proxy_id=changed.proxy_id)
            )
        return (await self.show([changed]))[0]

    # -- beginning and ending

    async def grant(self, tx: Transaction, principal: Principal, made: Authority) -> None:
        """Write it down, in the caller's transaction. Raises AlreadyActs, InvalidInput for what would not be in force.

        One that ran out a moment ago makes room for its successor.
        """
        now = self._clock.now()
        before = await repository.standing(tx, made.proxy_id, made.patient_id)
        if before is not None:
            await self._lapse(tx, before, now)
        of_age = (await self._ages(tx, [made])).get(made.id)
        if made.kind == "parent" and of_age is None:
            raise InvalidInput.of("kind", "the date of birth is needed for a parent's authority: it ends at an age")
        alone = rules.ends_by_itself(made, of_age)
        if alone is not None and alone[0] <= max(now, made.since):
            raise InvalidInput.of("kind" if alone[1] == "of_age" else "until", _WHY_OVER[alone[1]])
        await repository.insert(tx, made, None if of_age is None else of_age.year)
        await self._audit(tx, principal, "proxy.granted", made)
        await tx.publish(
            ProxyGranted(authority_id=made.id, patient_id=made.patient_id, proxy_id=made.proxy_id, by=principal.id)
        )

    async def end(self, principal: Principal, authority_id: UUID, note: str | None) -> Shown:
        """At once, by the patient, the one who acts, whoever granted it, or staff. Raises Forbidden, NotFound,
        AuthorityEnded."""
        async with self._database.reading() as tx:
            found = await repository.get(tx, authority_id)
        if found is None:
            raise NotFound()
        held, reason = self._ender(principal, found)
        self._policy.require(principal, "proxy.end", held)
        sealed = None if note is None else await self._vault.encrypt_text(found.patient_id, note_place(found.id), note)
        async with self._database.transaction() as tx:
            ended = await self._end(tx, principal, found, reason, sealed)
            if ended is None:
                raise AuthorityEnded()
        return (await self.show([ended]))[0]

    async def end_all(self, tx: Transaction, person_id: UUID) -> int:
        """Somebody is erased: nobody acts for them, and they for nobody. How many ended."""
        ended = 0
        for each in await repository.about(tx, person_id, 10_000):
            if each.ended_at is None:
                await self._end(tx, None, each, "erased", None)
                ended += 1
        return ended

    # -- jobs

    async def lapse(self) -> int:
        """End what has run out by its date; tell again of what ended a moment ago. How many were ended."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            found = await repository.run_out(tx, now)
            for each in found:
                await self._end(tx, None, each, "until", None)
            recent = await repository.ended_since(tx, now - TELL_AGAIN)
        for proxy_id, patient_id in recent:
            await self._tell(proxy_id, patient_id)
        return len(found)

    async def grow_up(self) -> int:
        """End what parents may do for those who are of age now. How many were ended.

        Only the year is kept in clear, so that all who have their day this year are looked at; each question about
        authority knows the day itself.
        """
        now, after, ended = self._clock.now(), UUID(int=0), 0
        while True:
            async with self._database.reading() as tx:
                found = await repository.coming_of_age(tx, (now + timedelta(days=1)).year, after, GROW_UP_BATCH)
            for each in found:
                async with self._database.transaction() as tx:
                    ended += await self._lapse(tx, each, now)
            if len(found) < GROW_UP_BATCH:
                break
            after = found[-1].id
        async with self._database.transaction() as tx:
            await repository.forget_invitations(tx, now)
        return ended

    # -- parts

    async def _lapse(self, tx: Transaction, each: Authority, now: datetime) -> bool:
        """End it if its time is over."""
        alone = rules.ends_by_itself(each, (await self._ages(tx, [each])).get(each.id))
        if alone is None or now < alone[0]:
            return False
        return await self._end(tx, None, each, alone[1], None) is not None

    async def _end(
        self, tx: Transaction, principal: Principal | None, each: Authority, reason: End, note: bytes | None
    ) -> Authority | None:
        by = None if principal is None else principal.person_id
        ended = await repository.end(tx, each.id, by, reason, note, self._clock.now())
        if ended is None:
            return None
        await self._audit(tx, principal, "proxy.ended", ended)
        await tx.publish(ProxyEnded(authority_id=ended.id, patient_id=ended.patient_id, proxy_id=ended.proxy_id, by=by))
        tx.after_commit(partial(self._tell, ended.proxy_id, ended.patient_id))
        return ended

    async def _tell(self, proxy_id: UUID, patient_id: UUID) -> None:
        """Open connections ask again whether they may go on. Missed, they ask by themselves within half a minute."""
        told = json.dumps({"proxy_id": str(proxy_id), "patient_id": str(patient_id)})
        try:
            await self._redis.publish(REVOKED_CHANNEL, told)
        except (RedisError, OSError):
            log.warning("end of authority not told")

    def _ender(self, principal: Principal, found: Authority) -> tuple[list[Relation], End]:
        if principal.role != "patient":
            return [], "staff"
        if principal.person_id == found.patient_id:
            return ["self"], "patient"
        if principal.person_id == found.proxy_id:
            return ["own"], "proxy"
        if principal.person_id == found.granted_by:
            return ["own"], "granter"
        return [], "proxy"

    async def _two_people(self, tx: Transaction, patient_id: UUID, proxy_id: UUID) -> None:
        found = {each.id: each for each in await people.people(tx, [patient_id, proxy_id])}
        if patient_id not in found or "patient" not in found[patient_id].roles:
            raise NotFound()
        if patient_id == proxy_id:
            raise InvalidInput.of("proxy_id", "is the patient")
        if proxy_id not in found or not found[proxy_id].has_account or "patient" not in found[proxy_id].roles:
            raise InvalidInput.of("proxy_id", "is nobody who signs in as a patient or relative here")

    async def _ages(self, tx: Transaction, found: Sequence[Authority]) -> dict[UUID, datetime]:
        """When the patients of parents' authority are of age, by authority."""
        parents = [each for each in found if each.kind == "parent"]
        if not parents:
            return {}
        sealed = await repository.born(tx, sorted({each.patient_id for each in parents}))
        ages: dict[UUID, datetime] = {}
        for each in parents:
            secret, zone = sealed.get(each.patient_id, (None, "UTC"))
            if secret is None:
                continue
            try:
                place = f"person/{each.patient_id}/birth_date"
                born = date.fromisoformat(await self._vault.decrypt_text(each.patient_id, place, secret))
            except KeyDestroyed:
                continue
            ages[each.id] = rules.of_age_at(born, each.country, zone, self._majority)
        return ages

    async def _note(self, each: Authority) -> str | None:
        if each.end_note is None:
            return None
        try:
            return await self._vault.decrypt_text(each.patient_id, note_place(each.id), each.end_note)
        except KeyDestroyed:
            return None

    async def _audit(self, tx: Transaction, principal: Principal | None, action: str, each: Authority) -> None:
        details: dict[str, object] = {"proxy_id": str(each.proxy_id), "kind": each.kind, "scopes": list(each.scopes)}
        if each.end_reason is not None:
            details["why"] = each.end_reason
        await tx.audit(
            action,
            actor_id=None if principal is None else principal.person_id,
            actor_role="system" if principal is None else principal.role,
            resource="proxy",
            resource_id=each.id,
            patient_id=each.patient_id,
            details=details,
        )


_WHY_OVER: Mapping[End, str] = {"until": "lies in the past", "of_age": "the patient is of age: only they can ask you"}
