"""A billing office for tests: the module over real servers, fed with facts as the consumers feed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import billing
from billing.gateways import Order, Outcome, Sandbox
from billing.lifecycle import RefundStatus
from core.context import Context
from core.events import Envelope, Fact
from core.ids import uuid7
from core.security.principal import Principal, Role
from scheduling.events import AppointmentBooked, AppointmentCancelled, AppointmentCompleted, AppointmentNoShow

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@dataclass
class FixedClock:
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


@dataclass
class Names:
    people: dict[UUID, str] = field(default_factory=dict)

    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        return {each: self.people[each] for each in ids if each in self.people}


class Till(Sandbox):
    """A gateway that counts the money, and can lose its answer after taking it, as a crash would."""

    def __init__(self) -> None:
        self.taken: dict[UUID, int] = {}
        self.given: dict[UUID, int] = {}
        self.lose_answers = 0

    async def charge(self, order: Order) -> Outcome:
        outcome = await super().charge(order)
        if outcome.status == "succeeded":
            self.taken[order.payment_id] = order.amount_minor
        if self.lose_answers:
            self.lose_answers -= 1
            raise ConnectionResetError
        return outcome

    async def refund(self, order: Order, refund_id: UUID, amount_minor: int) -> RefundStatus:
        self.given[refund_id] = amount_minor
        if self.lose_answers:
            self.lose_answers -= 1
            raise ConnectionResetError
        return "succeeded"


@dataclass
class Visit:
    """An appointment as billing knows it."""

    appointment_id: UUID
    patient: Principal
    doctor: Principal

    @property
    def about(self) -> dict[str, Any]:
        return {
            "appointment_id": self.appointment_id,
            "patient_id": self.patient.id,
            "practitioner_id": self.doctor.id,
            "start": NOON,
            "end": NOON,
        }


@dataclass
class Office:
    context: Context
    clock: FixedClock
    names: Names
    till: Till
    module: billing.Billing

    def person(self, role: Role, name: str = "") -> Principal:
        person_id = uuid7()
        self.names.people[person_id] = name or role
        return Principal(person_id, role, frozenset({role}), None, name or role)

    async def deliver(self, fact: Fact) -> None:
        envelope = Envelope(uuid7(), fact.name, fact.order_key, self.clock.now(), fact.model_dump(mode="json"))
        for subscription in self.context.subscriptions.of("billing", fact.name):
            async with self.context.database("billing").transaction() as tx:
                await subscription.handler(tx, fact, envelope)

    async def booked(self, fee: int = 15000, currency: str = "XOF") -> Visit:
        visit = Visit(uuid7(), self.person("patient", "Awa Diop"), self.person("practitioner", "Jean Kouassi"))
        await self.deliver(AppointmentBooked(**visit.about, specialty="general", fee_minor=fee, currency=currency))
        return visit

    async def due(self, fee: int = 15000, currency: str = "XOF") -> tuple[Visit, UUID]:
        visit = await self.booked(fee, currency)
        await self.deliver(AppointmentCompleted(**visit.about))
        return visit, (await self.invoice(visit)).id

    async def cancelled(self, visit: Visit, *, in_time: bool) -> None:
        await self.deliver(AppointmentCancelled(**visit.about, by="patient", in_time=in_time))

    async def missed(self, visit: Visit) -> None:
        await self.deliver(AppointmentNoShow(**visit.about))

    async def invoice(self, visit: Visit) -> Any:
        view = await self.module.invoices.invoice_for(visit.appointment_id)
        assert view is not None
        return view.invoice

    async def facts(self, visit: Visit) -> list[str]:
        async with self.context.database("core").reading() as tx:
            rows = await tx.fetch(
                "SELECT name FROM core.outbox WHERE order_key = $1 ORDER BY seq", visit.appointment_id
            )
        return [row["name"] for row in rows]

    async def accounts(self, invoice_id: UUID) -> dict[str, int]:
        async with self.context.database("billing").reading() as tx:
            rows = await tx.fetch(
                "SELECT account, sum(amount_minor)::bigint AS total FROM ledger_postings "
                "JOIN ledger_entries ON entry_id = id WHERE invoice_id = $1 GROUP BY account",
                invoice_id,
            )
        return {row["account"]: row["total"] for row in rows}


def office_over(context: Context, clock: FixedClock) -> Office:
    names, till = Names(), Till()
    module = billing.setup(context, people=names, gateways={"sandbox": till, "cash": billing.Cash()})
    return Office(context, clock, names, till, module)
