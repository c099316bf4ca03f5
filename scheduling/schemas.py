"""Wire shapes of scheduling."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from datetime import date as CalendarDate
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer, model_validator

from core.clock import rfc3339
from core.errors import InvalidInput
from core.http.routes import Page, Wire
from scheduling import availability
from scheduling.availability import DAY_MINUTES, DayException, Hours, Schedule, WeeklyRule
from scheduling.booking import Request
from scheduling.lifecycle import Status, Word
from scheduling.models import AppointmentView, Hold, StoredSchedule
from scheduling.ports import Practitioner, Wanted
from scheduling.recurrence import MOST_VISITS, Every

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]


def _in_reach(value: datetime) -> datetime:
    """To UTC; years far from ours can't be shown in every zone and are no appointment."""
    if not 1900 <= value.year <= 2200:
        raise ValueError("not a time of this age")
    return value.astimezone(UTC)


# Input: RFC 3339 with an offset; a time without one is refused, not guessed.
AwareTime = Annotated[AwareDatetime, AfterValidator(_in_reach)]


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


def _clock_time(value: object) -> object:
    """ "09:00" to minutes after midnight; "24:00" is the day's end."""
    if isinstance(value, str):
        match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)|(24:00)", value)
        if match is None:
            raise ValueError("a time of day is written 09:00")
        return DAY_MINUTES if match[3] else int(match[1]) * 60 + int(match[2])
    raise ValueError("a time of day is written 09:00")


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("not an IANA time zone")
    return value


ClockTime = Annotated[
    int,
    BeforeValidator(_clock_time, json_schema_input_type=str),
    PlainSerializer(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}", return_type=str, when_used="json"),
]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]


Location = Annotated[str, Field(max_length=100)]


class Rule(Wire):
    weekday: int = Field(ge=0, le=6, description="Monday is 0")
    start: ClockTime
    end: ClockTime
    location: Location = ""

    @model_validator(mode="after")
    def _forward(self) -> Rule:
        if self.end <= self.start:
            raise ValueError("hours end after they start; across midnight write two rules")
        return self


class DayChange(Wire):
    date: CalendarDate
    closed: bool
    start: ClockTime | None = None
    end: ClockTime | None = None
    location: Location = ""

    @model_validator(mode="after")
    def _forward(self) -> DayChange:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end go together")
        if not self.closed and self.start is None:
            raise ValueError("added hours need start and end")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("hours end after they start")
        return self


class ScheduleBody(Wire):
    """``version`` 0 stands for "no schedule yet"."""

    time_zone: Zone
    slot_minutes: int = Field(ge=5, le=480)
    buffer_before_minutes: int = Field(0, ge=0, le=240)
    buffer_minutes: int = Field(ge=0, le=240, description="After each appointment")
    notice_minutes: int = Field(ge=0, le=60 * 24 * 60)
    horizon_days: int = Field(ge=1, le=730)
    rules: list[Rule] = Field(max_length=200)
    exceptions: list[DayChange] = Field(max_length=1000)
    version: int = Field(ge=0)

    @model_validator(mode="after")
    def _in_one_place(self) -> ScheduleBody:
        for index, one in enumerate(self.rules):
            for two in self.rules[:index]:
                apart = one.weekday != two.weekday or one.end <= two.start or two.end <= one.start
                if one.location != two.location and not apart:
                    raise ValueError("hours at two locations overlap: nobody is in two places")
        return self

    def schedule(self) -> Schedule:
        return Schedule(
            time_zone=self.time_zone,
            slot_minutes=self.slot_minutes,
            buffer_minutes=self.buffer_minutes,
            notice_minutes=self.notice_minutes,
            horizon_days=self.horizon_days,
            rules=tuple(WeeklyRule(each.weekday, Hours(each.start, each.end, each.location)) for each in self.rules),
            exceptions=tuple(
                DayException(
                    each.date,
                    each.closed,
                    Hours(each.start, each.end, each.location)
                    if each.start is not None and each.end is not None
                    else None,
                )
                for each in self.exceptions
            ),
            buffer_before_minutes=self.buffer_before_minutes,
        )

    @classmethod
    def of(cls, stored: StoredSchedule) -> ScheduleBody:
        schedule = stored.schedule
        return cls.model_construct(
            time_zone=schedule.time_zone,
            slot_minutes=schedule.slot_minutes,
            buffer_before_minutes=schedule.buffer_before_minutes,
            buffer_minutes=schedule.buffer_minutes,
            notice_minutes=schedule.notice_minutes,
            horizon_days=schedule.horizon_days,
            rules=[
                Rule.model_construct(
                    weekday=each.weekday, start=each.hours.start, end=each.hours.end, location=each.hours.location
                )
                for each in schedule.rules
            ],
            exceptions=[
                DayChange.model_construct(
                    date=each.day,
                    closed=each.closed,
                    start=each.hours.start if each.hours else None,
                    end=each.hours.end if each.hours else None,
                    location=each.hours.location if each.hours else "",
                )
                for each in schedule.exceptions
            ],
            version=stored.version,
        )


class PreviewBody(Wire):
    """A schedule as it would be, and the days to show of it."""

    schedule: ScheduleBody
    first: CalendarDate = Field(alias="from")
    days: int = Field(7, ge=1, le=31)


class PreviewSlots(Wire):
    items: list[Slot]
    taken: list[Slot]
    time_zone: str


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
