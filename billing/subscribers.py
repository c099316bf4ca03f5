"""Invoices follow appointments. Each handler runs in a transaction of this module."""

from __future__ import annotations

from collections.abc import Sequence

from billing.invoices import Invoices
from core.database import Transaction
from core.events import Envelope, Subscriptions
from scheduling.events import AppointmentBooked, AppointmentCancelled, AppointmentCompleted, AppointmentNoShow


def subscribe(subscriptions: Subscriptions, invoices: Invoices) -> None:
    async def booked(tx: Transaction, facts: Sequence[tuple[AppointmentBooked, Envelope]]) -> None:
        await invoices.open(tx, [fact for fact, _ in facts])

    async def completed(tx: Transaction, fact: AppointmentCompleted, envelope: Envelope) -> None:
        await invoices.visit_completed(tx, fact.appointment_id)

    async def cancelled(tx: Transaction, fact: AppointmentCancelled, envelope: Envelope) -> None:
        await invoices.visit_cancelled(tx, fact.appointment_id, in_time=fact.in_time)

    async def missed(tx: Transaction, fact: AppointmentNoShow, envelope: Envelope) -> None:
        await invoices.visit_missed(tx, fact.appointment_id)

    subscriptions.on_many("billing", AppointmentBooked, booked)
    subscriptions.on("billing", AppointmentCompleted, completed)
    subscriptions.on("billing", AppointmentCancelled, cancelled)
    subscriptions.on("billing", AppointmentNoShow, missed)
