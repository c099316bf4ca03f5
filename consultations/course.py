"""The course of a visit as the live side reports it. A report may come again; each changes things once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from consultations import lifecycle, repository
from consultations.events import ConsultationStarted, PatientRecalled, PatientWaiting
from consultations.invitations import Invitations
from consultations.ports import Appointments, Consents, People
from consultations.repository import Consultation
from core.context import Context
from core.errors import Forbidden, NotFound
from core.security.proxies import Authority


@dataclass(frozen=True, slots=True)
class Seat:
    """Who somebody is in a visit. ``title`` is the practitioner's, for those who wait for them."""

    appointment_id: UUID
    participant_id: UUID
    role: Literal["patient", "practitioner", "interpreter", "guest"]
    name: str
    patient_id: UUID
    practitioner_id: UUID
    practitioner_name: str
    practitioner_title: str
    start: datetime
    closes_at: datetime
    over: bool  # completed or cancelled: nobody comes in any more
    kind: str  # of the appointment: video or drop_in
    checked_in: bool
    consented: bool  # the patient agreed to care by video; true of everybody else
    for_name: str = ""  # the patient's, when somebody else sits there for them
    by: UUID | None = None  # who that is


def facts_about(row: Consultation) -> dict[str, UUID]:
    """The ids every fact of a visit carries."""
    return {"appointment_id": row.id, "patient_id": row.patient_id, "practitioner_id": row.practitioner_id}


class Course:
    """Who may sit in a visit, and what happened in it."""

    def __init__(
        self,
        context: Context,
        *,
        appointments: Appointments,
        people: People,
        invitations: Invitations,
        consents: Consents,
        authority: Authority,
    ) -> None:
        self._database = context.database("consultations")
        self._clock = context.clock
        self._appointments = appointments
        self._people = people
        self._invitations = invitations
        self._consents = consents
        self._authority = authority

    async def seat(self, appointment_id: UUID, participant_id: UUID, role: str, by: UUID | None = None) -> Seat:
        """Who a verified visit token stands for; ``by`` has the patient's seat, for them.

        Raises Forbidden, NotFound, InvitationGone.
        """
        found = await self._appointments.get(appointment_id)
        if found is None:
            raise NotFound()
        practitioner = await self._people.get(found.practitioner_id)
        if role in ("interpreter", "guest"):
            invitation = await self._invitations.living(participant_id)
            if invitation.consultation_id != appointment_id:
                raise Forbidden()
            name = await self._invitations.name_of(invitation, found.patient_id)
        else:
            expected = {"patient": found.patient_id, "practitioner": found.practitioner_id}.get(role)
            if expected != participant_id:
                raise Forbidden()
            if by is not None and (
                role != "patient" or "proxy_attend" not in await self._authority.over(by, found.patient_id)
            ):
                raise Forbidden()
            name = await self._name(by or participant_id)
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            row = await repository.get(tx, appointment_id)
            checked_in = await repository.checked_in(tx, appointment_id)
        assert row is not None, "just ensured"
        return Seat(
            appointment_id=appointment_id,
            participant_id=participant_id,
            role=role,  # type: ignore[arg-type]  # checked by the branches above
            name=name,
            patient_id=found.patient_id,
            practitioner_id=found.practitioner_id,
            practitioner_name="" if practitioner is None else practitioner.name,
            practitioner_title="" if practitioner is None else practitioner.title,
            start=found.start,
            closes_at=found.closes_at,
            over=row.status in ("completed", "cancelled") or found.status in lifecycle.OVER,
            kind=found.kind,
            checked_in=checked_in,
            consented=role != "patient" or await self._consents.stands(found.patient_id),
            for_name="" if by is None else await self._name(participant_id),
            by=by,
        )

    async def _name(self, person_id: UUID) -> str:
        person = await self._people.get(person_id)
        return "" if person is None else person.name

    async def waiting_entered(self, appointment_id: UUID, participant_id: UUID, at: datetime) -> None:
        async with self._database.transaction() as tx:
            row = await repository.get(tx, appointment_id, lock=True)
            if row is None or row.patient_id != participant_id:
                return
            if await repository.set_waiting(tx, appointment_id, at):
                await tx.publish(PatientWaiting(**facts_about(row)))

    async def recalled(self, appointment_id: UUID, participant_id: UUID) -> None:
        """Call a patient back who has wandered off: a notice goes out."""
        async with self._database.transaction() as tx:
            row = await repository.get(tx, appointment_id)
            if row is not None and row.patient_id == participant_id and row.status in ("planned", "in-progress"):
                await tx.publish(PatientRecalled(**facts_about(row)))

    async def joined(
        self, appointment_id: UUID, participant_id: UUID, role: str, at: datetime, by: UUID | None = None
    ) -> None:
        """``by``: who sat there for the patient."""
        async with self._database.transaction() as tx:
            row = await repository.get(tx, appointment_id, lock=True)
            if row is None:
                return
            await repository.open_stay(tx, appointment_id, participant_id, role, at, by)
            if row.ended_at is not None and row.status == "in-progress":
                await repository.set_ended(tx, appointment_id, None)
            await tx.audit(
                "consultation.joined",
                actor_id=by or participant_id,
                actor_role=role,
                resource="consultation",
                resource_id=appointment_id,
                patient_id=row.patient_id,
            )

    async def left(self, appointment_id: UUID, participant_id: UUID, at: datetime, evidence: dict[str, Any]) -> None:
        """``evidence``: counters of the media server for this stay, never health data."""
        async with self._database.transaction() as tx:
            await repository.close_stays(tx, appointment_id, participant_id, at, evidence)

    async def started(self, appointment_id: UUID, at: datetime) -> None:
        """Patient and practitioner are both in the call. Said again, or too late, it changes nothing."""
        async with self._database.transaction() as tx:
            row = await repository.get(tx, appointment_id, lock=True)
            if row is None or row.status != "planned":
                return
            waited_s = lifecycle.waited(row.waiting_since, at)
            await repository.set_started(tx, appointment_id, lifecycle.after(row.status, "start"), at, waited_s)
            await tx.publish(ConsultationStarted(**facts_about(row), waited_s=waited_s))

    async def ended(self, appointment_id: UUID, at: datetime) -> None:
        """The media ended; the visit may be reopened until it is completed."""
        async with self._database.transaction() as tx:
            row = await repository.get(tx, appointment_id, lock=True)
            if row is not None and row.status == "in-progress":
                await repository.set_ended(tx, appointment_id, at)

    async def attendance(self, appointment_ids: Sequence[UUID]) -> dict[UUID, repository.Presence]:
        """Who was at these visits; those that nobody came near are left out. For other modules."""
        async with self._database.reading() as tx:
            return await repository.presence(tx, appointment_ids)

    async def probed(self, appointment_id: UUID, person_id: UUID, verdict: dict[str, Any]) -> None:
        """Store a network test's verdict beside the attendance evidence."""
        found = await self._appointments.get(appointment_id)
        if found is None:
            raise NotFound()
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            await repository.add_evidence(tx, appointment_id, {f"probe:{person_id}": verdict})

    async def waited(self, appointment_id: UUID, participant_id: UUID, estimated_s: int, waited_s: int) -> None:
        """What somebody was told on coming and what it became, kept beside the evidence of attendance."""
        evidence = {f"wait:{participant_id}": {"estimated_s": estimated_s, "waited_s": waited_s}}
        async with self._database.transaction() as tx:
            await repository.add_evidence(tx, appointment_id, evidence)

    async def removed(self, appointment_id: UUID, participant_id: UUID, by: UUID, by_role: str) -> None:
        """Somebody was removed from the visit; a guest's invitation dies with it."""
        async with self._database.transaction() as tx:
            row = await repository.get(tx, appointment_id)
            if row is None:
                return
            await self._invitations.revoke(tx, participant_id, self._clock.now())
            await tx.audit(
                "consultation.participant_removed",
                actor_id=by,
                actor_role=by_role,
                resource="consultation",
                resource_id=appointment_id,
                patient_id=row.patient_id,
                details={"participant_id": str(participant_id)},
            )
