"""Wire shapes of emergency access, consents and requests about one's data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from compliance.break_glass import Access
from compliance.consent_texts import Kind, Text
from compliance.consents import Consent
from compliance.erasures import Erasure
from compliance.exports import Export
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


class TextQuery(Wire):
    language: str = Field("en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)


class ConsentText(Wire):
    kind: Kind
    version: int
    language: str
    title: str
    body: str

    @classmethod
    def of(cls, text: Text) -> ConsentText:
        return cls(kind=text.kind, version=text.version, language=text.language, title=text.title, body=text.body)


class ConsentTexts(Wire):
    items: list[ConsentText]


class SayConsent(Wire):
    """``version`` and ``language`` of the text that was read."""

    given: bool
    version: int = Field(ge=1, le=1000)
    language: str = Field(pattern=r"^[a-z]{2,3}$")


class ConsentView(Wire):
    id: UUID
    kind: Kind
    given: bool
    stands: bool
    version: int
    language: str
    text_digest: str
    how: str
    said_at: str

    @classmethod
    def of(cls, consent: Consent) -> ConsentView:
        return cls(
            id=consent.id,
            kind=consent.kind,
            given=consent.given,
            stands=consent.stands,
            version=consent.version,
            language=consent.language,
            text_digest=consent.text_digest.hex(),
            how=consent.how,
            said_at=rfc3339(consent.said_at),
        )


class ConsentList(Wire):
    """All that was ever said, newest first: the newest of a kind counts."""

    items: list[ConsentView]


class ExportView(Wire):
    id: UUID
    state: str
    requested_at: str
    ready_at: str | None
    expires_at: str | None
    size: int | None

    @classmethod
    def of(cls, export: Export) -> ExportView:
        return cls(
            id=export.id,
            state=export.state,
            requested_at=rfc3339(export.requested_at),
            ready_at=_time(export.ready_at),
            expires_at=_time(export.expires_at),
            size=export.size,
        )


class ExportList(Wire):
    items: list[ExportView]


class KeptView(Wire):
    kind: str
    number: int
    until: str
    why: str


class ErasureView(Wire):
    id: UUID
    person_id: UUID
    state: str
    requested_at: str
    due_at: str | None
    carried_out_at: str | None
    destroy_at: str | None
    destroyed_at: str | None
    removed: dict[str, int]
    kept: list[KeptView]
    signature: str | None

    @classmethod
    def of(cls, erasure: Erasure) -> ErasureView:
        return cls(
            id=erasure.id,
            person_id=erasure.person_id,
            state=erasure.state,
            requested_at=rfc3339(erasure.requested_at),
            due_at=_time(erasure.due_at),
            carried_out_at=_time(erasure.carried_out_at),
            destroy_at=_time(erasure.destroy_at),
            destroyed_at=_time(erasure.destroyed_at),
            removed=erasure.removed,
            kept=[KeptView(**each) for each in erasure.kept],
            signature=None if erasure.signature is None else erasure.signature.hex(),
        )


class ErasureOutlook(Wire):
    """``would_keep``: what the law keeps as of now, should the person be forgotten."""

    request: ErasureView | None
    would_keep: list[KeptView]


class ConfirmErasure(Wire):
    sure: Literal[True]


class RightsPage(Wire):
    cursor: UUID | None = None
    limit: int = Field(50, ge=1, le=100)


class ErasurePage(Page):
    items: list[ErasureView]


class ResearchRow(Wire):
    subject: str
    specialty: str
    kind: str
    status: str
    day: str
    minutes: int


class ResearchPage(Page):
    items: list[ResearchRow]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
