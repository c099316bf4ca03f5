"""Prescriptions: issued by the appointment's practitioner, read by the patient and those who care for them."""

from __future__ import annotations

import builtins
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from core.clock import Clock
from core.database import Database
from core.errors import InvalidInput, InvalidTransition, NotFound
from core.ids import uuid7
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.vault import Vault
from records import repository
from records.events import PrescriptionIssued
from records.ports import Appointments, Care, People
from records.repository import Pharmacy, PrescriptionRow
from records.service import read_cursor, refusal, standing, why

# Crockford's base 32: no I, L, O or U, so that a code read aloud stays itself.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_CHARACTERS = 16  # 80 bits: not to be guessed, and unique without asking
NOTHING_TO_TREAT = frozenset({"cancelled", "noshow", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class Medication:
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Dosage:
    """``frequency`` doses of ``dose`` ``unit`` in each ``period`` (day, week); ``text`` is what the patient reads."""

    text: str
    dose: float
    unit: str
    frequency: int
    period: str


@dataclass(frozen=True, slots=True)
class Prescription:
    row: PrescriptionRow
    practitioner_name: str
    medication: Medication
    dosage: Dosage
    refills: int
    code: str


def new_code() -> str:
    """Four groups of four: ``7K3M-9QXT-…``."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_CHARACTERS))
    return "-".join(text[start : start + 4] for start in range(0, CODE_CHARACTERS, 4))


class PrescriptionService:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        policy: Policy,
        clock: Clock,
        *,
        care: Care,
        people: People,
        appointments: Appointments,
    ) -> None:
        self._database = database
        self._vault = vault
        self._policy = policy
        self._clock = clock
        self._care = care
        self._people = people
        self._appointments = appointments

    async def issue(
        self,
        principal: Principal,
        appointment_id: UUID,
        medication: Medication,
        dosage: Dosage,
        refills: int,
        pharmacy_id: UUID | None,
    ) -> Prescription:
        """Raises NotFound, Forbidden, InvalidTransition when there is no visit to prescribe for, InvalidInput."""
        appointment = await self._appointments.get(appointment_id)
        held: set[Relation] = set()
        if appointment is not None and appointment.practitioner_id == principal.person_id:
            held.add("own")
        self._policy.require(principal, "prescription.issue", held)
        if appointment is None:
            raise NotFound()
        if appointment.status in NOTHING_TO_TREAT:
            raise InvalidTransition("There is no visit to prescribe for")
        prescription_id, code, patient_id = uuid7(), new_code(), appointment.patient_id
        content = {
            "medication": asdict(medication),
            "dosage": asdict(dosage),
            "refills": refills,
            "code": code,
        }
        row = PrescriptionRow(
            id=prescription_id,
            appointment_id=appointment_id,
            patient_id=patient_id,
            practitioner_id=principal.id,
            status="active",
            content=await self._vault.encrypt(patient_id, _place(prescription_id), json.dumps(content).encode()),
            code_digest=hashlib.sha256(code.encode()).digest(),
            pharmacy_id=pharmacy_id,
            issued_at=self._clock.now(),
        )
        async with self._database.transaction() as tx:
            if pharmacy_id is not None and not await repository.has_pharmacy(tx, pharmacy_id):
                raise InvalidInput.of("pharmacy_id", "is not a pharmacy of the list")
            await repository.insert_prescription(tx, row)
            await tx.publish(
                PrescriptionIssued(
                    appointment_id=appointment_id,
                    patient_id=patient_id,
                    practitioner_id=principal.id,
                    prescription_id=prescription_id,
                )
            )
            await tx.audit(
                "prescription.issued",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="prescription",
                resource_id=prescription_id,
                patient_id=patient_id,
            )
        names = await self._people.names([principal.id])
        return Prescription(row, names.get(principal.id, principal.name), medication, dosage, refills, code)

    async def list(
        self, principal: Principal, patient_id: UUID | None, *, cursor: str | None, limit: int
    ) -> tuple[builtins.list[Prescription], str | None]:
        """A patient's, by default one's own (a practitioner's: those they issued). Audited. Raises Forbidden."""
        before, practitioner_id = read_cursor(cursor), None
        emergency: UUID | None = None
        if patient_id is None and principal.role == "practitioner":
            self._policy.require(principal, "prescription.list_issued", {"own"})
            practitioner_id = principal.id
        else:
            patient_id = patient_id or principal.id
            held, emergency = await standing(self._care, principal, patient_id)
            self._policy.require(principal, "prescription.read", held, error=refusal(principal))
        async with self._database.transaction() as tx:
            rows = await repository.prescriptions(
                tx,
                patient_id=patient_id,
                practitioner_id=practitioner_id,
                appointment_id=None,
                before=before,
                limit=limit + 1,
            )
            for patient in sorted({row.patient_id for row in rows[:limit]}):
                await tx.audit(
                    "prescription.read",
                    actor_id=principal.person_id,
                    actor_role=principal.role,
                    resource="prescriptions",
                    patient_id=patient,
                    details=why(emergency),
                )
        more, rows = len(rows) > limit, rows[:limit]
        return await self._open(rows), str(rows[-1].id) if more else None

    async def of_appointment(self, appointment_id: UUID) -> Sequence[Prescription]:
        """For the visit's own page: the caller has checked access and audits it."""
        async with self._database.reading() as tx:
            rows = await repository.prescriptions(
                tx, patient_id=None, practitioner_id=None, appointment_id=appointment_id, before=None, limit=100
            )
        return await self._open(rows)

    async def nearest_pharmacies(self, lat: float, lon: float, limit: int) -> Sequence[Pharmacy]:
        async with self._database.reading() as tx:
            return await repository.nearest_pharmacies(tx, lat, lon, limit)

    async def _open(self, rows: Sequence[PrescriptionRow]) -> builtins.list[Prescription]:
        names = await self._people.names(sorted({row.practitioner_id for row in rows})) if rows else {}
        opened: builtins.list[Prescription] = []
        for row in rows:
            value = json.loads(await self._vault.decrypt(row.patient_id, _place(row.id), row.content))
            opened.append(
                Prescription(
                    row=row,
                    practitioner_name=names.get(row.practitioner_id, ""),
                    medication=Medication(**value["medication"]),
                    dosage=Dosage(**value["dosage"]),
                    refills=value["refills"],
                    code=value["code"],
                )
            )
        return opened


def _place(prescription_id: UUID) -> str:
    return f"prescription/{prescription_id}"
