"""Invoices, payments, refunds and claims over the real database: first by those who may not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from billing_office import FixedClock as OfficeClock
from billing_office import Office, Visit, office_over
from harness import MakeContext

from billing.amounts import Line
from billing.errors import (
    IdempotencyKeyTaken,
    InvoiceNotAdjustable,
    InvoiceNotClaimable,
    InvoiceNotPayable,
    PaymentNotRefundable,
    RefundExceedsPayment,
)
from billing.models import InvoiceFilter, Payment
from core.errors import Forbidden, InvalidInput, VersionConflict
from core.ids import uuid7
from core.security.principal import ANONYMOUS
from scheduling.events import AppointmentCompleted

pytestmark = pytest.mark.integration


@pytest.fixture
async def office(make_context: MakeContext) -> Office:
    clock = OfficeClock()
    return office_over(await make_context(clock=clock), clock)


async def pay(office: Office, visit: Visit, invoice_id: UUID, outcome: str = "succeeded", key: str = "") -> Payment:
    method = {"sandbox_outcome": outcome}
    return await office.module.payments.process(visit.patient, invoice_id, "sandbox", method, key or str(uuid7()))


async def test_strangers_see_and_move_no_money(office: Office) -> None:
    visit, invoice_id = await office.due()
    payment = await pay(office, visit, invoice_id)
    module = office.module
    for stranger in (ANONYMOUS, office.person("patient"), office.person("practitioner"), office.person("auditor")):
        with pytest.raises(Forbidden):
            await module.invoices.view(stranger, invoice_id)
        with pytest.raises(Forbidden):
            await module.invoices.pdf(stranger, invoice_id)
        with pytest.raises(Forbidden):
            await module.payments.process(stranger, invoice_id, "sandbox", {}, "key")
        with pytest.raises(Forbidden):
            await module.payments.get(stranger, payment.id)
        with pytest.raises(Forbidden):
            await module.claims.coverages(stranger, visit.patient.id)
        with pytest.raises(Forbidden):
            await module.claims.submit(stranger, invoice_id, uuid7())
    for person in (visit.patient, visit.doctor):
        with pytest.raises(Forbidden):
            await module.invoices.adjust(person, invoice_id, 2, [Line("Free", 0)], {"XOF"}, "please")
        with pytest.raises(Forbidden):
            await module.payments.refund(person, payment.id, 1, "XOF", "please", "key")
    with pytest.raises(Forbidden):
        await module.payments.process(visit.doctor, invoice_id, "sandbox", {}, "key")
    with pytest.raises(Forbidden):
        await module.invoices.search(office.person("patient"), InvoiceFilter(patient_id=visit.patient.id))
    assert (await module.invoices.search(office.person("practitioner"), InvoiceFilter()))[0] == []


async def test_patients_do_not_enter_cash(office: Office) -> None:
    visit, invoice_id = await office.due()
    with pytest.raises(Forbidden):
        await office.module.payments.process(visit.patient, invoice_id, "cash", {}, "cash-by-patient")
    paid = await office.module.payments.process(office.person("desk"), invoice_id, "cash", {}, str(uuid7()))
    assert paid.status == "succeeded"
    assert await office.accounts(invoice_id) == {
        "receivable:patients": 0,
        "revenue:consultations": -15000,
        "cash:cash": 15000,
    }


async def test_an_invoice_follows_its_visit_once(office: Office) -> None:
    visit = await office.booked()
    invoice = await office.invoice(visit)
    assert (invoice.status, invoice.number, invoice.total_minor) == ("pending", None, 15000)
    assert b"consultation" not in invoice.lines
    with pytest.raises(InvoiceNotPayable):
        await pay(office, visit, invoice.id)
    for _ in range(2):
        await office.deliver(AppointmentCompleted(**visit.about))
    due = await office.invoice(visit)
    assert due.status == "due"
    assert due.number.startswith("2026-")
    assert due.due_at == office.clock.now() + timedelta(days=14)
    assert await office.facts(visit) == ["invoice.due"]
    assert await office.accounts(due.id) == {"receivable:patients": 15000, "revenue:consultations": -15000}


async def test_cancelled_late_and_missed_visits_follow_the_policy(office: Office) -> None:
    early, late, missed = [await office.booked(fee=1001, currency="EUR") for _ in range(3)]
    await office.cancelled(early, in_time=True)
    await office.cancelled(late, in_time=False)
    await office.missed(missed)
    assert (await office.invoice(early)).status == "void"
    assert (await office.invoice(early)).number is None
    assert ((await office.invoice(late)).status, (await office.invoice(late)).total_minor) == ("due", 501)
    assert ((await office.invoice(missed)).status, (await office.invoice(missed)).total_minor) == ("due", 1001)
    assert await office.facts(early) == ["invoice.void"]


async def test_a_free_visit_is_paid_when_it_is_over(office: Office) -> None:
    visit, invoice_id = await office.due(fee=0)
    assert (await office.invoice(visit)).status == "paid"
    with pytest.raises(InvoiceNotPayable):
        await pay(office, visit, invoice_id)


async def test_numbers_have_no_gaps_under_concurrency(office: Office) -> None:
    visits = [await office.booked() for _ in range(12)]
    await asyncio.gather(*(office.deliver(AppointmentCompleted(**each.about)) for each in visits))
    numbers = sorted([int((await office.invoice(each)).number.split("-")[1]) for each in visits])
    assert numbers == list(range(numbers[0], numbers[0] + 12))


async def test_twenty_payments_at_once_take_the_money_once(office: Office) -> None:
    visit, invoice_id = await office.due()
    answers = await asyncio.gather(*(pay(office, visit, invoice_id) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(each, Payment) for each in answers) == 1
    assert sum(isinstance(each, InvoiceNotPayable) for each in answers) == 19
    assert list(office.till.taken.values()) == [15000]
    assert (await office.invoice(visit)).status == "paid"
    assert await office.facts(visit) == ["invoice.due", "payment.succeeded", "invoice.paid"]


async def test_the_same_key_is_the_same_payment(office: Office) -> None:
    visit, invoice_id = await office.due()
    key = str(uuid7())
    first, again = await pay(office, visit, invoice_id, key=key), await pay(office, visit, invoice_id, key=key)
    assert first.id == again.id
    with pytest.raises(IdempotencyKeyTaken):
        await pay(office, visit, invoice_id, "failed", key=key)


async def test_an_answer_lost_after_the_money_was_taken_is_found_again(office: Office) -> None:
    visit, invoice_id = await office.due()
    office.till.lose_answers = 1
    payment = await pay(office, visit, invoice_id)
    assert payment.status == "created"
    with pytest.raises(InvoiceNotPayable):
        await pay(office, visit, invoice_id)
    office.clock.moment += timedelta(seconds=10)
    await asyncio.gather(office.module.payments.reconcile(), office.module.payments.reconcile())
    assert (await office.module.payments.get(visit.patient, payment.id)).status == "succeeded"
    assert office.till.taken == {payment.id: 15000}
    assert (await office.facts(visit)).count("payment.succeeded") == 1
    assert (await office.accounts(invoice_id))["cash:sandbox"] == 15000


async def test_pending_payments_are_polled_to_their_end(office: Office) -> None:
    visit, invoice_id = await office.due()
    payment = await pay(office, visit, invoice_id, "pending")
    assert payment.status == "pending"
    with pytest.raises(InvoiceNotAdjustable):
        await office.module.invoices.adjust(office.person("desk"), invoice_id, 2, [Line("Less", 1)], {"XOF"}, "mistake")
    office.clock.moment += timedelta(seconds=4)
    await office.module.payments.reconcile()
    assert (await office.module.payments.get(visit.patient, payment.id)).status == "pending"
    office.clock.moment += timedelta(seconds=4)
    await office.module.payments.reconcile()
    assert (await office.invoice(visit)).status == "paid"


async def test_a_failed_payment_leaves_room_for_another(office: Office) -> None:
    visit, invoice_id = await office.due()
    assert (await pay(office, visit, invoice_id, "failed")).status == "failed"
    assert (await office.invoice(visit)).status == "due"
    assert (await pay(office, visit, invoice_id)).status == "succeeded"


async def test_refunds_in_parts_never_exceed_the_payment(office: Office) -> None:
    visit, invoice_id = await office.due()
    desk, payments = office.person("desk"), office.module.payments
    payment = await pay(office, visit, invoice_id)
    await payments.refund(desk, payment.id, 5000, "XOF", "Cut short", "one" + str(payment.id))
    assert (await office.invoice(visit)).status == "partly_refunded"
    with pytest.raises(RefundExceedsPayment):
        await payments.refund(desk, payment.id, 10001, "XOF", "Too much", str(uuid7()))
    with pytest.raises(InvalidInput):
        await payments.refund(desk, payment.id, 10, "EUR", "Other money", str(uuid7()))
    again = await payments.refund(desk, payment.id, 5000, "XOF", "Cut short", "one" + str(payment.id))
    assert len(office.till.given) == 1
    assert again.status == "succeeded"
    answers = await asyncio.gather(
        *(payments.refund(desk, payment.id, 6000, "XOF", "Rest", str(uuid7())) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, RefundExceedsPayment) for each in answers) == 3
    office.till.lose_answers = 1
    assert (await payments.refund(desk, payment.id, 4000, "XOF", "Rest", str(uuid7()))).status == "pending"
    office.clock.moment += timedelta(seconds=10)
    await payments.reconcile()
    invoice = await office.invoice(visit)
    assert (invoice.status, invoice.refunded_minor) == ("refunded", 15000)
    assert (await office.accounts(invoice_id))["cash:sandbox"] == 0
    assert (await office.facts(visit)).count("payment.refunded") == 3


async def test_what_was_not_taken_is_not_refunded(office: Office) -> None:
    visit, invoice_id = await office.due()
    payment = await pay(office, visit, invoice_id, "pending")
    with pytest.raises(PaymentNotRefundable):
        await office.module.payments.refund(office.person("desk"), payment.id, 1, "XOF", "no", str(uuid7()))


async def test_adjusting_keeps_the_reason_the_version_and_the_books(office: Office) -> None:
    visit, invoice_id = await office.due()
    desk, invoices = office.person("desk"), office.module.invoices
    lines = [Line("Video consultation", 15000), Line("Goodwill", -5000)]
    with pytest.raises(VersionConflict):
        await invoices.adjust(desk, invoice_id, 1, lines, {"XOF"}, "late start")
    with pytest.raises(InvalidInput):
        await invoices.adjust(desk, invoice_id, 2, lines, {"EUR"}, "late start")
    with pytest.raises(InvalidInput):
        await invoices.adjust(desk, invoice_id, 2, [Line("Gift", -1)], {"XOF"}, "late start")
    view = await invoices.adjust(desk, invoice_id, 2, lines, {"XOF"}, "late start")
    assert (view.invoice.total_minor, view.invoice.version, view.lines[1].description) == (10000, 3, "Goodwill")
    assert await office.accounts(invoice_id) == {"receivable:patients": 10000, "revenue:consultations": -10000}
    assert (await pay(office, visit, invoice_id)).amount_minor == 10000


@pytest.mark.parametrize(
    ("member", "status", "covered", "invoice_status"),
    [("MG-1230", "rejected", 0, "due"), ("MG-1235", "partial", 10500, "due"), ("MG-1234", "approved", 15000, "paid")],
)
async def test_the_invoice_follows_the_insurers_decision(
    office: Office, member: str, status: str, covered: int, invoice_status: str
) -> None:
    visit, invoice_id = await office.due()
    claims = office.module.claims
    coverage = await claims.add_coverage(visit.patient, visit.patient.id, "Sahel Santé", member)
    assert member.encode() not in coverage.member_number
    assert coverage.last4 == member[-4:]
    claim = await claims.submit(visit.patient, invoice_id, coverage.id)
    assert claim.status == "submitted"
    with pytest.raises(InvoiceNotPayable):
        await pay(office, visit, invoice_id)
    with pytest.raises(InvoiceNotClaimable):
        await claims.submit(visit.patient, invoice_id, coverage.id)
    office.clock.moment += timedelta(seconds=4)
    await asyncio.gather(claims.decide(), claims.decide())
    (decided,) = await claims.claims(visit.patient, invoice_id)
    assert (decided.status, decided.approved_minor) == (status, covered)
    invoice = await office.invoice(visit)
    assert (invoice.status, invoice.covered_minor) == (invoice_status, covered)
    assert (await office.facts(visit)).count("claim.decided") == 1
    if invoice_status == "due":
        assert (await pay(office, visit, invoice_id)).amount_minor == 15000 - covered
    assert (await office.accounts(invoice_id))["receivable:patients"] == 0


async def test_the_database_refuses_books_that_do_not_balance_or_change(office: Office) -> None:
    _, invoice_id = await office.due()
    database, entry = office.context.database("billing"), uuid7()
    with pytest.raises(asyncpg.CheckViolationError):
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO ledger_entries VALUES ($1, 'payment', $1, 0, $2, now())", entry, invoice_id)
            await tx.execute("INSERT INTO ledger_postings VALUES ($1, 'cash:sandbox', 5, 'XOF')", entry)
            await tx.execute("INSERT INTO ledger_postings VALUES ($1, 'revenue:consultations', -4, 'XOF')", entry)
    for statement in ("UPDATE ledger_postings SET amount_minor = 1", "DELETE FROM ledger_entries"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction() as tx:
                await tx.execute(statement)
