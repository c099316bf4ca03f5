"""The rows of billing as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing import amounts
from billing.amounts import Line
from billing.gateways import Order
from billing.lifecycle import ClaimStatus, InvoiceStatus, PaymentStatus, RefundStatus


@dataclass(frozen=True, slots=True)
class Invoice:
    id: UUID
    number: str | None
    status: InvoiceStatus
    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    lines: bytes  # encrypted
    currency: str
    total_minor: int
    covered_minor: int
    paid_minor: int
    refunded_minor: int
    issued_at: datetime
    due_at: datetime | None
    version: int

    @property
    def outstanding(self) -> int:
        return amounts.outstanding(total=self.total_minor, covered=self.covered_minor, paid=self.paid_minor)


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice with its lines in clear and the practitioner's name."""

    invoice: Invoice
    lines: tuple[Line, ...]
    practitioner_name: str


@dataclass(frozen=True, slots=True)
class Payment:
    id: UUID
    invoice_id: UUID
    status: PaymentStatus
    gateway: str
    method: Mapping[str, str]
    amount_minor: int
    currency: str
    reference: str | None
    redirect_url: str | None
    idempotency_key: str
    made_by: UUID
    created_at: datetime

    @property
    def order(self) -> Order:
        """What the gateway is asked."""
        return Order(self.id, self.amount_minor, self.currency, self.method, self.created_at)


@dataclass(frozen=True, slots=True)
class Refund:
    id: UUID
    payment_id: UUID
    amount_minor: int
    currency: str
    status: RefundStatus
    reason: bytes  # encrypted
    idempotency_key: str
    made_by: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    id: UUID
    patient_id: UUID
    insurer: str
    member_number: bytes  # encrypted
    last4: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    id: UUID
    invoice_id: UUID
    coverage_id: UUID
    status: ClaimStatus
    amount_minor: int
    approved_minor: int | None
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    patient_id: UUID | None = None
    practitioner_id: UUID | None = None
    appointment_id: UUID | None = None
    status: InvoiceStatus | None = None
    before: UUID | None = None  # newest first: ids after the cursor are smaller
    limit: int = 50


def lines_place(invoice_id: UUID) -> str:
    """Where the ciphertext of an invoice's lines belongs."""
    return f"invoice/{invoice_id}/lines"


def adjustment_place(invoice_id: UUID, version: int) -> str:
    return f"invoice/{invoice_id}/adjustment/{version}/reason"


def refund_place(refund_id: UUID) -> str:
    return f"refund/{refund_id}/reason"


def coverage_place(coverage_id: UUID) -> str:
    return f"coverage/{coverage_id}/member_number"
