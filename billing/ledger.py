"""Double entry: every movement of money is an entry whose postings sum to nothing. Debits are positive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

EntryKind = Literal["invoice_due", "invoice_adjusted", "invoice_void", "payment", "refund", "claim"]

PATIENTS = "receivable:patients"
INSURERS = "receivable:insurers"
REVENUE = "revenue:consultations"
REFUNDS = "revenue:refunds"


@dataclass(frozen=True, slots=True)
class Posting:
    account: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Entry:
    """``source_id`` and ``kind`` and ``version`` name the event, so that none is entered twice."""

    kind: EntryKind
    source_id: UUID
    version: int
    invoice_id: UUID
    currency: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        assert sum(each.amount_minor for each in self.postings) == 0, "an entry balances"


def account_of(gateway: str) -> str:
    """Where a gateway's money lies."""
    return f"cash:{gateway}"


def _between(debit: str, credit: str, amount_minor: int) -> tuple[Posting, ...]:
    """Move an amount; nothing for nothing. A negative amount goes the other way."""
    return (Posting(debit, amount_minor), Posting(credit, -amount_minor)) if amount_minor else ()


def invoice_due(invoice_id: UUID, version: int, total: int, currency: str) -> Entry:
    return Entry("invoice_due", invoice_id, version, invoice_id, currency, _between(PATIENTS, REVENUE, total))


def invoice_adjusted(invoice_id: UUID, version: int, before: int, after: int, currency: str) -> Entry:
    postings = _between(PATIENTS, REVENUE, after - before)
    return Entry("invoice_adjusted", invoice_id, version, invoice_id, currency, postings)


def payment(payment_id: UUID, invoice_id: UUID, gateway: str, amount: int, currency: str) -> Entry:
    return Entry("payment", payment_id, 0, invoice_id, currency, _between(account_of(gateway), PATIENTS, amount))


def refund(refund_id: UUID, invoice_id: UUID, gateway: str, amount: int, currency: str) -> Entry:
    return Entry("refund", refund_id, 0, invoice_id, currency, _between(REFUNDS, account_of(gateway), amount))


def claim(claim_id: UUID, invoice_id: UUID, approved: int, currency: str) -> Entry:
    """The insurer takes over what it approved."""
    return Entry("claim", claim_id, 0, invoice_id, currency, _between(INSURERS, PATIENTS, approved))


def balance(entries: Sequence[Entry], account: str) -> int:
    return sum(each.amount_minor for entry in entries for each in entry.postings if each.account == account)
