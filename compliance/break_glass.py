"""Emergency access: a practitioner without a care relation opens one patient's record, says why, and is seen.

The reason is health data: it is encrypted under the patient's key, and shown to the patient and to auditors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from compliance import rights_repository as repository
from compliance.events import BreakGlassEnded, BreakGlassOpened
from compliance.ports import People
from compliance.rights_repository import AccessRow
from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.ids import uuid7
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.vault import KeyDestroyed, Vault


class AlreadyEnded(Conflict):
    code = "already_ended"
    title = "This access is over already"


@dataclass(frozen=True, slots=True)
class Access:
    """``reason`` is None after the patient's erasure. ``open`` is as of the asking."""

    row: AccessRow
    reason: str | None
    person_name: str | None
    patient_name: str | None
    open: bool


def allow(policy: Policy) -> None:
    """Add this part's rules."""
    policy.allow("break_glass.open", "practitioner")
    policy.allow("break_glass.read", "patient", relation="self")
    policy.allow("break_glass.read", "practitioner", relation="own")
    policy.allow("break_glass.read", "auditor", "admin")
    policy.allow("break_glass.end", "practitioner", relation="own")
    policy.allow("break_glass.end", "auditor", "admin")


def place(access_id: UUID) -> str:
    """Where the reason's ciphertext belongs."""
    return f"break_glass/{access_id}/reason"


def relations(principal: Principal, row: AccessRow) -> list[Relation]:
    found: list[Relation] = []
    if principal.role == "practitioner" and principal.person_id == row.person_id:
        found.append("own")
    if principal.role == "patient" and principal.person_id == row.patient_id:
        found.append("self")
    return found


class BreakGlass:
    def __init__(
        self, database: Database, policy: Policy, people: People, vault: Vault, clock: Clock, lasts_s: int
    ) -> None:
        self._database = database
        self._policy = policy
        self._people = people
        self._vault = vault
        self._clock = clock
        self._lasts = timedelta(seconds=lasts_s)

    async def stands(self, person_id: UUID, patient_id: UUID) -> UUID | None:
        """For other modules: the open access of the two, if there is one now. Counts at once, ends at once."""
        async with self._database.reading() as tx:
            return await repository.standing_access(tx, person_id, patient_id, self._clock.now())

    async def open(self, principal: Principal, patient_id: UUID, reason: str) -> Access:
        """Raises Forbidden, NotFound for who is no patient, InvalidInput for oneself."""
        self._policy.require(principal, "break_glass.open")
        if principal.id == patient_id:
            raise InvalidInput.of("id", "is yourself")
        if not await self._people.is_patient(patient_id):
            raise NotFound()
        now, access_id = self._clock.now(), uuid7()
        sealed = await self._vault.encrypt_text(patient_id, place(access_id), reason)
        row = AccessRow(access_id, principal.id, patient_id, sealed, now, now + self._lasts, None, None)
        async with self._database.transaction() as tx:
            await repository.insert_access(tx, row)
            await self._audit(tx, principal, "break_glass.opened", row)
            await tx.publish(BreakGlassOpened(access_id=access_id, person_id=principal.id, patient_id=patient_id))
        return (await self._shown([row]))[0]

    async def end(self, principal: Principal, access_id: UUID) -> Access:
        """By who opened it, an auditor or an administrator. Raises NotFound, Forbidden, AlreadyEnded."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            row = await repository.access(tx, access_id)
            if row is None:
                raise NotFound()
            self._policy.require(principal, "break_glass.end", relations(principal, row))
            if not await repository.end_access(tx, access_id, principal.id, now):
                raise AlreadyEnded()
            await self._audit(tx, principal, "break_glass.ended", row)
            await tx.publish(BreakGlassEnded(access_id=access_id, person_id=row.person_id, patient_id=row.patient_id))
            ended = await repository.access(tx, access_id)
        assert ended is not None
        return (await self._shown([ended]))[0]

    async def search(
        self, principal: Principal, *, patient_id: UUID | None, before: UUID | None, limit: int
    ) -> tuple[list[Access], UUID | None]:
        """Newest first: a patient's are those about them, a practitioner's their own; auditors see all."""
        person_id: UUID | None = None
        if principal.role == "patient":
            if patient_id not in (None, principal.id):
                raise Forbidden()
            patient_id = principal.id
        if principal.role == "practitioner":
            person_id = principal.id
        held: list[Relation] = ["self"] if principal.role == "patient" else ["own"]
        self._policy.require(principal, "break_glass.read", held)
        async with self._database.reading() as tx:
            rows = await repository.accesses(
                tx, person_id=person_id, patient_id=patient_id, before=before, limit=limit + 1
            )
        more, rows = len(rows) > limit, rows[:limit]
        return await self._shown(rows), rows[-1].id if more else None

    async def reasons(self, ids: Iterable[UUID]) -> dict[UUID, str]:
        """What was written, for the audit trail's readers; those of erased patients are left out."""
        async with self._database.reading() as tx:
            rows = await repository.accesses_by_id(tx, sorted(set(ids)))
        found = {row.id: await self._reason(row) for row in rows.values()}
        return {access_id: reason for access_id, reason in found.items() if reason is not None}

    async def _shown(self, rows: list[AccessRow]) -> list[Access]:
        names = await self._people.names(sorted({each for row in rows for each in (row.person_id, row.patient_id)}))
        now = self._clock.now()
        return [
            Access(
                row,
                await self._reason(row),
                names.get(row.person_id),
                names.get(row.patient_id),
                row.ended_at is None and row.ends_at > now,
            )
            for row in rows
        ]

    async def _reason(self, row: AccessRow) -> str | None:
        try:
            return await self._vault.decrypt_text(row.patient_id, place(row.id), row.reason)
        except KeyDestroyed:
            return None

    async def _audit(self, tx: Transaction, principal: Principal, action: str, row: AccessRow) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="break_glass",
            resource_id=row.id,
            patient_id=row.patient_id,
            details={"until": ends(row)},
        )


def ends(row: AccessRow) -> str:
    """When it is over, as text for the trail."""
    moment: datetime = row.ends_at
    return moment.isoformat(timespec="seconds")
