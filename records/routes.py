"""HTTP of records."""

from __future__ import annotations

from core.errors import Forbidden, InvalidTransition, NotFound, VersionConflict
from core.http.routes import Call, Routes
from records.errors import NoCareRelation
from records.prescriptions import Dosage, Medication, PrescriptionService
from records.schemas import (
    ChangeRecord,
    EntryPage,
    ListEntries,
    ListPrescriptions,
    NearPharmacies,
    PatientRecord,
    Pharmacies,
    Pharmacy,
    Prescribe,
    Prescription,
    PrescriptionPage,
    RecordEntry,
)
from records.service import NewEntry, RecordService


def build_routes(records: RecordService, prescriptions: PrescriptionService) -> Routes:
    routes = Routes("records")

    @routes.get(
        "/patients/{id}/medical-records",
        action="record.read",
        query=ListEntries,
        returns=EntryPage,
        errors=(NoCareRelation,),
    )
    async def entries(call: Call[None, ListEntries]) -> EntryPage:
        """A patient's entries, newest first."""
        query = call.query
        found, cursor = await records.entries(
            call.principal, call.id(), kind=query.kind, cursor=query.cursor, limit=query.limit
        )
        return EntryPage(items=[RecordEntry.of(each) for each in found], next_cursor=cursor)

    @routes.get("/records/{patient_id}", action="record.read", returns=PatientRecord, errors=(NoCareRelation,))
    async def read(call: Call[None, None]) -> PatientRecord:
        """A patient's record: its summary and newest entries."""
        return PatientRecord.of(await records.read(call.principal, call.id("patient_id")))

    @routes.patch(
        "/records/{patient_id}",
        action="record.update",
        body=ChangeRecord,
        returns=PatientRecord,
        errors=(NoCareRelation, VersionConflict),
    )
    async def change(call: Call[ChangeRecord, None]) -> PatientRecord:
        """Change the summary and add entries, on top of the version that was read."""
        body = call.body
        changed = await records.change(
            call.principal,
            call.id("patient_id"),
            body.version,
            None if body.summary is None else body.summary.changes(),
            [NewEntry(each.kind, each.content, each.appointment_id) for each in body.add],
        )
        return PatientRecord.of(changed)

    @routes.post(
        "/appointments/{id}/prescriptions",
        action="prescription.issue",
        body=Prescribe,
        returns=Prescription,
        status=201,
        errors=(Forbidden, NotFound, InvalidTransition),
    )
    async def prescribe(call: Call[Prescribe, None]) -> Prescription:
        """Prescribe, as the appointment's practitioner."""
        body = call.body
        issued = await prescriptions.issue(
            call.principal,
            call.id(),
            Medication(**body.medication.model_dump()),
            Dosage(**body.dosage.model_dump()),
            body.refills,
            body.pharmacy_id,
        )
        return Prescription.of(issued)

    @routes.get(
        "/prescriptions",
        action="prescription.read",
        query=ListPrescriptions,
        returns=PrescriptionPage,
        errors=(NoCareRelation,),
    )
    async def list_prescriptions(call: Call[None, ListPrescriptions]) -> PrescriptionPage:
        """A patient's prescriptions, newest first; one's own by default."""
        query = call.query
        found, cursor = await prescriptions.list(
            call.principal, query.patient_id, cursor=query.cursor, limit=query.limit
        )
        return PrescriptionPage(items=[Prescription.of(each) for each in found], next_cursor=cursor)

    @routes.get("/pharmacies", action="account.own", query=NearPharmacies, returns=Pharmacies)
    async def pharmacies(call: Call[None, NearPharmacies]) -> Pharmacies:
        """Pharmacies, nearest first."""
        query = call.query
        found = await prescriptions.nearest_pharmacies(query.lat, query.lon, query.limit)
        return Pharmacies(items=[Pharmacy.of(each) for each in found])

    return routes
