"""A patient whose device changes its network during the call: the page finds a new way by itself."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from arrivals import ALLOWS, DEVICES, FLAGS, chromium
from meeting import Meeting
from playwright.async_api import Playwright
from server_process import Demonstration
from visitor import Visitor

from loadtests import laboratory
from loadtests.laboratory import Host, Laboratory

pytestmark = pytest.mark.browser


async def visitor(playwright: Playwright, host: Host, url: str, folder: Path) -> Visitor:
    """Somebody whose Chromium is on that host."""
    program = chromium() or playwright.chromium.executable_path
    browser = await playwright.chromium.launch(
        executable_path=host.wrapper(program, folder), args=[*FLAGS, *DEVICES, ALLOWS]
    )
    return await Visitor.enter(await browser.new_context(base_url=url, locale="en-GB", ignore_https_errors=True))


async def test_another_address_during_the_call(playwright: Playwright, tmp_path: Path) -> None:
    reason = laboratory.missing()
    if reason is not None and os.environ.get("BEDSIDE_TEST_PARTIAL") == "1":
        pytest.skip(f"no network laboratory: {reason}")
    assert reason is None, f"no network laboratory: {reason}; BEDSIDE_TEST_PARTIAL=1 leaves this test out"
    with Laboratory() as lab:
        server, home, practice = lab.host("server"), lab.host("home"), lab.host("practice")
        running = Demonstration(tmp_path / "data", lan=server.address, within=server.prefix)
        await running.start()
        try:
            meeting = await Meeting.arrange(running)
            patient = await visitor(playwright, home, running.url, tmp_path)
            doctor = await visitor(playwright, practice, running.url, tmp_path)
            await meeting.begin(patient, doctor)
            await patient.evaluate("() => { window.sameLife = true }")
            for _ in range(2):
                before = home.address
                assert lab.move(home) != before
                await asyncio.gather(patient.sees_movement(30), doctor.sees_movement(30))
                await asyncio.gather(patient.hears(), doctor.hears())
            assert await patient.evaluate("() => window.sameLife === true")
            assert patient.broken == []
            assert doctor.broken == []
            for person in (patient, doctor):
                assert person.page.context.browser is not None
                await person.page.context.browser.close()
        finally:
            await running.stop()
