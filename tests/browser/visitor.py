"""A person in front of a browser, as the tests see them: what they press, and what their media does."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import BrowserContext, Page

PASSWORD = "bedside-demo"
# Keeps hold of every peer connection that the page makes, so that its statistics can be read from outside.
KEEP_CONNECTIONS = """
    const Native = window.RTCPeerConnection;
    window.keptConnections = [];
    window.RTCPeerConnection = class extends Native {
        constructor(...args) { super(...args); window.keptConnections.push(this); }
    };
"""
FRAMES_DECODED = """async () => {
    let frames = 0;
    for (const connection of window.keptConnections)
        for (const entry of (await connection.getStats()).values())
            if (entry.type === "inbound-rtp" && entry.kind === "video") frames += entry.framesDecoded ?? 0;
    return frames;
}"""
# By incoming track: pictures decoded, or the loudness heard so far.
INCOMING = """async ([kind, field]) => {
    const found = {};
    for (const connection of window.keptConnections)
        for (const entry of (await connection.getStats()).values())
            if (entry.type === "inbound-rtp" && entry.kind === kind) found[entry.trackIdentifier] = entry[field] ?? 0;
    return found;
}"""
CALL_API = """async ([token, path]) => {
    const answer = await fetch("/api/v1" + path, { headers: { Authorization: "Bearer " + token } });
    return { status: answer.status, body: await answer.json() };
}"""
SIGN_IN = """async ([email, password]) => {
    const answer = await fetch("/api/v1/auth/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ email, password, client: "native" }),
    });
    return await answer.json();
}"""


class Visitor:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.broken: list[str] = []  # errors that the page's own code did not catch
        self.user_id = ""
        self._token = ""
        page.on("pageerror", lambda error: self.broken.append(str(error)))

    @classmethod
    async def enter(cls, context: BrowserContext) -> Visitor:
        await context.add_init_script(KEEP_CONNECTIONS)
        return cls(await context.new_page())

    async def sign_in(self, email: str, landing: str) -> None:
        """By the form, as anybody would; ``landing`` is the path where it leads."""
        page = self.page
        await page.goto("/sign-in")
        await page.get_by_label("Email").fill(email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url(f"**{landing}")
        # A second session beside the page's, to look at what the server has.
        signed_in = await page.evaluate(SIGN_IN, [email, PASSWORD])
        self._token, self.user_id = signed_in["access_token"], signed_in["user"]["id"]

    async def api(self, path: str) -> Any:
        answer = await self.page.evaluate(CALL_API, [self._token, path])
        assert answer["status"] == 200, f"{path}: {answer}"
        return answer["body"]

    async def frames(self) -> int:
        return int(await self.page.evaluate(FRAMES_DECODED))

    async def sees_movement(self, at_least: int = 10, timeout_s: float = 30.0) -> None:
        """Frames of somebody else's picture are decoded, and go on being decoded."""
        before = await self.frames()
        async with asyncio.timeout(timeout_s):
            while await self.frames() < before + at_least:
                await asyncio.sleep(0.2)

    async def sees_people(self, people: int, at_least: int = 10, timeout_s: float = 30.0) -> None:
        """That many pictures of others move at the same time."""
        await self._all_rise("video", "framesDecoded", people, at_least, timeout_s)

    async def hears(self, timeout_s: float = 30.0) -> None:
        """Somebody else's voice comes out, and is not silence."""
        await self._all_rise("audio", "totalAudioEnergy", 1, 0.000_001, timeout_s)

    async def _all_rise(self, kind: str, field: str, tracks: int, by: float, timeout_s: float) -> None:
        before: dict[str, float] = {}
        async with asyncio.timeout(timeout_s):
            while True:
                now = await self.page.evaluate(INCOMING, [kind, field])
                before = {name: before.get(name, value) for name, value in now.items()}
                if sum(value - before[name] >= by for name, value in now.items()) >= tracks:
                    return
                await asyncio.sleep(0.2)

    async def say(self, words: str) -> None:
        chat = self.page.get_by_test_id("chat")
        await chat.get_by_label("Write a message").fill(words)
        await chat.get_by_role("button", name="Send").click()

    async def reads(self, words: str) -> None:
        await self.page.get_by_test_id("chat").locator(".v-bubble", has_text=words).wait_for(timeout=10_000)
