"""The audit trail over HTTP: refusals, filters, pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from harness import MakeClient, TokenSessions

import compliance
from core.clock import rfc3339
from core.context import Context
from core.ids import uuid7
from core.security.principal import Role

pytestmark = pytest.mark.integration


class Nameless:
    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        return {}

    async def is_patient(self, person_id: UUID) -> bool:
        return True


FAR = ("from=0001-01-01T00:00:00%2B14:00", "to=9999-12-31T23:59:59-14:00")


async def test_search_over_http(context: Context, make_client: MakeClient) -> None:
    compliance.setup(context, people=Nameless())
    client, sessions = await make_client(context), TokenSessions(context)
    patient, actor = uuid7(), uuid7()
    async with context.database("compliance").transaction() as tx:
        for action in ("record.read", "record.updated"):
            await tx.audit(action, actor_id=actor, actor_role="practitioner", resource="record", patient_id=patient)

    async def get(
        path: str, role: str | None, person: UUID | None = None
    ) -> tuple[int, dict[str, list[dict[str, str]]]]:
        headers = sessions.sign_in(person or uuid7(), role, "x") if role else {}
        answer = await client.get(f"/api/v1{path}", headers=headers)
        return answer.status, await answer.json()

    assert (await get("/audit", None))[0] == 401
    assert (await get("/me/record-accesses", None))[0] == 401
    others: list[Role] = ["patient", "practitioner", "desk"]
    for role in others:
        assert (await get("/audit", role))[0] == 403
    for wrong in (
        "patient_id=x",
        "from=yesterday",
        "from=2026-11-21T08:00:00",
        "limit=0",
        "cursor=-1",
        "since=1",
        *FAR,
    ):
        assert (await get(f"/audit?{wrong}", "auditor"))[0] == 400, wrong
    status, page = await get(f"/audit?patient_id={patient}&actor_id={actor}", "auditor")
    assert status == 200
    assert [each["action"] for each in page["items"]] == ["record.updated", "record.read"]
    assert page["items"][0]["actor_id"] == str(actor)
    hour, now = timedelta(hours=1), context.clock.now()
    for query, expected in ((f"from={rfc3339(now + hour)}", 0), (f"to={rfc3339(now + hour)}", 2)):
        assert len((await get(f"/audit?actor_id={actor}&{query}", "admin"))[1]["items"]) == expected
    status, page = await get("/me/record-accesses?limit=1", "patient", patient)
    assert len(page["items"]) == 1
    assert page["next_cursor"]
