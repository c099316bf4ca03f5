"""A stock Firefox with simulated devices, driven over WebDriver BiDi: real keys and clicks, real pages.

Playwright drives only a Firefox build of its own; this one is the system's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from bidi import Bidi, BidiError, plain, typed
from person import KEEP_CONNECTIONS, Person

NAMES = ("firefox-esr", "firefox")
START_TIMEOUT_S = 60.0
LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
LOOK_EVERY_S = 0.1
PREFERENCES: dict[str, bool | int | str] = {
    # Simulated camera and microphone, allowed without a question.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    # Every interface is a path, loopback too, and under its own address; only for sites that may use the devices.
    "permissions.default.camera": 1,
    "permissions.default.microphone": 1,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # Whatever Firefox itself would fetch meets a closed port of this machine.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "app.update.disabledForTesting": True,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "intl.accept_languages": "en-GB",
}
# What a person reads: the control of a label, as the browser itself relates them.
CONTROL_OF = """(label) => [...document.querySelectorAll("label")]
    .filter((each) => each.innerText.includes(label)).map((each) => each.control).find((each) => each) ?? null"""
# Part of the page itself, in the middle of the window and, at that very point, not covered by anything else.
REACHABLE = """(element) => {
    if (!element.closest("main, [role=dialog]")) return false;
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const box = element.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return !element.matches("[disabled], [aria-disabled=true]") && (element.contains(top) || !!top?.contains(element));
}"""


def installed() -> str:
    """The system's Firefox. A missing one fails the test that asks, never skips it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, "Firefox is missing: `make test` installs firefox-esr as root, else install it yourself"
    return found


class Firefox:
    """A browser process with a profile of its own, and one window."""

    def __init__(self, process: asyncio.subprocess.Process, profile: Path) -> None:
        self._process = process
        self._profile = profile
        self._reading: asyncio.Task[None] | None = None
        self._address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.bidi: Bidi
        self.window = ""

    @classmethod
    async def launch(
        cls,
        *,
        preferences: dict[str, bool | int | str] | None = None,
        size: tuple[int, int] = (1440, 900),
        within: Sequence[str] = (),
        connector: aiohttp.BaseConnector | None = None,
    ) -> Firefox:
        """``within``: a command that runs another one elsewhere, as ``ip netns exec NAME`` does."""
        profile = Path(tempfile.mkdtemp(prefix="bedside-firefox-"))
        wanted = PREFERENCES | (preferences or {})
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in wanted.items()]
        (profile / "user.js").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            *(*within, installed(), "--headless", "--no-remote", "--profile", str(profile)),
            *("--remote-debugging-port", "0", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        made = cls(process, profile)
        made._reading = asyncio.create_task(made._read())
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                made.bidi = await Bidi.connect(await made._address, connector)
            tree = await made.bidi.call("browsingContext.getTree")
            made.window = tree["contexts"][0]["context"]
            await made.bidi.call(
                "browsingContext.setViewport", context=made.window, viewport={"width": size[0], "height": size[1]}
            )
        except BaseException:
            await made.close()
            raise
        return made

    async def _read(self) -> None:
        """Firefox says where it listens; the rest of its talk is not ours, but has to be taken off the pipe."""
        assert self._process.stderr is not None
        said: list[str] = []
        async for line in self._process.stderr:
            said.append(line.decode(errors="replace").rstrip())
            if not self._address.done() and (found := LISTENS.search(said[-1])):
                self._address.set_result(found[1])
        if not self._address.done():
            self._address.set_exception(BidiError("Firefox ended: " + "\n".join(said[-10:])))

    async def close(self) -> None:
        if hasattr(self, "bidi"):
            with contextlib.suppress(BidiError, TimeoutError, ConnectionError):
                await self.bidi.call("browser.close")
            await self.bidi.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading
        if self._address.done():
            self._address.exception()
        shutil.rmtree(self._profile, ignore_errors=True)

    # What a page does

    async def goto(self, url: str) -> None:
        await self.bidi.call("browsingContext.navigate", context=self.window, url=url, wait="complete")

    async def reload(self) -> None:
        await self.bidi.call("browsingContext.reload", context=self.window, wait="complete")

    async def before_every_page(self, script: str) -> None:
        """Run before any of a page's own code."""
        await self.bidi.call("script.addPreloadScript", functionDeclaration=f"() => {{ {script} }}")

    async def evaluate(self, function: str, *arguments: Any) -> Any:
        """Call a function in the page, as after a person's press. Its result. Raises BidiError."""
        return plain(await self._run(function, [typed(each) for each in arguments]))

    async def _run(self, function: str, arguments: list[dict[str, Any]]) -> dict[str, Any]:
        answer = await self.bidi.call(
            "script.callFunction",
            functionDeclaration=function,
            arguments=arguments,
            target={"context": self.window},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise BidiError(answer["exceptionDetails"]["text"])
        result: dict[str, Any] = answer["result"]
        return result

    # What a person does

    async def find(self, timeout_s: float, **locator: Any) -> list[dict[str, Any]]:
        """The nodes that fit, as soon as there is one."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    nodes = (await self.bidi.call("browsingContext.locateNodes", context=self.window, locator=locator))[
                        "nodes"
                    ]
                    if nodes:
                        return [{"sharedId": node["sharedId"]} for node in nodes]
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            said = await self.evaluate("() => document.body.innerText")
            raise AssertionError(f"not on the page within {timeout_s} s: {locator}\n{said}") from None

    async def press(self, name: str, timeout_s: float = 20.0) -> None:
        """Click the button of exactly this name, when it can be reached."""
        async with asyncio.timeout(timeout_s):
            while True:
                named = {"role": "button", "name": name}
                for button in await self.find(timeout_s, type="accessibility", value=named):
                    with contextlib.suppress(BidiError):  # replaced by React meanwhile: look again
                        if plain(await self._run(REACHABLE, [button])):
                            await self._click(button)
                            return
                await asyncio.sleep(LOOK_EVERY_S)

    async def fill(self, label: str, text: str, timeout_s: float = 20.0) -> None:
        """Type into the field of that label."""
        async with asyncio.timeout(timeout_s):
            while (field := await self._run(CONTROL_OF, [typed(label)]))["type"] != "node":
                await asyncio.sleep(LOOK_EVERY_S)
        await self._run("(field) => field.select()", [{"sharedId": field["sharedId"]}])
        keys = [{"type": kind, "value": each} for each in text for kind in ("keyDown", "keyUp")]
        await self._act({"type": "key", "id": "keyboard", "actions": keys})

    async def sees(self, selector: str, timeout_s: float = 20.0) -> None:
        await self.find(timeout_s, type="css", value=selector)

    async def _click(self, node: dict[str, Any]) -> None:
        origin = {"type": "element", "element": node}
        actions = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        await self._act({"type": "pointer", "id": "mouse", "actions": actions})

    async def _act(self, source: dict[str, Any]) -> None:
        await self.bidi.call("input.performActions", context=self.window, actions=[source])


class FirefoxVisitor(Person):
    """A person in front of a Firefox."""

    def __init__(self, browser: Firefox, url: str) -> None:
        super().__init__()
        self.browser = browser
        self._url = url

    @classmethod
    async def enter(cls, browser: Firefox, url: str) -> FirefoxVisitor:
        made = cls(browser, url)
        await browser.before_every_page(KEEP_CONNECTIONS)
        await browser.bidi.listen("log.entryAdded", made._note)
        return made

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["type"] == "javascript" and entry["level"] == "error":
            self.broken.append(str(entry["text"]))

    async def open(self, path: str) -> None:
        await self.browser.goto(path if "://" in path else self._url + path)

    async def reload(self) -> None:
        await self.browser.reload()

    async def evaluate(self, function: str, argument: Any = None) -> Any:
        return await self.browser.evaluate(function, argument)

    async def press(self, name: str) -> None:
        await self.browser.press(name)

    async def fill(self, label: str, text: str) -> None:
        await self.browser.fill(label, text)

    async def sees(self, test_id: str, timeout_s: float = 20.0) -> None:
        await self.browser.sees(f"[data-testid={test_id}]", timeout_s)

    async def arrives(self, path: str) -> None:
        async with asyncio.timeout(30):
            while urlsplit(await self.evaluate("() => location.href")).path != path:
                await asyncio.sleep(LOOK_EVERY_S)
