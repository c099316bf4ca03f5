"""Money as whole numbers of the currency's smallest unit, and the written rules on what is owed.

ISO 4217 gives each currency its number of decimal places: XOF, XAF and GNF have none, so 1000 is 1000 francs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DECIMALS: dict[str, int] = {
    "XOF": 0, "XAF": 0, "GNF": 0, "RWF": 0, "UGX": 0, "DJF": 0, "KMF": 0, "JPY": 0, "KRW": 0, "VND": 0,
    "EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "CAD": 2, "AUD": 2, "MAD": 2, "NGN": 2, "GHS": 2, "KES": 2, "ZAR": 2,
    "INR": 2, "TND": 3, "KWD": 3, "BHD": 3, "JOD": 3,
}  # fmt: skip

# What a visit costs that did not take place, in per cent of its fee.
LATE_CANCELLATION_PERCENT = 50
NO_SHOW_PERCENT = 100
# PostgreSQL's bigint holds far more; beyond this a sum is a mistake.
MOST = 10**12


class CurrencyMismatch(ValueError):
    """Sums in different currencies don't mix."""


@dataclass(frozen=True, slots=True)
class Money:
    amount_minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_minor - self._same(other), self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.amount_minor


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice; a discount is negative."""

    description: str
    amount_minor: int


def total_of(lines: Iterable[Line]) -> int:
    return sum(line.amount_minor for line in lines)


def percent_of(amount_minor: int, percent: int) -> int:
    """A share of a sum, rounded half up to the smallest unit (0.5 of a cent is a cent)."""
    return (amount_minor * percent + 50) // 100


def outstanding(*, total: int, covered: int, paid: int) -> int:
    """What is still to be paid; never less than nothing."""
    return max(0, total - covered - paid)


def display(amount_minor: int, currency: str) -> str:
    """For people: ``15 000 XOF``, ``-12.50 EUR``; groups are parted by a no-break space."""
    decimals = DECIMALS.get(currency, 2)
    whole, part = divmod(abs(amount_minor), 10**decimals)
    text = f"{whole:,}".replace(",", "\N{NO-BREAK SPACE}")
    if decimals:
        text += f".{part:0{decimals}d}"
    return f"{'-' if amount_minor < 0 else ''}{text}\N{NO-BREAK SPACE}{currency}"
