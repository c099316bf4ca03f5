"""Billing over HTTP."""

from __future__ import annotations

from uuid import UUID

from billing import schemas
from billing.amounts import Line
from billing.claims import Claims
from billing.errors import (
    IdempotencyKeyTaken,
    InvoiceNotAdjustable,
    InvoiceNotClaimable,
    InvoiceNotPayable,
    PaymentNotRefundable,
    RefundExceedsPayment,
)
from billing.invoices import Invoices
from billing.lifecycle import UNFINISHED
from billing.models import InvoiceFilter
from billing.payments import Payments
from core.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from core.http.idempotency import HEADER
from core.http.routes import Answer, Call, Routes
from core.security.principal import Principal


def build_routes(invoices: Invoices, payments: Payments, claims: Claims) -> Routes:
    routes = Routes("billing")
    _invoices(routes, invoices)
    _payments(routes, payments)
    _claims(routes, claims)
    return routes


def _invoices(routes: Routes, invoices: Invoices) -> None:
    @routes.get(
        "/billing/invoices",
        action="invoice.read",
        query=schemas.InvoiceQuery,
        returns=schemas.Invoices,
        errors=(Forbidden,),
    )
    async def search(call: Call[None, schemas.InvoiceQuery]) -> schemas.Invoices:
        """List invoices, newest first: one's own, or anybody's for staff"""
        query = call.query
        wanted = InvoiceFilter(
            patient_id=query.patient_id,
            appointment_id=query.appointment_id,
            status=query.status,
            before=query.cursor,
            limit=query.limit,
        )
        views, following = await invoices.search(call.principal, wanted)
        return schemas.Invoices(
            items=[schemas.InvoiceBody.of(each) for each in views],
            next_cursor=str(following) if following else None,
        )

    @routes.get(
        "/billing/invoices/{id}", action="invoice.read", returns=schemas.InvoiceBody, errors=(Forbidden, NotFound)
    )
    async def read(call: Call[None, None]) -> schemas.InvoiceBody:
        """Show one invoice"""
        return schemas.InvoiceBody.of(await invoices.view(call.principal, call.id()))

    @routes.get(
        "/billing/invoices/{id}.pdf",
        action="invoice.read",
        content_type="application/pdf",
        errors=(Forbidden, NotFound),
    )
    async def printed(call: Call[None, None]) -> Answer:
        """Print one invoice"""
        name, content = await invoices.pdf(call.principal, call.id())
        headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private, no-store"}
        return Answer(content, headers=headers, content_type="application/pdf")

    @routes.patch(
        "/billing/invoices/{id}",
        action="invoice.adjust",
        body=schemas.AdjustInvoice,
        returns=schemas.InvoiceBody,
        errors=(Forbidden, NotFound, VersionConflict, InvoiceNotAdjustable),
    )
    async def adjust(call: Call[schemas.AdjustInvoice, None]) -> schemas.InvoiceBody:
        """Adjust an invoice, with a reason"""
        body = call.body
        lines = [Line(each.description, each.amount.amount_minor) for each in body.lines]
        currencies = {each.amount.currency for each in body.lines}
        return schemas.InvoiceBody.of(
            await invoices.adjust(call.principal, call.id(), body.version, lines, currencies, body.reason)
        )


def _payments(routes: Routes, payments: Payments) -> None:
    @routes.post(
        "/payments/process",
        action="payment.make",
        body=schemas.ProcessPayment,
        returns=schemas.PaymentBody,
        status=201,
        idempotency="required",
        errors=(Forbidden, NotFound, InvoiceNotPayable, IdempotencyKeyTaken),
    )
    async def process(call: Call[schemas.ProcessPayment, None]) -> Answer:
        """Pay what is outstanding of an invoice; 202 while the payment is under way"""
        body = call.body
        method = body.method.model_dump(exclude_none=True)
        payment = await payments.process(
            call.principal, body.invoice_id, body.gateway, method, call.request.headers[HEADER]
        )
        return Answer(schemas.PaymentBody.of(payment), status=202 if payment.status in UNFINISHED else 201)

    @routes.get(
        "/payments",
        action="invoice.read",
        query=schemas.PaymentQuery,
        returns=schemas.Payments,
        errors=(Forbidden, NotFound),
    )
    async def payments_of_invoice(call: Call[None, schemas.PaymentQuery]) -> schemas.Payments:
        """List the payments of one invoice, newest first"""
        made = await payments.of_invoice(call.principal, call.query.invoice_id)
        return schemas.Payments(items=[schemas.PaymentBody.of(each) for each in made])

    @routes.get("/payments/{id}", action="invoice.read", returns=schemas.PaymentBody, errors=(Forbidden, NotFound))
    async def read(call: Call[None, None]) -> schemas.PaymentBody:
        """Show one payment"""
        return schemas.PaymentBody.of(await payments.get(call.principal, call.id()))

    @routes.post(
        "/payments/{id}/refunds",
        action="payment.refund",
        body=schemas.MakeRefund,
        returns=schemas.RefundBody,
        status=201,
        idempotency="required",
        errors=(Forbidden, NotFound, PaymentNotRefundable, RefundExceedsPayment, IdempotencyKeyTaken),
    )
    async def refund(call: Call[schemas.MakeRefund, None]) -> schemas.RefundBody:
        """Refund a payment, whole or in part"""
        body = call.body
        made = await payments.refund(
            call.principal,
            call.id(),
            body.amount.amount_minor,
            body.amount.currency,
            body.reason,
            call.request.headers[HEADER],
        )
        return schemas.RefundBody.of(made, body.reason)


def _claims(routes: Routes, claims: Claims) -> None:
    @routes.get(
        "/billing/coverages",
        action="coverage.read",
        query=schemas.CoverageQuery,
        returns=schemas.Coverages,
        errors=(Forbidden,),
    )
    async def coverages(call: Call[None, schemas.CoverageQuery]) -> schemas.Coverages:
        """List a patient's insurance coverages"""
        found = await claims.coverages(call.principal, _patient(call.principal, call.query.patient_id))
        return schemas.Coverages(items=[schemas.CoverageBody.of(each) for each in found])

    @routes.post(
        "/billing/coverages",
        action="coverage.write",
        body=schemas.AddCoverage,
        returns=schemas.CoverageBody,
        status=201,
        errors=(Forbidden,),
    )
    async def add_coverage(call: Call[schemas.AddCoverage, None]) -> schemas.CoverageBody:
        """Add an insurance coverage"""
        body = call.body
        patient_id = _patient(call.principal, body.patient_id)
        return schemas.CoverageBody.of(
            await claims.add_coverage(call.principal, patient_id, body.insurer, body.member_number)
        )

    @routes.post(
        "/billing/claims",
        action="claim.make",
        body=schemas.MakeClaim,
        returns=schemas.ClaimBody,
        status=201,
        errors=(Forbidden, NotFound, InvoiceNotClaimable),
    )
    async def submit(call: Call[schemas.MakeClaim, None]) -> schemas.ClaimBody:
        """Claim an invoice from an insurer"""
        body = call.body
        return schemas.ClaimBody.of(await claims.submit(call.principal, body.invoice_id, body.coverage_id))

    @routes.get(
        "/billing/claims",
        action="claim.read",
        query=schemas.ClaimQuery,
        returns=schemas.Claims,
        errors=(Forbidden, NotFound),
    )
    async def listed(call: Call[None, schemas.ClaimQuery]) -> schemas.Claims:
        """List an invoice's claims"""
        found = await claims.claims(call.principal, call.query.invoice_id)
        return schemas.Claims(items=[schemas.ClaimBody.of(each) for each in found])


def _patient(principal: Principal, given: UUID | None) -> UUID:
    if given is not None:
        return given
    if principal.role != "patient":
        raise InvalidInput.of("patient_id", "Say whose")
    return principal.id
