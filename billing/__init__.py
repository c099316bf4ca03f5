"""Billing: invoices, payments, refunds, claims and the ledger behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing import access
from billing.claims import Claims
from billing.gateways import Cash, Gateway, Sandbox
from billing.insurers import Insurer, SandboxInsurer
from billing.invoices import Invoices
from billing.payments import Payments
from billing.personal import Personal
from billing.ports import People
from billing.repository import Repository
from billing.routes import build_routes
from billing.schemas import InvoiceBody
from billing.subscribers import subscribe
from core.context import Context
from core.security.proxies import Authority, Nobody

RECONCILE_EVERY_S = 2.0
CLAIMS_EVERY_S = 3.0


@dataclass(frozen=True, slots=True)
class Billing:
    invoices: Invoices
    payments: Payments
    claims: Claims
    personal: Personal

    async def invoice_for(self, appointment_id: UUID) -> dict[str, Any] | None:
        """An appointment's invoice in the wire shape, for modules that have checked access."""
        view = await self.invoices.invoice_for(appointment_id)
        return None if view is None else InvoiceBody.of(view).model_dump(mode="json")


def setup(
    context: Context,
    *,
    people: People,
    authority: Authority | None = None,
    gateways: Mapping[str, Gateway] | None = None,
    insurers: Mapping[str, Insurer] | None = None,
) -> Billing:
    """Build the module over the context: rules, routes, subscribers and jobs.

    ``gateways`` by name (the sandbox and cash by default); ``insurers`` by lower-case name, the sandbox for others.
    ``authority``: who may act for a patient; nobody, where it is not given.
    """
    access.allow(context.policy)
    database, repository = context.database("billing"), Repository()
    clock, policy, vault = context.clock, context.policy, context.vault
    standing = access.Standing(database, repository, authority or Nobody())
    invoices = Invoices(database, repository, clock, policy, vault, people, standing)
    known: Mapping[str, Gateway] = gateways or {"sandbox": Sandbox(), "cash": Cash()}
    payments = Payments(database, repository, clock, policy, vault, invoices, known, standing)
    claims = Claims(database, repository, clock, policy, vault, invoices, insurers or {}, SandboxInsurer(), standing)
    context.routes.append(build_routes(invoices, payments, claims))
    subscribe(context.subscriptions, invoices)

    async def reconcile() -> None:
        await payments.reconcile()

    async def decide() -> None:
        await claims.decide()

    context.jobs.every(RECONCILE_EVERY_S, "billing.reconcile", reconcile)
    context.jobs.every(CLAIMS_EVERY_S, "billing.decide_claims", decide)
    return Billing(invoices, payments, claims, Personal(database))
