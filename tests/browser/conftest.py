"""The real demonstration on free ports, and people with browsers of their own. A missing browser fails, never skips."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Playwright, async_playwright
from visitor import Visitor

sys.path.append(str(Path(__file__).parents[1] / "server"))
from server_process import Demonstration  # (its folder is on the path only now)

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)
Arrive = Callable[[str], Awaitable[Visitor]]


@pytest.fixture(scope="session")
async def demonstration(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demonstration]:
    pages = Path(__file__).parents[2] / "web" / "dist" / "index.html"
    assert pages.is_file(), "the pages are not built: `make test` builds them"
    running = Demonstration(tmp_path_factory.mktemp("browser"))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


def chromium() -> str | None:
    """The system's Chromium; None means the one that Playwright's installer brought."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


@pytest.fixture
async def arrive(demonstration: Demonstration, playwright: Playwright) -> AsyncIterator[Arrive]:
    """Somebody arrives with a Chromium process of their own, camera and microphone simulated."""
    browsers: list[Browser] = []

    async def open_browser(viewport: str = "desktop") -> Visitor:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        browsers.append(browser)
        size = {"width": 360, "height": 780} if viewport == "phone" else {"width": 1440, "height": 900}
        context = await browser.new_context(
            base_url=demonstration.url, viewport={"width": size["width"], "height": size["height"]}, locale="en-GB"
        )
        return await Visitor.enter(context)

    yield open_browser
    for browser in browsers:
        await browser.close()
