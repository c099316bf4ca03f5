"""Wire shapes of records."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from core.clock import rfc3339
from core.http.routes import Page, Wire
from records import prescriptions, repository, service

Kind = Literal["visit", "note", "diagnosis", "allergy", "vital", "history"]
ADDED_KINDS = Literal["note", "diagnosis", "allergy", "vital", "history"]  # a visit's entry writes itself
CONTENT_BYTES = 32 * 1024
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Lines = Annotated[list[Line], Field(max_length=200)]


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        raise ValueError("is empty")
    if len(json.dumps(value)) > CONTENT_BYTES:
        raise ValueError(f"has more than {CONTENT_BYTES} bytes")
    return value


Content = Annotated[dict[str, Any], AfterValidator(_bounded)]


class PageQuery(Wire):
    cursor: str | None = Field(None, max_length=40)
    limit: int = Field(50, ge=1, le=100)


class ListEntries(PageQuery):
    kind: Kind | None = None


class RecordEntry(Wire):
    id: UUID
    kind: Kind
    recorded_at: str
    author_id: UUID
    author_name: str
    appointment_id: UUID | None
    content: dict[str, Any]
    version: int

    @classmethod
    def of(cls, entry: service.Entry) -> RecordEntry:
        row = entry.row
        return cls.model_validate(
            {
                "id": row.id,
                "kind": row.kind,
                "recorded_at": rfc3339(row.recorded_at),
                "author_id": row.author_id,
                "author_name": entry.author_name,
                "appointment_id": row.appointment_id,
                "content": entry.content,
                "version": row.version,
            }
        )


class EntryPage(Page):
    items: list[RecordEntry]


class Summary(Wire):
    history: str
    allergies: list[str]
    conditions: list[str]
    medications: list[str]


class PatientRecord(Wire):
    patient_id: UUID
    version: int
    summary: Summary
    entries: list[RecordEntry]
    updated_at: str

    @classmethod
    def of(cls, record: service.PatientRecord) -> PatientRecord:
        return cls(
            patient_id=record.patient_id,
            version=record.version,
            summary=Summary(
                history=record.summary.history,
                allergies=list(record.summary.allergies),
                conditions=list(record.summary.conditions),
                medications=list(record.summary.medications),
            ),
            entries=[RecordEntry.of(each) for each in record.entries],
            updated_at=rfc3339(record.updated_at),
        )


class SummaryChange(Wire):
    """Only what is sent is changed."""

    history: str = Field("", max_length=20_000)
    allergies: Lines = []
    conditions: Lines = []
    medications: Lines = []

    def changes(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


class AddedEntry(Wire):
    kind: ADDED_KINDS
    content: Content
    appointment_id: UUID | None = None


class ChangeRecord(Wire):
    version: int = Field(ge=0)
    summary: SummaryChange | None = None
    add: list[AddedEntry] = Field([], max_length=50)


class Medication(Wire):
    code: str = Field(min_length=1, max_length=50)
    display: str = Field(min_length=1, max_length=200)


class Dosage(Wire):
    text: str = Field(min_length=1, max_length=500)
    dose: float = Field(gt=0, le=100_000, allow_inf_nan=False)
    unit: str = Field(min_length=1, max_length=30)
    frequency: int = Field(ge=1, le=100)
    period: str = Field(min_length=1, max_length=30)


class Prescribe(Wire):
    medication: Medication
    dosage: Dosage
    refills: int = Field(0, ge=0, le=24)
    pharmacy_id: UUID | None = None


class Prescription(Wire):
    id: UUID
    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    practitioner_name: str
    status: Literal["active", "stopped", "completed"]
    medication: Medication
    dosage: Dosage
    refills: int
    pharmacy_id: UUID | None
    code: str
    issued_at: str

    @classmethod
    def of(cls, found: prescriptions.Prescription) -> Prescription:
        row, medication, dosage = found.row, found.medication, found.dosage
        return cls.model_validate(
            {
                "id": row.id,
                "appointment_id": row.appointment_id,
                "patient_id": row.patient_id,
                "practitioner_id": row.practitioner_id,
                "practitioner_name": found.practitioner_name,
                "status": row.status,
                "medication": {"code": medication.code, "display": medication.display},
                "dosage": {
                    "text": dosage.text,
                    "dose": dosage.dose,
                    "unit": dosage.unit,
                    "frequency": dosage.frequency,
                    "period": dosage.period,
                },
                "refills": found.refills,
                "pharmacy_id": row.pharmacy_id,
                "code": found.code,
                "issued_at": rfc3339(row.issued_at),
            }
        )


class ListPrescriptions(PageQuery):
    patient_id: UUID | None = None


class PrescriptionPage(Page):
    items: list[Prescription]


class NearPharmacies(Wire):
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)
    limit: int = Field(10, ge=1, le=50)


class Pharmacy(Wire):
    id: UUID
    name: str
    address: str
    lat: float
    lon: float
    phone: str
    hours: str
    distance_m: float

    @classmethod
    def of(cls, found: repository.Pharmacy) -> Pharmacy:
        return cls(
            id=found.id,
            name=found.name,
            address=found.address,
            lat=found.lat,
            lon=found.lon,
            phone=found.phone,
            hours=found.hours,
            distance_m=round(found.distance_m, 1),
        )


class Pharmacies(Wire):
    items: list[Pharmacy]
