"""The clinic over the real PostgreSQL and Valkey."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.context import Context

sys.path.insert(0, str(Path(__file__).parent))

from scheduling_clinic import Clinic, FixedClock, clinic_over


@pytest.fixture
async def clinic(make_context: Callable[..., Awaitable[Context]]) -> Clinic:
    clock = FixedClock()
    return clinic_over(await make_context(clock=clock), clock)
