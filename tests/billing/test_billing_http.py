"""Billing over HTTP: refusals first, then the contract's shapes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from billing_office import FixedClock as OfficeClock
from billing_office import Office, office_over
from harness import MakeClient, MakeContext, TokenSessions

from core.ids import uuid7
from core.security.principal import Principal

pytestmark = pytest.mark.integration

INVOICE = {
    "id", "number", "status", "appointment_id", "patient_id", "practitioner_id", "practitioner_name", "lines", "total",
    "covered", "paid", "refunded", "issued_at", "due_at", "version",
}  # fmt: skip


@dataclass
class Window:
    """The office behind its HTTP address."""

    office: Office
    client: TestClient[web.Request, web.Application]
    sessions: TokenSessions

    async def call(
        self, who: Principal | None, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Any]:
        headers = self.sessions.sign_in(who.id, who.role, who.name) if who else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        if answer.content_type == "application/pdf":
            return answer.status, await answer.read()
        return answer.status, await answer.json()


@pytest.fixture
async def window(make_context: MakeContext, make_client: MakeClient) -> Window:
    clock = OfficeClock()
    context = await make_context(clock=clock)
    office = office_over(context, clock)
    return Window(office, await make_client(context), TokenSessions(context))


async def test_anonymous_and_the_wrong_person_are_refused(window: Window) -> None:
    _, invoice_id = await window.office.due()
    other = window.office.person("patient")
    payment = {"invoice_id": str(invoice_id), "gateway": "sandbox"}
    for method, path, body in (
        ("GET", f"/billing/invoices/{invoice_id}", None),
        ("GET", f"/billing/invoices/{invoice_id}.pdf", None),
        ("POST", "/payments/process", payment),
        ("GET", f"/billing/claims?invoice_id={invoice_id}", None),
        (
            "PATCH",
            f"/billing/invoices/{invoice_id}",
            {
                "version": 2,
                "lines": [{"description": "Nothing", "amount": {"amount_minor": 0, "currency": "XOF"}}],
                "reason": "x",
            },
        ),
    ):
        status, problem = await window.call(None, method, path, body, key="k")
        assert (status, problem["code"]) == (401, "not_signed_in")
        status, problem = await window.call(other, method, path, body, key=str(uuid7()))
        assert (status, problem["code"]) == (403, "forbidden")
    assert (await window.call(other, "GET", "/billing/invoices"))[1]["items"] == []


async def test_a_visit_is_paid_once_and_refunded(window: Window) -> None:
    visit, invoice_id = await window.office.due()
    patient, desk = visit.patient, window.office.person("desk")
    status, listed = await window.call(patient, "GET", "/billing/invoices?status=due")
    assert status == 200
    (invoice,) = listed["items"]
    assert set(invoice) == INVOICE
    assert invoice["total"] == {"amount_minor": 15000, "currency": "XOF"}
    assert invoice["practitioner_name"] == "Jean Kouassi"
    assert await window.office.module.invoice_for(visit.appointment_id) == invoice
    wanted = {"invoice_id": str(invoice_id), "gateway": "sandbox", "method": {"sandbox_outcome": "succeeded"}}
    status, problem = await window.call(patient, "POST", "/payments/process", wanted)
    assert (status, problem["code"]) == (400, "idempotency_key_required")
    key = str(uuid7())
    status, payment = await window.call(patient, "POST", "/payments/process", wanted, key)
    assert (status, payment["status"], payment["redirect_url"]) == (201, "succeeded", None)
    assert await window.call(patient, "POST", "/payments/process", wanted, key) == (201, payment)
    status, problem = await window.call(patient, "POST", "/payments/process", wanted, str(uuid7()))
    assert (status, problem["code"]) == (409, "invoice_not_payable")
    assert len(window.office.till.taken) == 1
    refund = {"amount": {"amount_minor": 15001, "currency": "XOF"}, "reason": "All and more"}
    path = f"/payments/{payment['id']}/refunds"
    status, problem = await window.call(desk, "POST", path, refund, str(uuid7()))
    assert (status, problem["code"]) == (409, "refund_exceeds_payment")
    refund["amount"] = {"amount_minor": 15000, "currency": "XOF"}
    status, given = await window.call(desk, "POST", path, refund, str(uuid7()))
    assert (status, given["status"], given["reason"]) == (201, "succeeded", "All and more")
    assert (await window.call(patient, "GET", f"/billing/invoices/{invoice_id}"))[1]["status"] == "refunded"


async def test_a_pending_payment_is_202_and_ends(window: Window) -> None:
    visit, invoice_id = await window.office.due()
    wanted = {"invoice_id": str(invoice_id), "gateway": "sandbox", "method": {"sandbox_outcome": "pending"}}
    status, payment = await window.call(visit.patient, "POST", "/payments/process", wanted, str(uuid7()))
    assert (status, payment["status"]) == (202, "pending")
    window.office.clock.moment += timedelta(seconds=9)
    await window.office.module.payments.reconcile()
    assert (await window.call(visit.patient, "GET", f"/payments/{payment['id']}"))[1]["status"] == "succeeded"


@pytest.mark.parametrize(
    "change",
    [{"gateway": "gold"}, {"invoice_id": 7}, {"method": {"card_number": "4242"}}, {"amount": 1}],
)
async def test_bad_payments_name_the_field(window: Window, change: dict[str, Any]) -> None:
    visit, invoice_id = await window.office.due()
    wanted = {"invoice_id": str(invoice_id), "gateway": "sandbox", **change}
    status, problem = await window.call(visit.patient, "POST", "/payments/process", wanted, str(uuid7()))
    assert (status, problem["code"]) == (400, "invalid_input")
    assert problem["errors"][0]["field"].startswith(next(iter(change)))


async def test_the_printed_invoice_is_a_pdf(window: Window) -> None:
    visit, invoice_id = await window.office.due()
    status, content = await window.call(visit.patient, "GET", f"/billing/invoices/{invoice_id}.pdf")
    assert status == 200
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")


async def test_cover_and_claim(window: Window) -> None:
    visit, invoice_id = await window.office.due()
    body = {"insurer": "Sahel Santé", "member_number": "AB-77 1235"}
    status, coverage = await window.call(visit.patient, "POST", "/billing/coverages", body)
    assert status == 201
    assert coverage["member_number_last4"] == "1235"
    assert (await window.call(visit.patient, "GET", "/billing/coverages"))[1]["items"] == [coverage]
    wanted = {"invoice_id": str(invoice_id), "coverage_id": coverage["id"]}
    status, claim = await window.call(visit.patient, "POST", "/billing/claims", wanted)
    assert (status, claim["status"], claim["approved"]) == (201, "submitted", None)
    window.office.clock.moment += timedelta(seconds=9)
    await window.office.module.claims.decide()
    _, listed = await window.call(visit.patient, "GET", f"/billing/claims?invoice_id={invoice_id}")
    assert listed["items"][0]["approved"] == {"amount_minor": 10500, "currency": "XOF"}
