"""Notifications over HTTP."""

from __future__ import annotations

from core.errors import Forbidden, NotFound
from core.http.routes import Answer, Call, Routes
from notifications import schemas
from notifications.service import Notifications


def build_routes(service: Notifications) -> Routes:
    routes = Routes("notifications")

    @routes.get("/notifications", action="notice.read", query=schemas.ListQuery, returns=schemas.Notices)
    async def notices(call: Call[None, schemas.ListQuery]) -> schemas.Notices:
        """List one's own notices, newest first"""
        found, following = await service.notices(call.principal, call.query.cursor, call.query.limit)
        return schemas.Notices(
            items=[schemas.NoticeView.of(each) for each in found],
            next_cursor=None if following is None else str(following),
        )

    @routes.post("/notifications/{id}/read", action="notice.read", status=204, errors=(NotFound,))
    async def read(call: Call[None, None]) -> Answer:
        """Mark a notice as read"""
        await service.mark_read(call.principal, call.id())
        return Answer(status=204)

    @routes.get(
        "/notifications/deliveries",
        action="delivery.list",
        query=schemas.ListQuery,
        returns=schemas.Deliveries,
        errors=(Forbidden,),
    )
    async def deliveries(call: Call[None, schemas.ListQuery]) -> schemas.Deliveries:
        """List what was sent by email, and what failed"""
        found, following = await service.deliveries(call.principal, call.query.cursor, call.query.limit)
        return schemas.Deliveries(
            items=[schemas.DeliveryView.of(each) for each in found],
            next_cursor=None if following is None else str(following),
        )

    return routes
