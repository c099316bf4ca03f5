"""Wire shapes of calendars."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from core.http.routes import Moment, Wire
from scheduling.calendar_repository import Feed
from scheduling.calendars import OutsideView


class MakeFeed(Wire):
    language: Literal["en", "fr"] = Field("en", description="of the entries' titles")


class FeedState(Wire):
    active: bool
    created_at: Moment | None
    read_at: Moment | None = Field(description="when a calendar program last asked, to ten minutes")

    @classmethod
    def of(cls, feed: Feed | None) -> FeedState:
        return cls(
            active=feed is not None,
            created_at=feed.created_at if feed else None,
            read_at=feed.read_at if feed else None,
        )


class NewFeed(Wire):
    url: str = Field(description="shown this once")


class AddCalendar(Wire):
    name: str = Field(min_length=1, max_length=80)
    address: str = Field(min_length=1, max_length=2000)


class OutsideCalendarBody(Wire):
    """``problem`` says why the last reading failed, null when it did not; ``read_at`` is the last that worked."""

    id: UUID
    name: str
    host: str
    created_at: Moment
    read_at: Moment | None
    problem: str | None

    @classmethod
    def of(cls, view: OutsideView) -> OutsideCalendarBody:
        each = view.calendar
        return cls(
            id=each.id,
            name=each.name,
            host=view.host,
            created_at=each.created_at,
            read_at=each.read_at,
            problem=each.problem,
        )


class OutsideCalendars(Wire):
    items: list[OutsideCalendarBody]
