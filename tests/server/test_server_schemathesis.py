"""Every published operation with inputs of every kind, by schemathesis: nobody, a patient, a practitioner.

Over the real database and without a demonstration's data; `make proof PART=api` takes longer over a demonstration.
"""

from __future__ import annotations

import asyncio

import pytest
from harness import MakeClient, MakeContext, TokenSessions

from core.http.docs_page import add_documentation
from core.ids import uuid7
from core.security.principal import Role
from loadtests.proof_api import run
from server.composition import compose

pytestmark = pytest.mark.integration

PLENTY = dict.fromkeys(
    ("per_address_per_minute", "per_person_per_minute", "login_per_address_per_minute", "login_per_account_per_minute"),
    1_000_000,
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("role", "seconds"), [(None, 12.0), ("patient", 25.0), ("practitioner", 25.0)])
async def test_answers_are_as_published(
    make_context: MakeContext, make_client: MakeClient, role: Role | None, seconds: float
) -> None:
    base = await make_context()
    limits = base.settings.limits.model_copy(update=PLENTY)
    context = await make_context(settings=base.settings.model_copy(update={"limits": limits}))
    modules = compose(context, frozenset({"api"}))
    client = await make_client(context, lambda application: add_documentation(application, context.routes))
    headers: dict[str, str] = {}
    if role is not None:
        email = f"{uuid7().hex}@example.org"
        person = await modules.identity.accounts.create_person(
            email=email, password="of no use in this test", name="Somebody", roles=(role,)
        )
        headers = TokenSessions(context).sign_in(person.id, role)
    url = str(client.make_url("")).rstrip("/")
    done = await asyncio.to_thread(run, url, role or "nobody", headers, seconds=seconds, examples=3)
    assert done.failures == [], "\n\n".join(done.failures[:5])
    assert done.operations > 10
    assert done.cases > 50
