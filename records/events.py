"""Facts about clinical records."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from core.events import Fact


class RecordUpdated(Fact):
    name: ClassVar[str] = "record.updated"
    order_by: ClassVar[str] = "patient_id"

    patient_id: UUID
    version: int


class PrescriptionIssued(Fact):
    name: ClassVar[str] = "prescription.issued"
    order_by: ClassVar[str] = "appointment_id"

    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    prescription_id: UUID
