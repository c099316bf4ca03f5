"""Wire shapes of emergency access, consents and requests about one's data."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from compliance.break_glass import Access
from core.clock import rfc3339
from core.http.routes import Page, Wire

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=500)]


class OpenAccess(Wire):
    reason: Reason


class FindAccesses(Wire):
    patient_id: UUID | None = None
    cursor: UUID | None = None
    limit: int = Field(50, ge=1, le=100)


class AccessView(Wire):
    id: UUID
    person_id: UUID
    person_name: str | None
    patient_id: UUID
    patient_name: str | None
    reason: str | None
    opened_at: str
    ends_at: str
    ended_at: str | None
    open: bool

    @classmethod
    def of(cls, access: Access) -> AccessView:
        row = access.row
        return cls(
            id=row.id,
            person_id=row.person_id,
            person_name=access.person_name,
            patient_id=row.patient_id,
            patient_name=access.patient_name,
            reason=access.reason,
            opened_at=rfc3339(row.opened_at),
            ends_at=rfc3339(row.ends_at),
            ended_at=None if row.ended_at is None else rfc3339(row.ended_at),
            open=access.open,
        )


class AccessPage(Page):
    items: list[AccessView]
