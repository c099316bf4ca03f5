"""Facts about consultations. A consultation has its appointment's id."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from core.events import Fact


class ConsultationFact(Fact):
    """What every fact about a consultation names."""

    order_by: ClassVar[str] = "appointment_id"

    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID


class PatientWaiting(ConsultationFact):
    """The patient entered the waiting room."""

    name: ClassVar[str] = "consultation.patient_waiting"


class PatientRecalled(ConsultationFact):
    """The patient's turn is near, or they are let in, and they are not there."""

    name: ClassVar[str] = "consultation.recalled"


class InterpreterRequested(ConsultationFact):
    """This person is asked to interpret in a visit, for about a minute."""

    name: ClassVar[str] = "interpreter.requested"

    person_id: UUID


class ConsultationStarted(ConsultationFact):
    """The practitioner admitted the patient and both are in the call."""

    name: ClassVar[str] = "consultation.started"

    waited_s: int


class ConsultationCompleted(ConsultationFact):
    """The practitioner completed the consultation; its summary is read from the module, never carried here."""

    name: ClassVar[str] = "consultation.completed"
