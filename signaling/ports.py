"""What the live visit needs of other modules; the composition root gives the adapters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from core.security.policy import Relation
from core.security.principal import Principal

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
    kind: str = "video"  # or drop_in
    checked_in: bool = False  # the patient confirmed who and where they are
    consented: bool = True  # the patient agreed to care by video; true of everybody else
    for_name: str = ""  # the patient's, when ``by`` has their seat for them and ``name`` is that person's
    by: UUID | None = None


class Visits(Protocol):
    """The durable visit. Reports may be repeated and may come late; each changes things once."""

    async def seat(self, appointment_id: UUID, participant_id: UUID, role: str, by: UUID | None = None) -> SeatInfo:
        """Who a verified visit token stands for; ``by`` acts for the patient.

        Raises Forbidden (also when they may not, any more), NotFound, or what says that a link is gone.
        """
        ...

    async def consented(self, patient_id: UUID) -> bool:
        """Whether the patient's consent to care by video stands now."""
        ...

    async def waiting_entered(self, appointment_id: UUID, participant_id: UUID, at: datetime) -> None: ...

    async def joined(
        self, appointment_id: UUID, participant_id: UUID, role: str, at: datetime, by: UUID | None = None
    ) -> None: ...

    async def left(
        self, appointment_id: UUID, participant_id: UUID, at: datetime, evidence: dict[str, Any]
    ) -> None: ...

    async def started(self, appointment_id: UUID, at: datetime) -> None: ...

    async def ended(self, appointment_id: UUID, at: datetime) -> None: ...

    async def probed(self, appointment_id: UUID, person_id: UUID, verdict: dict[str, Any]) -> None: ...

    async def removed(self, appointment_id: UUID, participant_id: UUID, by: UUID, by_role: str) -> None: ...

    async def recalled(self, appointment_id: UUID, participant_id: UUID) -> None:
        """Somebody who waits has wandered off: they get a notice."""
        ...

    async def waited(self, appointment_id: UUID, participant_id: UUID, estimated_s: int, waited_s: int) -> None:
        """Somebody was let in: how long they waited, and what they had been told on coming."""
        ...


@dataclass(frozen=True, slots=True)
class Colleague:
    """Who took a visit over, and the note that came with it (a ``ChatMessage`` for clinicians)."""

    name: str
    title: str
    note: Message | None


class Help(Protocol):
    """What the durable side does at the live side's word, and has an answer to."""

    async def transfer(self, by: Principal, appointment_id: UUID, to: UUID, note: str | None) -> Colleague:
        """Give the visit to a colleague. Raises NotFound, Forbidden, what says that they can't take it."""
        ...

    async def callback_phone(self, appointment_id: UUID) -> str | None:
        """The number the patient confirmed at check-in."""
        ...

    async def request_interpreter(self, appointment_id: UUID, by: UUID, role: str, language: str) -> dict[str, Any]:
        """Begin to look; the ``InterpreterState``. Raises what says that one is being looked for already."""
        ...

    async def cancel_interpreter(self, appointment_id: UUID) -> None: ...

    async def interpreter(self, appointment_id: UUID) -> dict[str, Any] | None:
        """The newest ``InterpreterState`` of a visit."""
        ...

    async def signed_in(self, session_id: str) -> bool:
        """Whether a sign-in still stands."""
        ...

    async def may_act(self, person_id: UUID, patient_id: UUID, relation: Relation) -> bool:
        """Whether somebody still has this authority over a patient."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A shared line: who waits, the next one first, and when the last ones were taken (Unix seconds, newest first)."""

    waiting: Sequence[UUID]
    takes: Sequence[float]


class DropInLines(Protocol):
    """Drop-ins who wait for whoever is free."""

    async def authenticate(self, token: str) -> Principal:
        """Who an access token stands for. Raises InvalidToken, Unavailable."""
        ...

    async def place(self, principal: Principal, drop_in_id: UUID) -> tuple[str, UUID]:
        """The specialty whose line somebody stands in, and the patient it is for. Raises NotFound, Forbidden."""
        ...

    async def line(self, specialty: str) -> Line: ...

    async def fate(self, drop_in_id: UUID) -> tuple[str, UUID | None]:
        """Its status, and the appointment that came of it."""
        ...


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
        by: UUID | None = None,
    ) -> Message:
        """Stored once per (visit, person, client_id); sent again, the first message is the answer."""
        ...

    async def edit(
        self,
        appointment_id: UUID,
        participant_id: UUID,
        role: str,
        message_id: UUID,
        text: str,
        by: UUID | None = None,
    ) -> Message: ...

    async def mark(
        self, appointment_id: UUID, participant_id: UUID, message_id: UUID, *, read: bool, clinician: bool
    ) -> bool:
        """All up to this message has arrived, or was read; True if that is news. Raises NotFound."""
        ...

    async def marks(self, appointment_id: UUID, *, clinician: bool) -> list[dict[str, Any]]:
        """Each person's ``Marks`` in the wire shape."""
        ...

    async def message(self, appointment_id: UUID, message_id: UUID) -> Message | None: ...

    async def history(
        self, appointment_id: UUID, *, clinician: bool, before: UUID | None, since: datetime | None
    ) -> tuple[list[Message], bool]:
        """Up to 50, oldest first, and whether there are more."""
        ...

    async def unread(
        self, appointment_id: UUID, participant_id: UUID, *, clinician: bool, since: datetime | None
    ) -> int: ...
