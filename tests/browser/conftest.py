"""The real demonstration on free ports, and people with browsers of their own. A missing browser fails, never skips."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from arrivals import ALLOWS, DENIES, DEVICES, FLAGS, SIZES, Arrive, ArriveInFirefox, chromium
from firefox import Firefox, FirefoxVisitor
from meeting import Meeting
from playwright.async_api import Browser, Playwright, async_playwright, expect
from practice import PUBLISHED, Client, Practice
from server_process import Demonstration
from visitor import Visitor

# Several browsers, encoders and the whole house share the cores: five seconds can pass without anything being wrong.
expect.set_options(timeout=15_000)


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


@pytest.fixture
async def arrive_at(playwright: Playwright) -> AsyncIterator[Callable[..., Awaitable[Visitor]]]:
    """``await arrive_at(url, "phone")``: somebody with a Chromium of their own, camera and microphone simulated.

    ``devices`` are the browser's switches for other devices; ``denied``: the person forbids camera and microphone.
    Every address that the page asks for must be on this machine.
    """
    browsers: list[Browser] = []
    elsewhere: list[str] = []

    def note(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https", "ws", "wss") and not (parts.hostname or "").startswith(
            ("127.", "localhost")
        ):
            elsewhere.append(address)

    async def open_browser(
        url: str, viewport: str = "desktop", *, devices: Sequence[str] = DEVICES, denied: bool = False
    ) -> Visitor:
        flags = [*FLAGS, *devices, DENIES if denied else ALLOWS]
        browser = await playwright.chromium.launch(executable_path=chromium(), args=flags)
        browsers.append(browser)
        width, height = SIZES[viewport]
        context = await browser.new_context(
            base_url=url,
            viewport={"width": width, "height": height},
            locale="en-GB",
            ignore_https_errors=True,  # the local network's certificate is self-made
        )
        context.on("request", lambda request: note(request.url))
        return await Visitor.enter(context)

    yield open_browser
    for browser in browsers:
        await browser.close()
    assert elsewhere == []


@pytest.fixture
def arrive(demonstration: Demonstration, arrive_at: Callable[..., Awaitable[Visitor]]) -> Arrive:
    """Somebody comes to the demonstration."""
    return lambda viewport, **how: arrive_at(demonstration.url, viewport, **how)


@pytest.fixture
async def arrive_in_firefox(demonstration: Demonstration) -> AsyncIterator[ArriveInFirefox]:
    """``await arrive_in_firefox("phone")``: somebody comes to the demonstration with a Firefox of their own."""
    browsers: list[Firefox] = []

    async def open_browser(viewport: str = "desktop") -> FirefoxVisitor:
        browsers.append(await Firefox.launch(size=SIZES[viewport]))
        return await FirefoxVisitor.enter(browsers[-1], demonstration.url)

    yield open_browser
    for browser in browsers:
        await browser.close()


@pytest.fixture
async def meeting(demonstration: Demonstration) -> Meeting:
    """A visit that is open now, of two people whom nobody else knows."""
    return await Meeting.arrange(demonstration)


@pytest.fixture
async def practice(demonstration: Demonstration, meeting: Meeting) -> AsyncIterator[Practice]:
    """With a doctor of the demonstration, whom everybody finds."""
    async with aiohttp.ClientSession() as session:
        doctor = await Client.sign_in(session, demonstration, PUBLISHED)
        made = Practice(doctor, await Client.sign_in(session, demonstration, meeting.patient), meeting)
        await made.hours("08:00", "20:00")
        yield made


@pytest.fixture
async def new_practice(demonstration: Demonstration, meeting: Meeting) -> AsyncIterator[Practice]:
    """With a doctor who has one visit, open now, and whom nobody can find yet."""
    async with aiohttp.ClientSession() as session:
        doctor = await Client.sign_in(session, demonstration, meeting.doctor)
        yield Practice(doctor, await Client.sign_in(session, demonstration, meeting.patient), meeting)
