"""Facts into read models."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.repository import Repository
from billing.events import PaymentRefunded, PaymentSucceeded
from consultations.events import ConsultationStarted
from core.database import Transaction
from core.events import Envelope, Subscriptions
from scheduling.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentFact,
    AppointmentNoShow,
    AppointmentRescheduled,
)

GROUP = "analytics"


def subscribe(subscriptions: Subscriptions, repository: Repository) -> None:
    async def became(tx: Transaction, fact: AppointmentFact, status: str) -> None:
        await repository.became(tx, fact.appointment_id, fact.practitioner_id, fact.start, status)

    async def booked(tx: Transaction, facts: Sequence[tuple[AppointmentBooked, Envelope]]) -> None:
        # An appointment is booked once.
        visits = {fact.appointment_id: (fact.practitioner_id, fact.specialty, fact.start) for fact, _ in facts}
        await repository.booked(tx, [(each, *rest) for each, rest in visits.items()])

    async def rescheduled(tx: Transaction, fact: AppointmentRescheduled, envelope: Envelope) -> None:
        await became(tx, fact, "booked")

    async def cancelled(tx: Transaction, fact: AppointmentCancelled, envelope: Envelope) -> None:
        await became(tx, fact, "cancelled")

    async def completed(tx: Transaction, fact: AppointmentCompleted, envelope: Envelope) -> None:
        await became(tx, fact, "completed")

    async def no_show(tx: Transaction, fact: AppointmentNoShow, envelope: Envelope) -> None:
        await became(tx, fact, "no_show")

    async def started(tx: Transaction, fact: ConsultationStarted, envelope: Envelope) -> None:
        await repository.waited(tx, fact.appointment_id, fact.practitioner_id, fact.waited_s)

    async def paid(tx: Transaction, fact: PaymentSucceeded, envelope: Envelope) -> None:
        await repository.earned(
            tx, fact.payment_id, fact.practitioner_id, envelope.occurred_at, fact.amount_minor, fact.currency
        )

    async def refunded(tx: Transaction, fact: PaymentRefunded, envelope: Envelope) -> None:
        await repository.earned(
            tx, fact.refund_id, fact.practitioner_id, envelope.occurred_at, -fact.amount_minor, fact.currency
        )

    subscriptions.on_many(GROUP, AppointmentBooked, booked)
    subscriptions.on(GROUP, AppointmentRescheduled, rescheduled)
    subscriptions.on(GROUP, AppointmentCancelled, cancelled)
    subscriptions.on(GROUP, AppointmentCompleted, completed)
    subscriptions.on(GROUP, AppointmentNoShow, no_show)
    subscriptions.on(GROUP, ConsultationStarted, started)
    subscriptions.on(GROUP, PaymentSucceeded, paid)
    subscriptions.on(GROUP, PaymentRefunded, refunded)
