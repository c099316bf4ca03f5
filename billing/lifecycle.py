"""The states of invoices, payments, refunds and claims, and which changes are possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from core.errors import InvalidTransition

InvoiceStatus = Literal["pending", "due", "paid", "partly_refunded", "refunded", "void"]
PaymentStatus = Literal["created", "pending", "authorised", "succeeded", "failed", "expired", "cancelled"]
RefundStatus = Literal["pending", "succeeded", "failed"]
ClaimStatus = Literal["submitted", "approved", "rejected", "partial"]

INVOICE: Mapping[InvoiceStatus, frozenset[InvoiceStatus]] = {
    "pending": frozenset({"due", "void"}),
    "due": frozenset({"paid", "void"}),
    "paid": frozenset({"partly_refunded", "refunded"}),
    "partly_refunded": frozenset({"partly_refunded", "refunded"}),
    "refunded": frozenset(),
    "void": frozenset(),
}
PAYMENT: Mapping[PaymentStatus, frozenset[PaymentStatus]] = {
    "created": frozenset({"pending", "authorised", "succeeded", "failed", "expired", "cancelled"}),
    "pending": frozenset({"authorised", "succeeded", "failed", "expired", "cancelled"}),
    "authorised": frozenset({"succeeded", "failed", "expired", "cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "expired": frozenset(),
    "cancelled": frozenset(),
}
REFUND: Mapping[RefundStatus, frozenset[RefundStatus]] = {
    "pending": frozenset({"succeeded", "failed"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
}
CLAIM: Mapping[ClaimStatus, frozenset[ClaimStatus]] = {
    "submitted": frozenset({"approved", "rejected", "partial"}),
    "approved": frozenset(),
    "rejected": frozenset(),
    "partial": frozenset(),
}

UNFINISHED: frozenset[PaymentStatus] = frozenset({"created", "pending", "authorised"})
# At most one of these per invoice, by a unique index: so it is never taken twice.
LIVE: frozenset[PaymentStatus] = UNFINISHED | {"succeeded"}
ADJUSTABLE: frozenset[InvoiceStatus] = frozenset({"pending", "due"})

S = TypeVar("S", bound=str)


def move(table: Mapping[S, frozenset[S]], present: S, to: S) -> S:
    """The next state by one of the tables above. Raises InvalidTransition."""
    if to not in table[present]:
        raise InvalidTransition(f"What is {present} can't become {to}")
    return to


def status_after_refund(*, paid: int, refunded: int) -> InvoiceStatus:
    return "refunded" if refunded >= paid else "partly_refunded"
