"""A receiver goes over from one encoding of a camera to another: nothing in what it gets shows the seam."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from media.rtp import picture, rtcp, rtx
from tests.media.paths import RTX_TYPE, Received, World, rtp
from tests.media.test_media_path_twins import vp8

FRAME_S = 1 / 30
START = 65_500  # the receiver's first number
CLOCKS = {World.VIDEO: 4_000_000_000, World.LOW: 123_456}  # random offsets, as browsers have
PICTURES = {World.VIDEO: 32_760, World.LOW: 500}
BASES = {World.VIDEO: 250, World.LOW: 3}


@pytest.fixture
def world(media_path: str) -> Iterator[World]:
    made = World(media_path)
    yield made
    made.close()


class Camera:
    """Sends both encodings, two packets a picture."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.count = 0

    def frame(self, *keys: int, lag: int = 0) -> None:
        """A picture of each encoding, key frames (``keys``) first. ``lag``: the low one is that many behind."""
        for ssrc in sorted((World.VIDEO, World.LOW), key=lambda ssrc: ssrc not in keys):
            number = self.count - (lag if ssrc == World.LOW else 0)
            timestamp = CLOCKS[ssrc] + int(number * 90_000 * FRAME_S)
            head = vp8(PICTURES[ssrc] + number, BASES[ssrc] + number, ssrc in keys, 720 if ssrc == World.VIDEO else 180)
            name = b"%d.%d " % (ssrc, number)
            for part, marker in ((0, False), (1, True)):
                payload = head + name + b"first" if part == 0 else b"\x80" + head[1:5] + name + b"second"
                packet = rtp(ssrc, 2 * number + part, payload, timestamp=timestamp, marker=marker)
                self.world.sender.send(packet)
        self.count += 1
        self.world.poll(FRAME_S)


def know_clocks(world: World) -> None:
    """As sender reports of both encodings tell."""
    world.video.source.shift = 0
    world.low.source.shift = CLOCKS[World.VIDEO] - CLOCKS[World.LOW] & 0xFFFFFFFF


def seamless(packets: list[Received], count: int, *, exact: bool = True) -> None:
    """Numbers go on, pictures go on, timestamps grow as time does."""
    assert [(p.number - START) & 0xFFFF for p in packets] == list(range(2 * count))
    places = [picture.vp8(p.payload) for p in packets]
    assert all(places)
    first = packets[0]
    for index, (packet, place) in enumerate(zip(packets, places, strict=True)):
        assert place is not None
        assert place.picture == PICTURES[World.VIDEO] + index // 2 & 0x7FFF
        assert place.base == BASES[World.VIDEO] + index // 2 & 0xFF
        elapsed = (packet.timestamp - first.timestamp) & 0xFFFFFFFF
        assert abs(elapsed - index // 2 * 90_000 * FRAME_S) <= (1 if exact else 90_000 * FRAME_S)
        assert packet.ssrc == 2000


def encodings(packets: list[Received]) -> list[int]:
    return [int(p.payload.split(b" ")[-2].split(b".")[0][-4:]) for p in packets]


@pytest.mark.parametrize("clocks_known", [True, False])
def test_numbers_timestamps_and_pictures_go_on(world: World, clocks_known: bool) -> None:
    if clocks_known:
        know_clocks(world)
    camera, receiver = Camera(world), world.receivers[0]
    sink = receiver.sinks[2000]
    camera.frame(World.VIDEO, World.LOW)
    for _ in range(9):
        camera.frame()
    sink.switch(world.low.source)
    assert sink.target is world.low.source
    for _ in range(3):
        camera.frame()  # nothing to enter by yet
    camera.frame(World.LOW)
    assert sink.source is world.low.source
    assert sink.target is None
    for _ in range(6):
        camera.frame()
    sink.switch(world.video.source)
    camera.frame(World.LOW)  # of the wrong one
    camera.frame(World.VIDEO)
    for _ in range(8):
        camera.frame()
    packets = receiver.packets()
    seam = [World.VIDEO] * 26 + [World.LOW] * 16 + [World.VIDEO] * 18
    assert encodings(packets) == seam
    seamless(packets, 30, exact=clocks_known)
    other = world.receivers[1].packets()
    assert set(encodings(other)) == {World.VIDEO}, "each receiver for itself"
    assert world.video.source.lines == 720
    assert world.low.source.lines == 180


def test_an_encoding_that_lags_never_turns_time_back(world: World) -> None:
    know_clocks(world)
    camera, receiver = Camera(world), world.receivers[0]
    camera.count = 10
    for _ in range(5):
        camera.frame(lag=3)
    receiver.sinks[2000].switch(world.low.source)
    camera.frame(World.LOW, lag=3)
    for _ in range(5):
        camera.frame(lag=3)
    stamps = [p.timestamp for p in receiver.packets()][::2]
    steps = [(after - before) & 0xFFFFFFFF for before, after in itertools.pairwise(stamps)]
    assert steps == [3000] * 4 + [1] + [3000] * 5, "the picture it had seen, a tick later; then on"


def test_a_clock_that_is_told_wrong_is_not_believed(world: World) -> None:
    know_clocks(world)
    world.low.source.shift = 55_555_555
    camera, receiver = Camera(world), world.receivers[0]
    for _ in range(5):
        camera.frame()
    receiver.sinks[2000].switch(world.low.source)
    for index in range(5):
        camera.frame(*([World.LOW] if index == 0 else []))
    seamless(receiver.packets(), 10, exact=False)
    assert receiver.sinks[2000].shift != 55_555_555


def test_what_went_out_before_is_still_sent_again(world: World) -> None:
    know_clocks(world)
    camera, receiver = Camera(world), world.receivers[0]
    sink = receiver.sinks[2000]
    camera.frame(World.VIDEO, World.LOW)
    camera.frame()
    for source in (world.low, world.video):
        sink.switch(source.source)
        camera.frame(World.LOW if source is world.low else World.VIDEO)
        camera.frame()
    sent = {p.number: p for p in receiver.packets()}
    assert len(sent) == 12
    wanted = sorted(sent)[:12]
    receiver.send_rtcp(rtcp.receiver_report(1, []) + rtcp.nack(1, 2000, wanted))
    world.poll(0.05)
    again = receiver.packets()
    assert {p.type for p in again} == {RTX_TYPE}
    assert len(again) == 12
    for packet in again:
        found = rtx.unwrap(packet.payload)
        assert found is not None
        number, payload = found
        assert payload == sent[number].payload
        assert packet.timestamp == sent[number].timestamp
        assert packet.marker == sent[number].marker
    assert (sink.resent, sink.resend_misses) == (12, 0)


def test_mended_key_frames_lose_their_turn(world: World) -> None:
    """A key frame that came too late is none to enter by: what followed it has been let go."""
    know_clocks(world)
    camera, receiver = Camera(world), world.receivers[0]
    camera.frame()
    receiver.sinks[2000].switch(world.low.source)
    world.sender.send(rtp(World.LOW, 5, b"\x80", timestamp=1))
    world.sender.send(rtp(World.LOW, 4, vp8(1, 1, True), timestamp=1))
    world.poll(0.01)
    assert receiver.sinks[2000].target is world.low.source
    world.low.source.muted = True
    world.sender.send(rtp(World.LOW, 6, vp8(2, 2, True), timestamp=3000))
    world.poll(0.01)
    assert receiver.sinks[2000].target is world.low.source, "muted: nothing enters"


def test_what_goes_on_begins_with_a_key_frame_of_what_was_chosen(world: World) -> None:
    know_clocks(world)
    camera, receiver = Camera(world), world.receivers[0]
    sink = receiver.sinks[2000]
    camera.frame(World.VIDEO, World.LOW)
    sink.paused = True
    for _ in range(5):
        camera.frame()
    sink.switch(world.low.source)
    sink.paused = False
    sink.resync()
    sink.wait_for_key(world.now)
    for _ in range(3):
        camera.frame()
    assert encodings(receiver.packets()) == [World.VIDEO] * 2, "nothing of the large one in between"
    camera.frame(World.LOW)
    camera.frame()
    packets = receiver.packets()
    assert encodings(packets) == [World.LOW] * 4
    assert [(p.number - START) & 0xFFFF for p in packets] == [2, 3, 4, 5]
    sink.wait_for_key(world.now)
    camera.frame()
    assert receiver.packets() == []
    world.now += 3.1
    camera.frame()
    assert len(receiver.packets()) == 2, "a key frame may be one nobody can tell"


def test_staying_and_closing(world: World) -> None:
    camera, (one, two) = Camera(world), world.receivers
    sink, other = one.sinks[2000], two.sinks[2001]
    sink.switch(world.low.source)
    sink.switch(world.video.source)
    other.switch(world.low.source)
    camera.frame(World.LOW)
    assert sink.source is world.video.source
    assert other.source is world.low.source
    sink.switch(world.low.source)
    other.switch(world.video.source)
    other.close()
    assert other.source is None
    assert other.target is None
    world.low.source.close()
    assert sink.target is None
    camera.frame(World.LOW, World.VIDEO)
    assert set(encodings(one.packets())) == {World.VIDEO}
