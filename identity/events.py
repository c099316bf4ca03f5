"""Facts about people."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from core.events import Fact

Change = Literal["password", "factor_added", "factor_removed", "recovery_code_used", "identity_linked"]


class PatientRegistered(Fact):
    name: ClassVar[str] = "patient.registered"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID


class VerificationRequested(Fact):
    """The person's address is to be verified: whoever sends mail asks identity for the link by this id."""

    name: ClassVar[str] = "account.verification_requested"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
    verification_id: UUID


class PasswordResetRequested(Fact):
    """Somebody asked for a link to set a new password. No person: nobody has that address, and nothing follows."""

    name: ClassVar[str] = "account.password_reset_requested"
    order_by: ClassVar[str] = "reset_id"

    reset_id: UUID
    person_id: UUID | None


class RegistrationRepeated(Fact):
    """Somebody tried to open an account with the address of one that exists: its owner is told, nobody else."""

    name: ClassVar[str] = "account.registration_repeated"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
    attempt_id: UUID


class SecurityChanged(Fact):
    """How the person signs in has changed; they are told by mail."""

    name: ClassVar[str] = "account.security_changed"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
    change_id: UUID
    what: Change


class EmailChangeRequested(Fact):
    """A link is to be sent to the new address; whoever sends mail asks identity for both by this id."""

    name: ClassVar[str] = "account.email_change_requested"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
    change_id: UUID


class EmailChanged(Fact):
    """The person has another address; the old one is told, with a link that undoes it."""

    name: ClassVar[str] = "account.email_changed"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
    change_id: UUID
    undo_id: UUID


class StaffInvited(Fact):
    """A link is to be sent to the invited address; whoever sends mail asks identity for both by this id."""

    name: ClassVar[str] = "staff.invited"
    order_by: ClassVar[str] = "invitation_id"

    invitation_id: UUID
    invited_by: UUID


class EmailVerified(Fact):
    name: ClassVar[str] = "account.email_verified"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID


class ProxyInvited(Fact):
    """Somebody is asked to act for the patient. No person: nobody has that address, or has proved it, yet."""

    name: ClassVar[str] = "proxy.invited"
    order_by: ClassVar[str] = "patient_id"

    invitation_id: UUID
    patient_id: UUID
    invited_id: UUID | None


class ProxyGranted(Fact):
    """``proxy_id`` may act for the patient; whoever it was that said so is ``by``."""

    name: ClassVar[str] = "proxy.granted"
    order_by: ClassVar[str] = "patient_id"

    authority_id: UUID
    patient_id: UUID
    proxy_id: UUID
    by: UUID


class ProxyVerified(Fact):
    """Staff have seen what the authority rests on."""

    name: ClassVar[str] = "proxy.verified"
    order_by: ClassVar[str] = "patient_id"

    authority_id: UUID
    patient_id: UUID
    proxy_id: UUID


class ProxyEnded(Fact):
    """``proxy_id`` acts for the patient no more. No ``by``: its time was over."""

    name: ClassVar[str] = "proxy.ended"
    order_by: ClassVar[str] = "patient_id"

    authority_id: UUID
    patient_id: UUID
    proxy_id: UUID
    by: UUID | None
