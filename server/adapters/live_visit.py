"""What signaling needs of its neighbours: the durable visit and its chat."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from consultations.service import Consultations
from signaling.ports import Message, SeatInfo


class DurableVisits:
    """Port ``signaling.ports.Visits``."""

    def __init__(self, consultations: Consultations) -> None:
        self._consultations = consultations

    async def seat(self, appointment_id: UUID, participant_id: UUID, role: str, by: UUID | None = None) -> SeatInfo:
        found = await self._consultations.course.seat(appointment_id, participant_id, role, by)
        return SeatInfo(
            appointment_id=found.appointment_id,
            participant_id=found.participant_id,
            role=found.role,
            name=found.name,
            patient_id=found.patient_id,
            practitioner_id=found.practitioner_id,
            practitioner_name=found.practitioner_name,
            practitioner_title=found.practitioner_title,
            start=found.start,
            closes_at=found.closes_at,
            over=found.over,
            kind=found.kind,
            checked_in=found.checked_in,
            consented=found.consented,
            for_name=found.for_name,
            by=found.by,
        )

    async def consented(self, patient_id: UUID) -> bool:
        return await self._consultations.check_ins.consented(patient_id)

    async def waiting_entered(self, appointment_id: UUID, participant_id: UUID, at: datetime) -> None:
        await self._consultations.course.waiting_entered(appointment_id, participant_id, at)

    async def joined(
        self, appointment_id: UUID, participant_id: UUID, role: str, at: datetime, by: UUID | None = None
    ) -> None:
        await self._consultations.course.joined(appointment_id, participant_id, role, at, by)

    async def left(self, appointment_id: UUID, participant_id: UUID, at: datetime, evidence: dict[str, Any]) -> None:
        await self._consultations.course.left(appointment_id, participant_id, at, evidence)

    async def started(self, appointment_id: UUID, at: datetime) -> None:
        await self._consultations.course.started(appointment_id, at)

    async def ended(self, appointment_id: UUID, at: datetime) -> None:
        await self._consultations.course.ended(appointment_id, at)

    async def probed(self, appointment_id: UUID, person_id: UUID, verdict: dict[str, Any]) -> None:
        await self._consultations.course.probed(appointment_id, person_id, verdict)

    async def removed(self, appointment_id: UUID, participant_id: UUID, by: UUID, by_role: str) -> None:
        await self._consultations.course.removed(appointment_id, participant_id, by, by_role)

    async def recalled(self, appointment_id: UUID, participant_id: UUID) -> None:
        await self._consultations.course.recalled(appointment_id, participant_id)

    async def waited(self, appointment_id: UUID, participant_id: UUID, estimated_s: int, waited_s: int) -> None:
        await self._consultations.course.waited(appointment_id, participant_id, estimated_s, waited_s)


class DurableChat:
    """Port ``signaling.ports.Chat``."""

    def __init__(self, consultations: Consultations) -> None:
        self._conversation = consultations.conversation

    async def send(
        self,
        appointment_id: UUID,
        participant_id: UUID,
        *,
        role: str,
        name: str,
        client_id: str,
        text: str | None,
        file_id: UUID | None,
        audience: Literal["all", "clinicians"],
        by: UUID | None = None,
    ) -> Message:
        message = await self._conversation.send(
            appointment_id,
            participant_id,
            role=role,
            name=name,
            client_id=client_id,
            text=text,
            file_id=file_id,
            audience=audience,
            by=by,
        )
        return message.model_dump(mode="json")

    async def edit(
        self,
        appointment_id: UUID,
        participant_id: UUID,
        role: str,
        message_id: UUID,
        text: str,
        by: UUID | None = None,
    ) -> Message:
        message = await self._conversation.edit(appointment_id, participant_id, role, message_id, text, by)
        return message.model_dump(mode="json")

    async def mark(
        self, appointment_id: UUID, participant_id: UUID, message_id: UUID, *, read: bool, clinician: bool
    ) -> bool:
        return await self._conversation.mark(appointment_id, participant_id, message_id, read=read, clinician=clinician)

    async def marks(self, appointment_id: UUID, *, clinician: bool) -> list[Message]:
        found = await self._conversation.marks(appointment_id, clinician=clinician)
        return [each.model_dump(mode="json") for each in found]

    async def message(self, appointment_id: UUID, message_id: UUID) -> Message | None:
        found = await self._conversation.message(appointment_id, message_id)
        return None if found is None else found.model_dump(mode="json")

    async def history(
        self, appointment_id: UUID, *, clinician: bool, before: UUID | None, since: datetime | None
    ) -> tuple[list[Message], bool]:
        messages, more = await self._conversation.history(
            appointment_id, clinician=clinician, before=before, since=since
        )
        return [message.model_dump(mode="json") for message in messages], more

    async def unread(
        self, appointment_id: UUID, participant_id: UUID, *, clinician: bool, since: datetime | None
    ) -> int:
        return await self._conversation.unread(appointment_id, participant_id, clinician=clinician, since=since)
