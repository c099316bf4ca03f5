"""HTTP of emergency access, consents and requests about one's data."""

from __future__ import annotations

from compliance.break_glass import AlreadyEnded, BreakGlass
from compliance.rights_schemas import AccessPage, AccessView, FindAccesses, OpenAccess
from core.errors import Forbidden, NotFound
from core.http.routes import Call, Routes


def build_rights_routes(emergency: BreakGlass) -> Routes:
    routes = Routes("compliance")
    _break_glass(routes, emergency)
    return routes


def _break_glass(routes: Routes, emergency: BreakGlass) -> None:
    @routes.post(
        "/patients/{id}/break-glass",
        action="break_glass.open",
        body=OpenAccess,
        returns=AccessView,
        status=201,
        errors=(Forbidden, NotFound),
    )
    async def open_access(call: Call[OpenAccess, None]) -> AccessView:
        """Open a patient's record in an emergency; the patient is told and sees the reason."""
        return AccessView.of(await emergency.open(call.principal, call.id(), call.body.reason))

    @routes.get("/break-glass", action="break_glass.read", query=FindAccesses, returns=AccessPage, errors=(Forbidden,))
    async def accesses(call: Call[None, FindAccesses]) -> AccessPage:
        """Emergency accesses, newest first: those about oneself, one's own, or all for auditors."""
        query = call.query
        found, cursor = await emergency.search(
            call.principal, patient_id=query.patient_id, before=query.cursor, limit=query.limit
        )
        return AccessPage(
            items=[AccessView.of(each) for each in found], next_cursor=None if cursor is None else str(cursor)
        )

    @routes.delete(
        "/break-glass/{id}",
        action="break_glass.end",
        returns=AccessView,
        errors=(Forbidden, NotFound, AlreadyEnded),
    )
    async def end(call: Call[None, None]) -> AccessView:
        """End an emergency access before its time; it counts at once."""
        return AccessView.of(await emergency.end(call.principal, call.id()))
