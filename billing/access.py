"""Who may do what with money: the rows this module adds to the one policy table."""

from __future__ import annotations

from uuid import UUID

from billing.models import Invoice
from core.security.policy import Policy, Relation
from core.security.principal import Principal


def relations(principal: Principal, invoice: Invoice) -> list[Relation]:
    """How the principal stands to an invoice, in the role acted in."""
    if principal.role == "practitioner" and principal.person_id == invoice.practitioner_id:
        return ["own"]
    return patient_relations(principal, invoice.patient_id)


def patient_relations(principal: Principal, patient_id: UUID) -> list[Relation]:
    return ["self"] if principal.role == "patient" and principal.person_id == patient_id else []


def allow(policy: Policy) -> None:
    """Add this module's rules."""
    policy.allow("invoice.read", "patient", relation="self")
    policy.allow("invoice.read", "practitioner", relation="own")
    policy.allow("invoice.read", "desk", "admin")
    policy.allow("invoice.list", "desk", "admin")
    policy.allow("invoice.adjust", "desk", "admin")
    policy.allow("payment.make", "patient", relation="self")
    policy.allow("payment.make", "desk", "admin")
    policy.allow("payment.take_cash", "desk", "admin")
    policy.allow("payment.refund", "desk", "admin")
    for action in ("coverage.read", "coverage.write", "claim.make", "claim.read"):
        policy.allow(action, "patient", relation="self")
        policy.allow(action, "desk", "admin")
