"""Who is told of what. Live notices go to both where both act on it; mails go where nobody is looking."""

from __future__ import annotations

from billing.events import (
    BillingFact,
    ClaimDecided,
    InvoiceDue,
    InvoicePaid,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
)
from consultations.events import ConsultationStarted, InterpreterRequested, PatientRecalled, PatientWaiting
from core.database import Transaction
from core.events import Envelope, Subscriptions
from identity.events import VerificationRequested
from notifications.service import Notifications
from records.events import PrescriptionIssued
from scheduling.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentFact,
    AppointmentNoShow,
    AppointmentRescheduled,
    AppointmentTransferred,
)

GROUP = "notifications"


def subscribe(subscriptions: Subscriptions, service: Notifications) -> None:
    _appointments(subscriptions, service)
    _visits(subscriptions, service)
    _money(subscriptions, service)
    _accounts(subscriptions, service)


def _appointments(subscriptions: Subscriptions, service: Notifications) -> None:
    async def both(tx: Transaction, fact: AppointmentFact, practitioner_template: str | None = None) -> None:
        sides = ((fact.patient_id, fact.practitioner_id), (fact.practitioner_id, fact.patient_id))
        people = await service.people([fact.patient_id, fact.practitioner_id])
        for person_id, other_id in sides:
            await service.tell(
                tx,
                fact.name,
                person_id,
                other_id=other_id,
                appointment_id=fact.appointment_id,
                start=fact.start,
                template=practitioner_template if person_id == fact.practitioner_id else None,
                people=people,
            )

    async def patient(tx: Transaction, fact: AppointmentFact) -> None:
        await service.tell(
            tx,
            fact.name,
            fact.patient_id,
            other_id=fact.practitioner_id,
            appointment_id=fact.appointment_id,
            start=fact.start,
        )

    async def booked(tx: Transaction, fact: AppointmentBooked, envelope: Envelope) -> None:
        await both(tx, fact, "appointment.booked.practitioner")
        await service.plan_reminders(tx, fact.appointment_id, fact.patient_id, fact.practitioner_id, fact.start)

    async def rescheduled(tx: Transaction, fact: AppointmentRescheduled, envelope: Envelope) -> None:
        await both(tx, fact)
        await service.plan_reminders(
            tx, fact.appointment_id, fact.patient_id, fact.practitioner_id, fact.start, anew=True
        )

    async def cancelled(tx: Transaction, fact: AppointmentCancelled, envelope: Envelope) -> None:
        await service.void_reminders(tx, fact.appointment_id)
        await both(tx, fact)

    async def transferred(tx: Transaction, fact: AppointmentTransferred, envelope: Envelope) -> None:
        await both(tx, fact, "appointment.transferred.practitioner")

    async def completed(tx: Transaction, fact: AppointmentCompleted, envelope: Envelope) -> None:
        await service.void_reminders(tx, fact.appointment_id)
        await patient(tx, fact)

    async def no_show(tx: Transaction, fact: AppointmentNoShow, envelope: Envelope) -> None:
        await service.void_reminders(tx, fact.appointment_id)
        await patient(tx, fact)

    subscriptions.on(GROUP, AppointmentBooked, booked)
    subscriptions.on(GROUP, AppointmentRescheduled, rescheduled)
    subscriptions.on(GROUP, AppointmentCancelled, cancelled)
    subscriptions.on(GROUP, AppointmentTransferred, transferred)
    subscriptions.on(GROUP, AppointmentCompleted, completed)
    subscriptions.on(GROUP, AppointmentNoShow, no_show)


def _visits(subscriptions: Subscriptions, service: Notifications) -> None:
    async def waiting(tx: Transaction, fact: PatientWaiting, envelope: Envelope) -> None:
        await service.tell(
            tx,
            fact.name,
            fact.practitioner_id,
            other_id=fact.patient_id,
            appointment_id=fact.appointment_id,
            mail=False,
        )

    async def recalled(tx: Transaction, fact: PatientRecalled, envelope: Envelope) -> None:
        # By mail too: who is called back has no page of ours open.
        await service.tell(
            tx,
            fact.name,
            fact.patient_id,
            other_id=fact.practitioner_id,
            appointment_id=fact.appointment_id,
        )

    async def interpreter(tx: Transaction, fact: InterpreterRequested, envelope: Envelope) -> None:
        await service.tell(
            tx,
            fact.name,
            fact.person_id,
            other_id=fact.practitioner_id,
            appointment_id=fact.appointment_id,
            link="/interpreting",
            mail=False,  # the offer has run out before a mail is read
        )

    async def started(tx: Transaction, fact: ConsultationStarted, envelope: Envelope) -> None:
        await service.tell(
            tx,
            fact.name,
            fact.patient_id,
            other_id=fact.practitioner_id,
            appointment_id=fact.appointment_id,
            mail=False,
        )

    async def prescribed(tx: Transaction, fact: PrescriptionIssued, envelope: Envelope) -> None:
        await service.tell(
            tx,
            fact.name,
            fact.patient_id,
            other_id=fact.practitioner_id,
            appointment_id=fact.appointment_id,
        )

    subscriptions.on(GROUP, PatientWaiting, waiting)
    subscriptions.on(GROUP, PatientRecalled, recalled)
    subscriptions.on(GROUP, InterpreterRequested, interpreter)
    subscriptions.on(GROUP, ConsultationStarted, started)
    subscriptions.on(GROUP, PrescriptionIssued, prescribed)


def _money(subscriptions: Subscriptions, service: Notifications) -> None:
    async def tell(
        tx: Transaction, fact: BillingFact, *, amount: tuple[int, str] | None = None, mail: bool = True
    ) -> None:
        await service.tell(
            tx,
            fact.name,
            fact.patient_id,
            other_id=fact.practitioner_id,
            appointment_id=fact.appointment_id,
            amount=amount,
            link=f"/invoices/{fact.invoice_id}",
            mail=mail,
        )

    async def due(tx: Transaction, fact: InvoiceDue, envelope: Envelope) -> None:
        await tell(tx, fact)

    async def paid(tx: Transaction, fact: InvoicePaid, envelope: Envelope) -> None:
        await tell(tx, fact, mail=False)  # the payment's own mail says it

    async def succeeded(tx: Transaction, fact: PaymentSucceeded, envelope: Envelope) -> None:
        await tell(tx, fact, amount=(fact.amount_minor, fact.currency))

    async def failed(tx: Transaction, fact: PaymentFailed, envelope: Envelope) -> None:
        await tell(tx, fact)

    async def refunded(tx: Transaction, fact: PaymentRefunded, envelope: Envelope) -> None:
        await tell(tx, fact, amount=(fact.amount_minor, fact.currency))

    async def decided(tx: Transaction, fact: ClaimDecided, envelope: Envelope) -> None:
        await tell(tx, fact)

    subscriptions.on(GROUP, InvoiceDue, due)
    subscriptions.on(GROUP, InvoicePaid, paid)
    subscriptions.on(GROUP, PaymentSucceeded, succeeded)
    subscriptions.on(GROUP, PaymentFailed, failed)
    subscriptions.on(GROUP, PaymentRefunded, refunded)
    subscriptions.on(GROUP, ClaimDecided, decided)


def _accounts(subscriptions: Subscriptions, service: Notifications) -> None:
    async def verification(tx: Transaction, fact: VerificationRequested, envelope: Envelope) -> None:
        await service.ask_to_verify(tx, fact.name, fact.person_id, fact.verification_id)

    subscriptions.on(GROUP, VerificationRequested, verification)
