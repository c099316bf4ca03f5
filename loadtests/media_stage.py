"""A media worker with real browsers around it: the worker's process, a page, and a bridge between the two.

The bridge stands where signaling stands: it carries a page's requests to the control channel and offers back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import BrowserType, Page
from redis.asyncio import Redis

from core.errors import BedsideError
from core.ids import uuid7
from core.rpc import Params, RpcClient
from server.embedded import EmbeddedValkey

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("media_stage.html")
WORKER = "import sys, uvloop; from core.settings import load; from media.worker import run; uvloop.run(run(load(), 0))"
START_TIMEOUT_S = 20.0
POLL_S = 20.0
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


class Stage:
    """One worker on ``address``, one room, and the page at ``url``."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self.room = str(uuid7())
        self.url = ""
        self._folder = folder
        self._address = address
        self._valkey = EmbeddedValkey(folder)
        self._process: asyncio.subprocess.Process | None = None
        self._client: RpcClient | None = None
        self._runner: web.AppRunner | None = None
        self._offers: dict[str, asyncio.Queue[Params]] = {}

    async def __aenter__(self) -> Stage:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        await self._valkey.start()
        secret = secrets.token_hex(16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self._address, 0))
            port = probe.getsockname()[1]
        environment = os.environ | {
            "BEDSIDE_REDIS_URL": self._valkey.url,
            "BEDSIDE_MEDIA_HOST": self._address,
            "BEDSIDE_MEDIA_ADDRESS": self._address,
            "BEDSIDE_MEDIA_PORT": str(port),
            "BEDSIDE_MEDIA_CONTROL_SECRET": secret,
        }
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, cwd=ROOT, env=environment)
        redis: Redis = Redis.from_url(self._valkey.url)
        async with asyncio.timeout(START_TIMEOUT_S):
            while (entry := await redis.get(f"media:worker:{self._address}:{port}")) is None:
                await asyncio.sleep(0.05)
        await redis.aclose()
        self._client = await RpcClient.connect(
            "127.0.0.1", json.loads(entry)["control_port"], secret.encode(), self._on_event
        )
        application = web.Application()
        application.router.add_get("/", lambda request: _page())
        application.router.add_post("/ask/{person}/{method}", self._ask)
        application.router.add_get("/offer/{person}", self._offer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, 0)
        await site.start()
        self.url = f"http://{self._address}:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()
        await self._valkey.stop()

    async def ask(self, method: str, person: str | None = None, **params: Any) -> Params:
        """A request to the worker, about the room or a person in it."""
        assert self._client is not None
        about = {"room": self.room} | ({"participant": person} if person is not None else {})
        return await self._client.call(method, about | params)

    def _queue(self, person: str) -> asyncio.Queue[Params]:
        return self._offers.setdefault(person, asyncio.Queue())

    def _on_event(self, name: str, params: Params) -> None:
        if name == "offer":
            self._queue(params["participant"]).put_nowait(params)

    async def _ask(self, request: web.Request) -> web.Response:
        method, person = request.match_info["method"], request.match_info["person"]
        try:
            result = await self.ask(method, person, **await request.json())
        except BedsideError as error:
            return web.json_response({"code": error.code}, status=400)
        if method == "leave":
            self._offers.pop(person, None)
        return web.json_response(result)

    async def _offer(self, request: web.Request) -> web.Response:
        """The person's next offer; null when there was none for a while."""
        with contextlib.suppress(TimeoutError):
            return web.json_response(await asyncio.wait_for(self._queue(request.match_info["person"]).get(), POLL_S))
        return web.json_response(None)


async def _page() -> web.FileResponse:
    return web.FileResponse(PAGE)


def chromium() -> str:
    """The system's Chromium; ends the program where there is none."""
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        sys.exit("Chromium is missing: install it")
    return found


@contextlib.asynccontextmanager
async def browser(
    chromium_type: BrowserType, url: str, *, path: str | Path | None = None, flags: Sequence[str] = ()
) -> AsyncIterator[Page]:
    """A Chromium of its own with simulated devices, on the stage's page. ``path`` may be a wrapper around it."""
    trusted = f"--unsafely-treat-insecure-origin-as-secure={url}"  # a laboratory has no certificates
    started = await chromium_type.launch(executable_path=path or chromium(), args=[*FLAGS, trusted, *flags])
    try:
        page = await started.new_page()
        await page.goto(url)
        yield page
    finally:
        await started.close()
