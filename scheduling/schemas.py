"""Wire shapes of scheduling."""

from __future__ import annotations

import base64
import binascii
from datetime import date as CalendarDate
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from core.errors import InvalidInput
from core.http.routes import AwareTime, Moment, Page, Wire
from scheduling import availability
from scheduling.booking import Request
from scheduling.lifecycle import Status, Word
from scheduling.models import AppointmentView, Hold
from scheduling.ports import Practitioner, Wanted
from scheduling.recurrence import MOST_VISITS, Every

# The largest fee that is searched for, in minor units.
MOST_FEE = 10**12


class Money(Wire):
    amount_minor: int
    currency: str


class Slot(Wire):
    start: Moment
    end: Moment
    location: str

    @classmethod
    def of(cls, slot: availability.Slot) -> Slot:
        return cls.model_construct(start=slot.start, end=slot.end, location=slot.location)


class Provider(Wire):
    id: UUID
    name: str
    title: str
    specialties: list[str]
    languages: list[str]
    fee: Money
    location: str
    time_zone: str
    about: str
    licence_verified: bool
    insurers: list[str]
    distance_m: int | None
    next_slots: list[Slot]

    @classmethod
    def of(cls, profile: Practitioner, time_zone: str, next_slots: list[availability.Slot]) -> Provider:
        return cls.model_construct(
            id=profile.id,
            name=profile.name,
            title=profile.title,
            specialties=list(profile.specialties),
            languages=list(profile.languages),
            fee=Money.model_construct(amount_minor=profile.fee_minor, currency=profile.currency),
            location=profile.location,
            time_zone=time_zone,
            about=profile.about,
            licence_verified=profile.licence_verified,
            insurers=list(profile.insurers),
            distance_m=profile.distance_m,
            next_slots=[Slot.of(each) for each in next_slots],
        )


class Providers(Page):
    items: list[Provider]


class ProviderChoices(Wire):
    """What published practitioners have: insurers whose patients they take, currencies of their fees."""

    insurers: list[str]
    currencies: list[str]


class SpecialtyView(Wire):
    code: str
    name: str
    providers: int


class Specialties(Wire):
    items: list[SpecialtyView]


class Slots(Wire):
    items: list[Slot]
    time_zone: str


class ProviderQuery(Wire):
    specialty: str | None = Field(None, max_length=64)
    date: CalendarDate | None = None
    language: str | None = Field(None, max_length=35)
    name: str | None = Field(None, max_length=100)
    fee_min: int | None = Field(None, ge=0, le=MOST_FEE)
    fee_max: int | None = Field(None, ge=0, le=MOST_FEE)
    currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    insurer: str | None = Field(None, max_length=64)
    lat: float | None = Field(None, ge=-90, le=90)
    lon: float | None = Field(None, ge=-180, le=180)
    within_m: int | None = Field(None, ge=1, le=20_100_000)
    cursor: str | None = Field(None, max_length=500)
    limit: int = Field(20, ge=1, le=100)

    @model_validator(mode="after")
    def _goes_together(self) -> ProviderQuery:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon go together")
        if self.within_m is not None and self.lat is None:
            raise ValueError("within_m goes with lat and lon")
        if self.fee_min is not None and self.fee_max is not None and self.fee_max < self.fee_min:
            raise ValueError("fee_max is less than fee_min")
        return self

    def wanted(self) -> Wanted:
        return Wanted(
            specialty=self.specialty,
            language=self.language,
            name=self.name,
            fee_min=self.fee_min,
            fee_max=self.fee_max,
            currency=self.currency,
            insurer=self.insurer,
            near=(self.lat, self.lon) if self.lat is not None and self.lon is not None else None,
            within_m=self.within_m,
        )


class AvailableQuery(Wire):
    practitioner_id: UUID
    date: CalendarDate
    days: int = Field(1, ge=1, le=31)


class BookAppointment(Wire):
    practitioner_id: UUID
    start: AwareTime
    reason: str | None = Field(None, max_length=500)
    kind: Literal["video"] = "video"
    patient_id: UUID | None = None
    overlap_reason: str | None = Field(None, min_length=3, max_length=300)

    def request(self, patient_id: UUID) -> Request:
        return Request(self.practitioner_id, patient_id, self.start, self.reason, self.overlap_reason)


class MakeHold(Wire):
    practitioner_id: UUID
    start: AwareTime
    patient_id: UUID | None = None


class HoldBody(Wire):
    id: UUID
    practitioner_id: UUID
    patient_id: UUID
    start: Moment
    end: Moment
    expires_at: Moment

    @classmethod
    def of(cls, hold: Hold) -> HoldBody:
        return cls(
            id=hold.id,
            practitioner_id=hold.practitioner_id,
            patient_id=hold.patient_id,
            start=hold.start,
            end=hold.end,
            expires_at=hold.expires_at,
        )


class BookSeries(Wire):
    practitioner_id: UUID
    start: AwareTime
    every: Every
    count: int = Field(ge=2, le=MOST_VISITS, description="Visits in all; a series always ends")
    reason: str | None = Field(None, max_length=500)
    patient_id: UUID | None = None


class AppointmentBody(Wire):
    """An appointment as its reader may see it."""

    id: UUID
    status: Status
    kind: Literal["video", "drop_in"]
    practitioner_id: UUID
    patient_id: UUID
    practitioner_name: str
    patient_name: str
    specialty: str
    start: Moment
    end: Moment
    practitioner_time_zone: str
    location: str
    overlap: bool
    series_id: UUID | None
    reason: str | None
    free_cancel_until: Moment
    visit_opens_at: Moment
    visit_closes_at: Moment
    fee: Money
    created_at: Moment
    version: int

    @classmethod
    def of(cls, view: AppointmentView) -> AppointmentBody:
        each = view.appointment
        return cls.model_construct(
            id=each.id,
            status=each.status,
            kind="drop_in" if each.kind == "drop_in" else "video",
            practitioner_id=each.practitioner_id,
            patient_id=each.patient_id,
            practitioner_name=view.practitioner_name,
            patient_name=view.patient_name,
            specialty=each.specialty,
            start=each.start,
            end=each.end,
            practitioner_time_zone=each.time_zone,
            location=each.location,
            overlap=each.overlap,
            series_id=each.series_id,
            reason=view.reason,
            free_cancel_until=view.free_cancel_until,
            visit_opens_at=view.window.opens_at,
            visit_closes_at=view.window.closes_at,
            fee=Money.model_construct(amount_minor=each.fee_minor, currency=each.currency),
            created_at=each.created_at,
            version=each.version,
        )


class Appointments(Page):
    items: list[AppointmentBody]


class Series(Wire):
    series_id: UUID
    items: list[AppointmentBody]


class AppointmentQuery(Wire):
    practitioner_id: UUID | None = None
    patient_id: UUID | None = None
    date: Literal["today"] | CalendarDate | None = None
    since: AwareTime | None = Field(None, alias="from")
    until: AwareTime | None = Field(None, alias="to")
    status: Status | None = None
    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(50, ge=1, le=100)


class ChangeStatus(Wire):
    status: Word
    start: AwareTime | None = None
    reason: str | None = Field(None, max_length=500)

    @model_validator(mode="after")
    def _start_goes_with_rescheduled(self) -> ChangeStatus:
        if (self.status == "rescheduled") != (self.start is not None):
            raise ValueError("start goes with rescheduled, and rescheduled with start")
        return self


class ChangeAppointment(Wire):
    """Any of: another start, another status, another reason. ``version``, if given, must be the present one."""

    start: AwareTime | None = None
    status: Word | None = None
    reason: str | None = Field(None, max_length=500)
    version: int | None = None

    @model_validator(mode="after")
    def _one_change(self) -> ChangeAppointment:
        if self.status == "rescheduled" and self.start is None:
            raise ValueError("rescheduled goes with start")
        if self.start is not None and self.status not in (None, "rescheduled"):
            raise ValueError("change the start or the status, not both")
        if self.start is None and self.status is None and self.reason is None:
            raise ValueError("nothing to change")
        return self


def encode_cursor(start: datetime, appointment_id: UUID) -> str:
    return base64.urlsafe_b64encode(f"{start.isoformat()}|{appointment_id}".encode()).decode()


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Raises InvalidInput."""
    try:
        start, _, appointment_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        moment = datetime.fromisoformat(start)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(appointment_id)
    except (ValueError, binascii.Error):
        raise InvalidInput.of("cursor", "not a cursor of this list") from None
