"""Clinical records, prescriptions, pharmacies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.context import Context
from core.settings import SettingsError
from records.documents import DocumentStore
from records.mongo_documents import MongoDocuments
from records.personal import Personal
from records.ports import Appointments, Care, Consultations, People
from records.postgres_documents import PostgresDocuments
from records.prescriptions import PrescriptionService
from records.routes import build_routes
from records.schemas import Prescription
from records.service import RecordService
from records.subscribers import subscribe

SWEEP_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Records:
    record: RecordService
    prescriptions: PrescriptionService
    personal: Personal

    async def prescriptions_for(self, appointment_id: UUID) -> list[dict[str, Any]]:
        """In the wire shape of ``Prescription``; the caller has checked access."""
        found = await self.prescriptions.of_appointment(appointment_id)
        return [Prescription.of(each).model_dump(mode="json") for each in found]


def setup(
    context: Context, *, care: Care, people: People, appointments: Appointments, consultations: Consultations
) -> Records:
    """Documents go to PostgreSQL or MongoDB, as ``records.store`` says."""
    database = context.database("records")
    record = RecordService(
        database,
        _store(context),
        context.vault,
        context.policy,
        context.clock,
        care=care,
        people=people,
        appointments=appointments,
        consultations=consultations,
    )
    prescriptions = PrescriptionService(
        database, context.vault, context.policy, context.clock, care=care, people=people, appointments=appointments
    )
    context.policy.allow("record.read", "patient", relation=("self", "proxy_read"))
    context.policy.allow("record.read", "practitioner", relation=("care", "break_glass"))
    context.policy.allow("record.update", "practitioner", relation="care")
    context.policy.allow("prescription.issue", "practitioner", relation="own")
    context.policy.allow("prescription.list_issued", "practitioner", relation="own")
    context.policy.allow("prescription.read", "patient", relation=("self", "proxy_read"))
    context.policy.allow("prescription.read", "practitioner", relation=("care", "break_glass"))
    context.routes.append(build_routes(record, prescriptions))
    subscribe(context.subscriptions, record)

    async def sweep() -> None:
        await record.sweep()

    context.jobs.every(SWEEP_EVERY_S, "records: remove orphaned documents", sweep)
    return Records(record, prescriptions, Personal(database))


def _store(context: Context) -> DocumentStore:
    if context.settings.records.store == "postgres":
        return PostgresDocuments(context.database("records"))
    mongo = context.settings.mongo
    if not mongo.url.get_secret_value():
        raise SettingsError("setting mongo.url: needed when records.store is mongo")
    documents = MongoDocuments(mongo.url.get_secret_value(), mongo.database)
    context.stopping.append(documents.close)
    return documents
