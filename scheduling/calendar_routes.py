"""Calendars over HTTP."""

from __future__ import annotations

import hashlib

from core.errors import Forbidden, NotFound
from core.http.routes import API_PREFIX, Answer, Call, Routes
from scheduling import calendar_schemas as schemas
from scheduling.calendars import Calendars
from scheduling.errors import TooManyCalendars

FEED_MAX_AGE_S = 300


def add_calendar_routes(routes: Routes, calendars: Calendars, public_url: str) -> None:
    @routes.get(
        "/calendar/{token}.ics",
        action="public",
        auth="none",
        limit="token",
        content_type="text/calendar",
        errors=(NotFound,),
    )
    async def feed(call: Call[None, None]) -> Answer:
        """Read a private calendar feed with the token in its address

        Times of one person's visits as iCalendar (RFC 5545), no names and no health data. Honours If-None-Match.
        """
        content = await calendars.read_feed(call.request.match_info["token"])
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": f"private, max-age={FEED_MAX_AGE_S}"}
        known = {each.strip().removeprefix("W/") for each in call.request.headers.get("If-None-Match", "").split(",")}
        if etag in known:
            return Answer(status=304, headers=headers)
        return Answer(content, headers={**headers, "Content-Disposition": 'inline; filename="bedside.ics"'})

    @routes.post(
        "/me/calendar-feed",
        action="calendar.feed",
        body=schemas.MakeFeed,
        returns=schemas.NewFeed,
        status=201,
        errors=(Forbidden,),
    )
    async def make_feed(call: Call[schemas.MakeFeed, None]) -> schemas.NewFeed:
        """Make one's private calendar feed, and end the one before"""
        _, token = await calendars.make_feed(call.principal, call.body.language)
        return schemas.NewFeed(url=f"{public_url}{API_PREFIX}/calendar/{token}.ics")

    @routes.get("/me/calendar-feed", action="calendar.feed", returns=schemas.FeedState, errors=(Forbidden,))
    async def show_feed(call: Call[None, None]) -> schemas.FeedState:
        """Say whether one has a calendar feed, and when it was read last"""
        return schemas.FeedState.of(await calendars.feed(call.principal))

    @routes.delete("/me/calendar-feed", action="calendar.feed", status=204, errors=(Forbidden, NotFound))
    async def end_feed(call: Call[None, None]) -> None:
        """End one's calendar feed"""
        await calendars.end_feed(call.principal)

    @routes.get(
        "/practitioners/{id}/calendars",
        action="calendar.outside",
        returns=schemas.OutsideCalendars,
        errors=(Forbidden,),
    )
    async def outside(call: Call[None, None]) -> schemas.OutsideCalendars:
        """List the outside calendars whose busy times block a practitioner's slots"""
        found = await calendars.list_of(call.principal, call.id())
        return schemas.OutsideCalendars(items=[schemas.OutsideCalendarBody.of(each) for each in found])

    @routes.post(
        "/practitioners/{id}/calendars",
        action="calendar.outside",
        body=schemas.AddCalendar,
        returns=schemas.OutsideCalendarBody,
        status=201,
        errors=(Forbidden, TooManyCalendars),
    )
    async def add(call: Call[schemas.AddCalendar, None]) -> schemas.OutsideCalendarBody:
        """Read busy times from an outside calendar from now on"""
        body = call.body
        return schemas.OutsideCalendarBody.of(
            await calendars.add(call.principal, call.id(), body.name.strip(), body.address)
        )

    @routes.delete(
        "/practitioners/{id}/calendars/{calendar_id}",
        action="calendar.outside",
        status=204,
        errors=(Forbidden, NotFound),
    )
    async def remove(call: Call[None, None]) -> None:
        """Forget an outside calendar and its busy times"""
        await calendars.remove(call.principal, call.id(), call.id("calendar_id"))

    @routes.post(
        "/practitioners/{id}/calendars/{calendar_id}/read",
        action="calendar.outside",
        status=202,
        errors=(Forbidden, NotFound),
    )
    async def read(call: Call[None, None]) -> None:
        """Read an outside calendar again soon"""
        await calendars.read_soon(call.principal, call.id(), call.id("calendar_id"))
