"""The one clock. Rules never ask for the time: it is handed to them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells wall time for records and monotonic time for intervals."""

    def now(self) -> datetime:
        """Wall time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back; comparable within one process only."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """Render an aware datetime as RFC 3339 in UTC with milliseconds, e.g. ``2026-11-21T08:00:00.000Z``."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
