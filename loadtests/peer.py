"""A headless caller: publishes synthetic sound and pictures, counts what it receives.

Built on aiortc's whole peer connections. How descriptions reach the server is given as callables, so
the same caller serves Socket.IO, the media worker's control channel, and load tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aioice.ice
import av
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError

Publish = Callable[[str, list[dict[str, str]]], Awaitable[str]]
"""``(offer, [{mid, source}])`` → answer."""
Answer = Callable[[int, str], Awaitable[None]]
"""``(negotiation, answer)``."""

FRAMES_PER_SECOND = 15
CLOCK_RATE = 90_000


def stay_on_loopback() -> None:
    """Let aioice gather 127.0.0.1 alone, which it otherwise leaves out: the server listens there."""

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["127.0.0.1"]

    aioice.ice.get_host_addresses = addresses


class Picture(VideoStreamTrack):
    """A small moving pattern; cheap to make and to encode."""

    def __init__(self, width: int = 320, height: int = 180) -> None:
        super().__init__()
        self._size = (width, height)
        self._count = 0
        self._started = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        due = self._started + self._count / FRAMES_PER_SECOND
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        frame = av.VideoFrame(*self._size, "yuv420p")
        for index, plane in enumerate(frame.planes):
            shade = (self._count * 5 + index * 60) % 256
            half = plane.buffer_size // 2
            plane.update(bytes((shade,)) * half + bytes((255 - shade,)) * (plane.buffer_size - half))
        frame.pts = self._count * CLOCK_RATE // FRAMES_PER_SECOND
        frame.time_base = fractions.Fraction(1, CLOCK_RATE)
        self._count += 1
        return frame


class Caller:
    """One person in a call, without a browser. ``frames`` counts by track id what arrived and was decoded."""

    def __init__(self, publish: Publish, answer: Answer, relays: list[RTCIceServer] | None = None) -> None:
        """With ``relays`` (TURN) nothing goes another way."""
        self._relays = relays
        self._publish = publish
        self._answer = answer
        self.publishing: RTCPeerConnection | None = None
        self.subscribing: RTCPeerConnection | None = None
        self.frames: dict[str, int] = {}
        self.kinds: dict[str, str] = {}  # audio or video, by track id
        self.tracks: list[dict[str, Any]] = []
        self._progress = asyncio.Condition()
        self._readers: list[asyncio.Task[None]] = []
        self._negotiating = asyncio.Lock()

    def _configuration(self) -> RTCConfiguration:
        if self._relays is None:
            return RTCConfiguration(iceServers=[])
        return RTCConfiguration(iceServers=self._relays, iceTransportPolicy=RTCIceTransportPolicy.RELAY)

    async def start(self, *, audio: bool = True, video: bool = True) -> None:
        """Publish a microphone and a camera."""
        connection = RTCPeerConnection(self._configuration())
        self.publishing = connection
        sources: list[str] = []
        if audio:
            connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
            sources.append("microphone")
        if video:
            connection.addTransceiver(Picture(), direction="sendonly")
            sources.append("camera")
        await connection.setLocalDescription(await connection.createOffer())
        mids = [transceiver.mid for transceiver in connection.getTransceivers()]
        tracks = [{"mid": str(mid), "source": source} for mid, source in zip(mids, sources, strict=True)]
        answer = await self._publish(connection.localDescription.sdp, tracks)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def on_offer(self, offer: dict[str, Any]) -> None:
        """Answer a ``media.offer`` (``negotiation``, ``sdp``, ``tracks``)."""
        async with self._negotiating:
            if self.subscribing is None:
                self.subscribing = RTCPeerConnection(self._configuration())
                self.subscribing.on("track", self._on_track)
            self.tracks = offer["tracks"]
            connection = self.subscribing
            await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
            await connection.setLocalDescription(await connection.createAnswer())
            await self._answer(offer["negotiation"], connection.localDescription.sdp)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.kinds[track.id] = track.kind
        self._readers.append(asyncio.create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()
                async with self._progress:
                    self.frames[track.id] = self.frames.get(track.id, 0) + 1
                    self._progress.notify_all()

    async def received(self, tracks: int, frames: int, timeout_s: float = 20.0) -> None:
        """Wait until that many tracks have that many decoded frames each. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._progress:
            await self._progress.wait_for(lambda: sum(1 for n in self.frames.values() if n >= frames) >= tracks)

    async def close(self) -> None:
        """Hang up."""
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for connection in (self.publishing, self.subscribing):
            if connection is not None:
                await connection.close()
