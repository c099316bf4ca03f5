"""What the tests of signing in share."""

from __future__ import annotations

import pytest
from accounts_house import HandClock, House
from harness import MakeContext

from identity import setup


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def house(make_context: MakeContext, clock: HandClock) -> House:
    context = await make_context(clock=clock)
    return House(context, setup(context))


@pytest.fixture
async def strict(make_context: MakeContext, house: House, clock: HandClock) -> House:
    """Where practitioners need a second factor."""
    security = house.context.settings.security.model_copy(update={"second_factor_roles": ["practitioner"]})
    settings = house.context.settings.model_copy(update={"security": security})
    context = await make_context(clock=clock, settings=settings)
    return House(context, setup(context))
