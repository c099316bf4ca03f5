"""Facts: what has happened, told to other modules. Ids only, never health data.

A fact is written to the outbox in the transaction of the change (``Transaction.publish``), relayed to the bus,
and handled by each subscribing module at least once, in order per visit (``order_key``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from core.database import Transaction


class Fact(BaseModel):
    """Subclass with a ``name`` ("appointment.booked") and ``order_by``, the field whose value orders facts.

    Facts about a visit are ordered by ``appointment_id`` (a consultation has its appointment's id).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    order_by: ClassVar[str]

    @property
    def order_key(self) -> UUID:
        key = getattr(self, self.order_by)
        assert isinstance(key, UUID)
        return key


F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What travels with a fact. ``fact_id`` is the same at every redelivery."""

    fact_id: UUID
    name: str
    order_key: UUID
    occurred_at: datetime
    payload: dict[str, Any]


Handler = Callable[["Transaction", Any, Envelope], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    group: str
    fact: type[Fact]
    handler: Handler


class Subscriptions:
    """Who handles what. Filled by each module's ``setup``; read by the consumers."""

    def __init__(self) -> None:
        self._all: list[Subscription] = []

    def on(self, group: str, fact: type[F], handler: Callable[[Transaction, F, Envelope], Awaitable[None]]) -> None:
        """``handler(tx, fact, envelope)`` runs in a transaction of module ``group`` that also marks the fact handled.

        So a handler's writes happen once however often the fact is delivered. Raising retries, then parks the fact
        and its successors of the same order key.
        """
        self._all.append(Subscription(group, fact, handler))

    def groups(self) -> frozenset[str]:
        return frozenset(each.group for each in self._all)

    def of(self, group: str, name: str) -> list[Subscription]:
        return [each for each in self._all if each.group == group and each.fact.name == name]


def encode_fact(fact: Fact) -> dict[str, Any]:
    """The fact's fields as JSON values."""
    return fact.model_dump(mode="json")
