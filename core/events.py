"""Facts: what has happened, told to other modules. Ids only, never health data.

A fact is written to the outbox in the transaction of the change (``Transaction.publish``), relayed to the bus,
and handled by each subscribing module at least once, in order per visit (``order_key``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
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
ManyHandler = Callable[["Transaction", Sequence[tuple[Any, Envelope]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    group: str
    fact: type[Fact]
    handler: Handler
    many: ManyHandler | None = None
    """Where there is one, it takes facts that have gathered."""


class Subscriptions:
    """Who handles what. Filled by each module's ``setup``; read by the consumers."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], list[Subscription]] = {}

    def on(self, group: str, fact: type[F], handler: Callable[[Transaction, F, Envelope], Awaitable[None]]) -> None:
        """``handler(tx, fact, envelope)`` runs in a transaction of module ``group`` that also marks the fact handled.

        So a handler's writes happen once however often the fact is delivered. Raising retries, then parks the fact
        and its successors of the same order key.
        """
        self._add(Subscription(group, fact, handler))

    def on_many(
        self,
        group: str,
        fact: type[F],
        handler: Callable[[Transaction, Sequence[tuple[F, Envelope]]], Awaitable[None]],
    ) -> None:
        """As ``on``, for a handler that writes many facts at once for less: it gets one or more, in their order."""

        async def one(tx: Transaction, fact: F, envelope: Envelope) -> None:
            await handler(tx, [(fact, envelope)])

        self._add(Subscription(group, fact, one, handler))

    def _add(self, subscription: Subscription) -> None:
        self._of.setdefault((subscription.group, subscription.fact.name), []).append(subscription)

    def groups(self) -> frozenset[str]:
        return frozenset(group for group, _ in self._of)

    def names(self, group: str) -> frozenset[str]:
        """The facts a group handles."""
        return frozenset(name for each, name in self._of if each == group)

    def of(self, group: str, name: str) -> Sequence[Subscription]:
        return self._of.get((group, name), ())


def runs(envelopes: Iterable[Envelope]) -> list[list[Envelope]]:
    """Split into runs of one name each, as few as this finds; the facts of one order key keep their order. Pure."""
    found: list[list[Envelope]] = []
    run_of_name: dict[str, int] = {}
    run_of_key: dict[UUID, int] = {}
    for envelope in envelopes:
        run = run_of_name.get(envelope.name, -1)
        if run < run_of_key.get(envelope.order_key, 0):
            found.append([])
            run = run_of_name[envelope.name] = len(found) - 1
        run_of_key[envelope.order_key] = run
        found[run].append(envelope)
    return found


def encode_fact(fact: Fact) -> dict[str, Any]:
    """The fact's fields as JSON values."""
    return fact.model_dump(mode="json")
