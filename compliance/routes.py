"""HTTP of compliance."""

from __future__ import annotations

from compliance.schemas import AuditPage, AuditView, CheckpointView, PageQuery, SearchAudit
from compliance.service import Audit
from core.errors import Forbidden, NotFound
from core.http.routes import Call, Routes


def build_routes(audit: Audit) -> Routes:
    routes = Routes("compliance")

    @routes.get("/audit", action="audit.search", query=SearchAudit, returns=AuditPage, errors=(Forbidden,))
    async def search(call: Call[None, SearchAudit]) -> AuditPage:
        """Search the audit trail, newest first."""
        query = call.query
        entries, cursor = await audit.search(
            call.principal,
            patient_id=query.patient_id,
            actor_id=query.actor_id,
            action=query.action,
            since=query.since,
            until=query.until,
            cursor=query.cursor,
            limit=query.limit,
        )
        return AuditPage(items=[AuditView.of(each) for each in entries], next_cursor=cursor)

    @routes.get("/me/record-accesses", action="account.own", query=PageQuery, returns=AuditPage)
    async def record_accesses(call: Call[None, PageQuery]) -> AuditPage:
        """Who read or changed one's data, newest first."""
        entries, cursor = await audit.record_accesses(call.principal, cursor=call.query.cursor, limit=call.query.limit)
        return AuditPage(items=[AuditView.of(each) for each in entries], next_cursor=cursor)

    @routes.get("/audit/checkpoint", action="audit.search", returns=CheckpointView, errors=(Forbidden, NotFound))
    async def checkpoint(call: Call[None, None]) -> CheckpointView:
        """The newest signed checkpoint of the trail; kept elsewhere, it shows later that nothing was cut off."""
        found = await audit.checkpoint(call.principal)
        if found is None:
            raise NotFound()
        return CheckpointView(**found)

    return routes
