"""Figures from facts alone. Policy: see ``allow`` in ``__init__``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from analytics.repository import Repository
from core.clock import Clock
from core.database import Database
from core.errors import InvalidInput
from core.security.policy import Policy
from core.security.principal import Principal

DEFAULT_DAYS = 30
MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day. ``revenue_minor`` is in the period's main currency."""

    date: date
    booked: int = 0
    completed: int = 0
    no_show: int = 0
    revenue_minor: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """``no_show_rate`` is of the visits that came to an end; ``revenue`` is minor units by currency, largest first."""

    visits_completed: int
    no_show_rate: float
    revenue: list[tuple[str, int]]
    per_day: list[Day]
    median_wait_s: int | None
    as_of: datetime


class Analytics:
    def __init__(self, database: Database, repository: Repository, clock: Clock, policy: Policy) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy

    async def summary(self, principal: Principal, since: date | None, until: date | None) -> Summary:
        """From ``since`` to ``until``, both included, UTC days. A practitioner sees their own figures."""
        self._policy.require(principal, "analytics.read", ["own"] if principal.role == "practitioner" else [])
        own = principal.id if principal.role == "practitioner" else None
        now = self._clock.now()
        last = until or now.date()
        first = since or last - timedelta(days=DEFAULT_DAYS - 1)
        if first > last:
            raise InvalidInput.of("from", "must not be after to")
        if (last - first).days >= MAX_DAYS:
            raise InvalidInput.of("from", f"at most {MAX_DAYS} days at once")
        start = datetime.combine(first, time(), UTC)
        end = datetime.combine(last, time(), UTC) + timedelta(days=1)
        async with self._database.reading() as tx:
            visits = await self._repository.per_day(tx, start, end, own)
            earned = await self._repository.revenue(tx, start, end, own)
            median = await self._repository.median_wait(tx, start, end, own)
        totals: Counter[str] = Counter()
        for row in earned:
            totals[row["currency"]] += row["amount_minor"]
        revenue = totals.most_common()
        days = {first + timedelta(days=n): Day(first + timedelta(days=n)) for n in range((last - first).days + 1)}
        for row in visits:
            days[row["day"]] = replace(
                days[row["day"]], booked=row["booked"], completed=row["completed"], no_show=row["no_show"]
            )
        for row in earned:
            if row["currency"] == revenue[0][0]:
                days[row["day"]] = replace(days[row["day"]], revenue_minor=row["amount_minor"])
        completed = sum(day.completed for day in days.values())
        missed = sum(day.no_show for day in days.values())
        return Summary(
            visits_completed=completed,
            no_show_rate=no_show_rate(completed, missed),
            revenue=revenue,
            per_day=list(days.values()),
            median_wait_s=None if median is None else round(median),
            as_of=now,
        )


def no_show_rate(completed: int, missed: int) -> float:
    """Missed visits among those that came to an end; 0 when there are none. Pure."""
    ended = completed + missed
    return round(missed / ended, 4) if ended else 0.0
