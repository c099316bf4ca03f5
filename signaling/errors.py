"""Expected failures of the live visit; their codes go into Socket.IO acknowledgements."""

from __future__ import annotations

from core.errors import BedsideError, Conflict, Forbidden, Unavailable


class UnknownEvent(BedsideError):
    code = "unknown_event"
    title = "There is no such event"


class NotAdmitted(Forbidden):
    code = "not_admitted"
    title = "The practitioner has not let you in yet"


class Removed(Forbidden):
    code = "removed"
    title = "You were removed from this visit"


class VisitOver(Conflict):
    code = "visit_over"
    title = "This visit is over"


class SeatTaken(Conflict):
    code = "seat_taken"
    title = "You are in this visit on another device"


class ResumeExpired(BedsideError):
    status = 401
    code = "resume_expired"
    title = "This session can't be resumed: fetch a new visit token"


class StaleGeneration(Conflict):
    code = "stale_generation"
    title = "The room has moved: build new connections with its present generation"


class MediaUnavailable(Unavailable):
    code = "media_unavailable"
    title = "Video and sound are not available at the moment; chat goes on"


class NotAvailable(BedsideError):
    code = "not_available"
    title = "This is not available here"


class CallFull(Conflict):
    code = "call_full"
    title = "This call has as many people as it can hold"


class RecalledAlready(Conflict):
    code = "recalled_already"
    title = "This person was called back a moment ago"


class NotWaiting(Conflict):
    code = "not_waiting"
    title = "This person is not waiting"
