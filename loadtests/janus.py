"""Debian's Janus with its VideoRoom plugin, for comparison: started in a temporary folder, driven over a Unix socket.

Nothing of it is changed but where it listens; what differs from its defaults is in ``CONFIG`` below.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

BINARY = "/usr/bin/janus"
PLUGINS = "/usr/lib/x86_64-linux-gnu/janus"
START_TIMEOUT_S = 15.0
GREETING_TIMEOUT_S = 2.0
TRIES = 12
ANSWER_TIMEOUT_S = 20.0
LARGEST_MESSAGE = 1 << 20

# Full ICE, as it comes; one address, little logging, and sessions that live as long as the run.
CONFIG = """
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{plugins}/plugins"
    transports_folder = "{plugins}/transports"
    events_folder = "{plugins}/events"
    loggers_folder = "{plugins}/loggers"
    debug_level = 3
    session_timeout = 0
    admin_secret = "{secret}"
    {event_loops}
}}
nat: {{ ice_enforce_list = "{address}" }}
plugins: {{ disable = "{disabled_plugins}" }}
transports: {{ disable = "{disabled_transports}" }}
"""
PFUNIX = """
general: {{
    enabled = true
    json = "compact"
    path = "{path}"
    type = "SOCK_SEQPACKET"
}}
admin: {{ admin_enabled = false }}
"""


class JanusError(Exception):
    """It did not start, or refused a request."""


def _others(kind: str, wanted: str) -> str:
    names = {path.name for path in Path(PLUGINS, kind).glob("*.so")} - {wanted}
    return ",".join(sorted(names))


class Janus:
    """One Janus process. ``offer_for`` and the rest speak the VideoRoom's API."""

    def __init__(self, folder: Path, address: str, event_loops: int = 0) -> None:
        self._folder = folder
        self._address = address
        self._event_loops = event_loops
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._session = 0
        self.connected = 0
        """How many peer connections Janus has reported as up."""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Write the configuration, run it, open a session."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "janus.sock"
        general = CONFIG.format(
            folder=self._folder,
            plugins=PLUGINS,
            secret=secrets.token_hex(8),
            event_loops=f"event_loops = {self._event_loops}" if self._event_loops else "",
            address=self._address,
            disabled_plugins=_others("plugins", "libjanus_videoroom.so"),
            disabled_transports=_others("transports", "libjanus_pfunix.so"),
        )
        (self._folder / "janus.jcfg").write_text(general)
        (self._folder / "janus.transport.pfunix.jcfg").write_text(PFUNIX.format(path=path))
        (self._folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")
        for _ in range(TRIES):
            self._socket = await self._run(str(path))
            if self._socket is None:
                continue
            self._reader = asyncio.create_task(self._read(self._socket))
            try:
                self._session = int((await self._ask({"janus": "create"}, timeout_s=GREETING_TIMEOUT_S))["data"]["id"])
            except TimeoutError:
                await self.stop()
            else:
                return
        raise JanusError(f"Janus did not start: see {self._folder / 'janus.log'}")

    async def _run(self, path: str) -> socket.socket | None:
        """Start the process and connect. None when it ended by itself.

        Now and then it does, or is deaf: the thread of its Unix socket ends at once when it looks before the
        plugin calls itself initialized.
        """
        with (self._folder / "janus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [BINARY, "-F", str(self._folder)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(START_TIMEOUT_S):
            while self._process.poll() is None:
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                connection.setblocking(False)
                try:
                    await loop.sock_connect(connection, path)
                except OSError:
                    connection.close()
                    await asyncio.sleep(0.05)
                else:
                    return connection
        return None

    async def stop(self) -> None:
        """End it."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(process.wait, 10)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)

    async def create_room(self, room: int, people: int) -> None:
        """A room of the VideoRoom's defaults for Opus and VP8."""
        handle = await self._attach()
        body = {
            "request": "create",
            "room": room,
            "publishers": people,
            "audiocodec": "opus",
            "videocodec": "vp8",
            "opus_fec": True,
            "bitrate": 0,
        }
        await self._message(handle, body)

    async def destroy_room(self, room: int) -> None:
        """Forget a room."""
        handle = await self._attach()
        await self._message(handle, {"request": "destroy", "room": room})
        await self.detach(handle)

    async def detach(self, handle: int) -> None:
        """End a handle and its connection."""
        await self._ask({"janus": "detach"}, session_id=self._session, handle_id=handle)

    async def publish(self, room: int, person: int, sdp: str) -> tuple[int, str]:
        """Join as a publisher with ``person`` as the feed's id: the handle, and the answer to the offer."""
        handle = await self._attach()
        await self._message(handle, {"request": "join", "ptype": "publisher", "room": room, "id": person})
        # Encodings are offered smallest first, as browsers do for our pages; Janus would think the other way round.
        description = {"type": "offer", "sdp": sdp, "rid_order": "lmh"}
        reply = await self._message(handle, {"request": "publish"}, description)
        return handle, str(reply["jsep"]["sdp"])

    async def subscribe(self, room: int, feeds: list[int]) -> tuple[int, str]:
        """Ask for everything of these feeds: the handle, and the offer to answer."""
        handle = await self._attach()
        body = {
            "request": "join",
            "ptype": "subscriber",
            "room": room,
            "streams": [{"feed": feed} for feed in feeds],
        }
        reply = await self._message(handle, body)
        return handle, str(reply["jsep"]["sdp"])

    async def answer(self, handle: int, sdp: str) -> None:
        """Accept a subscriber's offer."""
        await self._message(handle, {"request": "start"}, {"type": "answer", "sdp": sdp})

    async def _attach(self) -> int:
        request = {"janus": "attach", "plugin": "janus.plugin.videoroom"}
        return int((await self._ask(request, session_id=self._session))["data"]["id"])

    async def _message(self, handle: int, body: dict[str, Any], jsep: dict[str, str] | None = None) -> dict[str, Any]:
        request: dict[str, Any] = {"janus": "message", "body": body}
        if jsep is not None:
            request["jsep"] = jsep
        reply = await self._ask(request, session_id=self._session, handle_id=handle)
        data = reply.get("plugindata", {}).get("data", {})
        if "error" in data:
            raise JanusError(f"{body['request']}: {data['error']}")
        return reply

    async def _ask(
        self, request: dict[str, Any], *, timeout_s: float = ANSWER_TIMEOUT_S, **address: int
    ) -> dict[str, Any]:
        """A request's final answer: an acknowledgement is followed by an event of the same transaction."""
        loop = asyncio.get_running_loop()
        transaction = str(next(self._numbers))
        future: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._waiting[transaction] = future
        assert self._socket is not None
        message = json.dumps(request | address | {"transaction": transaction}).encode()
        try:
            await loop.sock_sendall(self._socket, message)
            async with asyncio.timeout(timeout_s):
                reply = await future
        finally:
            del self._waiting[transaction]
        if reply["janus"] == "error":
            raise JanusError(f"{request['janus']}: {reply['error'].get('reason')}")
        return reply

    async def _read(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(connection, LARGEST_MESSAGE):
            message = json.loads(data)
            kind = message.get("janus")
            if kind == "webrtcup":
                self.connected += 1
            future = self._waiting.get(message.get("transaction", ""))
            if future is not None and not future.done() and kind != "ack":
                future.set_result(message)


def installed() -> bool:
    """Whether there is a Janus to compare with."""
    return os.access(BINARY, os.X_OK)
