"""Expected failures of a visit."""

from __future__ import annotations

from core.errors import BedsideError, Conflict, Forbidden, InvalidTransition, VersionConflict


class VisitNotOpen(Conflict):
    """Outside the visit's window; carries ``opens_at`` and ``closes_at``."""

    code = "visit_not_open"
    title = "The visit is not open now"


class NotVerified(Forbidden):
    code = "account_not_verified"
    title = "Confirm your email address first"


class InvitationGone(BedsideError):
    status = 410
    code = "invitation_gone"
    title = "This invitation was used, withdrawn or has expired: ask for a new one"


class InterpreterRequested(Conflict):
    code = "interpreter_requested"
    title = "An interpreter is being looked for already"


class OfferGone(BedsideError):
    status = 410
    code = "offer_gone"
    title = "This request has been answered or has run out"


class UnsupportedFile(BedsideError):
    status = 415
    code = "unsupported_media_type"
    title = "Only JPEG and PNG pictures and PDF documents can be sent"


class NotesChanged(VersionConflict):
    title = "These notes were saved from another place: read them again"


class NotPossibleNow(InvalidTransition):
    title = "The consultation is not in a state that allows this"
