"""A clock that can be set, so that the past is made by the same services that make the present."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class MovableClock:
    """Wall time runs on from the moment it was last set to; monotonic time is the machine's."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def set(self, moment: datetime) -> None:
        self._ahead = moment - datetime.now(UTC)

    def reset(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic()
