"""Analytics over HTTP."""

from __future__ import annotations

from analytics import schemas
from analytics.service import Analytics
from core.errors import Forbidden
from core.http.routes import Call, Routes


def build_routes(service: Analytics) -> Routes:
    routes = Routes("analytics")

    @routes.get(
        "/analytics/summary",
        action="analytics.read",
        query=schemas.SummaryQuery,
        returns=schemas.SummaryView,
        errors=(Forbidden,),
    )
    async def summary(call: Call[None, schemas.SummaryQuery]) -> schemas.SummaryView:
        """Visits, no-shows, waits and revenue of a period

        Days are UTC, both ends included; 30 days up to today by default. A practitioner sees their own figures.
        """
        return schemas.SummaryView.of(await service.summary(call.principal, call.query.since, call.query.until))

    return routes
