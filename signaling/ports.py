"""What the live visit needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

Role = Literal["patient", "practitioner", "interpreter", "guest"]
Message = dict[str, Any]  # a ChatMessage in its wire shape


@dataclass(frozen=True, slots=True)
class SeatInfo:
    """Who somebody is in a visit. ``over``: completed or cancelled, nobody comes in."""

    appointment_id: UUID
    participant_id: UUID
    role: Role
    name: str
    patient_id: UUID
    practitioner_id: UUID
    practitioner_name: str
    practitioner_title: str
    start: datetime
    closes_at: datetime
    over: bool


class Visits(Protocol):
    """The durable visit. Reports may be repeated and may come late; each changes things once."""

    async def seat(self, appointment_id: UUID, participant_id: UUID, role: str) -> SeatInfo:
        """Who a verified visit token stands for. Raises Forbidden, NotFound, or what says that a link is gone."""
        ...

    async def waiting_entered(self, appointment_id: UUID, participant_id: UUID, at: datetime) -> None: ...

    async def joined(self, appointment_id: UUID, participant_id: UUID, role: str, at: datetime) -> None: ...

    async def left(
        self, appointment_id: UUID, participant_id: UUID, at: datetime, evidence: dict[str, Any]
    ) -> None: ...

    async def started(self, appointment_id: UUID, at: datetime) -> None: ...

    async def ended(self, appointment_id: UUID, at: datetime) -> None: ...

    async def probed(self, appointment_id: UUID, person_id: UUID, verdict: dict[str, Any]) -> None: ...

    async def removed(self, appointment_id: UUID, participant_id: UUID, by: UUID, by_role: str) -> None: ...


class Chat(Protocol):
    """Chat as it is kept."""

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
    ) -> Message:
        """Stored once per (visit, person, client_id); sent again, the first message is the answer."""
        ...

    async def edit(
        self, appointment_id: UUID, participant_id: UUID, role: str, message_id: UUID, text: str
    ) -> Message: ...

    async def read(self, appointment_id: UUID, participant_id: UUID, message_id: UUID) -> None: ...

    async def message(self, appointment_id: UUID, message_id: UUID) -> Message | None: ...

    async def history(
        self, appointment_id: UUID, *, clinician: bool, before: UUID | None, since: datetime | None
    ) -> tuple[list[Message], bool]:
        """Up to 50, oldest first, and whether there are more."""
        ...

    async def unread(self, appointment_id: UUID, participant_id: UUID, *, clinician: bool) -> int: ...
