"""An appointment's life (FHIR R4 Appointment.status): which changes are possible, by whom, and what is owed.

booked → arrived → checked-in → fulfilled, or cancelled, or noshow; entered-in-error by staff.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from core.errors import InvalidTransition

Status = Literal["booked", "arrived", "checked-in", "fulfilled", "cancelled", "noshow", "entered-in-error"]
STATUSES: tuple[Status, ...] = get_args(Status)

# What the API accepts; "rescheduled" changes the time and keeps the status.
Word = Literal["completed", "cancelled", "rescheduled", "no_show", "arrived", "checked_in", "entered_in_error"]
STATUS_OF_WORD: dict[Word, Status] = {
    "completed": "fulfilled",
    "cancelled": "cancelled",
    "no_show": "noshow",
    "arrived": "arrived",
    "checked_in": "checked-in",
    "entered_in_error": "entered-in-error",
}

NEXT: dict[Status, frozenset[Status]] = {
    "booked": frozenset({"arrived", "checked-in", "fulfilled", "cancelled", "noshow", "entered-in-error"}),
    "arrived": frozenset({"checked-in", "fulfilled", "cancelled", "noshow", "entered-in-error"}),
    "checked-in": frozenset({"fulfilled", "cancelled", "noshow", "entered-in-error"}),
    "fulfilled": frozenset({"entered-in-error"}),
    "cancelled": frozenset({"entered-in-error"}),
    "noshow": frozenset({"entered-in-error"}),
    "entered-in-error": frozenset(),
}
OPEN: frozenset[Status] = frozenset({"booked", "arrived", "checked-in"})


def move(present: Status, to: Status) -> Status:
    """The next status. Raises InvalidTransition."""
    if to not in NEXT[present]:
        raise InvalidTransition(f"An appointment that is {present} can't become {to}")
    return to


def require_reschedulable(present: Status) -> None:
    """Only what has not begun can move to another time. Raises InvalidTransition."""
    if present != "booked":
        raise InvalidTransition(f"An appointment that is {present} can't be moved")


def require_time_for(to: Status, *, start: datetime, end: datetime, opens_at: datetime, now: datetime) -> None:
    """Refuse changes that come too early: nobody is absent before the start, or here before the visit opens.

    Raises InvalidTransition.
    """
    if to == "noshow" and now < start:
        raise InvalidTransition("The appointment has not begun")
    if to in ("arrived", "checked-in", "fulfilled") and now < opens_at:
        raise InvalidTransition("The visit is not open yet")


def after_visit(present: Status, *, patient_waited: bool, practitioner_joined: bool, met: bool) -> Status | None:
    """What an appointment becomes that is still open when its visit closes; None leaves it to the practitioner.

    Both met: completing is the practitioner's act. The patient came and nobody received them: called off by the
    clinic, nothing is owed. The patient did not come: a no-show.
    """
    if met:
        return None
    if patient_waited or present in ("arrived", "checked-in"):
        return None if practitioner_joined and present == "checked-in" else "cancelled"
    return "noshow"


@dataclass(frozen=True, slots=True)
class CancelPolicy:
    """Until when a patient owes nothing: ``free`` before the start, or ``regret`` after booking if that is later."""

    free: timedelta
    regret: timedelta

    def free_until(self, *, start: datetime, booked_at: datetime) -> datetime:
        """The last moment, never after the start."""
        return min(start, max(start - self.free, booked_at + self.regret))

    def in_time(self, *, by: str, start: datetime, booked_at: datetime, now: datetime) -> bool:
        """True when nothing is owed: early enough, or somebody of the clinic cancelled."""
        return by != "patient" or (now < start and now <= self.free_until(start=start, booked_at=booked_at))
