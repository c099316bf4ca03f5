"""What other modules' facts mean for a visit."""

from __future__ import annotations

from compliance.events import ConsentWithdrawn
from consultations.service import Consultations
from core.database import Transaction
from core.events import Envelope, Subscriptions
from scheduling.events import AppointmentCancelled, AppointmentTransferred


def subscribe(subscriptions: Subscriptions, service: Consultations) -> None:
    async def cancelled(tx: Transaction, fact: AppointmentCancelled, envelope: Envelope) -> None:
        await service.cancelled(tx, fact.appointment_id)

    async def transferred(tx: Transaction, fact: AppointmentTransferred, envelope: Envelope) -> None:
        await service.transferred(tx, fact.appointment_id, fact.previous_practitioner_id, fact.practitioner_id)

    async def consent_withdrawn(tx: Transaction, fact: ConsentWithdrawn, envelope: Envelope) -> None:
        if fact.kind == "telehealth":
            await service.check_ins.withdrawn(fact.person_id)

    subscriptions.on("consultations", ConsentWithdrawn, consent_withdrawn)
    subscriptions.on("consultations", AppointmentTransferred, transferred)
    subscriptions.on("consultations", AppointmentCancelled, cancelled)
