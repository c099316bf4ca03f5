"""The state machines and the ledger, as properties."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import ledger
from billing.lifecycle import CLAIM, INVOICE, LIVE, PAYMENT, REFUND, UNFINISHED, move, status_after_refund
from core.errors import InvalidTransition

TABLES: list[Any] = [INVOICE, PAYMENT, REFUND, CLAIM]


@pytest.mark.parametrize("table", TABLES)
@given(data=st.data())
def test_only_what_the_table_says_and_ends_are_ends(table: Any, data: st.DataObject) -> None:
    status = next(iter(table))
    for _ in range(8):
        to = data.draw(st.sampled_from(sorted(table)))
        if to in table[status]:
            status = move(table, status, to)
        else:
            with pytest.raises(InvalidTransition):
                move(table, status, to)
    assert set().union(*table.values()) <= set(table)


def test_a_finished_payment_never_changes() -> None:
    for status in set(PAYMENT) - UNFINISHED:
        assert not PAYMENT[status]
    assert {"succeeded"} == LIVE - UNFINISHED


def test_a_refund_in_parts_ends_refunded() -> None:
    assert status_after_refund(paid=100, refunded=99) == "partly_refunded"
    assert status_after_refund(paid=100, refunded=100) == "refunded"


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 100))
def test_after_everything_is_settled_patients_owe_nothing(due: int, adjusted: int, covered_percent: int) -> None:
    invoice = uuid4()
    covered = adjusted * covered_percent // 100
    entries = [
        ledger.invoice_due(invoice, 1, due, "XOF"),
        ledger.invoice_adjusted(invoice, 2, due, adjusted, "XOF"),
        ledger.claim(uuid4(), invoice, covered, "XOF"),
        ledger.payment(uuid4(), invoice, "sandbox", adjusted - covered, "XOF"),
        ledger.refund(uuid4(), invoice, "sandbox", adjusted - covered, "XOF"),
    ]
    assert ledger.balance(entries, ledger.PATIENTS) == 0
    assert ledger.balance(entries, "cash:sandbox") == 0
    assert ledger.balance(entries, ledger.INSURERS) == covered
    assert ledger.balance(entries, ledger.REVENUE) == -adjusted
    assert sum(each.amount_minor for entry in entries for each in entry.postings) == 0


def test_an_entry_that_does_not_balance_is_impossible() -> None:
    with pytest.raises(AssertionError):
        ledger.Entry("payment", uuid4(), 0, uuid4(), "XOF", (ledger.Posting("a", 1), ledger.Posting("b", -2)))
