"""A person's connection to a visit, the token that resumes it, and what a resume replays."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from signaling.errors import ResumeExpired
from signaling.store import LogEntry, member


@dataclass(slots=True, eq=False)
class Seat:
    """A connection of this process. ``holds`` is False for a second device that has not taken over."""

    sid: str
    appointment_id: str
    participant_id: str
    patient_id: str
    practitioner_id: str
    role: str
    name: str
    seat_id: str
    cursor: int  # number of the newest event delivered on this connection
    holds: bool
    ready: dict[str, Any] | None = None  # the session.ready to begin with
    replace_with_snapshot: bool = False
    lost_events: bool = False  # a snapshot replaced some: an outstanding offer among them has to come again
    live: bool = False
    dirty: bool = False
    pumping: asyncio.Task[None] | None = None
    looked_at: float = 0.0
    quality: dict[str, Any] = field(default_factory=dict)  # what was last told to this connection
    speakers: list[str] = field(default_factory=list)
    session_id: str = ""  # the sign-in it came with; empty for guests, who have none
    for_name: str = ""  # the patient's, when somebody else sits there for them
    by: str = ""  # who that is

    @property
    def key(self) -> str:
        return member(self.appointment_id, self.participant_id)


def resume_token(appointment_id: str, participant_id: str) -> str:
    """Names its person and visit, and proves it by 256 random bits; only its hash is kept."""
    return f"{UUID(appointment_id).hex}.{UUID(participant_id).hex}.{secrets.token_urlsafe(32)}"


def read_resume_token(token: str) -> tuple[str, str]:
    """Visit and person that a resume token claims; raises ``ResumeExpired``."""
    parts = token.split(".")
    try:
        visit, person, _ = parts
        return str(UUID(visit)), str(UUID(person))
    except ValueError:
        raise ResumeExpired() from None


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def replay_from(last_seq: int, newest: int, entries: Iterable[LogEntry]) -> int | None:
    """How many events a resume replays; None when some of the missed ones are gone (a snapshot replaces them).

    Pure. ``entries`` are those after ``last_seq``.
    """
    if last_seq == newest:
        return 0
    numbers = [entry.seq for entry in entries]
    if last_seq > newest or not numbers or numbers[0] != last_seq + 1:
        return None
    return newest - last_seq
