"""A completed consultation writes its entry into the patient's record."""

from __future__ import annotations

from consultations.events import ConsultationCompleted
from core.database import Transaction
from core.events import Envelope, Subscriptions
from records.service import RecordService


def subscribe(subscriptions: Subscriptions, records: RecordService) -> None:
    async def completed(tx: Transaction, fact: ConsultationCompleted, envelope: Envelope) -> None:
        await records.visit_completed(tx, fact.appointment_id, fact.patient_id, fact.practitioner_id)

    subscriptions.on("records", ConsultationCompleted, completed)
