"""Chat of a visit and the files sent in it: durable, encrypted under the patient's key."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from consultations import chat_repository as repository
from consultations.chat_repository import FileRow, MessageRow
from consultations.repository import get as get_consultation
from consultations.schemas import ChatMarks, ChatMessage, FileView
from consultations.uploads import content_type_of, safe_name
from core.clock import rfc3339
from core.context import Context
from core.errors import Forbidden, NotFound
from core.ids import uuid7
from core.security.principal import Principal

PAGE = 50  # messages a history page holds
Audience = Literal["all", "clinicians"]


class Conversation:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database("consultations")

    async def send(
        self,
        consultation_id: UUID,
        participant_id: UUID,
        *,
        role: str,
        name: str,
        client_id: str,
        text: str | None,
        file_id: UUID | None,
        audience: Audience,
        by: UUID | None = None,
    ) -> ChatMessage:
        """Store a message once per (visit, person, client_id); sent again, the first one is the answer.

        ``by``: who wrote it in the patient's seat, for them.
        """
        now = self._context.clock.now()
        async with self._database.transaction() as tx:
            visit = await get_consultation(tx, consultation_id, lock=True)  # so that messages commit in their order
            if visit is None:
                raise NotFound()
            row = await repository.by_client_id(tx, consultation_id, participant_id, client_id)
            if row is None:
                if file_id is not None:
                    await self._require_own_file(await repository.file(tx, consultation_id, file_id), participant_id)
                row = await self._new(
                    visit.patient_id,
                    consultation_id,
                    participant_id,
                    role,
                    name,
                    client_id,
                    text,
                    file_id,
                    audience,
                    now,
                )
                await repository.add_message(tx, row)
                await tx.audit(
                    "consultation.message_sent",
                    actor_id=by or participant_id,
                    actor_role=role,
                    resource="consultation",
                    resource_id=consultation_id,
                    patient_id=visit.patient_id,
                    details={"message_id": str(row.id), "audience": audience},
                )
            files = await repository.files(tx, consultation_id, [row.file_id] if row.file_id else [])
        return await self._message(visit.patient_id, row, files)

    async def edit(
        self,
        consultation_id: UUID,
        participant_id: UUID,
        role: str,
        message_id: UUID,
        text: str,
        by: UUID | None = None,
    ) -> ChatMessage:
        """Only by its sender, only its text."""
        now = self._context.clock.now()
        async with self._database.transaction() as tx:
            visit = await get_consultation(tx, consultation_id, lock=True)
            row = None if visit is None else await repository.message(tx, consultation_id, message_id)
            if visit is None or row is None:
                raise NotFound()
            if row.participant_id != participant_id or row.body is None:
                raise Forbidden()
            body = await self._context.vault.encrypt_text(visit.patient_id, _place(row.id, "text"), text)
            await repository.set_body(tx, message_id, body, now)
            await tx.audit(
                "consultation.message_edited",
                actor_id=by or participant_id,
                actor_role=role,
                resource="consultation",
                resource_id=consultation_id,
                patient_id=visit.patient_id,
                details={"message_id": str(message_id)},
            )
            row = await repository.message(tx, consultation_id, message_id)
            assert row is not None, "locked with its visit"
            files = await repository.files(tx, consultation_id, [row.file_id] if row.file_id else [])
        return await self._message(visit.patient_id, row, files)

    async def mark(
        self, consultation_id: UUID, participant_id: UUID, message_id: UUID, *, read: bool, clinician: bool
    ) -> bool:
        """Everything up to this message has arrived (``read``: been seen); never steps back. True if that is news."""
        async with self._database.transaction() as tx:
            row = await repository.message(tx, consultation_id, message_id)
            if row is None or (row.audience == "clinicians" and not clinician):
                raise NotFound()
            return await repository.set_mark(
                tx,
                consultation_id,
                participant_id,
                delivered=row.seq,
                read=row.seq if read else 0,
                at=self._context.clock.now(),
            )

    async def marks(self, consultation_id: UUID, *, clinician: bool) -> list[ChatMarks]:
        """How far each has got."""
        async with self._database.reading() as tx:
            rows = await repository.marks(tx, consultation_id, clinician)
        return [ChatMarks(participant_id=who, delivered=delivered, read=read) for who, delivered, read in rows]

    async def message(self, consultation_id: UUID, message_id: UUID) -> ChatMessage | None:
        """One message, for somebody whose access the caller has checked."""
        async with self._database.reading() as tx:
            visit = await get_consultation(tx, consultation_id)
            row = await repository.message(tx, consultation_id, message_id)
            files = await repository.files(tx, consultation_id, [row.file_id] if row and row.file_id else [])
        return None if visit is None or row is None else await self._message(visit.patient_id, row, files)

    async def history(
        self,
        consultation_id: UUID,
        *,
        clinician: bool,
        before: UUID | None = None,
        since: datetime | None = None,
    ) -> tuple[list[ChatMessage], bool]:
        """Up to 50 messages before ``before``, oldest first, and whether there are more.

        ``since`` hides what was said before somebody was let in.
        """
        async with self._database.reading() as tx:
            visit = await get_consultation(tx, consultation_id)
            if visit is None:
                return [], False
            rows = await repository.page(tx, consultation_id, clinician, before, since, PAGE + 1)
            files = await repository.files(tx, consultation_id, [row.file_id for row in rows if row.file_id])
        more = len(rows) > PAGE
        return [await self._message(visit.patient_id, row, files) for row in reversed(rows[:PAGE])], more

    async def unread(
        self, consultation_id: UUID, participant_id: UUID, *, clinician: bool, since: datetime | None = None
    ) -> int:
        """``since`` as in ``history``."""
        async with self._database.reading() as tx:
            return await repository.unread(tx, consultation_id, participant_id, clinician, since)

    async def transcript(self, consultation_id: UUID, patient_id: UUID, *, clinician: bool) -> list[ChatMessage]:
        """All of it, oldest first."""
        async with self._database.reading() as tx:
            rows = await repository.page(tx, consultation_id, clinician, None, None, None)
            files = await repository.files(tx, consultation_id, [row.file_id for row in rows if row.file_id])
        return [await self._message(patient_id, row, files) for row in reversed(rows)]

    # Files

    async def add_file(
        self,
        principal: Principal,
        consultation_id: UUID,
        patient_id: UUID,
        name: str | None,
        content: bytes,
        *,
        seat: UUID,
    ) -> FileView:
        """Checked by content, stored encrypted; shown once it is sent in a message from the same seat."""
        content_type = content_type_of(content)
        shown = safe_name(name)
        file_id = uuid7()
        sealed = await self._context.vault.encrypt_text(patient_id, _place(file_id, "name"), shown)
        stored_id = await self._context.files.put(patient_id, content)
        row = FileRow(file_id, seat, stored_id, sealed, len(content), content_type)
        try:
            async with self._database.transaction() as tx:
                await repository.add_file(tx, consultation_id, row, self._context.clock.now())
                await tx.audit(
                    "consultation.file_added",
                    actor_id=principal.person_id,
                    actor_role=principal.role,
                    resource="consultation",
                    resource_id=consultation_id,
                    patient_id=patient_id,
                    details={"file_id": str(file_id)},
                )
        except BaseException:
            await self._context.files.delete(stored_id)
            raise
        return FileView(file_id=file_id, name=shown, size=len(content), content_type=content_type)

    async def open_file(
        self,
        principal: Principal,
        consultation_id: UUID,
        patient_id: UUID,
        file_id: UUID,
        *,
        clinician: bool,
        seat: UUID,
        since: datetime | None = None,
    ) -> tuple[str, str, bytes]:
        """Name, content type and content. A file sent to clinicians alone is there for them alone.

        ``since`` hides what was sent before somebody came.
        """
        async with self._database.transaction() as tx:
            row = await repository.file(tx, consultation_id, file_id)
            if row is None:
                raise NotFound()
            own = row.participant_id == seat
            if not own and not await repository.file_was_sent(tx, consultation_id, file_id, clinician, since):
                raise NotFound()
            await tx.audit(
                "consultation.file_read",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="consultation",
                resource_id=consultation_id,
                patient_id=patient_id,
                details={"file_id": str(file_id)},
            )
        name = await self._context.vault.decrypt_text(patient_id, _place(row.id, "name"), row.name)
        return name, row.content_type, await self._context.files.get(patient_id, row.stored_id)

    async def _require_own_file(self, row: FileRow | None, participant_id: UUID) -> None:
        if row is None:
            raise NotFound()
        if row.participant_id != participant_id:
            raise Forbidden()

    async def _new(
        self,
        patient_id: UUID,
        consultation_id: UUID,
        participant_id: UUID,
        role: str,
        name: str,
        client_id: str,
        text: str | None,
        file_id: UUID | None,
        audience: Audience,
        now: datetime,
    ) -> MessageRow:
        message_id = uuid7()
        vault = self._context.vault
        body = None if text is None else await vault.encrypt_text(patient_id, _place(message_id, "text"), text)
        shown = await vault.encrypt_text(patient_id, _place(message_id, "sender"), name)
        return MessageRow(
            message_id, 0, consultation_id, participant_id, role, client_id, audience, shown, body, file_id, now, None
        )

    async def _message(self, patient_id: UUID, row: MessageRow, files: dict[UUID, FileRow]) -> ChatMessage:
        vault = self._context.vault
        file = files.get(row.file_id) if row.file_id else None
        return ChatMessage(
            message_id=row.id,
            client_id=row.client_id,
            participant_id=row.participant_id,
            name=await vault.decrypt_text(patient_id, _place(row.id, "sender"), row.name),
            role=row.role,
            audience=cast(Audience, row.audience),
            text=None if row.body is None else await vault.decrypt_text(patient_id, _place(row.id, "text"), row.body),
            file=None
            if file is None
            else FileView(
                file_id=file.id,
                name=await vault.decrypt_text(patient_id, _place(file.id, "name"), file.name),
                size=file.size,
                content_type=file.content_type,
            ),
            sent_at=rfc3339(row.sent_at),
            edited_at=None if row.edited_at is None else rfc3339(row.edited_at),
        )


def _place(row_id: UUID, field: str) -> str:
    return f"chat/{row_id}/{field}"
