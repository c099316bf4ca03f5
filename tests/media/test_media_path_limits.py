"""Where there is too much: hostile bytes, floods, a worker that stays behind, bursts. The same tests for both paths."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.media.paths import (
    AUDIO_TYPE,
    RTX_TYPE,
    VIDEO_TYPE,
    World,
    numbers,
    rtp,
)

KEYFRAME = b"\x10\x50\x00\x00\x9d\x01\x2a"
INTER = b"\x10\x51\x00\x00"


@pytest.fixture
def world(media_path: str) -> Iterator[World]:
    made = World(media_path)
    yield made
    made.close()


def test_hostile_bytes_change_nothing(world: World) -> None:
    chance = random.Random(11)
    world.sender.send(rtp(World.VIDEO, 1, b"before"))
    world.poll()
    for index in range(3000):
        noise = chance.randbytes(chance.choice((0, 1, 2, 7, 11, 12, 13, 40, 1200, 2048, 3000)))
        if index % 3 == 0:
            noise = bytes((0x80 | chance.randrange(64), chance.choice((96, 111, 200, 205)))) + noise
        world.sender.raw(noise)
        packet = bytes((0x80 | chance.randrange(64), 96)) + noise
        if len(packet) < 1400:
            world.sender.link.inject(packet[:8] + World.VIDEO.to_bytes(4, "big") + packet[8:], world.now)
        if index % 20 == 0:
            world.poll(0.02)
    world.now += 1
    world.sender.send(rtp(World.VIDEO, 2, b"after"))
    world.poll()
    assert world.path.drops["srtp"] > 100
    assert world.path.drops["rtp_malformed"] > 100
    assert world.receivers[0].packets()[-1].payload == b"after"


def test_a_connection_that_sends_too_much_is_cut_to_its_limit(world: World) -> None:
    world.sender.link.limit(3000)
    for number in range(10):
        world.sender.send(rtp(World.VIDEO, number, bytes(1000)))
    world.poll()
    assert world.path.drops["over_rate"] == 8
    world.sender.send(rtp(World.VIDEO, 20, bytes(1000)))
    world.poll(0.11)
    assert world.path.drops["over_rate"] == 8


def test_a_worker_that_stays_behind_drops_what_waits(world: World) -> None:
    def fill(first: int) -> None:
        for number in range(100):
            world.sender.send(rtp(World.VIDEO, first + number, b"x"))
        world.sender.raw(b"\x00\x01" + bytes(18))

    fill(0)
    assert world.path.poll(world.now) == 64
    fill(100)
    assert world.path.poll(world.now + 0.1) == 64
    assert "overload" not in world.path.drops, "behind, but not for long"
    assert world.path.poll(world.now + 0.3) == 64
    assert world.path.drops["overload"] == 64
    world.poll(0.3)
    world.sender.send(rtp(World.VIDEO, 300, b"late is over"))
    world.poll(0.01)
    assert world.receivers[0].packets()[-1].payload == b"late is over"
    assert len(world.datagrams) == 2, "ICE checks are answered all the same"


def test_sound_outlives_pictures_in_a_worker_that_stays_behind(world: World) -> None:
    """Pictures go first, sound only where that was not enough, checks never."""
    sent = 0

    def fill() -> None:
        nonlocal sent
        for number in range(sent, sent + 128):
            world.sender.send(rtp(World.VIDEO, number, b"x"))
            if number % 4 == 0:
                world.sender.send(rtp(World.AUDIO, number // 4, b"s", kind=AUDIO_TYPE))
        sent += 128

    def poll(after: float) -> tuple[int, int]:
        """Read two batches: packets of pictures and of sound that went on."""
        assert world.path.poll(world.now + after) == 64
        assert world.path.poll(world.now + after) == 64
        world.path.flush()
        found = [packet.type for packet in world.receivers[0].packets()]
        return found.count(VIDEO_TYPE), found.count(AUDIO_TYPE)

    for _ in range(4):
        fill()
    assert poll(0.0) == (102, 26)
    pictures, sounds = poll(0.3)
    assert pictures == 0
    assert sounds >= 25
    assert world.path.drops["overload"] == 128 - sounds
    assert poll(0.9)[1] >= 25
    assert poll(1.1) == (0, 0), "dropping pictures was not enough"
    world.poll(1.2)
    world.sender.send(rtp(World.VIDEO, sent, b"on time"))
    world.poll(0.01)
    assert world.receivers[0].packets()[-1].payload == b"on time"


def test_a_burst_waits_for_its_turn_and_sound_never(world: World) -> None:
    receiver = world.receivers[0]
    receiver.link.pace(50_000.0)
    for number in range(60):
        world.sender.send(rtp(World.VIDEO, number, bytes(1000)))
    world.sender.send(rtp(World.AUDIO, 1, b"sound", kind=AUDIO_TYPE))
    world.poll(0.01)
    got = receiver.packets()
    assert [p.payload for p in got if p.type == AUDIO_TYPE] == [b"sound"]
    assert 3 <= len(got) <= 8, "a little goes at once"
    assert receiver.link.paced_packets == 60 - len(got) + 1
    assert world.path.pacing
    assert len(world.receivers[1].packets()) == 61, "nobody else waits"
    receiver.sinks[2000].resend([(65_500 + 1) & 0xFFFF], world.now, 0.0)
    begun = world.now
    while world.path.pacing:
        world.now += 0.005
        world.path.pace(world.now)
    got = receiver.packets()
    assert got[0].type == RTX_TYPE, "what is missing goes before what is new"
    assert numbers([p for p in got if p.type != RTX_TYPE], 65_500)[-1] == 59
    assert 0.9 < world.now - begun < 1.5
    assert "paced" not in world.path.drops


def test_pictures_that_waited_too_long_give_way_to_a_key_frame(world: World) -> None:
    receiver, sink = world.receivers[0], world.receivers[0].sinks[2000]
    world.sender.send(rtp(World.VIDEO, 0, KEYFRAME + bytes(900)))
    world.poll()
    receiver.link.pace(4_000.0)
    for number in range(1, 30):
        world.sender.send(rtp(World.VIDEO, number, INTER + bytes(900)))
    world.poll()
    for step in range(80):
        world.poll(0.02)
        if step % 20 == 0:
            world.sender.send(rtp(World.VIDEO, 30 + step // 20, INTER + bytes(900)))
    assert sink.choked == receiver.link.choked == 1
    assert receiver.link.paced_packets == 0
    receiver.link.pace(1e6)
    world.sender.send(rtp(World.VIDEO, 40, INTER + b"of no use"))
    world.sender.send(rtp(World.VIDEO, 41, KEYFRAME + b"again"))
    world.sender.send(rtp(World.VIDEO, 42, INTER + b"and on"))
    world.poll(0.02)
    got = receiver.packets()
    assert [p.payload for p in got[-2:]] == [KEYFRAME + b"again", INTER + b"and on"]
    assert numbers(got, 65_500) == list(range(len(got))), "the receiver misses nothing"
    assert world.path.drops["paced"] > 10
    assert len(world.receivers[1].packets()) == 37
    sink.resend([(65_500 + len(got) - 2) & 0xFFFF], world.now, 0.0)
    world.path.flush()
    assert receiver.packets()[0].payload[2:] == KEYFRAME + b"again", "numbers used twice mean what went out"
