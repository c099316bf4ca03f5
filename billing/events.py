"""Facts about invoices, payments and claims."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from core.events import Fact


class BillingFact(Fact):
    """What every billing fact names; ordered with the visit it belongs to."""

    order_by: ClassVar[str] = "appointment_id"

    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    invoice_id: UUID


class InvoiceDue(BillingFact):
    name: ClassVar[str] = "invoice.due"


class InvoicePaid(BillingFact):
    name: ClassVar[str] = "invoice.paid"


class InvoiceVoid(BillingFact):
    name: ClassVar[str] = "invoice.void"


class InvoiceAdjusted(BillingFact):
    name: ClassVar[str] = "invoice.adjusted"


class PaymentSucceeded(BillingFact):
    name: ClassVar[str] = "payment.succeeded"

    payment_id: UUID
    amount_minor: int
    currency: str


class PaymentFailed(BillingFact):
    name: ClassVar[str] = "payment.failed"

    payment_id: UUID


class PaymentRefunded(BillingFact):
    name: ClassVar[str] = "payment.refunded"

    payment_id: UUID
    refund_id: UUID
    amount_minor: int
    currency: str


class ClaimDecided(BillingFact):
    """``outcome``: approved, rejected or partial."""

    name: ClassVar[str] = "claim.decided"

    claim_id: UUID
    outcome: str
