"""HTTP of compliance."""

from __future__ import annotations

from compliance.schemas import AuditPage, AuditView, PageQuery, SearchAudit
from compliance.service import Audit
from core.errors import Forbidden
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

    return routes
