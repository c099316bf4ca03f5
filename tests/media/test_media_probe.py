"""The network test: packets come back to their sender alone, for a bounded time."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiortc import AudioStreamTrack, MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from core.ids import uuid7
from core.rpc import RpcRefused
from loadtests import media_sdp
from loadtests.media_link import Identity
from loadtests.peer import Picture, stay_on_loopback
from media.path.limits import INTERVAL_S
from media.probe import MAX_BYTES_PER_INTERVAL
from media.rtp.packet import HEADER
from tests.media.conftest import Worker
from tests.media.raw import CHECK_S, RawLink

pytestmark = pytest.mark.integration
BURST, BURST_S, BURSTS = 25, 0.01, 100  # packets of 1 kB: 20 Mbit/s for a second


async def test_a_probe_returns_its_packets(worker: Worker) -> None:
    stay_on_loopback()
    client = await worker.connect()
    probe = str(uuid7())
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    heard: asyncio.Queue[str] = asyncio.Queue()
    tasks: list[asyncio.Task[None]] = []

    async def read(track: MediaStreamTrack) -> None:
        await track.recv()
        heard.put_nowait(track.kind)

    connection.on("track", lambda track: tasks.append(asyncio.create_task(read(track))))
    connection.addTransceiver(AudioStreamTrack(), direction="sendrecv")
    connection.addTransceiver(Picture(), direction="sendrecv")
    await connection.setLocalDescription(await connection.createOffer())
    answer = await client.call("probe", {"probe": probe, "sdp": connection.localDescription.sdp})
    await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
    kinds = {await asyncio.wait_for(heard.get(), 15), await asyncio.wait_for(heard.get(), 15)}
    assert kinds == {"audio", "video"}
    figures = await client.call("probe_close", {"probe": probe})
    assert figures["packets"] >= 4
    assert figures["bytes"] > 100
    with pytest.raises(RpcRefused):
        await client.call("probe_close", {"probe": probe})
    await connection.close()
    await client.close()


async def test_nonsense_is_no_probe(worker: Worker) -> None:
    client = await worker.connect()
    with pytest.raises(RpcRefused) as refused:
        await client.call("probe", {"probe": "p", "sdp": "v=0"})
    assert refused.value.code == "invalid_sdp"
    await client.close()


async def test_of_a_flood_no_more_returns_than_a_probe_may_send_and_nothing_after_its_end(worker: Worker) -> None:
    client = await worker.connect()
    probe = str(uuid7())
    raw = RawLink(Identity(), True)
    plan = media_sdp.Planned("audio", "0", 111, 4711, None, 0)
    offer = media_sdp.offer(raw.link, [plan]).replace("a=sendonly", "a=sendrecv")
    raw.link.connect((await client.call("probe", {"probe": probe, "sdp": offer}))["sdp"])
    async with asyncio.timeout(20):
        while not raw.link.connected:
            raw.link.check()
            await asyncio.sleep(CHECK_S)
    sequence = 0

    def burst() -> None:
        nonlocal sequence
        for _ in range(BURST):
            sequence += 1
            raw.link.send(raw.link.protect(HEADER.pack(0x80, 111, sequence, 960 * sequence, 4711) + bytes(1000)))

    began = time.monotonic()
    for _ in range(BURSTS):
        burst()
        await asyncio.sleep(BURST_S)
    async with asyncio.timeout(5):
        while not raw.packets:
            await asyncio.sleep(BURST_S)
    await client.call("probe_close", {"probe": probe})
    took = time.monotonic() - began
    async with asyncio.timeout(5):  # what was on its way has come
        while await comes(raw):
            pass
    returned = sum(len(packet) for packet, _ in raw.packets)
    assert 0 < returned <= MAX_BYTES_PER_INTERVAL * (took / INTERVAL_S + 2)
    assert returned < BURST * BURSTS * 1000 / 2
    before = len(raw.packets)
    burst()
    assert not await comes(raw)
    assert len(raw.packets) == before
    raw.close()
    await client.close()


async def comes(raw: RawLink) -> bool:
    """Whether something still came within a moment."""
    before = len(raw.packets)
    await asyncio.sleep(0.2)
    return len(raw.packets) > before
