"""Chat on the live side: who may write and read, and telling those who hear. Keeping it is the durable visit's work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from core.errors import Forbidden, NotFound
from signaling.errors import NotAdmitted
from signaling.ports import Chat, Message
from signaling.presence import Person, may_hear, may_speak
from signaling.schemas import ChatEdit, ChatHistory, ChatSend, PracticeChat
from signaling.seats import Seat
from signaling.session import Sessions
from signaling.store import Store, Visit

CLINICIANS = frozenset({"practitioner"})


class VisitChat:
    def __init__(self, store: Store, sessions: Sessions, chat: Chat) -> None:
        self._store = store
        self._sessions = sessions
        self._chat = chat

    async def send(self, seat: Seat, sent: ChatSend) -> dict[str, Any]:
        """Kept, then told. Sent again under its ``client_id`` it is told to whom it had not reached yet."""
        person = await self._person(seat)
        if not may_speak(person, sent.audience):
            raise Forbidden() if sent.audience == "clinicians" else NotAdmitted()
        message = await self._chat.send(
            UUID(seat.appointment_id),
            UUID(seat.participant_id),
            role=seat.role,
            name=seat.name,
            client_id=sent.client_id,
            text=sent.text,
            file_id=sent.file_id,
            audience=sent.audience,
            by=UUID(seat.by) if seat.by else None,
        )
        await self._spread(seat.appointment_id, seat.patient_id, "chat.message", message)
        if person.state != "in-call":
            visit = await self._store.visit(seat.appointment_id)  # it may have changed hands since the seat was taken
            practitioner_id = seat.practitioner_id if visit is None else visit.practitioner_id
            await self._tell_practice(practitioner_id, seat.appointment_id, message)
        return {"message_id": message["message_id"], "sent_at": message["sent_at"]}

    async def send_from_practice(
        self, visit: Visit, by: UUID, role: str, name: str, sent: PracticeChat
    ) -> dict[str, Any]:
        """The desk or the practitioner writes to a visit from the practice's list."""
        message = await self._chat.send(
            UUID(visit.appointment_id),
            by,
            role=role,
            name=name,
            client_id=sent.client_id,
            text=sent.text,
            file_id=None,
            audience="all",
        )
        await self._spread(visit.appointment_id, visit.patient_id, "chat.message", message)
        await self._tell_practice(visit.practitioner_id, visit.appointment_id, message)
        return {"message_id": message["message_id"], "sent_at": message["sent_at"]}

    async def edit(self, seat: Seat, sent: ChatEdit) -> None:
        person = await self._person(seat)
        if not may_speak(person, "all"):
            raise NotAdmitted()
        message = await self._chat.edit(
            UUID(seat.appointment_id),
            UUID(seat.participant_id),
            seat.role,
            sent.message_id,
            sent.text,
            UUID(seat.by) if seat.by else None,
        )
        await self._spread(seat.appointment_id, seat.patient_id, "chat.updated", message)

    async def mark(self, seat: Seat, message_id: UUID, *, read: bool) -> None:
        """All up to this message has arrived at the person's device, or was seen there: the others are told."""
        if not may_hear(await self._person(seat), "all"):
            raise NotAdmitted()
        visit, who, clinician = UUID(seat.appointment_id), UUID(seat.participant_id), seat.role in CLINICIANS
        if not await self._chat.mark(visit, who, message_id, read=read, clinician=clinician):
            return
        views = {True: await self._mark_of(visit, who, True), False: await self._mark_of(visit, who, False)}
        for person in await self._store.people(seat.appointment_id):
            news = views[person.role in CLINICIANS]
            if news is not None and person.participant_id != seat.participant_id and may_hear(person, "all"):
                await self._sessions.tell(seat.appointment_id, person.participant_id, "chat.marks", news)

    async def marks(self, seat: Seat, person: Person) -> list[dict[str, Any]]:
        """For the snapshot."""
        if not may_hear(person, "all"):
            return []
        return await self._chat.marks(UUID(seat.appointment_id), clinician=seat.role in CLINICIANS)

    async def _mark_of(self, visit: UUID, participant_id: UUID, clinician: bool) -> dict[str, Any] | None:
        """One person's marks as a clinician or somebody else may see them: no word of what was not for them."""
        found = await self._chat.marks(visit, clinician=clinician)
        return next((each for each in found if each["participant_id"] == str(participant_id)), None)

    async def history(self, seat: Seat, sent: ChatHistory) -> dict[str, Any]:
        person = await self._person(seat)
        if not may_hear(person, "all"):
            raise NotAdmitted()
        messages, more = await self._chat.history(
            UUID(seat.appointment_id), clinician=seat.role in CLINICIANS, before=sent.before, since=since(person)
        )
        return {"messages": messages, "more": more}

    async def latest(self, seat: Seat, person: Person) -> tuple[list[Message], int]:
        """For the snapshot: the last page and how much is unread; nothing for those not let in."""
        if not may_hear(person, "all"):
            return [], 0
        visit, who, clinician = UUID(seat.appointment_id), UUID(seat.participant_id), seat.role in CLINICIANS
        messages, _ = await self._chat.history(visit, clinician=clinician, before=None, since=since(person))
        return messages, await self._chat.unread(visit, who, clinician=clinician, since=since(person))

    async def message(self, appointment_id: str, message_id: str) -> Message | None:
        return await self._chat.message(UUID(appointment_id), UUID(message_id))

    async def _spread(self, appointment_id: str, patient_id: str, event: str, message: Message) -> None:
        mark = message["edited_at"] or "sent"
        for person in await self._store.people(appointment_id):
            if person.participant_id == str(message["participant_id"]) or not may_hear(person, message["audience"]):
                continue
            await self._sessions.tell(
                appointment_id,
                person.participant_id,
                event,
                {"message": message},
                once=(f"chat:{message['message_id']}:{mark}", "1"),
                seal_for=patient_id,
            )

    async def _tell_practice(self, practitioner_id: str, appointment_id: str, message: Message) -> None:
        # Ids only: each process reads the message itself for the people it shows it to.
        await self._store.nudge(f"c|{practitioner_id}|{appointment_id}|{message['message_id']}")

    async def _person(self, seat: Seat) -> Person:
        person = await self._store.person(seat.appointment_id, seat.participant_id)
        if person is None:
            raise NotFound()
        return person


def since(person: Person) -> datetime | None:
    """Interpreters and guests read what was said from their admission on; patient and practitioner all of it."""
    if person.role in ("patient", "practitioner") or person.admitted_at is None:
        return None
    return datetime.fromtimestamp(person.admitted_at, UTC)
