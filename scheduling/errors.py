"""Expected failures of booking."""

from __future__ import annotations

from core.errors import Conflict


class SlotTaken(Conflict):
    """Somebody else holds this time."""

    code = "slot_taken"
    title = "This time has just been taken: choose another"


class SlotNotOffered(Conflict):
    """The practitioner does not offer this time: outside hours, too near, too far, or not bookable at all."""

    code = "slot_not_offered"
    title = "This time is not offered: choose one from the list"


class TooManyHolds(Conflict):
    """One person keeps only so many times at once."""

    code = "too_many_holds"
    title = "You keep several times already: book or release one first"


class SeriesConflict(Conflict):
    """Some visits of a series can't be booked, so none was. ``conflicts`` lists ``{date, start, code}``."""

    code = "series_conflict"
    title = "Not every visit of the series can be booked: none was"


class AlreadyWaiting(Conflict):
    code = "already_waiting"
    title = "You are waiting for this already"


class OfferGone(Conflict):
    """The offer has run out, or there was none."""

    code = "offer_gone"
    title = "This offer has run out"


class NotPossible(Conflict):
    """A visit can't be handed to this person, or not any more."""

    code = "not_possible"
    title = "This can't be done with this visit"


class TooManyCalendars(Conflict):
    """A practitioner has as many outside calendars as are read."""

    code = "too_many_calendars"
    title = "No more calendars can be added: remove one first"
