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
