"""Facts about people."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from core.events import Fact


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


class EmailVerified(Fact):
    name: ClassVar[str] = "account.email_verified"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
