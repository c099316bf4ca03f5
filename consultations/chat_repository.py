"""All SQL of chat messages, read marks and chat files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Transaction


@dataclass(frozen=True, slots=True)
class MessageRow:
    id: UUID
    seq: int  # given by the database
    consultation_id: UUID
    participant_id: UUID
    role: str
    client_id: str
    audience: str
    name: bytes
    body: bytes | None
    file_id: UUID | None
    sent_at: datetime
    edited_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileRow:
    id: UUID
    participant_id: UUID
    stored_id: UUID
    name: bytes
    size: int
    content_type: str


_SELECT = (
    "SELECT id, seq, consultation_id, participant_id, role, client_id, audience, name, body, file_id, sent_at, "
    "edited_at FROM chat_messages "
)


_BEFORE = "(SELECT b.seq FROM chat_messages b WHERE b.id = $3 AND b.consultation_id = $1)"
_PAGE_WHERE = (
    "WHERE consultation_id = $1 AND (audience = 'all' OR $2) AND ($3::uuid IS NULL OR seq < "
    + _BEFORE
    + ") AND ($4::timestamptz IS NULL OR sent_at >= $4) ORDER BY seq DESC LIMIT $5"
)


async def by_client_id(
    tx: Transaction, consultation_id: UUID, participant_id: UUID, client_id: str
) -> MessageRow | None:
    sql = _SELECT + "WHERE consultation_id = $1 AND participant_id = $2 AND client_id = $3"
    row = await tx.fetchrow(sql, consultation_id, participant_id, client_id)
    return None if row is None else MessageRow(*row)


async def message(tx: Transaction, consultation_id: UUID, message_id: UUID) -> MessageRow | None:
    row = await tx.fetchrow(_SELECT + "WHERE consultation_id = $1 AND id = $2", consultation_id, message_id)
    return None if row is None else MessageRow(*row)


async def add_message(tx: Transaction, row: MessageRow) -> None:
    await tx.execute(
        "INSERT INTO chat_messages (id, consultation_id, participant_id, role, client_id, audience, name, body, "
        "file_id, sent_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        row.id,
        row.consultation_id,
        row.participant_id,
        row.role,
        row.client_id,
        row.audience,
        row.name,
        row.body,
        row.file_id,
        row.sent_at,
    )


async def set_body(tx: Transaction, message_id: UUID, body: bytes, at: datetime) -> None:
    await tx.execute("UPDATE chat_messages SET body = $2, edited_at = $3 WHERE id = $1", message_id, body, at)


async def set_mark(
    tx: Transaction, consultation_id: UUID, participant_id: UUID, *, delivered: int, read: int, at: datetime
) -> bool:
    """Step forward to these numbers, never back; True if anything changed."""
    changed = await tx.fetchval(
        "INSERT INTO chat_reads AS r (consultation_id, participant_id, delivered_seq, last_seq, read_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (consultation_id, participant_id) DO UPDATE SET "
        "delivered_seq = greatest(r.delivered_seq, excluded.delivered_seq), "
        "last_seq = greatest(r.last_seq, excluded.last_seq), read_at = excluded.read_at "
        "WHERE r.delivered_seq < excluded.delivered_seq OR r.last_seq < excluded.last_seq RETURNING true",
        consultation_id,
        participant_id,
        delivered,
        read,
        at,
    )
    return bool(changed)


async def marks(tx: Transaction, consultation_id: UUID, clinician: bool) -> list[tuple[UUID, UUID | None, UUID | None]]:
    """(person, newest message delivered, newest read) of everybody who has any; as this reader may see them."""
    newest = (
        "(SELECT m.id FROM chat_messages m WHERE m.consultation_id = $1 AND (m.audience = 'all' OR $2) "
        "AND m.seq <= r.{column} ORDER BY m.seq DESC LIMIT 1)"
    )
    rows = await tx.fetch(
        f"SELECT r.participant_id, {newest.format(column='delivered_seq')}, {newest.format(column='last_seq')} "
        "FROM chat_reads r WHERE r.consultation_id = $1 ORDER BY r.participant_id",
        consultation_id,
        clinician,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def page(
    tx: Transaction,
    consultation_id: UUID,
    clinician: bool,
    before: UUID | None,
    since: datetime | None,
    limit: int | None,
) -> list[MessageRow]:
    """Newest first."""
    rows = await tx.fetch(
        _SELECT + _PAGE_WHERE,
        consultation_id,
        clinician,
        before,
        since,
        limit,
    )
    return [MessageRow(*row) for row in rows]


async def unread(
    tx: Transaction, consultation_id: UUID, participant_id: UUID, clinician: bool, since: datetime | None
) -> int:
    count = await tx.fetchval(
        "SELECT count(*) FROM chat_messages WHERE consultation_id = $1 AND participant_id <> $2 "
        "AND (audience = 'all' OR $3) AND seq > COALESCE((SELECT last_seq FROM chat_reads "
        "WHERE consultation_id = $1 AND participant_id = $2), 0) AND ($4::timestamptz IS NULL OR sent_at >= $4)",
        consultation_id,
        participant_id,
        clinician,
        since,
    )
    return int(count)


async def add_file(tx: Transaction, consultation_id: UUID, row: FileRow, at: datetime) -> None:
    await tx.execute(
        "INSERT INTO chat_files (id, consultation_id, participant_id, stored_id, name, size, content_type, uploaded_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        row.id,
        consultation_id,
        row.participant_id,
        row.stored_id,
        row.name,
        row.size,
        row.content_type,
        at,
    )


_FILE = "SELECT id, participant_id, stored_id, name, size, content_type FROM chat_files WHERE consultation_id = $1 "


async def file(tx: Transaction, consultation_id: UUID, file_id: UUID) -> FileRow | None:
    row = await tx.fetchrow(_FILE + "AND id = $2", consultation_id, file_id)
    return None if row is None else FileRow(*row)


async def files(tx: Transaction, consultation_id: UUID, file_ids: list[UUID]) -> dict[UUID, FileRow]:
    if not file_ids:
        return {}
    rows = await tx.fetch(_FILE + "AND id = ANY($2)", consultation_id, file_ids)
    return {row["id"]: FileRow(*row) for row in rows}


async def file_was_sent(
    tx: Transaction, consultation_id: UUID, file_id: UUID, clinician: bool, since: datetime | None
) -> bool:
    sql = (
        "SELECT true FROM chat_messages WHERE consultation_id = $1 AND file_id = $2 "
        "AND (audience = 'all' OR $3) AND ($4::timestamptz IS NULL OR sent_at >= $4) LIMIT 1"
    )
    return bool(await tx.fetchval(sql, consultation_id, file_id, clinician, since))
