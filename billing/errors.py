"""Expected failures of billing."""

from __future__ import annotations

from core.errors import BedsideError, Conflict


class InvoiceNotPayable(Conflict):
    """Not due, paid already, with a payment under way, or waiting for the insurer."""

    code = "invoice_not_payable"
    title = "This invoice can't be paid now"


class InvoiceNotClaimable(Conflict):
    code = "invoice_not_claimable"
    title = "This invoice can't be claimed from an insurer now"


class InvoiceNotAdjustable(Conflict):
    code = "invoice_not_adjustable"
    title = "This invoice can't be changed any more"


class RefundExceedsPayment(Conflict):
    code = "refund_exceeds_payment"
    title = "More than was paid can't be refunded"


class PaymentNotRefundable(Conflict):
    code = "payment_not_refundable"
    title = "This payment has not been taken, so it can't be refunded"


class IdempotencyKeyTaken(BedsideError):
    """The same key with other content; the edge refuses it too, this holds for as long as the payment is kept."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for another request"
