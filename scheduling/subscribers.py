"""What scheduling does about facts: other modules' about visits, and its own about freed times.

Each runs in a transaction of this module.
"""

from __future__ import annotations

from consultations.events import ConsultationCompleted, ConsultationStarted, PatientWaiting
from core.database import Transaction
from core.events import Envelope, Subscriptions
from scheduling.events import AppointmentCancelled, AppointmentRescheduled
from scheduling.service import Appointments
from scheduling.waitlist import Waitlist


def subscribe(subscriptions: Subscriptions, appointments: Appointments, waitlist: Waitlist) -> None:
    async def waiting(tx: Transaction, fact: PatientWaiting, envelope: Envelope) -> None:
        await appointments.arrived(tx, fact.appointment_id)

    async def started(tx: Transaction, fact: ConsultationStarted, envelope: Envelope) -> None:
        await appointments.checked_in(tx, fact.appointment_id)

    async def completed(tx: Transaction, fact: ConsultationCompleted, envelope: Envelope) -> None:
        await appointments.consultation_completed(tx, fact.appointment_id)

    async def cancelled(tx: Transaction, fact: AppointmentCancelled, envelope: Envelope) -> None:
        await waitlist.freed(tx, fact.practitioner_id, fact.start, fact.end)

    async def rescheduled(tx: Transaction, fact: AppointmentRescheduled, envelope: Envelope) -> None:
        length = fact.end - fact.start
        await waitlist.freed(tx, fact.practitioner_id, fact.previous_start, fact.previous_start + length)

    subscriptions.on("scheduling", PatientWaiting, waiting)
    subscriptions.on("scheduling", ConsultationStarted, started)
    subscriptions.on("scheduling", ConsultationCompleted, completed)
    subscriptions.on("scheduling", AppointmentCancelled, cancelled)
    subscriptions.on("scheduling", AppointmentRescheduled, rescheduled)
