"""A demonstration, a relay and people's homes in one laboratory: what the cases of the table share."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from arrivals import ALLOWS, DEVICES, FLAGS, chromium
from conditions import Condition
from firefox import Firefox, FirefoxVisitor
from person import Person
from playwright.async_api import Playwright
from pydantic import SecretStr
from server_process import Demonstration
from visitor import Visitor

from core.settings import Media
from loadtests.delay import Delay
from loadtests.laboratory import Host, Laboratory
from server.certificates import certificate_for
from server.turn import turn_config

WATCH = (Path(__file__).parent / "watch.js").read_text()
SECRET = "relay-secret-of-the-laboratory"
HTTP_PORT, MEDIA_PORT, TLS_PORT = 8443, 8189, 443
WORKERS = 2
# The relay's certificate is the laboratory's own.
TRUSTING = "--ignore-certificate-errors"
RELAY = "relay.laboratory"  # Firefox goes to a relay over TLS by a name alone, never by an address
DIRECT: dict[str, bool | int | str] = {"network.proxy.no_proxies_on": f"10.77.0.0/16, {RELAY}"}  # the laboratory's


class Relay:
    """coturn on a host of its own; it reaches the media workers' address alone."""

    def __init__(self, host: Host, server: Host, folder: Path) -> None:
        folder.mkdir()
        self._host, self._folder = host, folder
        certificate, key = certificate_for(folder, [host.address], datetime.now(UTC))
        self.media = Media(
            turn_urls=[
                f"turn:{host.address}?transport=udp",
                f"turn:{host.address}?transport=tcp",
                # By its address too: Chromium looks for names by UDP first, which some conditions block.
                f"turns:{host.address}:{TLS_PORT}?transport=tcp",
                f"turns:{RELAY}:{TLS_PORT}?transport=tcp",
            ],
            turn_secret=SecretStr(SECRET),
            turn_peers=[server.address],
            turn_certificate=certificate,
            turn_key=key,
        )

    @property
    def settings(self) -> dict[str, str]:
        """What the server has to know."""
        return {
            "BEDSIDE_MEDIA_TURN_URLS": ",".join(self.media.turn_urls),
            "BEDSIDE_MEDIA_TURN_SECRET": SECRET,
            "BEDSIDE_MEDIA_TURN_PEERS": ",".join(self.media.turn_peers),
        }

    async def start(self) -> None:
        program = shutil.which("turnserver")
        assert program is not None, "coturn is missing: deploy/bootstrap.py test installs it"
        (self._folder / "turnserver.conf").write_text(turn_config(self.media, listen=[self._host.address]))
        process = self._host.run(
            *(program, "-c", str(self._folder / "turnserver.conf"), "--pidfile", str(self._folder / "pid")),
            *("--log-file", "stdout", "--userdb", str(self._folder / "turndb")),
            cwd=self._folder,
            stdout=(self._folder / "log").open("wb"),
        )
        async with asyncio.timeout(10):
            for port in (3478, TLS_PORT):
                while not await self._listens(port):
                    assert process.poll() is None, (self._folder / "log").read_text()
                    await asyncio.sleep(0.05)

    async def _listens(self, port: int) -> bool:
        with self._host.socket() as probe:
            return probe.connect_ex((self._host.address, port)) == 0


class House:
    """One demonstration with its relay; ``relay_only`` as its installation says."""

    def __init__(self, lab: Laboratory, folder: Path, *, relay_only: bool) -> None:
        self._folder = folder
        self.lab = lab
        name = "strict" if relay_only else "open"
        self._server, self._relay = lab.host(f"{name}-server"), lab.host(f"{name}-relay")
        self.relay = Relay(self._relay, self._server, folder / f"{name}-turn")
        self._names = folder / f"{name}-hosts"
        self._names.write_text(f"127.0.0.1 localhost\n{self._relay.address} {RELAY}\n")
        self.running = Demonstration(
            folder / name,
            http_port=HTTP_PORT,
            media_port=MEDIA_PORT,
            lan=self._server.address,
            within=self._server.prefix,
        )
        self.running.env |= self.relay.settings | {
            "BEDSIDE_MEDIA_WORKERS": str(WORKERS),
            "BEDSIDE_MEDIA_RELAY_ONLY": str(relay_only).lower(),
        }

    async def start(self) -> None:
        await self.relay.start()
        await self.running.start()

    def home(self, name: str, condition: Condition, *, patient: bool) -> Host:
        """Somebody's network, as the condition has it."""
        delay = None
        if patient and condition.delay_ms:
            delay = Delay(condition.delay_ms / 2, condition.jitter_ms / 2)
        return self.lab.host(name, nat=condition.nat, delay=delay, names=self._names)

    def harm(self, home: Host, condition: Condition) -> None:
        """From here on the patient's network is what the condition says."""
        if condition.blocked == "not 443":
            self.lab.rule(home, "meta l4proto udp", "drop")
            # The page's own port stands for the 443 of another address.
            self.lab.rule(home, f"tcp dport != {{ {TLS_PORT}, {HTTP_PORT} }}", "drop", way="from")
        elif condition.blocked:
            match, relay, _ = condition.blocked.partition(" and relay")
            self.lab.rule(home, match, "drop")
            if relay:
                self.lab.rule(home, f"ip daddr {self._relay.address}", "drop", way="from")
        if condition.loss:
            self.lab.lose(home, condition.loss)
        if condition.down:
            self.lab.limit(home, condition.down, way="to")


@contextlib.asynccontextmanager
async def in_chromium(playwright: Playwright, host: Host, url: str, folder: Path) -> AsyncIterator[Person]:
    """Somebody whose Chromium is on that host."""
    program = chromium() or playwright.chromium.executable_path
    browser = await playwright.chromium.launch(
        executable_path=host.wrapper(program, folder), args=[*FLAGS, *DEVICES, ALLOWS, TRUSTING]
    )
    try:
        context = await browser.new_context(base_url=url, locale="en-GB", ignore_https_errors=True)
        visitor = await Visitor.enter(context)
        await visitor.page.add_init_script(WATCH)
        yield visitor
    finally:
        await browser.close()


@contextlib.asynccontextmanager
async def in_firefox(host: Host, url: str) -> AsyncIterator[Person]:
    """Somebody whose Firefox is on that host."""
    connector = aiohttp.TCPConnector(socket_factory=lambda info: _unblocking(host, info[0], info[1], info[2]))
    browser = await Firefox.launch(preferences=DIRECT, within=host.prefix, connector=connector)
    try:
        visitor = await FirefoxVisitor.enter(browser, url)
        await browser.before_every_page(WATCH)
        yield visitor
    finally:
        await browser.close()


def _unblocking(host: Host, family: int, kind: int, protocol: int):  # type: ignore[no-untyped-def]  # aiohttp's own shape
    made = host.socket(family, kind, protocol)
    made.setblocking(False)
    return made
