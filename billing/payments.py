"""Use cases of payments and refunds.

A payment is written down and committed before its gateway is asked, so a crash leaves a row that the reconciler
finishes; at most one payment of an invoice lives (unique index), and a gateway takes one payment's money once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog

from billing import ledger
from billing.access import Standing, relations
from billing.errors import IdempotencyKeyTaken, InvoiceNotPayable, PaymentNotRefundable, RefundExceedsPayment
from billing.events import PaymentFailed, PaymentRefunded, PaymentSucceeded
from billing.gateways import Gateway, Outcome
from billing.invoices import Invoices, about
from billing.lifecycle import INVOICE, PAYMENT, REFUND, UNFINISHED, RefundStatus, move, status_after_refund
from billing.models import Invoice, Payment, Refund, refund_place
from billing.repository import Repository
from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import SYSTEM, Principal
from core.security.vault import Vault

# A payment is asked about again this long after its last answer; sooner it may be in another process's hands.
ASK_AGAIN_AFTER = timedelta(seconds=2)
BATCH = 50

log = structlog.get_logger("billing")


class Payments:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        clock: Clock,
        policy: Policy,
        vault: Vault,
        invoices: Invoices,
        gateways: Mapping[str, Gateway],
        standing: Standing,
    ) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy
        self._vault = vault
        self._invoices = invoices
        self._gateways = gateways
        self._standing = standing

    async def process(
        self, principal: Principal, invoice_id: UUID, gateway_name: str, method: Mapping[str, str], key: str
    ) -> Payment:
        """Pay what is outstanding. The same key gives the same payment.

        Raises Forbidden, NotFound, InvalidInput, InvoiceNotPayable, IdempotencyKeyTaken.
        """
        gateway = self._gateways.get(gateway_name)
        if gateway is None:
            raise InvalidInput.of("gateway", "There is no such way to pay")
        standing = await self._standing.to_invoice(principal, invoice_id)
        async with self._database.transaction() as tx:
            invoice = await self._repository.invoice(tx, invoice_id, lock=True)
            if invoice is None:
                raise NotFound()
            self._policy.require(principal, "payment.make", relations(principal, invoice) or standing)
            if gateway.staff_only:
                self._policy.require(principal, "payment.take_cash")
            payment = await self._repository.payment_by_key(tx, principal.id, key)
            if payment is None:
                payment = await self._write_down(tx, principal, invoice, gateway_name, method, key)
            elif (payment.invoice_id, payment.gateway, dict(payment.method)) != (
                invoice_id,
                gateway_name,
                dict(method),
            ):
                raise IdempotencyKeyTaken()
        if payment.status != "created":
            return payment
        try:
            outcome = await gateway.charge(payment.order)
        except Exception as error:  # whatever a gateway does, the payment is written down and asked about again
            log.warning("gateway_away", gateway=gateway_name, payment_id=str(payment.id), error=type(error).__name__)
            return payment
        return await self._settle(payment, outcome)

    async def _write_down(
        self,
        tx: Transaction,
        principal: Principal,
        invoice: Invoice,
        gateway_name: str,
        method: Mapping[str, str],
        key: str,
    ) -> Payment:
        if invoice.status != "due" or invoice.outstanding == 0:
            raise InvoiceNotPayable(f"This invoice is {invoice.status.replace('_', ' ')}")
        if await self._repository.has_undecided_claim(tx, invoice.id):
            raise InvoiceNotPayable("The insurer has not decided yet")
        payment = Payment(
            id=uuid7(),
            invoice_id=invoice.id,
            status="created",
            gateway=gateway_name,
            method=dict(method),
            amount_minor=invoice.outstanding,
            currency=invoice.currency,
            reference=None,
            redirect_url=None,
            idempotency_key=key,
            made_by=principal.id,
            created_at=self._clock.now(),
        )
        await self._repository.insert_payment(tx, payment)
        await self._audit(tx, principal, "payment.created", payment, invoice)
        return payment

    async def get(self, principal: Principal, payment_id: UUID) -> Payment:
        """Raises NotFound, Forbidden."""
        async with self._database.reading() as tx:
            payment = await self._repository.payment(tx, payment_id)
            invoice = await self._repository.invoice(tx, payment.invoice_id) if payment else None
        if payment is None or invoice is None:
            raise NotFound()
        standing = relations(principal, invoice) or await self._standing.to_patient(principal, invoice.patient_id)
        self._policy.require(principal, "invoice.read", standing)
        return payment

    async def of_invoice(self, principal: Principal, invoice_id: UUID) -> list[Payment]:
        """Every payment of an invoice, newest first. Raises NotFound, Forbidden."""
        async with self._database.reading() as tx:
            invoice = await self._repository.invoice(tx, invoice_id)
            payments = await self._repository.payments_of(tx, invoice_id)
        if invoice is None:
            raise NotFound()
        standing = relations(principal, invoice) or await self._standing.to_patient(principal, invoice.patient_id)
        self._policy.require(principal, "invoice.read", standing)
        return payments

    async def reconcile(self) -> int:
        """Ask about every payment and refund without an end; returns how many were asked about. Safe to run twice."""
        now = self._clock.now()
        async with self._database.reading() as tx:
            payments = await self._repository.unfinished_payments(tx, now - ASK_AGAIN_AFTER, BATCH)
            refunds = await self._repository.unfinished_refunds(tx, now - ASK_AGAIN_AFTER, BATCH)
        for payment in payments:
            gateway = self._gateways.get(payment.gateway)
            if gateway is None:
                log.error("gateway_missing", gateway=payment.gateway, payment_id=str(payment.id))
                continue
            try:
                # What was never answered is asked for again by its id: a gateway takes it once.
                outcome = (
                    await gateway.charge(payment.order)
                    if payment.status == "created"
                    else await gateway.poll(payment.order, now)
                )
            except Exception as error:  # one gateway's failure is no other payment's
                log.warning("gateway_away", gateway=payment.gateway, error=type(error).__name__)
                continue
            await self._settle(payment, outcome)
        for refund in refunds:
            await self._give_back(refund)
        return len(payments) + len(refunds)

    async def _settle(self, payment: Payment, outcome: Outcome) -> Payment:
        async with self._database.transaction() as tx:
            now = self._clock.now()
            invoice = await self._repository.invoice(tx, payment.invoice_id, lock=True)
            present = await self._repository.payment(tx, payment.id, lock=True)
            assert invoice is not None
            assert present is not None
            if present.status == outcome.status or present.status not in UNFINISHED:
                if present.status in UNFINISHED:
                    await self._repository.touch_payment(tx, present.id, now)
                return present
            move(PAYMENT, present.status, outcome.status)
            saved = await self._repository.save_payment(
                tx, present.id, outcome.status, outcome.reference, outcome.redirect_url, now
            )
            if saved.status == "succeeded":
                await self._taken(tx, invoice, saved)
            elif saved.status in ("failed", "expired", "cancelled"):
                await tx.publish(PaymentFailed(**about(invoice), payment_id=saved.id))
            await self._audit(tx, SYSTEM, f"payment.{saved.status}", saved, invoice)
            return saved

    async def _taken(self, tx: Transaction, invoice: Invoice, payment: Payment) -> None:
        entry = ledger.payment(payment.id, invoice.id, payment.gateway, payment.amount_minor, payment.currency)
        await self._repository.enter(tx, entry, self._clock.now())
        paid = replace(invoice, paid_minor=invoice.paid_minor + payment.amount_minor)
        await tx.publish(
            PaymentSucceeded(
                **about(invoice),
                payment_id=payment.id,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
            )
        )
        await self._invoices.settle(tx, await self._repository.save_invoice(tx, paid))

    # Refunds

    async def refund(
        self, principal: Principal, payment_id: UUID, amount_minor: int, currency: str, reason: str, key: str
    ) -> Refund:
        """Give back a part or all, the way it was paid. The same key gives the same refund.

        Raises Forbidden, NotFound, InvalidInput, PaymentNotRefundable, RefundExceedsPayment, IdempotencyKeyTaken.
        """
        self._policy.require(principal, "payment.refund")
        async with self._database.transaction() as tx:
            invoice, payment = await self._locked(tx, payment_id)
            refund = await self._repository.refund_by_key(tx, principal.id, key)
            if refund is None:
                if payment.status != "succeeded":
                    raise PaymentNotRefundable()
                if currency != payment.currency:
                    raise InvalidInput.of("amount.currency", f"The payment was in {payment.currency}")
                given = await self._repository.refunded_or_pending(tx, payment_id)
                if given + amount_minor > payment.amount_minor:
                    raise RefundExceedsPayment()
                refund_id = uuid7()
                refund = Refund(
                    id=refund_id,
                    payment_id=payment_id,
                    amount_minor=amount_minor,
                    currency=currency,
                    status="pending",
                    reason=await self._vault.encrypt_text(invoice.patient_id, refund_place(refund_id), reason),
                    idempotency_key=key,
                    made_by=principal.id,
                    created_at=self._clock.now(),
                )
                await self._repository.insert_refund(tx, refund)
                await self._audit(tx, principal, "payment.refund_created", payment, invoice)
            elif (refund.payment_id, refund.amount_minor) != (payment_id, amount_minor):
                raise IdempotencyKeyTaken()
        return await self._give_back(refund) if refund.status == "pending" else refund

    async def _give_back(self, refund: Refund) -> Refund:
        async with self._database.reading() as tx:
            payment = await self._repository.payment(tx, refund.payment_id)
        assert payment is not None
        gateway = self._gateways.get(payment.gateway)
        if gateway is None:
            log.error("gateway_missing", gateway=payment.gateway, payment_id=str(payment.id))
            return refund
        try:
            status = await gateway.refund(payment.order, refund.id, refund.amount_minor)
        except Exception as error:  # the refund is written down and asked for again
            log.warning("gateway_away", gateway=payment.gateway, error=type(error).__name__)
            return refund
        return await self._finish_refund(refund, status)

    async def _finish_refund(self, refund: Refund, status: RefundStatus) -> Refund:
        async with self._database.transaction() as tx:
            now = self._clock.now()
            invoice, payment = await self._locked(tx, refund.payment_id)
            present = await self._repository.refund(tx, refund.id, lock=True)
            assert present is not None
            if status == "pending" or present.status != "pending":
                return present
            move(REFUND, present.status, status)
            saved = await self._repository.save_refund(tx, refund.id, status, now)
            if status == "succeeded":
                refunded = invoice.refunded_minor + saved.amount_minor
                to = status_after_refund(paid=invoice.paid_minor, refunded=refunded)
                move(INVOICE, invoice.status, to)
                await self._repository.save_invoice(tx, replace(invoice, status=to, refunded_minor=refunded))
                entry = ledger.refund(saved.id, invoice.id, payment.gateway, saved.amount_minor, saved.currency)
                await self._repository.enter(tx, entry, now)
                await tx.publish(
                    PaymentRefunded(
                        **about(invoice),
                        payment_id=payment.id,
                        refund_id=saved.id,
                        amount_minor=saved.amount_minor,
                        currency=saved.currency,
                    )
                )
            await self._audit(tx, SYSTEM, f"payment.refund_{status}", payment, invoice)
            return saved

    async def _locked(self, tx: Transaction, payment_id: UUID) -> tuple[Invoice, Payment]:
        known = await self._repository.payment(tx, payment_id)
        if known is None:
            raise NotFound()
        invoice = await self._repository.invoice(tx, known.invoice_id, lock=True)
        payment = await self._repository.payment(tx, payment_id, lock=True)
        assert invoice is not None
        assert payment is not None
        return invoice, payment

    async def _audit(
        self, tx: Transaction, principal: Principal, action: str, payment: Payment, invoice: Invoice
    ) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="payment",
            resource_id=payment.id,
            patient_id=invoice.patient_id,
        )
