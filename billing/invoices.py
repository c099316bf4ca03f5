"""Use cases of invoices: they follow the visit, are read, adjusted and printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypedDict
from uuid import UUID

from billing import amounts, ledger
from billing.access import Standing, relations
from billing.amounts import Line
from billing.errors import InvoiceNotAdjustable
from billing.events import InvoiceAdjusted, InvoiceDue, InvoicePaid, InvoiceVoid
from billing.lifecycle import ADJUSTABLE, INVOICE, move
from billing.models import Invoice, InvoiceFilter, InvoiceView, adjustment_place, lines_place
from billing.pdf import render_invoice
from billing.ports import People
from billing.repository import Repository
from core.clock import Clock
from core.database import Database, Transaction
from core.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import SYSTEM, Principal
from core.security.vault import KeyDestroyed, Vault
from scheduling.events import AppointmentBooked

PAYMENT_TERM = timedelta(days=14)
VISIT = "Video consultation"
LATE_CANCELLATION = f"Late cancellation ({amounts.LATE_CANCELLATION_PERCENT} % of the fee)"
NO_SHOW = "Missed appointment"


class Invoices:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        clock: Clock,
        policy: Policy,
        vault: Vault,
        people: People,
        standing: Standing,
    ) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy
        self._vault = vault
        self._people = people
        self._standing = standing

    # Following the visit

    async def open(self, tx: Transaction, bookings: Sequence[AppointmentBooked]) -> None:
        """A booking makes a pending invoice; one per appointment."""
        await self._vault.prepare(each.patient_id for each in bookings)
        invoices = {each.id: each for each in [await self._opened(booking) for booking in bookings]}
        for invoice_id in await self._repository.insert_invoices(tx, list(invoices.values())):
            await self._audit(tx, SYSTEM, "invoice.opened", invoices[invoice_id])

    async def _opened(self, booking: AppointmentBooked) -> Invoice:
        invoice_id = uuid7()
        return Invoice(
            id=invoice_id,
            number=None,
            status="pending",
            appointment_id=booking.appointment_id,
            patient_id=booking.patient_id,
            practitioner_id=booking.practitioner_id,
            lines=await self._seal(booking.patient_id, invoice_id, [Line(VISIT, booking.fee_minor)]),
            currency=booking.currency,
            total_minor=booking.fee_minor,
            covered_minor=0,
            paid_minor=0,
            refunded_minor=0,
            issued_at=self._clock.now(),
            due_at=None,
            version=1,
        )

    async def visit_completed(self, tx: Transaction, appointment_id: UUID) -> None:
        """The visit took place: the whole invoice is due."""
        await self._fall_due(tx, appointment_id, None, 100)

    async def visit_missed(self, tx: Transaction, appointment_id: UUID) -> None:
        """The patient did not come: the policy's share is due."""
        await self._fall_due(tx, appointment_id, NO_SHOW, amounts.NO_SHOW_PERCENT)

    async def visit_cancelled(self, tx: Transaction, appointment_id: UUID, *, in_time: bool) -> None:
        """Cancelled in time costs nothing; later the policy's share is due."""
        if not in_time:
            await self._fall_due(tx, appointment_id, LATE_CANCELLATION, amounts.LATE_CANCELLATION_PERCENT)
            return
        invoice = await self._of(tx, appointment_id)
        if invoice.status == "pending":
            move(INVOICE, invoice.status, "void")
            saved = await self._repository.save_invoice(tx, replace(invoice, status="void"))
            await tx.publish(InvoiceVoid(**about(saved)))
            await self._audit(tx, SYSTEM, "invoice.void", saved)

    async def _fall_due(self, tx: Transaction, appointment_id: UUID, instead: str | None, percent: int) -> None:
        invoice = await self._of(tx, appointment_id)
        if invoice.status != "pending":
            return
        now = self._clock.now()
        total, lines = invoice.total_minor, invoice.lines
        if instead is not None:
            total = amounts.percent_of(total, percent)
            lines = await self._seal(invoice.patient_id, invoice.id, [Line(instead, total)])
        series = f"{now:%Y}"
        number = await self._repository.next_number(tx, series)
        move(INVOICE, invoice.status, "due")
        due = await self._repository.save_invoice(
            tx,
            replace(
                invoice,
                status="due",
                number=f"{series}-{number:06d}",
                lines=lines,
                total_minor=total,
                issued_at=now,
                due_at=now + PAYMENT_TERM,
            ),
        )
        await self._repository.enter(tx, ledger.invoice_due(due.id, due.version, total, due.currency), now)
        await tx.publish(InvoiceDue(**about(due)))
        await self._audit(tx, SYSTEM, "invoice.due", due)
        await self.settle(tx, due)

    async def settle(self, tx: Transaction, invoice: Invoice) -> Invoice:
        """A due invoice of which nothing is left to pay is paid; the invoice is locked."""
        if invoice.status != "due" or invoice.outstanding > 0:
            return invoice
        move(INVOICE, invoice.status, "paid")
        paid = await self._repository.save_invoice(tx, replace(invoice, status="paid"))
        await tx.publish(InvoicePaid(**about(paid)))
        return paid

    async def _of(self, tx: Transaction, appointment_id: UUID) -> Invoice:
        invoice = await self._repository.invoice_of(tx, appointment_id, lock=True)
        if invoice is None:
            # Facts of a visit come in order, so the booking has been handled; if not, this one waits its turn.
            raise LookupError(f"no invoice for appointment {appointment_id}")
        return invoice

    # Reading

    async def view(self, principal: Principal, invoice_id: UUID) -> InvoiceView:
        """Raises NotFound, Forbidden."""
        standing = await self._standing.to_invoice(principal, invoice_id)
        async with self._database.transaction() as tx:
            invoice = await self._repository.invoice(tx, invoice_id)
            if invoice is None:
                raise NotFound()
            self._policy.require(principal, "invoice.read", relations(principal, invoice) or standing)
            await self._audit(tx, principal, "invoice.read", invoice)
        return (await self.show([invoice]))[0]

    async def search(self, principal: Principal, wanted: InvoiceFilter) -> tuple[list[InvoiceView], UUID | None]:
        """Newest first, and the next page's cursor. Raises Forbidden.

        Patients see their own, or those of one they act for; practitioners their own.
        """
        scope = await self._scope(principal, wanted)
        async with self._database.transaction() as tx:
            rows = await self._repository.search_invoices(tx, replace(scope, limit=wanted.limit + 1))
            page = rows[: wanted.limit]
            for patient_id in sorted({each.patient_id for each in page}):
                await tx.audit(
                    "invoice.list",
                    actor_id=principal.person_id,
                    actor_role=principal.role,
                    resource="invoice",
                    patient_id=patient_id,
                )
        return await self.show(page), page[-1].id if len(rows) > wanted.limit else None

    async def invoice_for(self, appointment_id: UUID) -> InvoiceView | None:
        """For other modules, which have checked access."""
        async with self._database.reading() as tx:
            invoice = await self._repository.invoice_of(tx, appointment_id)
        return None if invoice is None else (await self.show([invoice]))[0]

    async def pdf(self, principal: Principal, invoice_id: UUID) -> tuple[str, bytes]:
        """A file name and the document. Raises NotFound, Forbidden."""
        view = await self.view(principal, invoice_id)
        patient_id = view.invoice.patient_id
        names = await self._people.names([patient_id])
        content = await asyncio.to_thread(render_invoice, view, names.get(patient_id, ""))
        return f"invoice-{view.invoice.number or 'pending'}.pdf", content

    async def show(self, invoices: Sequence[Invoice]) -> list[InvoiceView]:
        """Lines in clear and names; whoever calls has checked access."""
        ids = sorted({each.practitioner_id for each in invoices})
        names = await self._people.names(ids) if ids else {}
        return [InvoiceView(each, await self._lines(each), names.get(each.practitioner_id, "")) for each in invoices]

    # Adjusting

    async def adjust(
        self,
        principal: Principal,
        invoice_id: UUID,
        version: int,
        lines: Sequence[Line],
        currencies: Collection[str],
        reason: str,
    ) -> InvoiceView:
        """Other lines, for a written reason. Raises NotFound, Forbidden, VersionConflict, InvoiceNotAdjustable."""
        self._policy.require(principal, "invoice.adjust")
        total = amounts.total_of(lines)
        if not 0 <= total <= amounts.MOST:
            raise InvalidInput.of("lines", "The total of an invoice is never below nothing")
        async with self._database.transaction() as tx:
            before = await self._repository.invoice(tx, invoice_id, lock=True)
            if before is None:
                raise NotFound()
            if set(currencies) != {before.currency}:
                raise InvalidInput.of("lines", f"This invoice is in {before.currency}")
            if before.version != version:
                raise VersionConflict()
            if before.status not in ADJUSTABLE or await self._repository.has_live_payment(tx, invoice_id):
                raise InvoiceNotAdjustable()
            if total < before.covered_minor or await self._repository.has_undecided_claim(tx, invoice_id):
                raise InvoiceNotAdjustable("The insurer's part stands against this")
            now = self._clock.now()
            place = adjustment_place(invoice_id, version)
            sealed_reason = await self._vault.encrypt_text(before.patient_id, place, reason)
            await self._repository.insert_adjustment(tx, before, sealed_reason, principal.id, now)
            sealed = await self._seal(before.patient_id, invoice_id, lines)
            after = await self._repository.save_invoice(tx, replace(before, lines=sealed, total_minor=total))
            if before.status == "due":
                entry = ledger.invoice_adjusted(invoice_id, after.version, before.total_minor, total, before.currency)
                await self._repository.enter(tx, entry, now)
            await tx.publish(InvoiceAdjusted(**about(after)))
            await self._audit(tx, principal, "invoice.adjusted", after)
            after = await self.settle(tx, after)
        return (await self.show([after]))[0]

    # Parts

    async def _seal(self, patient_id: UUID, invoice_id: UUID, lines: Sequence[Line]) -> bytes:
        text = json.dumps([[line.description, line.amount_minor] for line in lines])
        return await self._vault.encrypt_text(patient_id, lines_place(invoice_id), text)

    async def _lines(self, invoice: Invoice) -> tuple[Line, ...]:
        try:
            text = await self._vault.decrypt_text(invoice.patient_id, lines_place(invoice.id), invoice.lines)
        except KeyDestroyed:
            return (Line("Erased", invoice.total_minor),)
        return tuple(Line(description, amount) for description, amount in json.loads(text))

    async def _scope(self, principal: Principal, wanted: InvoiceFilter) -> InvoiceFilter:
        if self._policy.allows(principal, "invoice.list"):
            return wanted
        if principal.role == "patient" and wanted.patient_id in (None, principal.id):
            return replace(wanted, patient_id=principal.id)
        if principal.role == "patient" and wanted.patient_id is not None:
            held = await self._standing.to_patient(principal, wanted.patient_id)
            self._policy.require(principal, "invoice.read", held)
            return wanted
        if principal.role == "practitioner":
            return replace(wanted, practitioner_id=principal.id)
        raise Forbidden("You may list your own invoices")

    async def _audit(self, tx: Transaction, principal: Principal, action: str, invoice: Invoice) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="invoice",
            resource_id=invoice.id,
            patient_id=invoice.patient_id,
        )


class About(TypedDict):
    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    invoice_id: UUID


def about(invoice: Invoice) -> About:
    """The fields that every fact of billing carries."""
    return About(
        appointment_id=invoice.appointment_id,
        patient_id=invoice.patient_id,
        practitioner_id=invoice.practitioner_id,
        invoice_id=invoice.id,
    )
