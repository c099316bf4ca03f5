"""Whoever should not be heard is not; whatever is hostile leaves the worker up and calls undisturbed."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys

import pytest
from redis.asyncio import Redis

from core.ids import uuid7
from core.rpc import RpcRefused
from media import stun
from tests.media.conftest import PROGRAM, ROOT, MakePerson, Worker, free_port

pytestmark = pytest.mark.integration


async def test_publishing_without_joining_is_refused(person: MakePerson, worker: Worker) -> None:
    stranger = await person(str(uuid7()), "stranger")
    with pytest.raises(RpcRefused) as refused:
        await stranger.caller.start(video=False)
    assert refused.value.code == "not_found"


async def test_bytes_of_someone_in_no_room_reach_nobody(person: MakePerson, worker: Worker) -> None:
    room = str(uuid7())
    inside, other, outside = await person(room, "in"), await person(room, "other"), await person(room, "out")
    for one in (inside, other, outside):
        await one.ask("join")
    await inside.caller.start(video=False)
    await outside.caller.start(video=False)
    await other.caller.received(tracks=2, frames=5)
    await outside.ask("leave")  # their client goes on sending to the same address
    await inside.event("offer", lambda p: not any(t["participant_id"] == "out" for t in p["tracks"]))
    before = (await other.ask("stats"))["drops"].get("stranger", 0)
    async with asyncio.timeout(10):
        while (await other.ask("stats"))["drops"].get("stranger", 0) < before + 20:
            await asyncio.sleep(0.05)
    stats = (await other.ask("stats"))["rooms"][room]
    assert set(stats) == {"in", "other"}


@pytest.mark.parametrize("nonsense", ["", "v=0", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", 7, None, "x" * 300_000])
async def test_nonsense_descriptions_get_their_code(person: MakePerson, nonsense: object) -> None:
    someone = await person(str(uuid7()), "someone")
    await someone.ask("join")
    with pytest.raises(RpcRefused) as refused:
        await someone.ask("publish", sdp=nonsense, tracks=[])
    assert refused.value.code == "invalid_sdp"
    with pytest.raises(RpcRefused) as stale:
        await someone.ask("answer", negotiation=1, sdp=nonsense)
    assert stale.value.code == "stale_negotiation"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("join", {"room": 7}),
        ("join", {"room": "", "participant": "a"}),
        ("join", {"room": "x" * 1000, "participant": "a"}),
        ("publish", {"tracks": "all"}),
        ("publish", {"tracks": [{"mid": 7}]}),
        ("prefer", {"track_id": "t", "max_height": -1}),
        ("mute", {"source": "nose", "muted": True}),
        ("answer", {"negotiation": "1"}),
        ("nothing", {}),
    ],
)
async def test_wrong_parameters_get_a_code(person: MakePerson, method: str, params: dict[str, object]) -> None:
    someone = await person(str(uuid7()), "someone")
    await someone.ask("join")
    with pytest.raises(RpcRefused) as refused:
        await someone.ask(method, **params)
    assert refused.value.code in ("invalid_input", "not_found")


async def test_ten_thousand_hostile_datagrams_disturb_no_call(person: MakePerson, worker: Worker) -> None:
    room = str(uuid7())
    one, two = await person(room, "one"), await person(room, "two")
    for each in (one, two):
        await each.ask("join")
        await each.caller.start()
    await one.caller.received(tracks=2, frames=5)
    chance = random.Random(4)
    answer = one.caller.publishing.remoteDescription.sdp if one.caller.publishing else ""
    ufrag = answer.split("a=ice-ufrag:")[1].split("\r\n")[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect(("127.0.0.1", worker.port))
        stranger.setblocking(False)
        for index in range(10_000):
            data = chance.randbytes(chance.randrange(1, 200))
            kind = index % 5
            if kind == 1:
                data = b"\x80" + data
            elif kind == 2:
                data = b"\x16\xfe\xfd" + data
            elif kind == 3:
                data = stun.binding_request(chance.randbytes(12), "them", ufrag, b"guessed-password", nominate=True)
            elif kind == 4:
                data = b"\x00\x01\x00\x08" + stun.MAGIC_BYTES + data
            try:
                stranger.send(data)
            except BlockingIOError:
                await asyncio.sleep(0)
            if index % 100 == 0:
                await asyncio.sleep(0.001)
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)  # not one answer
    frames = max(two.caller.frames.values())
    await two.caller.received(tracks=2, frames=frames + 10)
    drops = (await one.ask("stats"))["drops"]
    assert drops["stun_refused"] > 0
    assert drops["stranger"] > 0
    assert worker.alive


async def test_a_taken_port_is_one_clear_line(worker: Worker) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        "0",
        cwd=ROOT,
        env=worker.environment,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    _, error = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    lines = [line for line in error.decode().splitlines() if line]
    assert len(lines) == 1
    assert "is taken" in lines[0]
    assert str(worker.port) in lines[0]


async def test_the_registration_outlives_an_outage_of_redis_and_ends_with_the_worker(valkey: str) -> None:
    own = Worker(valkey, free_port())
    await own.start()
    redis: Redis = Redis.from_url(valkey)
    key = f"media:worker:127.0.0.1:{own.port}"
    assert (await own.registered())["draining"] is False
    assert 0 < await redis.pttl(key) <= 2000
    await redis.delete(key)  # as after a restart of Redis without its data
    entry = await own.registered()
    client = await own.connect()
    await client.call("drain", {})
    async with asyncio.timeout(5):
        while not (await own.registered())["draining"]:
            await asyncio.sleep(0.05)
    with pytest.raises(RpcRefused) as refused:
        await client.call("join", {"room": "new", "participant": "a"})
    assert refused.value.code == "draining"
    await client.close()
    assert await own.stop() == 0
    assert await redis.get(key) is None
    assert not await redis.sismember("media:workers", entry["id"])
    await redis.aclose()


async def test_a_worker_without_redis_keeps_serving() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
    port = free_port()
    environment = os.environ | {
        "BEDSIDE_REDIS_URL": nowhere,
        "BEDSIDE_MEDIA_PORT": str(port),
        "BEDSIDE_MEDIA_CONTROL_SECRET": "media-control-secret",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "0", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    assert b"media_worker_started" in await asyncio.wait_for(process.stderr.readline(), 15)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0
