"""Care relations follow appointments: one that stands, or was held, is a relation; a cancelled one is none."""

from __future__ import annotations

from collections.abc import Sequence

from core.database import Transaction
from core.events import Envelope, Subscriptions
from identity import repository
from scheduling.events import AppointmentBooked, AppointmentCancelled, AppointmentTransferred


async def _booked(tx: Transaction, facts: Sequence[tuple[AppointmentBooked, Envelope]]) -> None:
    await repository.add_care(
        tx,
        [
            (fact.appointment_id, fact.practitioner_id, fact.patient_id, envelope.occurred_at)
            for fact, envelope in facts
        ],
    )


async def _cancelled(tx: Transaction, fact: AppointmentCancelled, envelope: Envelope) -> None:
    await repository.end_care(tx, fact.appointment_id)


async def _transferred(tx: Transaction, fact: AppointmentTransferred, envelope: Envelope) -> None:
    await repository.move_care(tx, fact.appointment_id, fact.practitioner_id)


def subscribe(subscriptions: Subscriptions) -> None:
    subscriptions.on_many("identity", AppointmentBooked, _booked)
    subscriptions.on("identity", AppointmentCancelled, _cancelled)
    subscriptions.on("identity", AppointmentTransferred, _transferred)
