"""Production over the demonstration's data is refused."""

from __future__ import annotations

import pytest
from harness import MakeContext

from core.ids import uuid7
from server.composition import compose
from server.processes import ProcessError
from server.serving import DEMONSTRATION, refuse_demonstration

pytestmark = pytest.mark.integration


async def test_production_refuses_people_whose_passwords_everybody_knows(make_context: MakeContext) -> None:
    context = await make_context()
    modules = compose(context, frozenset())
    accounts = modules.identity.accounts
    # Its name appears elsewhere in the address: that is nobody of the demonstration.
    lookalike = f"{uuid7().hex}.demo.bedside@example.org"
    await accounts.create_person(email=lookalike, password="x" * 20, name="Somebody", roles=("patient",))
    await refuse_demonstration(modules)
    email = f"{uuid7().hex}@{DEMONSTRATION}"
    await accounts.create_person(email=email, password="x" * 20, name="Somebody", roles=("patient",))
    try:
        with pytest.raises(ProcessError, match="demonstration"):
            await refuse_demonstration(modules)
    finally:
        async with context.database("identity").transaction() as tx:
            await tx.execute("DELETE FROM people WHERE email = $1", email)
