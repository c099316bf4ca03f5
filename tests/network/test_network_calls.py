"""Real browsers through the networks of the table (``conditions.py``): a few of them, or with --every-network all."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from itertools import count
from pathlib import Path

import pytest
from call import Measured, play
from conditions import CONDITIONS, Condition
from house import House
from playwright.async_api import Playwright, async_playwright

from loadtests import laboratory
from loadtests.laboratory import Laboratory

pytestmark = pytest.mark.browser
NUMBERS = count()
BROWSERS = ("chromium", "firefox")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "condition" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-network")
        cases = [
            pytest.param(each, browser, id=f"{each.name}-{browser}")
            for browser in (BROWSERS if every else BROWSERS[:1])
            for each in CONDITIONS
            if every or each.quick
        ]
        metafunc.parametrize(("condition", "browser"), cases)


@pytest.fixture(scope="module")
def lab() -> AsyncIterator[Laboratory]:
    reason = laboratory.missing()
    if reason is not None and os.environ.get("BEDSIDE_TEST_PARTIAL") == "1":
        pytest.skip(f"no network laboratory: {reason}")
    assert reason is None, f"no network laboratory: {reason}; BEDSIDE_TEST_PARTIAL=1 leaves this test out"
    with Laboratory() as made:
        yield made


@pytest.fixture(scope="module")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


@pytest.fixture(scope="module")
async def house(
    lab: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Callable[[bool], Awaitable[House]]]:
    """``await house(relay_only)``: a demonstration, started when it is first needed."""
    folder = tmp_path_factory.mktemp("network")
    made: dict[bool, House] = {}

    async def get(relay_only: bool) -> House:
        if relay_only not in made:
            opened = House(lab, folder, relay_only=relay_only)
            await opened.start()
            made[relay_only] = opened
        return made[relay_only]

    yield get
    for each in made.values():
        await each.running.stop()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[Measured], None]:
    """Keeps a case's figures: printed, and in the file of ``--figures``."""

    def keep(measured: Measured) -> None:
        line = json.dumps(asdict(measured))
        print(line)
        if file := request.config.getoption("--figures"):
            with Path(file).open("a") as opened:
                opened.write(line + "\n")

    return keep


async def test_a_call(
    house: Callable[[bool], Awaitable[House]],
    playwright: Playwright,
    tmp_path: Path,
    note: Callable[[Measured], None],
    condition: Condition,
    browser: str,
) -> None:
    opened = await house(condition.relay_only)
    measured = Measured(condition.name, condition.told, browser, missed="did not take place")
    try:
        measured = await play(opened, playwright, condition, browser, tmp_path, next(NUMBERS))
        missed = measured.judge(condition)
    finally:
        note(measured)
    assert not missed, measured
