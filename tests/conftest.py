"""The fixtures are in ``harness.py``, so that tests can also import its helpers by a name that is theirs alone."""

from __future__ import annotations

import pytest

pytest_plugins = ["harness"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="random SIGKILLs during bookings (a long run: 200)")
    parser.addoption("--every-network", action="store_true", help="all conditions of tests/network, in both browsers")
    parser.addoption("--figures", help="a file that gets the figures of tests/network, one line of JSON a case")
