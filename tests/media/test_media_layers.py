"""Layers within one encoding: agreed on by header extension, offered to each receiver by its rate and what it shows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from media import codecs, sdp
from media.allocation import wish
from media.dtls import Certificate
from media.incoming import Incoming
from media.outgoing import Outgoing
from media.producer import Producer
from media.rtp import rtcp
from media.transport import Connection, UdpTransport
from tests.media.camera import Overheard, camera_offer
from tests.media.layers import L1T3, L1T3_PICTURES, L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, Scheme
from tests.media.paths import DEPENDENCY_ID, rtp

MID_ID, SSRC = 4, 77
OFFER = camera_offer("VP9", {MID_ID: sdp.MID, DEPENDENCY_ID: sdp.DEPENDENCY}, mixed=True)


class Call:
    """A camera of layers that comes in, and a receiver, without a network."""

    def __init__(self, transport: UdpTransport) -> None:
        self.connection = Overheard(transport)
        self.incoming = Incoming(self.connection)
        self.answer, _, _ = self.incoming.negotiate(sdp.parse(OFFER), {"0": "camera"}, [], lambda source: "track")
        self.outgoing = Outgoing(Connection(transport, 0.0))
        self.estimate: int | None = None
        self.outgoing.estimate = lambda now: self.estimate  # type: ignore[method-assign]  # what feedback would tell
        consumer = self.outgoing.add(self.camera, "somebody")
        assert consumer is not None
        self.consumer = consumer
        self.consumer.track.active = True
        self.now = 0.0
        self.sequence = self.frame = 0

    @property
    def camera(self) -> Producer:
        return self.incoming.producers["0"]

    def send(
        self, scheme: Scheme, first: tuple[int, ...], pictures: tuple[tuple[int, ...], ...], seconds: float
    ) -> None:
        """Ten pictures a second, the first a key frame; every frame has 500 bytes."""
        for picture in range(int(seconds * 10)):
            self.now += 0.1
            for template in first if picture == 0 else pictures[picture % len(pictures)]:
                told = scheme.describe(template, self.frame, tell=picture == 0 and template == first[0])
                elements = [(MID_ID, b"0"), (DEPENDENCY_ID, told)]
                self.incoming.unknown(rtp(SSRC, self.sequence, bytes(500), elements=elements), self.now)
                self.sequence, self.frame = self.sequence + 1, self.frame + 1
            self.incoming.look_at_layers(self.now)
            self.outgoing.allocate(self.now, [])
            self.incoming.mend(self.now, 0.05)


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    transport = UdpTransport(Certificate(), time.monotonic)
    transport.open("127.0.0.1", 0)
    made = Call(transport)
    yield made
    made.incoming.close()
    made.outgoing.close()
    await transport.close()


@pytest.mark.parametrize(("codec", "takes"), [("VP9", True), ("AV1", True), ("VP8", False)])
def test_descriptors_are_asked_for_where_layers_can_be_left_out(codec: str, takes: bool) -> None:
    chosen = codecs.choose(sdp.parse(OFFER.replace("VP9", codec)).media[0], mixed=True)
    assert chosen is not None
    assert (sdp.DEPENDENCY in chosen.extensions) == takes


def test_the_answer_takes_the_extension_and_receivers_are_offered_it(call: Call) -> None:
    assert f"a=extmap:{DEPENDENCY_ID} {sdp.DEPENDENCY}" in call.answer.split("\r\n")
    assert "a=extmap-allow-mixed" in call.answer.split("\r\n"), "else Chromium can't send a structure"
    offer = call.outgoing.offer([]).split("\r\n")
    assert f"a=extmap:5 {sdp.DEPENDENCY}" in offer
    assert "a=extmap-allow-mixed" in offer


async def test_without_mixed_forms_nobody_is_asked_to_mix_them(call: Call) -> None:
    plain = OFFER.replace("a=extmap-allow-mixed\n", "")
    answer, _, _ = Incoming(call.connection).negotiate(sdp.parse(plain), {"0": "camera"}, [], lambda source: "track")
    assert "a=extmap-allow-mixed" not in answer
    assert sdp.DEPENDENCY not in answer


def test_sizes_follow_what_is_shown_and_what_fits(call: Call) -> None:
    call.send(L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, 2.0)
    options = call.camera.options()
    assert [(each.lines, each.aim) for each in options] == [(180, (0, 0)), (180, (0, 1)), (360, (1, 1))]
    slow, small, large = (each.bitrate for each in options)
    assert 15_000 < slow < 25_000 < small < 45_000
    assert small < large * 1.1, "the large one stands alone between key frames"
    assert call.consumer.aim in (None, (1, 1))
    call.consumer.max_height = 180
    call.send(L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, 0.5)
    assert call.consumer.aim == (0, 1)
    call.estimate = slow + 5_000
    call.send(L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, 0.5)
    assert call.consumer.aim == (0, 0), "fewer pictures rather than none"
    call.estimate = slow - 5_000
    call.send(L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, 0.5)
    assert call.consumer.paused
    call.estimate = None
    call.consumer.max_height = None
    call.send(L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, 0.5)
    assert call.consumer.aim == (1, 1)
    assert not call.consumer.paused


def test_layers_that_cannot_begin_are_asked_for_a_few_times(call: Call) -> None:
    call.send(L2T2_KEY, L2T2_KEY_FIRST, L2T2_KEY_PICTURES, 1.5)

    class Waiting:
        """A sink whose source never sends what it waits for."""

        active, packets, paused, aiming = True, 1, False, True
        source, target = call.consumer.track.source, None

        def aim(self, spatial: int, temporal: int) -> None:
            self.aimed = spatial, temporal

        def close(self) -> None:
            sink.close()

    sink, track = call.consumer.track, Waiting()
    call.consumer.track = track  # type: ignore[assignment]  # what the controller uses of it
    call.consumer.max_height = 180
    call.connection.heard(rtcp.KeyframeRequest)
    for _ in range(80):
        call.now += 0.1
        call.outgoing.allocate(call.now, [])
    assert track.aimed == (0, 1)
    assert 1 <= len(call.connection.heard(rtcp.KeyframeRequest)) <= 5


def test_the_slowest_receiver_leaves_the_others_more_than_itself(call: Call) -> None:
    call.send(L1T3, (0,), L1T3_PICTURES, 2.5)
    assert [each.aim for each in call.camera.options()] == [(0, 0), (0, 1), (0, 2)]
    limits = iter((200_000, 2_000_000, 200_000))
    call.camera.consumers = [call.consumer, call.consumer]
    call.consumer.ceiling = lambda now: next(limits)  # type: ignore[method-assign]
    ceiling = call.camera.ceiling(call.now)
    assert ceiling is not None
    assert 600_000 < ceiling <= 1_000_000, "four times what the slowest takes, who gets a quarter of the pictures"
    call.camera.consumers = [call.consumer]
    assert call.camera.ceiling(call.now) == 200_000, "alone it is followed"


def test_of_one_size_the_most_pictures_suit() -> None:
    assert wish([180, 180, 360, 720], 180) == 1
    assert wish([360, 360, 360], 180) == 2
    assert wish([360, 360, 360], 1080) == 2
    assert wish([180, 360, 720], None) == 2
