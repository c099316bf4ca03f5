"""Expected failures of the media worker, by the codes of docs/protocol.md."""

from __future__ import annotations

from core.errors import BedsideError, Conflict, NotFound, Unavailable


class InvalidSdp(BedsideError):
    code = "invalid_sdp"
    title = "This session description can't be used"


class StaleNegotiation(Conflict):
    code = "stale_negotiation"
    title = "This answer belongs to an offer that is no longer outstanding"


class NotJoined(NotFound):
    code = "not_joined"
    title = "This participant is not in the room"


class NoSuchProbe(NotFound):
    code = "not_found"
    title = "This probe has ended"


class Draining(Unavailable):
    code = "draining"
    title = "This worker takes no new rooms"


class Full(Unavailable):
    code = "full"
    title = "This worker or room is full"
