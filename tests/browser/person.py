"""A person in front of a browser, whichever it is: how they get in, and what their media does."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

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
# By kind: packets that came in and went out so far.
PACKETS = """async (kind) => {
    const found = { received: 0, sent: 0 };
    for (const connection of window.keptConnections)
        for (const entry of (await connection.getStats()).values())
            if (entry.kind === kind) {
                if (entry.type === "inbound-rtp") found.received += entry.packetsReceived ?? 0;
                if (entry.type === "outbound-rtp") found.sent += entry.packetsSent ?? 0;
            }
    return found;
}"""
# What the pictures that move now are encoded in.
CODECS = """async () => {
    const found = [];
    for (const connection of window.keptConnections) {
        const stats = await connection.getStats();
        for (const entry of stats.values())
            if (entry.type === "inbound-rtp" && entry.kind === "video" && entry.framesPerSecond > 0)
                found.push(stats.get(entry.codecId)?.mimeType);
    }
    return found;
}"""
# The titles of the screens shown, those whose pictures have come.
SCREENS = """() => [...document.querySelectorAll("[data-testid=screen-tile]")]
    .filter((tile) => [...tile.querySelectorAll("video")].some((video) => video.videoWidth > 0 && !video.paused))
    .map((tile) => tile.innerText.trim())"""
SCREEN_TILES = """() => document.querySelectorAll("[data-testid=screen-tile]").length"""
CALL_API = """async ([token, path]) => {
    const answer = await fetch("/api/v1" + path, { headers: { Authorization: "Bearer " + token } });
    return { status: answer.status, body: await answer.json() };
}"""
CONFIRM_PLACE = """async ([token, visit]) => {
    const answer = await fetch("/api/v1/appointments/" + visit + "/check-in", {
        method: "PUT",
        headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
        body: JSON.stringify({ identity_confirmed: true, red_flags_read: true, country: "SN",
            place: "12 rue Moussé Diop, Dakar", callback_phone: "+221771234567" }),
    });
    return answer.status;
}"""
SIGN_IN = """async ([email, password]) => {
    const answer = await fetch("/api/v1/auth/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ email, password, client: "native" }),
    });
    return await answer.json();
}"""


class Person(ABC):
    """What every browser's visitor can do. Scripts are functions of at most one argument."""

    def __init__(self) -> None:
        self.broken: list[str] = []  # errors that the page's own code did not catch
        self.user_id = ""
        self._token = ""

    @abstractmethod
    async def open(self, path: str) -> None:
        """Go to a page of the site, or to a whole address."""

    @abstractmethod
    async def reload(self) -> None: ...

    @abstractmethod
    async def evaluate(self, function: str, argument: Any = None) -> Any:
        """What the page's function returns."""

    @abstractmethod
    async def press(self, name: str) -> None:
        """Click the button of exactly this name, as soon as it can be pressed."""

    @abstractmethod
    async def fill(self, label: str, text: str) -> None:
        """Type into the field of this label."""

    @abstractmethod
    async def sees(self, test_id: str, timeout_s: float = 20.0) -> None:
        """A part of the page is shown."""

    @abstractmethod
    async def arrives(self, path: str) -> None:
        """The page's address becomes this path."""

    async def sign_in(self, email: str, landing: str) -> None:
        """By the form, as anybody would; ``landing`` is the path where it leads."""
        await self.open("/sign-in")
        await self.fill("Email", email)
        await self.fill("Password", PASSWORD)
        await self.press("Sign in")
        await self.arrives(landing)
        # A second session beside the page's, to look at what the server has.
        signed_in = await self.evaluate(SIGN_IN, [email, PASSWORD])
        self._token, self.user_id = signed_in["access_token"], signed_in["user"]["id"]

    async def api(self, path: str) -> Any:
        answer = await self.evaluate(CALL_API, [self._token, path])
        assert answer["status"] == 200, f"{path}: {answer}"
        return answer["body"]

    async def confirm_place(self, appointment_id: str) -> None:
        """Say who and where one is, without the page that asks."""
        assert await self.evaluate(CONFIRM_PLACE, [self._token, appointment_id]) == 200

    async def frames(self) -> int:
        return int(await self.evaluate(FRAMES_DECODED))

    async def sees_movement(self, at_least: int = 10, timeout_s: float = 30.0) -> None:
        """Frames of somebody else's picture are decoded, and go on being decoded."""
        before = await self.frames()
        async with asyncio.timeout(timeout_s):
            while await self.frames() < before + at_least:
                await asyncio.sleep(0.2)

    async def sees_people(self, people: int, at_least: int = 10, timeout_s: float = 30.0) -> None:
        """That many pictures of others move at the same time."""
        await self._all_rise("video", "framesDecoded", people, at_least, timeout_s)

    async def hears(self, people: int = 1, timeout_s: float = 30.0) -> None:
        """That many voices of others come out at the same time, and are not silence."""
        await self._all_rise("audio", "totalAudioEnergy", people, 0.000_001, timeout_s)

    async def packets(self, kind: str) -> dict[str, int]:
        """``received`` and ``sent`` so far, over all connections of this page."""
        found: dict[str, int] = await self.evaluate(PACKETS, kind)
        return found

    async def sees_codec(self, codec: str, timeout_s: float = 30.0) -> None:
        """Somebody's picture moves, and is encoded in this (``video/VP9``)."""
        async with asyncio.timeout(timeout_s):
            while codec not in await self.evaluate(CODECS):
                await asyncio.sleep(0.2)

    async def sees_screen_of(self, name: str, timeout_s: float = 60.0) -> None:
        """Exactly one screen is shown, this person's, and its pictures come."""
        async with asyncio.timeout(timeout_s):
            while await self.evaluate(SCREENS) != [f"Screen of {name}"]:
                await asyncio.sleep(0.2)

    async def sees_no_screen(self, timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while await self.evaluate(SCREEN_TILES):
                await asyncio.sleep(0.2)

    async def _all_rise(self, kind: str, field: str, tracks: int, by: float, timeout_s: float) -> None:
        before: dict[str, float] = {}
        async with asyncio.timeout(timeout_s):
            while True:
                now = await self.evaluate(INCOMING, [kind, field])
                before = {name: before.get(name, value) for name, value in now.items()}
                if sum(value - before[name] >= by for name, value in now.items()) >= tracks:
                    return
                await asyncio.sleep(0.2)
