"""Being forgotten: asked for, confirmed, carried out after some days, proved.

What is in clear about the person is replaced, their account closed, their relations ended. Then their key is
destroyed, and with it all content. What the law keeps (``privacy.retention_years``) keeps the key alive until the last
of it may go: nobody has access meanwhile, and a row says what is kept, until when and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from compliance.checkpoints import Signer
from compliance.events import PersonErased
from compliance.ports import Held, PersonData
from core.clock import Clock, rfc3339
from core.database import Database, Row, Transaction
from core.errors import Conflict, NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import Principal
from core.security.vault import Vault

log = structlog.get_logger()

CARRY_OUT_EVERY_S = 5.0
YEAR = timedelta(days=365.25)
LABEL = b"bedside erasure 1\0"
WHY = {
    "records": "medical records have to be kept by law",
    "invoices": "invoices have to be kept by law",
}


class ErasureHindered(Conflict):
    code = "erasure_hindered"
    title = "Something has to be settled first"


class ErasureExists(Conflict):
    code = "erasure_exists"
    title = "This was asked for already"


@dataclass(frozen=True, slots=True)
class Erasure:
    id: UUID
    person_id: UUID
    state: str  # requested, confirmed, withdrawn, kept (until destroy_at), done
    requested_at: datetime
    due_at: datetime | None
    carried_out_at: datetime | None
    destroy_at: datetime | None
    destroyed_at: datetime | None
    removed: dict[str, int]
    kept: list[dict[str, Any]]
    signature: bytes | None

    def proof(self) -> bytes:
        """What is signed when it is done."""
        said = {
            "id": str(self.id),
            "person_id": str(self.person_id),
            "requested_at": rfc3339(self.requested_at),
            "carried_out_at": None if self.carried_out_at is None else rfc3339(self.carried_out_at),
            "destroyed_at": None if self.destroyed_at is None else rfc3339(self.destroyed_at),
            "removed": self.removed,
            "kept": self.kept,
        }
        return LABEL + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def kept_of(held: Sequence[Held], years: Mapping[str, int], now: datetime) -> list[dict[str, Any]]:
    """What the law keeps, until when and why. Pure."""
    kept = []
    for each in held:
        until = each.newest + years.get(each.kind, 0) * YEAR
        if each.number and until > now:
            why = WHY.get(each.kind, "kept by law")
            kept.append({"kind": each.kind, "number": each.number, "until": rfc3339(until), "why": why})
    return kept


class Erasures:
    def __init__(
        self,
        database: Database,
        policy: Policy,
        vault: Vault,
        clock: Clock,
        parts: Sequence[PersonData],
        *,
        years: Mapping[str, int],
        grace_s: int,
        signer: Signer,
    ) -> None:
        self._database = database
        self._policy = policy
        self._vault = vault
        self._clock = clock
        self._parts = parts
        self._years = years
        self._grace = timedelta(seconds=grace_s)
        self._signer = signer

    async def of(self, principal: Principal) -> tuple[Erasure | None, list[dict[str, Any]]]:
        """One's own request, and what the law would keep as of now."""
        self._policy.require(principal, "erasure.own", ["self"])
        async with self._database.reading() as tx:
            found = await _standing(tx, principal.id)
        return found, kept_of(await self._held(principal.id), self._years, self._clock.now())

    async def request(self, principal: Principal) -> Erasure:
        """Raises ErasureHindered with ``reason``, ErasureExists."""
        self._policy.require(principal, "erasure.own", ["self"])
        await self._hindered(principal.id)
        made = uuid7()
        async with self._database.transaction() as tx:
            done = await tx.execute(
                "INSERT INTO erasures (id, person_id, state, requested_at) VALUES ($1, $2, 'requested', $3)"
                " ON CONFLICT (person_id) WHERE state <> 'withdrawn' DO NOTHING",
                made,
                principal.id,
                self._clock.now(),
            )
            if done != "INSERT 0 1":
                raise ErasureExists()
            await _audit(tx, principal, "erasure.requested", made)
            found = await _standing(tx, principal.id)
        assert found is not None
        return found

    async def confirm(self, principal: Principal) -> Erasure:
        """From now it is carried out after the days of grace. Raises NotFound, ErasureHindered."""
        self._policy.require(principal, "erasure.own", ["self"])
        await self._hindered(principal.id)
        async with self._database.transaction() as tx:
            done = await tx.execute(
                "UPDATE erasures SET state = 'confirmed', due_at = $2 WHERE person_id = $1 AND state = 'requested'",
                principal.id,
                self._clock.now() + self._grace,
            )
            found = await _standing(tx, principal.id)
            if found is None or done != "UPDATE 1":
                raise NotFound()
            await _audit(tx, principal, "erasure.confirmed", found.id)
        return found

    async def withdraw(self, principal: Principal) -> None:
        """Until it is carried out. Raises NotFound."""
        self._policy.require(principal, "erasure.own", ["self"])
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(
                "UPDATE erasures SET state = 'withdrawn', due_at = NULL WHERE person_id = $1"
                " AND state IN ('requested', 'confirmed') AND carried_out_at IS NULL RETURNING id",
                principal.id,
            )
            if row is None:
                raise NotFound()
            await _audit(tx, principal, "erasure.withdrawn", row["id"])

    async def search(self, principal: Principal, before: UUID | None, limit: int) -> list[Erasure]:
        """For auditors and administrators: what was forgotten, and what is kept."""
        self._policy.require(principal, "erasure.read")
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT * FROM erasures WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2", before, limit
            )
        return [_erasure(row) for row in rows]

    # -- the job

    async def carry_out(self) -> int:
        """Do what is due, and destroy keys whose time has come. Every step can be repeated; how many were done."""
        now = self._clock.now()
        async with self._database.reading() as tx:
            due = await tx.fetch("SELECT * FROM erasures WHERE state = 'confirmed' AND due_at <= $1", now)
            ripe = await tx.fetch("SELECT * FROM erasures WHERE state = 'kept' AND destroy_at <= $1", now)
        for row in due:
            await self._carry_out(_erasure(row), now)
        for row in ripe:
            await self._destroy(_erasure(row), now)
        return len(due) + len(ripe)

    async def _carry_out(self, erasure: Erasure, now: datetime) -> None:
        person_id = erasure.person_id
        held = await self._held(person_id)
        kept = kept_of(held, self._years, now)
        keep = frozenset(str(each["kind"]) for each in kept)
        removed: dict[str, int] = {}
        for part in self._parts:
            for what, number in (await part.erase(person_id, keep)).items():
                removed[f"{part.name}.{what}"] = number
        until = max((datetime.fromisoformat(each["until"]) for each in kept), default=None)
        async with self._database.transaction() as tx:
            await tx.execute(
                "UPDATE erasures SET state = 'kept', carried_out_at = $2, destroy_at = $3, removed = $4, kept = $5"
                " WHERE id = $1",
                erasure.id,
                now,
                until or now,
                removed,
                kept,
            )
            await tx.publish(PersonErased(person_id=person_id))
            await _audit(tx, None, "erasure.carried_out", erasure.id, person_id)
            found = await _standing(tx, person_id)
        if until is None and found is not None:
            await self._destroy(found, now)

    async def _destroy(self, erasure: Erasure, now: datetime) -> None:
        for part in self._parts:
            await part.erase(erasure.person_id, frozenset())
        await self._vault.destroy(erasure.person_id)
        async with self._database.transaction() as tx:
            await tx.execute("UPDATE erasures SET state = 'done', destroyed_at = $2 WHERE id = $1", erasure.id, now)
            found = await _standing(tx, erasure.person_id)
            assert found is not None
            signature = self._signer.sign_bytes(found.proof())
            await tx.execute("UPDATE erasures SET signature = $2 WHERE id = $1", erasure.id, signature)
            await _audit(tx, None, "erasure.key_destroyed", erasure.id, erasure.person_id)
        log.info("a person's key was destroyed", erasure=str(erasure.id))

    async def _held(self, person_id: UUID) -> list[Held]:
        return [each for part in self._parts for each in await part.held(person_id)]

    async def _hindered(self, person_id: UUID) -> None:
        for part in self._parts:
            reason = await part.hinders(person_id)
            if reason is not None:
                raise ErasureHindered(reason=reason)


async def _standing(tx: Transaction, person_id: UUID) -> Erasure | None:
    row = await tx.fetchrow("SELECT * FROM erasures WHERE person_id = $1 AND state <> 'withdrawn'", person_id)
    return None if row is None else _erasure(row)


def _erasure(row: Row) -> Erasure:
    names = ("id", "person_id", "state", "requested_at", "due_at", "carried_out_at", "destroy_at", "destroyed_at")
    return Erasure(*(row[name] for name in (*names, "removed", "kept", "signature")))


async def _audit(
    tx: Transaction, principal: Principal | None, action: str, erasure_id: UUID, person_id: UUID | None = None
) -> None:
    await tx.audit(
        action,
        actor_id=None if principal is None else principal.id,
        actor_role="system" if principal is None else principal.role,
        resource="erasure",
        resource_id=erasure_id,
        patient_id=person_id if principal is None else principal.id,
    )
