"""What is told of tracks' quality: from counters alone, and without naming anybody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from loadtests.peer import stay_on_loopback
from media.meter import Look, Meter, overall
from media.metrics import Metrics
from tests.media.conftest import Worker, free_port
from tests.media.stage import Stage

STEP = 0.3


class Track:
    """Counters that a test moves."""

    def __init__(self, *, moving: bool = True) -> None:
        self.meter = Meter(moving=moving)
        self.now = 100.0
        self.received = self.octets = self.lost = self.keyframes = 0

    def run(self, seconds: float, *, packets: int = 30, lost: int = 0, keyframes: int = 0, muted: bool = False) -> None:
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.received += packets
            self.octets += 1000 * packets
            self.lost += lost
            self.keyframes += keyframes
            lost = keyframes = 0
            self.meter.look(Look(self.now, self.received, self.octets, self.lost, self.keyframes), muted=muted)


def test_the_rate_is_that_of_the_last_two_seconds() -> None:
    track = Track()
    track.run(6, packets=30)
    assert track.meter.bitrate == pytest.approx(30 * 1000 * 8 / STEP, rel=0.01)
    track.run(3, packets=3)
    assert track.meter.bitrate == pytest.approx(3 * 1000 * 8 / STEP, rel=0.01)


def test_a_camera_that_goes_silent_is_a_freeze_and_its_mute_is_none() -> None:
    track = Track()
    track.run(3)
    track.run(3, packets=0)
    assert track.meter.frozen
    track.run(3)
    assert not track.meter.frozen
    assert track.meter.totals.freezes == 1
    assert track.meter.totals.frozen_s == pytest.approx(3.0, abs=0.4)
    track.run(5, packets=0, muted=True)
    track.run(1, packets=0)  # allowed again, nothing sent yet
    track.run(3)
    assert track.meter.totals.freezes == 1


@pytest.mark.parametrize("packets", [0, 1])
def test_sound_and_screens_may_pause(packets: int) -> None:
    track = Track(moving=False)
    track.run(3)
    track.run(10, packets=packets)
    assert (track.meter.frozen, track.meter.totals.freezes) == (False, 0)


def test_a_part_that_never_came_freezes_the_picture_until_a_key_frame() -> None:
    track = Track()
    track.run(3, keyframes=1)
    track.run(4.5, lost=2)
    assert track.meter.frozen
    track.run(0.6, keyframes=1)
    assert not track.meter.frozen
    assert (track.meter.totals.freezes, track.meter.totals.lost) == (1, 2)


def test_a_loss_that_was_mended_is_none() -> None:
    track = Track()
    track.run(3)
    track.run(0.6, lost=5)
    track.run(6, lost=-5)
    assert (track.meter.totals.freezes, track.meter.totals.lost) == (0, 0)


def test_a_source_that_begins_anew_counts_on() -> None:
    track = Track()
    track.run(3)
    before = track.meter.totals
    track.received = track.octets = track.lost = 0
    track.run(3)
    assert track.meter.totals.received == before.received + 300
    assert track.meter.totals.freezes == 0


@given(st.lists(st.tuples(*(st.integers(0, 100) for _ in range(4)), st.booleans()), max_size=60))
def test_totals_only_grow(looks: list[tuple[int, int, int, int, bool]]) -> None:
    meter, now = Meter(moving=True), 0.0
    for received, octets, lost, keyframes, muted in looks:
        before, now = meter.totals, now + STEP
        meter.look(Look(now, received, octets, lost, keyframes), muted=muted)
        assert all(new >= old for new, old in zip(meter.totals, before, strict=True))
        assert meter.bitrate >= 0
        assert meter.totals.frozen_s <= now + 1


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stay_on_loopback()
    async with AsyncExitStack() as stack:
        made = Stage(stack)
        yield made
        await made.close()


@pytest.mark.integration
async def test_a_call_is_seen_in_statistics_and_metrics_that_name_nobody(stage: Stage) -> None:
    speaker, listener = await stage.person("person-a"), await stage.person("person-b")
    await speaker.caller.start()
    await listener.caller.received(tracks=2, frames=20)
    room = stage.control.rooms["r"]
    metrics = Metrics(registry := CollectorRegistry())
    metrics.observe(1, room.participants.values(), 0.25, {"stranger": 3})
    tracks = {track["source"]: track for track in room.stats()["person-a"]["tracks"]}
    async with asyncio.timeout(20):
        while not (tracks["camera"]["bitrate"] and tracks["microphone"]["bitrate"]):
            await asyncio.sleep(0.1)
            tracks = {track["source"]: track for track in room.stats()["person-a"]["tracks"]}
    assert tracks["camera"]["codec"] == "vp8"
    assert tracks["camera"]["keyframe_requests"] >= 1
    assert tracks["camera"]["freezes"] == 0
    line = overall(room.stats().values())
    assert line["bitrate_in"] > tracks["microphone"]["bitrate"] / 2
    assert (line["frozen"], overall([])["loss_in"]) == (0, 0.0)
    metrics.observe(1, room.participants.values(), 0.25, {"stranger": 5})
    text = generate_latest(registry).decode()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}
    assert values["bedside_media_participants"] == 2
    assert values['bedside_media_packets_total{codec="opus",source="microphone"}'] > 20
    assert values['bedside_media_keyframe_requests_total{codec="vp8",source="camera"}'] >= 1
    assert values['bedside_media_drops_total{reason="stranger"}'] == 5
    assert values['bedside_media_track_bitrate_count{source="camera"}'] >= 1
    assert values['bedside_media_freezes_total{codec="vp8"}'] == 0
    named = [track["track_id"] for track in tracks.values()]
    assert not any(f'"{name}"' in text for name in ("person-a", "person-b", "r", *named))


@pytest.mark.integration
async def test_a_worker_serves_its_metrics_where_it_is_told_to(valkey: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class Measured(Worker):
        @property
        def environment(self) -> dict[str, str]:
            return super().environment | {"BEDSIDE_MEDIA_METRICS_PORT": str(port)}

    worker = Measured(valkey, free_port())
    await worker.start()
    async with ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.status == 200
            assert "bedside_media_rooms 0.0" in await answer.text()
        async with session.get(f"http://127.0.0.1:{port}/health/ready") as answer:
            assert answer.status == 200
            assert (await answer.json())["checks"] == [{"name": "registry", "status": "ok", "detail": None}]
    assert await worker.stop() == 0
