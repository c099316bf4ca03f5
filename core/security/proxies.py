"""Acting for somebody else: how a person who signed in as a patient stands to another patient.

Nobody becomes somebody else: who acts keeps their own name, in the audit trail too, and has a relation to the patient
while recorded authority is in force. It is asked for each time, so that its end counts at once.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from core.security.policy import Relation
from core.security.principal import Principal


class Authority(Protocol):
    async def over(self, person_id: UUID, patient_id: UUID) -> frozenset[Relation]:
        """What the person may do for the patient now: some of proxy_book, proxy_attend, proxy_read; mostly nothing."""
        ...


class Nobody:
    """Where no authority is kept: nobody acts for anybody."""

    async def over(self, person_id: UUID, patient_id: UUID) -> frozenset[Relation]:
        return frozenset()


async def to_patient(principal: Principal, patient_id: UUID, authority: Authority) -> list[Relation]:
    """``self`` for oneself, what authority gives over another; only in the role of a patient."""
    if principal.person_id is None or principal.role != "patient":
        return []
    if principal.person_id == patient_id:
        return ["self"]
    return sorted(await authority.over(principal.person_id, patient_id))
