"""A receiver gets the layers it is to get: numbers go on where others are left out, and nothing it needs is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from media.rtp import rtcp, rtx
from tests.media.layers import L1T3, L1T3_PICTURES, L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, Scheme
from tests.media.paths import (
    DEPENDENCY_ID,
    MID_ID,
    RTX_TYPE,
    SEND_TIME_ID,
    TWCC_ID,
    VIDEO_TYPE,
    Received,
    World,
    rtp,
)

START = 65_500  # the receiver's first number


@pytest.fixture
def world(media_path: str) -> Iterator[World]:
    made = World(media_path, codec="vp9")
    made.video.source.layered = False
    yield made
    made.close()


class Encoder:
    """Sends pictures in two packets a frame; frames that a test names are lost on the way."""

    def __init__(self, world: World, scheme: Scheme, pictures: tuple[tuple[int, ...], ...], first: tuple[int, ...]):
        self.world, self.scheme = world, scheme
        self._pictures, self._first = pictures, first
        self.sequence = 65_530
        self.frame_number = 65_534
        self.picture = 0
        self.active: int | None = None
        self.lost: dict[int, bytes] = {}

    def send(self, count: int = 1, *, key: bool = False, lose: bool = False, active: int | None = None) -> None:
        for _ in range(count):
            if key:
                self.picture = 0
            templates = self._first if self.picture == 0 else self._pictures[self.picture % len(self._pictures)]
            for template in templates:
                last = template == templates[-1]
                for part in (0, 1):
                    tell = key and part == 0 and template == templates[0]
                    told = active if part == 0 and template == templates[0] else None
                    descriptor = self.scheme.describe(
                        template, self.frame_number, start=part == 0, end=part == 1, tell=tell, active=told
                    )
                    packet = rtp(
                        World.VIDEO,
                        self.sequence,
                        b"%d %d" % (template, self.frame_number),
                        timestamp=3000 * self.picture,
                        marker=last and part == 1,
                        elements=[(DEPENDENCY_ID, descriptor)],
                    )
                    if lose:
                        self.lost[self.sequence & 0xFFFF] = packet
                    else:
                        self.world.sender.send(packet)
                    self.sequence += 1
                self.frame_number = self.frame_number + 1 & 0xFFFF
            self.picture += 1
        self.world.poll(0.033)

    def mend(self, number: int) -> None:
        """Send a lost one again."""
        packet = self.lost.pop(number & 0xFFFF)
        self.world.sender.send(packet)
        self.world.poll(0.01)


def temporal(world: World) -> Encoder:
    return Encoder(world, L1T3, L1T3_PICTURES, (0,))


def spatial(world: World) -> Encoder:
    return Encoder(world, L2T2_KEY, L2T2_KEY_PICTURES, L2T2_KEY_FIRST)


def templates(packets: list[Received]) -> list[int]:
    """Of each frame that came whole, in order."""
    assert all(packets[at].payload == packets[at + 1].payload for at in range(0, len(packets), 2))
    return [int(packet.payload.split(b" ")[0]) for packet in packets[::2]]


def gapless(packets: list[Received], first: int = START) -> None:
    assert [(packet.number - first) & 0xFFFF for packet in packets] == list(range(len(packets)))


def test_all_layers_until_somebody_aims(world: World) -> None:
    encoder = temporal(world)
    encoder.send(key=True)
    encoder.send(8)
    packets = world.receivers[0].packets()
    assert templates(packets) == [0, 3, 2, 4, 1, 3, 2, 4, 1]
    gapless(packets)
    found = world.video.source.targets
    assert [(each.spatial, each.temporal, each.lines) for each in found] == [(0, 0, 360), (0, 1, 360), (0, 2, 360)]
    assert found[0].octets < found[1].octets < found[2].octets == world.video.source.octets


def test_fewer_pictures_without_a_gap(world: World) -> None:
    encoder, (one, other) = temporal(world), world.receivers
    one.sinks[2000].aim(0, 0)
    other.sinks[2001].aim(0, 1)
    encoder.send(key=True)
    encoder.send(12)
    low, middle = one.packets(), other.packets()
    assert templates(low) == [0, 1, 1, 1]
    assert templates(middle) == [0, 2, 1, 2, 1, 2, 1]
    gapless(low)
    gapless(middle, 65_501)
    assert [packet.timestamp for packet in low][::2] == [0, 12_000, 24_000, 36_000]
    assert all(packet.marker for packet in low[1::2])


def test_down_and_up_between_pictures_that_need_each_other(world: World) -> None:
    encoder, receiver = temporal(world), world.receivers[0]
    sink = receiver.sinks[2000]
    encoder.send(key=True)
    encoder.send(1)
    sink.aim(0, 0)
    encoder.send(1)  # the middle one belongs to what is sent until the next that can begin
    assert sink.aiming
    encoder.send(4)
    assert not sink.aiming
    sink.aim(0, 7)
    encoder.send(6)
    packets = receiver.packets()
    assert templates(packets) == [0, 3, 2, 4, 1, 1, 3, 2, 4, 1]
    gapless(packets)


def test_sizes_change_at_key_frames_alone_where_they_stand_alone(world: World) -> None:
    encoder, receiver = spatial(world), world.receivers[0]
    sink = receiver.sinks[2000]
    sink.aim(1, 1)
    encoder.send(key=True)
    encoder.send(3)
    sink.aim(0, 1)
    encoder.send(4)
    assert sink.aiming, "frames of the small size need small ones that were not sent"
    encoder.send(key=True)
    assert not sink.aiming
    encoder.send(2)
    sink.aim(1, 0)
    encoder.send(2)
    assert sink.aiming
    encoder.send(key=True)
    encoder.send(2)
    packets = receiver.packets()
    assert templates(packets) == [0, 3, 5, 4, 5, 4, 5, 4, 5, 0, 2, 1, 2, 1, 0, 3, 4]
    gapless(packets)
    assert [each.lines for each in world.video.source.targets] == [180, 180, 360, 360]


def test_the_last_packet_of_a_picture_is_marked(world: World) -> None:
    encoder, (one, other) = spatial(world), world.receivers
    one.sinks[2000].aim(0, 1)
    encoder.send(key=True)
    encoder.send(3)
    small, all_of_it = one.packets(), other.packets()
    assert [packet.marker for packet in small] == [False, True] * 4
    assert [packet.marker for packet in all_of_it] == [False, False, False, True] + [False, True] * 3


def test_what_a_sender_stops_is_not_waited_for(world: World) -> None:
    encoder, receiver = spatial(world), world.receivers[0]
    encoder.send(key=True, active=0b0011)
    encoder.send(2)
    assert {each.spatial for each in world.video.source.targets} == {0}
    assert templates(receiver.packets()) == [0, 2, 1]
    encoder.send(key=True)
    encoder.send(1)
    assert templates(receiver.packets()) == [0, 3, 5]


def test_lost_packets_keep_their_numbers(world: World) -> None:
    """What is missing may have been wanted: it is sent when it comes, or its number is filled."""
    encoder, receiver = temporal(world), world.receivers[0]
    receiver.sinks[2000].aim(0, 1)
    encoder.send(key=True)
    encoder.send(1)  # left out
    encoder.send(1, lose=True)  # wanted
    encoder.send(1, lose=True)  # not wanted
    encoder.send(1)
    lost = sorted(encoder.lost, key=lambda number: (number - 65_530) & 0xFFFF)
    before = receiver.packets()
    assert templates(before) == [0, 1]
    assert [(packet.number - START) & 0xFFFF for packet in before] == [0, 1, 6, 7]
    for number in reversed(lost):
        encoder.mend(number)
    mended = sorted(receiver.packets(), key=lambda packet: (packet.number - START) & 0xFFFF)
    assert [(packet.number - START) & 0xFFFF for packet in mended] == [2, 3, 4, 5]
    assert templates(mended[:2]) == [2]
    assert [packet.payload for packet in mended[2:]] == [b"\x01", b"\x01"], "padding alone"
    encoder.send(4)
    after = receiver.packets()
    assert templates(after) == [2, 1]
    gapless(after, START + 8)


def test_what_went_out_is_sent_again_as_it_was(world: World) -> None:
    encoder, receiver = spatial(world), world.receivers[0]
    receiver.sinks[2000].aim(0, 0)
    encoder.send(key=True)
    encoder.send(8)
    sent = {packet.number: packet for packet in receiver.packets()}
    assert len(sent) == 10
    receiver.send_rtcp(rtcp.receiver_report(1, []) + rtcp.nack(1, 2000, sorted(sent)))
    world.poll(0.05)
    again = receiver.packets()
    assert {packet.type for packet in again} == {RTX_TYPE}
    assert len(again) == len(sent)
    for packet in again:
        found = rtx.unwrap(packet.payload)
        assert found is not None
        number, payload = found
        assert (payload, packet.timestamp, packet.marker) == (
            sent[number].payload,
            sent[number].timestamp,
            sent[number].marker,
        )


def test_who_takes_descriptors_gets_them_as_they_came(world: World) -> None:
    """A decoder of AV1 finds its frames by them; a structure makes one longer than the short form of extensions."""
    encoder, (one, other) = spatial(world), world.receivers
    encoder.send(key=True)
    encoder.send(1)
    plain, packets = one.packets(), other.packets()
    assert not any(DEPENDENCY_ID in packet.extensions for packet in plain)
    told = [packet.extensions[DEPENDENCY_ID] for packet in packets]
    assert told[0] == L2T2_KEY.describe(0, 65_534, end=False, tell=True)
    assert len(told[0]) > 16
    assert told[1:3] == [L2T2_KEY.describe(0, 65_534, start=False), L2T2_KEY.describe(3, 65_535, end=False)]
    for packet in packets:
        assert packet.extensions[MID_ID] == b"v"
        assert len(packet.extensions[SEND_TIME_ID]) == 3
        assert packet.payload.split(b" ")[0] in (b"0", b"2", b"3", b"5")
    assert [int.from_bytes(packet.extensions[TWCC_ID]) for packet in packets] == list(range(len(packets)))
    other.send_rtcp(rtcp.receiver_report(1, []) + rtcp.nack(1, 2001, [packets[0].number]))
    world.poll(0.05)
    again = other.packets()
    assert [packet.extensions[DEPENDENCY_ID] for packet in again] == [told[0]]


def test_a_pause_begins_anew(world: World) -> None:
    encoder, receiver = temporal(world), world.receivers[0]
    sink = receiver.sinks[2000]
    sink.aim(0, 0)
    encoder.send(key=True)
    encoder.send(4)
    sink.paused = True
    encoder.send(5)
    sink.paused = False
    sink.resync()
    encoder.send(key=True)
    encoder.send(4)
    packets = receiver.packets()
    assert templates(packets) == [0, 1, 0, 1]
    gapless(packets)


def test_a_sender_that_counts_anew_is_followed(world: World) -> None:
    encoder, receiver = temporal(world), world.receivers[0]
    receiver.sinks[2000].aim(0, 0)
    encoder.send(key=True)
    encoder.frame_number = 30_000
    encoder.send(3)
    encoder.frame_number = 20
    encoder.send(key=True)
    encoder.send(4)
    assert templates(receiver.packets()) == [0, 0, 1]


def test_undescribed_packets_pass(world: World) -> None:
    encoder, receiver = temporal(world), world.receivers[0]
    receiver.sinks[2000].aim(0, 0)
    encoder.send(key=True)
    for number, elements in enumerate(([], [(DEPENDENCY_ID, b"\x3f\x00")], [(DEPENDENCY_ID, b"\xff" * 14)])):
        world.sender.send(rtp(World.VIDEO, encoder.sequence + number, b"x", kind=VIDEO_TYPE, elements=elements))
    encoder.sequence += 3
    encoder.send(3)
    packets = receiver.packets()
    assert [packet.payload for packet in packets[2:]] == [b"x"] * 3
    gapless(packets)
