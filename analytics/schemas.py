"""Wire shapes of analytics."""

from __future__ import annotations

import datetime as time

from pydantic import Field

from analytics.service import Summary
from core.http.routes import Wire

# Beyond these no visit ever was or will be, and adding a day still makes a date.
FIRST_DAY, LAST_DAY = time.date(2000, 1, 1), time.date(2200, 1, 1)


class SummaryQuery(Wire):
    since: time.date | None = Field(None, alias="from", ge=FIRST_DAY, le=LAST_DAY)
    until: time.date | None = Field(None, alias="to", ge=FIRST_DAY, le=LAST_DAY)


class Money(Wire):
    amount_minor: int
    currency: str


class DayView(Wire):
    date: time.date
    booked: int
    completed: int
    no_show: int
    revenue_minor: int


class SummaryView(Wire):
    visits_completed: int
    no_show_rate: float
    revenue: list[Money]
    per_day: list[DayView]
    median_wait_s: int | None
    as_of: time.datetime

    @classmethod
    def of(cls, summary: Summary) -> SummaryView:
        return cls(
            visits_completed=summary.visits_completed,
            no_show_rate=summary.no_show_rate,
            revenue=[Money(amount_minor=amount, currency=currency) for currency, amount in summary.revenue],
            per_day=[
                DayView(
                    date=day.date,
                    booked=day.booked,
                    completed=day.completed,
                    no_show=day.no_show,
                    revenue_minor=day.revenue_minor,
                )
                for day in summary.per_day
            ],
            median_wait_s=summary.median_wait_s,
            as_of=summary.as_of,
        )
