"""Who is told of what. Live notices go to both where both act on it; mails go where nobody is looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from billing.events import (
    BillingFact,
    ClaimDecided,
    InvoiceDue,
    InvoicePaid,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
)
from compliance.events import BreakGlassOpened
from consultations.events import ConsultationStarted, InterpreterRequested, PatientRecalled, PatientWaiting
from core.database import Transaction
from core.events import Envelope, Subscriptions
from identity.events import (
    EmailChanged,
    EmailChangeRequested,
    PasswordResetRequested,
    ProxyEnded,
    ProxyGranted,
    ProxyInvited,
    RegistrationRepeated,
    SecurityChanged,
    StaffInvited,
    VerificationRequested,
)
from notifications.service import ARRANGING, RECORD, VISITS, Notifications, Telling
from records.events import PrescriptionIssued
from scheduling.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentFact,
    AppointmentNoShow,
    AppointmentRescheduled,
    AppointmentTransferred,
    LicenceEnding,
    WaitlistOffered,
)

GROUP = "notifications"


def subscribe(subscriptions: Subscriptions, service: Notifications) -> None:
    _appointments(subscriptions, service)
    _visits(subscriptions, service)
    _money(subscriptions, service)
    _accounts(subscriptions, service)
    _family(subscriptions, service)


def _both(fact: AppointmentFact, practitioner_template: str | None = None) -> tuple[Telling, Telling]:
    patient = _patient(fact)
    turned = replace(patient, person_id=fact.practitioner_id, other_id=fact.patient_id, also=frozenset())
    return patient, replace(turned, template=practitioner_template)


def _patient(fact: AppointmentFact) -> Telling:
    return Telling(fact.name, fact.patient_id, fact.practitioner_id, fact.appointment_id, fact.start, also=VISITS)


def _appointments(subscriptions: Subscriptions, service: Notifications) -> None:
    async def booked(tx: Transaction, facts: Sequence[tuple[AppointmentBooked, Envelope]]) -> None:
        visits = [fact for fact, _ in facts]
        await service.tell(tx, *(each for fact in visits for each in _both(fact, "appointment.booked.practitioner")))
        await service.plan_reminders(tx, *visits)

    async def rescheduled(tx: Transaction, fact: AppointmentRescheduled, envelope: Envelope) -> None:
        await service.tell(tx, *_both(fact))
        await service.void_reminders(tx, fact.appointment_id)
        await service.plan_reminders(tx, fact)

    async def cancelled(tx: Transaction, fact: AppointmentCancelled, envelope: Envelope) -> None:
        await service.void_reminders(tx, fact.appointment_id)
        await service.tell(tx, *_both(fact))

    async def transferred(tx: Transaction, fact: AppointmentTransferred, envelope: Envelope) -> None:
        await service.tell(tx, *_both(fact, "appointment.transferred.practitioner"))

    async def over(tx: Transaction, fact: AppointmentFact, envelope: Envelope) -> None:
        await service.void_reminders(tx, fact.appointment_id)
        await service.tell(tx, _patient(fact))

    async def offered(tx: Transaction, fact: WaitlistOffered, envelope: Envelope) -> None:
        telling = Telling(fact.name, fact.patient_id, fact.practitioner_id, None, fact.start, fact.expires_at)
        await service.tell(tx, replace(telling, link="/visits", also=ARRANGING))

    async def ending(tx: Transaction, fact: LicenceEnding, envelope: Envelope) -> None:
        telling = Telling(fact.name, fact.practitioner_id, fact.practitioner_id, None, link="/schedule")
        await service.tell(tx, replace(telling, day=fact.expires_on, count=fact.appointments_after))

    subscriptions.on(GROUP, WaitlistOffered, offered)
    subscriptions.on(GROUP, LicenceEnding, ending)
    subscriptions.on_many(GROUP, AppointmentBooked, booked)
    subscriptions.on(GROUP, AppointmentRescheduled, rescheduled)
    subscriptions.on(GROUP, AppointmentCancelled, cancelled)
    subscriptions.on(GROUP, AppointmentTransferred, transferred)
    subscriptions.on(GROUP, AppointmentCompleted, over)
    subscriptions.on(GROUP, AppointmentNoShow, over)


def _visits(subscriptions: Subscriptions, service: Notifications) -> None:
    async def waiting(tx: Transaction, fact: PatientWaiting, envelope: Envelope) -> None:
        telling = Telling(fact.name, fact.practitioner_id, fact.patient_id, fact.appointment_id)
        await service.tell(tx, replace(telling, mail=False))

    async def recalled(tx: Transaction, fact: PatientRecalled, envelope: Envelope) -> None:
        # By mail too: who is called back has no page of ours open.
        telling = Telling(fact.name, fact.patient_id, fact.practitioner_id, fact.appointment_id, also=VISITS)
        await service.tell(tx, telling)

    async def interpreter(tx: Transaction, fact: InterpreterRequested, envelope: Envelope) -> None:
        telling = Telling(fact.name, fact.person_id, fact.practitioner_id, fact.appointment_id)
        # No mail: the offer has run out before it is read.
        await service.tell(tx, replace(telling, link="/interpreting", mail=False))

    async def started(tx: Transaction, fact: ConsultationStarted, envelope: Envelope) -> None:
        telling = Telling(fact.name, fact.patient_id, fact.practitioner_id, fact.appointment_id, also=VISITS)
        await service.tell(tx, replace(telling, mail=False))

    async def prescribed(tx: Transaction, fact: PrescriptionIssued, envelope: Envelope) -> None:
        telling = Telling(fact.name, fact.patient_id, fact.practitioner_id, fact.appointment_id, also=RECORD)
        await service.tell(tx, telling)

    subscriptions.on(GROUP, PatientWaiting, waiting)
    subscriptions.on(GROUP, PatientRecalled, recalled)
    subscriptions.on(GROUP, InterpreterRequested, interpreter)
    subscriptions.on(GROUP, ConsultationStarted, started)
    subscriptions.on(GROUP, PrescriptionIssued, prescribed)


def _money(subscriptions: Subscriptions, service: Notifications) -> None:
    async def tell(
        tx: Transaction, fact: BillingFact, *, amount: tuple[int, str] | None = None, mail: bool = True
    ) -> None:
        telling = Telling(fact.name, fact.patient_id, fact.practitioner_id, fact.appointment_id, also=ARRANGING)
        await service.tell(tx, replace(telling, amount=amount, link=f"/invoices/{fact.invoice_id}", mail=mail))

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
        await service.write_letter(tx, fact.name, fact.person_id, fact.verification_id)

    async def reset(tx: Transaction, fact: PasswordResetRequested, envelope: Envelope) -> None:
        if fact.person_id is not None:
            await service.write_letter(tx, fact.name, fact.person_id, fact.reset_id)

    async def repeated(tx: Transaction, fact: RegistrationRepeated, envelope: Envelope) -> None:
        await service.write_letter(tx, fact.name, fact.person_id, fact.attempt_id)

    async def changed(tx: Transaction, fact: SecurityChanged, envelope: Envelope) -> None:
        await service.write_letter(tx, f"account.{fact.what}", fact.person_id, fact.change_id)

    async def new_address(tx: Transaction, fact: EmailChangeRequested, envelope: Envelope) -> None:
        await service.write_letter(tx, fact.name, fact.person_id, fact.change_id)

    async def address_changed(tx: Transaction, fact: EmailChanged, envelope: Envelope) -> None:
        # The letter goes to the old address; whoever is signed in sees it live.
        await service.write_letter(tx, fact.name, fact.person_id, fact.undo_id)
        telling = Telling(fact.name, fact.person_id, fact.person_id, None, link="/security", mail=False)
        await service.tell(tx, replace(telling, template="account.email_changed.notice"))

    async def invited(tx: Transaction, fact: StaffInvited, envelope: Envelope) -> None:
        # Whoever is invited may be nobody yet: the delivery is listed under who invited them.
        await service.write_letter(tx, fact.name, fact.invited_by, fact.invitation_id)

    async def emergency(tx: Transaction, fact: BreakGlassOpened, envelope: Envelope) -> None:
        telling = Telling(fact.name, fact.patient_id, fact.person_id, None, link="/privacy", also=RECORD)
        await service.tell(tx, telling)

    subscriptions.on(GROUP, VerificationRequested, verification)
    subscriptions.on(GROUP, BreakGlassOpened, emergency)
    subscriptions.on(GROUP, StaffInvited, invited)
    subscriptions.on(GROUP, EmailChangeRequested, new_address)
    subscriptions.on(GROUP, EmailChanged, address_changed)
    subscriptions.on(GROUP, PasswordResetRequested, reset)
    subscriptions.on(GROUP, RegistrationRepeated, repeated)
    subscriptions.on(GROUP, SecurityChanged, changed)


def _family(subscriptions: Subscriptions, service: Notifications) -> None:
    """Each is told of what others did; who did it knows."""

    async def invited(tx: Transaction, fact: ProxyInvited, envelope: Envelope) -> None:
        if fact.invited_id is not None:
            await service.tell(tx, Telling(fact.name, fact.invited_id, fact.patient_id, None, link="/family"))

    async def granted(tx: Transaction, fact: ProxyGranted, envelope: Envelope) -> None:
        await service.tell(tx, *_but(fact.by, _pair(fact)))

    async def ended(tx: Transaction, fact: ProxyEnded, envelope: Envelope) -> None:
        await service.tell(tx, *_but(fact.by, _pair(fact)))

    subscriptions.on(GROUP, ProxyInvited, invited)
    subscriptions.on(GROUP, ProxyGranted, granted)
    subscriptions.on(GROUP, ProxyEnded, ended)


def _pair(fact: ProxyGranted | ProxyEnded) -> tuple[Telling, Telling]:
    patient = Telling(fact.name, fact.patient_id, fact.proxy_id, None, link="/family")
    proxy = replace(patient, person_id=fact.proxy_id, other_id=fact.patient_id, template=f"{fact.name}.proxy")
    return patient, proxy


def _but(by: UUID | None, tellings: Sequence[Telling]) -> list[Telling]:
    return [each for each in tellings if each.person_id != by]
