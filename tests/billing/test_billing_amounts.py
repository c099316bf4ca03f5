"""Money rules: nothing is lost in rounding, and francs have no cents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.amounts import CurrencyMismatch, Money, display, outstanding, percent_of

amounts = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1000, "XOF", "1 000 XOF"),
        (15000, "XAF", "15 000 XAF"),
        (1, "GNF", "1 GNF"),
        (123456, "EUR", "1 234.56 EUR"),
        (5, "EUR", "0.05 EUR"),
        (-1250, "USD", "-12.50 USD"),
        (1234, "TND", "1.234 TND"),
    ],
)
def test_display(amount: int, currency: str, text: str) -> None:
    assert display(amount, currency).replace("\N{NO-BREAK SPACE}", " ") == text


def test_currencies_do_not_mix() -> None:
    assert Money(5, "XOF") + Money(7, "XOF") - Money(2, "XOF") == Money(10, "XOF")
    with pytest.raises(CurrencyMismatch):
        Money(5, "XOF") + Money(5, "EUR")


@given(amounts, st.integers(0, 100))
def test_a_share_and_its_rest_differ_from_the_whole_by_less_than_one(amount: int, percent: int) -> None:
    part = percent_of(amount, percent)
    assert 0 <= part <= amount
    assert abs(part * 100 - amount * percent) <= 50
    assert percent_of(amount, 100) == amount


@given(amounts, amounts, amounts)
def test_outstanding_is_never_negative(total: int, covered: int, paid: int) -> None:
    left = outstanding(total=total, covered=covered, paid=paid)
    assert left >= 0
    assert left == 0 or left + covered + paid == total
