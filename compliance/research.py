"""Facts about visits for research: of those who agreed, without names, with dates moved and nothing that was written.

A pseudonym is an HMAC of the person under a key from the master key: the same at every export, and without the key
nobody gets back. Each person's dates are moved by their own number of days, up to half a year either way, so that
intervals stay true. It is pseudonymous, not anonymous: who knows enough of somebody's visits may recognise them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from compliance.consents import Consents
from core.database import Database
from core.security.policy import Policy
from core.security.principal import Principal

SHIFT_DAYS = 182


class Visits(Protocol):
    async def facts(self, patients: list[UUID], after: UUID | None, limit: int) -> list[dict[str, Any]]:
        """``id, patient_id, specialty, kind, status, starts_at, ends_at`` of appointments, by id."""
        ...


@dataclass(frozen=True, slots=True)
class Pseudonymised:
    subject: str
    specialty: str
    kind: str
    status: str
    day: str  # moved
    minutes: int


def pseudonym(key: bytes, person_id: UUID) -> str:
    """128 bits; pure."""
    return hmac.new(key, b"subject" + person_id.bytes, hashlib.sha256).hexdigest()[:32]


def shift(key: bytes, person_id: UUID) -> timedelta:
    """A person's own whole number of days, never 0; pure."""
    number = int.from_bytes(hmac.new(key, b"shift" + person_id.bytes, hashlib.sha256).digest()[:8])
    days = number % (2 * SHIFT_DAYS) - SHIFT_DAYS
    return timedelta(days=days if days < 0 else days + 1)


class Research:
    def __init__(self, database: Database, policy: Policy, consents: Consents, visits: Visits, key: bytes) -> None:
        self._database = database
        self._policy = policy
        self._consents = consents
        self._visits = visits
        self._key = key

    async def export(
        self, principal: Principal, after: UUID | None, limit: int
    ) -> tuple[Sequence[Pseudonymised], UUID | None]:
        """Page by page; that it was taken is audited. Raises Forbidden."""
        self._policy.require(principal, "research.export")
        agreed = await self._consents.who_agreed("research")
        rows = await self._visits.facts(agreed, after, limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        async with self._database.transaction() as tx:
            await tx.audit(
                "research.exported",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="research",
                details={"rows": len(rows), "people": len(agreed)},
            )
        return [self._pseudonymised(row) for row in rows], rows[-1]["id"] if more else None

    def _pseudonymised(self, row: dict[str, Any]) -> Pseudonymised:
        patient: UUID = row["patient_id"]
        start: datetime = row["starts_at"]
        return Pseudonymised(
            pseudonym(self._key, patient),
            row["specialty"],
            row["kind"],
            row["status"],
            (start + shift(self._key, patient)).date().isoformat(),
            int((row["ends_at"] - start).total_seconds() // 60),
        )
