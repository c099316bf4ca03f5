"""Ways to pay, all behind one small protocol. A gateway is asked only about payments that are already written down.

Every call names the payment by our id and may be repeated: a gateway takes or returns the money of one id once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from billing.lifecycle import PaymentStatus, RefundStatus

SandboxOutcome = Literal["succeeded", "failed", "pending"]
# How long the sandbox leaves a pending payment undecided.
SANDBOX_DECIDES_AFTER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Order:
    """What a gateway is asked to take. ``method`` is the payer's choice, without card data."""

    payment_id: UUID
    amount_minor: int
    currency: str
    method: Mapping[str, str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    status: PaymentStatus
    reference: str | None = None
    redirect_url: str | None = None


class Gateway(Protocol):
    """Raises anything when it can't be reached: the payment stays unfinished and is asked about again."""

    name: str
    staff_only: bool

    async def charge(self, order: Order) -> Outcome:
        """Take the money; repeated for one payment it answers the same and takes nothing more."""
        ...

    async def poll(self, order: Order, now: datetime) -> Outcome:
        """How the payment stands."""
        ...

    async def refund(self, order: Order, refund_id: UUID, amount_minor: int) -> RefundStatus:
        """Give back a part; repeated for one refund it gives back nothing more."""
        ...


class Sandbox:
    """Moves no money. The outcome is what the payer asked for; a pending payment succeeds a little later."""

    name = "sandbox"
    staff_only = False

    async def charge(self, order: Order) -> Outcome:
        wanted = order.method.get("sandbox_outcome", "succeeded")
        status: PaymentStatus = "failed" if wanted == "failed" else "pending" if wanted == "pending" else "succeeded"
        return Outcome(status, reference=f"sandbox-{order.payment_id}")

    async def poll(self, order: Order, now: datetime) -> Outcome:
        decided = await self.charge(order)
        if decided.status == "pending" and now - order.created_at >= SANDBOX_DECIDES_AFTER:
            return Outcome("succeeded", reference=decided.reference)
        return decided

    async def refund(self, order: Order, refund_id: UUID, amount_minor: int) -> RefundStatus:
        return "succeeded"


class Cash:
    """Counted at the desk by somebody of the clinic: taken when it is entered."""

    name = "cash"
    staff_only = True

    async def charge(self, order: Order) -> Outcome:
        return Outcome("succeeded", reference=f"cash-{order.payment_id}")

    async def poll(self, order: Order, now: datetime) -> Outcome:
        return await self.charge(order)

    async def refund(self, order: Order, refund_id: UUID, amount_minor: int) -> RefundStatus:
        return "succeeded"
