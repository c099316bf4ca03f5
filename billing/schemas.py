"""Wire shapes of billing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, PlainSerializer, StringConstraints

from billing import models
from billing.amounts import MOST
from billing.gateways import SandboxOutcome
from billing.lifecycle import ClaimStatus, InvoiceStatus, PaymentStatus, RefundStatus
from core.clock import rfc3339
from core.http.routes import Page, Wire

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Money(Wire):
    amount_minor: int = Field(ge=-MOST, le=MOST)
    currency: str = Field(pattern="^[A-Z]{3}$")


class LineBody(Wire):
    description: str = Field(min_length=1, max_length=200)
    amount: Money


class InvoiceBody(Wire):
    """``covered`` is what an insurer took over; to pay is total - covered - paid."""

    id: UUID
    number: str | None
    status: InvoiceStatus
    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    practitioner_name: str
    lines: list[LineBody]
    total: Money
    covered: Money
    paid: Money
    refunded: Money
    issued_at: Moment
    due_at: Moment | None
    version: int

    @classmethod
    def of(cls, view: models.InvoiceView) -> InvoiceBody:
        invoice = view.invoice

        def money(amount_minor: int) -> Money:
            return Money(amount_minor=amount_minor, currency=invoice.currency)

        return cls(
            id=invoice.id,
            number=invoice.number,
            status=invoice.status,
            appointment_id=invoice.appointment_id,
            patient_id=invoice.patient_id,
            practitioner_id=invoice.practitioner_id,
            practitioner_name=view.practitioner_name,
            lines=[LineBody(description=each.description, amount=money(each.amount_minor)) for each in view.lines],
            total=money(invoice.total_minor),
            covered=money(invoice.covered_minor),
            paid=money(invoice.paid_minor),
            refunded=money(invoice.refunded_minor),
            issued_at=invoice.issued_at,
            due_at=invoice.due_at,
            version=invoice.version,
        )


class Invoices(Page):
    items: list[InvoiceBody]


class InvoiceQuery(Wire):
    status: InvoiceStatus | None = None
    appointment_id: UUID | None = None
    patient_id: UUID | None = None
    cursor: UUID | None = None
    limit: int = Field(50, ge=1, le=100)


class AdjustInvoice(Wire):
    version: int
    lines: list[LineBody] = Field(min_length=1, max_length=50)
    reason: Reason


class Method(Wire):
    sandbox_outcome: SandboxOutcome | None = None


class ProcessPayment(Wire):
    invoice_id: UUID
    gateway: Literal["sandbox", "cash"]
    method: Method = Method()


class PaymentBody(Wire):
    id: UUID
    invoice_id: UUID
    status: PaymentStatus
    gateway: str
    amount: Money
    redirect_url: str | None
    created_at: Moment

    @classmethod
    def of(cls, payment: models.Payment) -> PaymentBody:
        return cls(
            id=payment.id,
            invoice_id=payment.invoice_id,
            status=payment.status,
            gateway=payment.gateway,
            amount=Money(amount_minor=payment.amount_minor, currency=payment.currency),
            redirect_url=payment.redirect_url,
            created_at=payment.created_at,
        )


class PaymentQuery(Wire):
    invoice_id: UUID


class Payments(Page):
    items: list[PaymentBody]


class PositiveMoney(Wire):
    amount_minor: int = Field(gt=0, le=MOST)
    currency: str = Field(pattern="^[A-Z]{3}$")


class MakeRefund(Wire):
    amount: PositiveMoney
    reason: Reason


class RefundBody(Wire):
    id: UUID
    payment_id: UUID
    amount: Money
    status: RefundStatus
    reason: str
    created_at: Moment

    @classmethod
    def of(cls, refund: models.Refund, reason: str) -> RefundBody:
        return cls(
            id=refund.id,
            payment_id=refund.payment_id,
            amount=Money(amount_minor=refund.amount_minor, currency=refund.currency),
            status=refund.status,
            reason=reason,
            created_at=refund.created_at,
        )


class CoverageQuery(Wire):
    patient_id: UUID | None = None


class AddCoverage(Wire):
    patient_id: UUID | None = None
    insurer: str = Field(min_length=1, max_length=100)
    member_number: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9 ./-]{4,40}$")]


class CoverageBody(Wire):
    id: UUID
    patient_id: UUID
    insurer: str
    member_number_last4: str

    @classmethod
    def of(cls, coverage: models.Coverage) -> CoverageBody:
        return cls(
            id=coverage.id,
            patient_id=coverage.patient_id,
            insurer=coverage.insurer,
            member_number_last4=coverage.last4,
        )


class Coverages(Page):
    items: list[CoverageBody]


class MakeClaim(Wire):
    invoice_id: UUID
    coverage_id: UUID


class ClaimQuery(Wire):
    invoice_id: UUID


class ClaimBody(Wire):
    id: UUID
    invoice_id: UUID
    coverage_id: UUID
    status: ClaimStatus
    approved: Money | None
    created_at: Moment

    @classmethod
    def of(cls, claim: models.Claim) -> ClaimBody:
        approved = claim.approved_minor
        return cls(
            id=claim.id,
            invoice_id=claim.invoice_id,
            coverage_id=claim.coverage_id,
            status=claim.status,
            approved=None if approved is None else Money(amount_minor=approved, currency=claim.currency),
            created_at=claim.created_at,
        )


class Claims(Page):
    items: list[ClaimBody]
