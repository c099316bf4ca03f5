"""The network test: packets come back to their sender alone, for a bounded time."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import AudioStreamTrack, MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from core.ids import uuid7
from core.rpc import RpcRefused
from loadtests.peer import Picture, stay_on_loopback
from tests.media.conftest import Worker

pytestmark = pytest.mark.integration


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
