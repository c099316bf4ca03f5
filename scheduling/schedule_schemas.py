"""Wire shapes of a practitioner's schedule."""

from __future__ import annotations

import re
from datetime import date as CalendarDate
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from core.http.routes import Wire
from scheduling.availability import DAY_MINUTES, DayException, Hours, Schedule, WeeklyRule
from scheduling.models import StoredSchedule
from scheduling.schemas import Slot


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
