"""Wire shapes of the waitlist and of drop-ins."""

from __future__ import annotations

from datetime import date as CalendarDate
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from core.http.routes import Moment, Page, Wire
from scheduling.drop_ins import DropInView
from scheduling.models import WaitStatus
from scheduling.waitlist import EntryView


class JoinWaitlist(Wire):
    """With one practitioner, or with anybody of a specialty."""

    practitioner_id: UUID | None = None
    specialty: str | None = Field(None, min_length=1, max_length=64)
    first_day: CalendarDate
    last_day: CalendarDate
    patient_id: UUID | None = None

    @model_validator(mode="after")
    def _one_wish(self) -> JoinWaitlist:
        if (self.practitioner_id is None) == (self.specialty is None):
            raise ValueError("name a practitioner or a specialty")
        if self.last_day < self.first_day:
            raise ValueError("last_day is before first_day")
        return self


class Offer(Wire):
    practitioner_id: UUID
    practitioner_name: str
    start: Moment
    end: Moment
    expires_at: Moment


class WaitlistEntryBody(Wire):
    id: UUID
    patient_id: UUID
    practitioner_id: UUID | None
    specialty: str | None
    first_day: CalendarDate
    last_day: CalendarDate
    status: WaitStatus
    created_at: Moment
    offer: Offer | None

    @classmethod
    def of(cls, view: EntryView) -> WaitlistEntryBody:
        entry, offer = view.entry, view.offer
        return cls(
            id=entry.id,
            patient_id=entry.patient_id,
            practitioner_id=entry.practitioner_id,
            specialty=entry.specialty,
            first_day=entry.first_day,
            last_day=entry.last_day,
            # An offer that has run out is one no more, even before its turn has passed on.
            status="waiting" if entry.status == "offered" and offer is None else entry.status,
            created_at=entry.created_at,
            offer=None
            if offer is None
            else Offer(
                practitioner_id=offer.practitioner_id,
                practitioner_name=view.practitioner_name,
                start=offer.start,
                end=offer.end,
                expires_at=offer.expires_at,
            ),
        )


class WaitlistEntries(Page):
    items: list[WaitlistEntryBody]


class WaitlistQuery(Wire):
    """``patient_id``: somebody whom the caller acts for; left out, a patient sees their own."""

    practitioner_id: UUID | None = None
    patient_id: UUID | None = None
    cursor: UUID | None = None
    limit: int = Field(50, ge=1, le=100)


class AcceptOffer(Wire):
    reason: str | None = Field(None, max_length=500)


class JoinDropIns(Wire):
    specialty: str = Field(min_length=1, max_length=64)
    reason: str | None = Field(None, max_length=500)
    patient_id: UUID | None = None


class DropInBody(Wire):
    id: UUID
    patient_id: UUID
    patient_name: str
    specialty: str
    status: Literal["waiting", "taken", "left", "over"]
    created_at: Moment
    position: int | None
    appointment_id: UUID | None

    @classmethod
    def of(cls, view: DropInView) -> DropInBody:
        each = view.drop_in
        return cls(
            id=each.id,
            patient_id=each.patient_id,
            patient_name=view.patient_name,
            specialty=each.specialty,
            status=each.status,
            created_at=each.created_at,
            position=view.position,
            appointment_id=each.appointment_id,
        )


class DropInList(Page):
    items: list[DropInBody]


class DropInQuery(Wire):
    """``patient_id``: somebody whom the caller acts for; left out, a patient sees their own."""

    patient_id: UUID | None = None
    specialty: str | None = Field(None, max_length=64)
