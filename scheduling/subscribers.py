"""What scheduling does about other modules' facts. Each runs in a transaction of this module."""

from __future__ import annotations

from consultations.events import ConsultationCompleted, ConsultationStarted, PatientWaiting
from core.database import Transaction
from core.events import Envelope, Subscriptions
from scheduling.service import Appointments


def subscribe(subscriptions: Subscriptions, appointments: Appointments) -> None:
    async def waiting(tx: Transaction, fact: PatientWaiting, envelope: Envelope) -> None:
        await appointments.arrived(tx, fact.appointment_id)

    async def started(tx: Transaction, fact: ConsultationStarted, envelope: Envelope) -> None:
        await appointments.checked_in(tx, fact.appointment_id)

    async def completed(tx: Transaction, fact: ConsultationCompleted, envelope: Envelope) -> None:
        await appointments.consultation_completed(tx, fact.appointment_id)

    subscriptions.on("scheduling", PatientWaiting, waiting)
    subscriptions.on("scheduling", ConsultationStarted, started)
    subscriptions.on("scheduling", ConsultationCompleted, completed)
