"""Two separate Chromium processes in a call through the real worker, by way of a tiny signaling bridge."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, async_playwright

from core.errors import BedsideError
from core.ids import uuid7
from core.rpc import Params, RpcClient
from tests.media.conftest import Worker

pytestmark = [pytest.mark.integration, pytest.mark.browser]
best_path = pytest.mark.parametrize("media_path", ["auto"], indirect=True, scope="session")

PAGE = Path(__file__).with_name("call.html")
ARGUMENTS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--no-sandbox",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
]


class Bridge:
    """Carries a page's requests to the control channel and its offers back."""

    def __init__(self, worker: Worker, room: str) -> None:
        self.worker = worker
        self.room = room
        self.clients: dict[str, RpcClient] = {}
        self.offers: dict[str, asyncio.Queue[Params]] = {}
        self.application = web.Application()
        self.application.router.add_get("/", self._page)
        self.application.router.add_post("/ask/{id}/{method}", self._ask)
        self.application.router.add_get("/offers/{id}", self._offers)

    async def connect(self, identifier: str) -> None:
        offers: asyncio.Queue[Params] = asyncio.Queue()
        self.offers[identifier] = offers

        def on_event(name: str, params: Params) -> None:
            if name == "offer":
                offers.put_nowait(params)

        self.clients[identifier] = await self.worker.connect(on_event)

    async def ask(self, identifier: str, method: str, **params: Any) -> Params:
        return await self.clients[identifier].call(method, {"room": self.room, "participant": identifier, **params})

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE)

    async def _ask(self, request: web.Request) -> web.Response:
        try:
            result = await self.ask(request.match_info["id"], request.match_info["method"], **await request.json())
        except BedsideError as error:
            return web.json_response({"code": error.code}, status=400)
        return web.json_response(result)

    async def _offers(self, request: web.Request) -> web.Response:
        try:
            offer = await asyncio.wait_for(self.offers[request.match_info["id"]].get(), 1)
        except TimeoutError:
            return web.json_response([])
        return web.json_response([offer])


@asynccontextmanager
async def call(
    worker: Worker, *identifiers: str, codec: str = "", hide: str = "", simulcast: str = "", layers: str = ""
) -> AsyncIterator[tuple[Bridge, list[Page]]]:
    """One Chromium process for each person, in the call; their pages prefer ``codec`` and hide lines with ``hide``."""
    bridge = Bridge(worker, str(uuid7()))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(TestServer(bridge.application))
        playwright = await stack.enter_async_context(async_playwright())
        pages: list[Page] = []
        for identifier in identifiers:
            await bridge.connect(identifier)
            stack.push_async_callback(bridge.clients[identifier].close)
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), headless=True, args=ARGUMENTS
            )
            stack.push_async_callback(browser.close)
            page = await browser.new_page()
            query = urlencode(
                {"id": identifier, "codec": codec, "hide": hide, "simulcast": simulcast, "layers": layers}
            )
            await page.goto(f"http://127.0.0.1:{server.port}/?{query}")
            await page.evaluate("start()")
            pages.append(page)
        yield bridge, pages
        await bridge.clients[identifiers[0]].call("close", {"room": bridge.room})


async def until(page: Page, fits: Callable[[dict[str, Any]], bool], timeout_s: float = 25) -> dict[str, Any]:
    """Ask the page for its statistics until they fit."""
    report: dict[str, Any] = {}

    async def ask() -> dict[str, Any]:
        nonlocal report
        while not fits(report := await page.evaluate("report()")):
            await asyncio.sleep(0.2)
        return report

    try:
        return await asyncio.wait_for(ask(), timeout_s)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s} s: {report}") from None


Step = Callable[[], Awaitable[Any]]


async def test_two_chromium_processes_meet_and_survive_ice_restarts(worker: Worker) -> None:
    async with call(worker, "patient", "doctor") as (bridge, pages):
        for page in pages:
            report = await until(page, lambda r: r["framesDecoded"] > 30 and r["audioPackets"] > 50)
            assert report["srtp"] == "SRTP_AEAD_AES_128_GCM"
            assert report["keyFrames"] >= 1
            assert report["audioCopies"] > 20, "RED: copies that were not needed are counted as discarded"
        patient, doctor = pages

        # A receiver that goes on after a pause asks for a key frame, and the sender makes one.
        track = (await bridge.clients["doctor"].call("stats", {"room": bridge.room}))["rooms"][bridge.room]
        camera = next(t for t in track["patient"]["tracks"] if t["source"] == "camera")
        before = await doctor.evaluate("report()")
        sent = await patient.evaluate("report()")
        await bridge.ask("doctor", "prefer", track_id=camera["track_id"], paused=True)
        await bridge.ask("doctor", "prefer", track_id=camera["track_id"], paused=False)
        await until(patient, lambda r: r["pliReceived"] > sent["pliReceived"])
        await until(doctor, lambda r: r["keyFrames"] > before["keyFrames"])

        # ICE restarts from both sides keep the DTLS association and the pictures moving.
        # Several in a row: the client may nominate under either generation's credentials.
        for _ in range(3):
            now = await doctor.evaluate("report()")
            await patient.evaluate("restartPublish()")
            await until(doctor, lambda r, now=now: r["framesDecoded"] > now["framesDecoded"] + 10)  # type: ignore[misc]
        await bridge.ask("patient", "restart")
        for page in pages:
            now = await page.evaluate("report()")
            await until(page, lambda r, now=now: r["framesDecoded"] > now["framesDecoded"] + 60)  # type: ignore[misc]
            assert (await page.evaluate("report()"))["freezes"] <= 3  # other tests share the processor
        for page in pages:
            states = await page.evaluate("[publish.connectionState, subscribe.connectionState]")
            assert states == ["connected", "connected"]
            # Transport-wide feedback works: without it the sender's estimate has decayed below this by now.
            await until(page, lambda r: r["available"] > 300_000)


@best_path
@pytest.mark.parametrize("codec", ["H264", "VP9", "AV1"])
async def test_every_codec_of_chromium_is_seen_and_keyed_anew(worker: Worker, codec: str) -> None:
    async with call(worker, "patient", "doctor", codec=codec) as (bridge, pages):
        _, doctor = pages
        report = await until(doctor, lambda r: r["framesDecoded"] > 15 and r["audioPackets"] > 20)
        assert f"video/{codec}" in report["codecs"]
        tracks = (await bridge.ask("doctor", "stats"))["rooms"][bridge.room]["patient"]["tracks"]
        camera = next(track for track in tracks if track["source"] == "camera")
        assert camera["codec"] == codec.lower()
        assert camera["keyframes"] >= 1, "the server tells key frames of this codec"
        await bridge.ask("doctor", "prefer", track_id=camera["track_id"], paused=True)
        await bridge.ask("doctor", "prefer", track_id=camera["track_id"], paused=False)
        await until(doctor, lambda r: r["keyFrames"] > report["keyFrames"])


@best_path
async def test_a_browser_that_knows_only_fir_sends_key_frames_for_it(worker: Worker) -> None:
    async with call(worker, "patient", "doctor", hide="nack pli") as (bridge, pages):
        patient, doctor = pages
        report = await until(doctor, lambda r: r["framesDecoded"] > 15)
        tracks = (await bridge.ask("doctor", "stats"))["rooms"][bridge.room]["patient"]["tracks"]
        camera = next(track for track in tracks if track["source"] == "camera")
        await bridge.ask("doctor", "prefer", track_id=camera["track_id"], paused=True)
        await bridge.ask("doctor", "prefer", track_id=camera["track_id"], paused=False)
        await until(doctor, lambda r: r["keyFrames"] > report["keyFrames"])
        sent = await patient.evaluate("report()")
        assert sent["firReceived"] >= 1
        assert sent["pliReceived"] == 0


async def pictures(page: Page, lines: int, since: float, count: int) -> list[list[float]]:
    """Wait until ``count`` pictures of so many lines have been shown since then: all [time in ms, lines] since."""

    async def ask() -> list[list[float]]:
        while True:
            found: list[list[float]] = await page.evaluate("since => shown.filter(([at]) => at >= since)", since)
            if sum(1 for _, height in found if height == lines) >= count:
                return found
            await asyncio.sleep(0.1)

    try:
        return await asyncio.wait_for(ask(), 20)
    except TimeoutError:
        raise AssertionError(f"no {lines} lines: {await page.evaluate('shown.slice(-5)')}") from None


@best_path
async def test_a_receiver_gets_the_encoding_that_fits_what_it_shows(worker: Worker) -> None:
    async with call(worker, "patient", "doctor", simulcast="1") as (bridge, pages):
        _, doctor = pages
        await until(doctor, lambda r: r["framesDecoded"] > 5)
        await doctor.evaluate("watchPictures()")
        await pictures(doctor, 540, 0, 20)
        tracks = (await bridge.ask("doctor", "stats"))["rooms"][bridge.room]["patient"]["tracks"]
        camera = next(track for track in tracks if track["source"] == "camera")
        assert [layer["rid"] for layer in camera["layers"]] == ["q", "h", "f"]
        longest = 0.0
        for shown, lines in ((120, 135), (540, 540), (260, 270), (135, 135), (540, 540)):
            since = await doctor.evaluate("performance.now()")
            await bridge.ask("doctor", "prefer", track_id=camera["track_id"], max_height=shown)
            seen = await pictures(doctor, lines, since, 15)
            longest = max(longest, *(after[0] - before[0] for before, after in itertools.pairwise(seen)))
            heights = [height for _, height in seen]
            assert set(heights[heights.index(lines) :]) == {lines}, "once there it stays"
        assert longest <= 500, f"a picture stood still for {longest:.0f} ms"


@best_path
@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_a_receiver_gets_the_layers_that_fit_what_it_shows(worker: Worker, codec: str) -> None:
    async with call(worker, "patient", "doctor", codec=codec, layers="L2T2_KEY") as (bridge, pages):
        _, doctor = pages
        await until(doctor, lambda r: r["framesDecoded"] > 5)
        await doctor.evaluate("watchPictures()")
        await pictures(doctor, 360, 0, 10)
        tracks = (await bridge.ask("doctor", "stats"))["rooms"][bridge.room]["patient"]["tracks"]
        camera = next(track for track in tracks if track["source"] == "camera")
        assert camera["codec"] == codec.lower()
        for shown, lines in ((180, 180), (360, 360), (180, 180)):
            since = await doctor.evaluate("performance.now()")
            await bridge.ask("doctor", "prefer", track_id=camera["track_id"], max_height=shown)
            seen = await pictures(doctor, lines, since, 15)
            heights = [height for _, height in seen]
            assert set(heights[heights.index(lines) :]) == {lines}, "once there it stays"


@best_path
async def test_a_muted_camera_reaches_nobody_whatever_the_page_sends(worker: Worker) -> None:
    async with call(worker, "patient", "doctor") as (bridge, pages):
        _, doctor = pages
        await until(doctor, lambda r: r["framesDecoded"] > 10)
        await bridge.ask("patient", "mute", source="camera", muted=True)
        last = -1
        while (now := (await doctor.evaluate("report()"))["framesDecoded"]) != last:
            last = now
            await asyncio.sleep(0.5)
        await bridge.ask("patient", "mute", source="camera", muted=False)
        await until(doctor, lambda r: r["framesDecoded"] > last + 10)
