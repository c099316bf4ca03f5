"""Insurers behind one protocol; the sandbox decides by the member number, so that every answer can be shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from billing.amounts import percent_of

SANDBOX_DECIDES_AFTER = timedelta(seconds=3)
SANDBOX_PART_PERCENT = 70


@dataclass(frozen=True, slots=True)
class Submission:
    claim_id: UUID
    insurer: str
    member_number: str
    amount_minor: int
    currency: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    outcome: Literal["approved", "rejected", "partial"]
    approved_minor: int


class Insurer(Protocol):
    async def decision(self, submission: Submission, now: datetime) -> Decision | None:
        """The decision, or None while there is none. Raises anything when it can't be reached."""
        ...


class SandboxInsurer:
    """A member number ending in 0 is rejected, in 5 covered in part, any other in full."""

    async def decision(self, submission: Submission, now: datetime) -> Decision | None:
        if now - submission.submitted_at < SANDBOX_DECIDES_AFTER:
            return None
        match submission.member_number[-1:]:
            case "0":
                return Decision("rejected", 0)
            case "5":
                return Decision("partial", percent_of(submission.amount_minor, SANDBOX_PART_PERCENT))
            case _:
                return Decision("approved", submission.amount_minor)
