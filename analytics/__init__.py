"""Analytics: read models built from facts alone."""

from __future__ import annotations

from analytics.repository import Repository
from analytics.routes import build_routes
from analytics.service import Analytics
from analytics.subscribers import subscribe
from core.context import Context


def setup(context: Context) -> Analytics:
    """Build the module over the context: rules, routes and subscribers."""
    context.policy.allow("analytics.read", "desk", "admin")
    context.policy.allow("analytics.read", "practitioner", relation="own")
    repository = Repository()
    service = Analytics(context.database("analytics"), repository, context.clock, context.policy)
    context.routes.append(build_routes(service))
    subscribe(context.subscriptions, repository)
    return service
