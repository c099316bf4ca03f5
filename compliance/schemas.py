"""Wire shapes of compliance."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from pydantic import AwareDatetime, Field

from compliance.service import Entry, emergency_of
from core.clock import rfc3339
from core.http.routes import Page, Wire

# Nothing happened before or happens after; and times at the ends of the calendar have no UTC.
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class PageQuery(Wire):
    cursor: str | None = Field(None, max_length=30)
    limit: int = Field(50, ge=1, le=100)


class SearchAudit(PageQuery):
    patient_id: UUID | None = None
    actor_id: UUID | None = None
    action: str | None = Field(None, pattern=r"^[a-z_.-]{1,60}$")
    since: AwareDatetime | None = Field(None, alias="from", ge=FIRST, le=LAST)
    until: AwareDatetime | None = Field(None, alias="to", ge=FIRST, le=LAST)


class AuditView(Wire):
    id: UUID
    at: str
    action: str
    actor_id: UUID | None
    actor_name: str | None
    actor_role: str
    resource: str
    resource_id: str | None
    patient_id: UUID | None
    reason: str | None
    break_glass: UUID | None

    @classmethod
    def of(cls, entry: Entry) -> AuditView:
        row = entry.row
        return cls(
            id=row.id,
            at=rfc3339(row.at),
            action=row.action,
            actor_id=row.actor_id,
            actor_name=entry.actor_name,
            actor_role=row.actor_role,
            resource=row.resource,
            resource_id=row.resource_id,
            patient_id=row.patient_id,
            reason=entry.reason,
            break_glass=emergency_of(row),
        )


class AuditPage(Page):
    items: list[AuditView]


class CheckpointView(Wire):
    """``digest`` is hexadecimal, ``signature`` and ``public_key`` are base64 (Ed25519)."""

    position: int
    digest: str
    made_at: str
    signature: str
    public_key: str
