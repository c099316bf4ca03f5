"""Who may do what with money: the rows this module adds to the one policy table."""

from __future__ import annotations

from uuid import UUID

from billing.models import Invoice
from billing.repository import Repository
from core.database import Database
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.proxies import Authority, to_patient


def relations(principal: Principal, invoice: Invoice) -> list[Relation]:
    """How the principal stands to an invoice, in the role acted in."""
    if principal.role == "practitioner" and principal.person_id == invoice.practitioner_id:
        return ["own"]
    return ["self"] if principal.role == "patient" and principal.person_id == invoice.patient_id else []


class Standing:
    """How people stand to patients' money, authority over another person included.

    Asked before a transaction begins, so that two modules' pools never wait for each other.
    """

    def __init__(self, database: Database, repository: Repository, authority: Authority) -> None:
        self._database = database
        self._repository = repository
        self._authority = authority

    async def to_patient(self, principal: Principal, patient_id: UUID) -> list[Relation]:
        return await to_patient(principal, patient_id, self._authority)

    async def to_invoice(self, principal: Principal, invoice_id: UUID) -> list[Relation]:
        """Nothing for an invoice that is not there."""
        if principal.role != "patient":  # staff stand to an invoice by their role, a practitioner by its own row
            return []
        async with self._database.reading() as tx:
            invoice = await self._repository.invoice(tx, invoice_id)
        return [] if invoice is None else await self.to_patient(principal, invoice.patient_id)


def allow(policy: Policy) -> None:
    """Add this module's rules."""
    policy.allow("invoice.read", "patient", relation=("self", "proxy_book"))
    policy.allow("invoice.read", "practitioner", relation="own")
    policy.allow("invoice.read", "desk", "admin")
    policy.allow("invoice.list", "desk", "admin")
    policy.allow("invoice.adjust", "desk", "admin")
    policy.allow("payment.make", "patient", relation=("self", "proxy_book"))
    policy.allow("payment.make", "desk", "admin")
    policy.allow("payment.take_cash", "desk", "admin")
    policy.allow("payment.refund", "desk", "admin")
    for action in ("coverage.read", "coverage.write", "claim.make", "claim.read"):
        policy.allow(action, "patient", relation=("self", "proxy_book"))
        policy.allow(action, "desk", "admin")
