"""What goes upstream: only what was negotiated, and no more often than it serves."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import codecs, sdp
from media.connection import Connection
from media.dtls import Certificate
from media.incoming import Incoming
from media.layer import Layer
from media.producer import Producer
from media.rtp import rtcp
from media.rtp.estimate import CEILING, FLOOR, START, LossEstimate
from media.transport import UdpTransport

OFFER = (Path(__file__).with_name("sdp") / "chromium.offer").read_text()
SOURCES = {"0": "microphone", "1": "camera"}


class Back:
    """The way to the sender: remembers what went."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.watched = 0

    def send_feedback(self, packet: bytes) -> None:
        self.sent.append(packet)

    def watch(self, layer: Layer) -> None:
        self.watched += 1


class Overheard(Connection):
    """A connection whose reports can be read before they are encrypted."""

    def __init__(self, transport: UdpTransport) -> None:
        super().__init__(transport, 0.0)
        self.reports: list[bytes] = []

    def send_rtcp(self, packet: bytes) -> None:
        self.reports.append(packet)


@pytest.fixture
async def transport() -> AsyncIterator[UdpTransport]:
    opened = UdpTransport(Certificate(), time.monotonic)
    opened.open("127.0.0.1", 0)
    yield opened
    await opened.close()


def camera(transport: UdpTransport, *feedback: str) -> tuple[Producer, Back]:
    back = Back()
    chosen = sdp.Chosen(sdp.Codec(96, "vp8", 90000, 1), 97, {}, list(feedback))
    producer = Producer("t", "1", "camera", "video", chosen, back, Connection(transport, 0.0).link)
    producer.set_ssrc(77)
    return producer, back


def kind_and_format(packet: bytes) -> tuple[int, int]:
    """Of what follows the empty receiver report."""
    return packet[9], packet[8] & 0x1F


async def test_key_frames_are_asked_for_by_pli_where_there_is_one(transport: UdpTransport) -> None:
    producer, back = camera(transport, "nack pli", "ccm fir")
    producer.request_keyframe(10.0)
    assert [kind_and_format(packet) for packet in back.sent] == [(rtcp.PSFB, rtcp.PLI_FORMAT)]


async def test_fir_alone_is_numbered_and_throttled(transport: UdpTransport) -> None:
    producer, back = camera(transport, "ccm fir")
    for now in (10.0, 10.1, 10.4):
        producer.request_keyframe(now)
    assert len(back.sent) == 1
    producer.layers[0].tick(10.45, 0.1)
    assert [packet[24] for packet in back.sent] == [1, 1], "no key frame came: the same request once more"
    for step in range(200):
        producer.layers[0].tick(10.5 + step * 0.02, 0.1)
    numbers = [packet[24] for packet in back.sent]
    assert numbers == sorted(numbers)
    assert set(numbers) == {1, 2}, "what was asked meanwhile is another request, with another number"
    assert {kind_and_format(packet) for packet in back.sent} == {(rtcp.PSFB, rtcp.FIR_FORMAT)}
    assert all(rtcp.parse(packet) == [rtcp.KeyframeRequest(77)] for packet in back.sent)


async def test_nothing_is_asked_of_a_sender_that_offered_nothing(transport: UdpTransport) -> None:
    producer, back = camera(transport, "nack")
    producer.request_keyframe(10.0)
    assert (back.sent, back.watched, producer.keyframe_requests) == ([], 0, 0)


def reported(transport: UdpTransport, offer: str) -> tuple[Incoming, Overheard, str]:
    connection = Overheard(transport)
    incoming = Incoming(connection)
    answer, _, _ = incoming.negotiate(sdp.parse(offer), SOURCES, [], lambda source: source)
    for producer in incoming.producers.values():
        head = b"\x80" + bytes((producer.chosen.codec.payload_type,)) + b"\x00\x01" + bytes(4)
        connection.link.inject(head + producer.described[0].to_bytes(4, "big") + b"\x10payload", 1.0)
    incoming.report(2.0)
    return incoming, connection, answer


async def test_estimates_go_only_to_those_who_have_none_of_their_own(transport: UdpTransport) -> None:
    _, connection, answer = reported(transport, OFFER)
    assert "transport-cc" in answer
    assert "a=rtcp-fb:96 goog-remb" in answer
    assert not [p for p in rtcp.parse(connection.reports[-1]) if isinstance(p, rtcp.Remb)], "it estimates by itself"

    without = "\r\n".join(line for line in OFFER.splitlines() if "transport" not in line)
    incoming, connection, answer = reported(transport, without)
    assert "transport-cc" not in answer
    found = [p for p in rtcp.parse(connection.reports[-1]) if isinstance(p, rtcp.Remb)]
    assert [remb.ssrcs for remb in found] == [(incoming.producers["1"].ssrc,)]
    assert START * 0.99 < found[0].bitrate <= START * 1.1

    neither = "\n".join(line for line in without.splitlines() if "goog-remb" not in line)
    _, connection, answer = reported(transport, neither)
    assert "goog-remb" not in answer
    assert not [p for p in rtcp.parse(connection.reports[-1]) if isinstance(p, rtcp.Remb)]


async def test_each_section_gets_the_feedback_it_offered(transport: UdpTransport) -> None:
    head, audio, video = OFFER.split("m=")
    audio = "".join(line for line in audio.splitlines(keepends=True) if "transport" not in line)
    _, connection, answer = reported(transport, "m=".join((head, audio, video)))
    _, answered_audio, answered_video = answer.split("m=")
    assert "transport" not in answered_audio
    assert "transport-wide-cc" in answered_video
    assert "a=rtcp-fb:96 transport-cc" in answered_video
    assert "abs-send-time" in answered_video
    assert "abs-send-time" not in answered_audio
    connection.close()


async def test_one_number_never_means_two_extensions_in_a_bundle(transport: UdpTransport) -> None:
    head, audio, video = OFFER.split("m=")
    video = video.replace("a=extmap:3 ", "a=extmap:9 ").replace("a=extmap:2 ", "a=extmap:1 ")
    _, connection, answer = reported(transport, "m=".join((head, audio, video)))
    _, answered_audio, answered_video = answer.split("m=")
    assert "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level" in answered_audio
    assert "a=extmap:3 http" in answered_audio
    assert "transport" not in answered_video, "the other section has it under another number"
    assert "abs-send-time" not in answered_video, "its number is the sound level's"
    connection.close()


async def test_extensions_they_only_receive_are_not_expected_of_them(transport: UdpTransport) -> None:
    media = sdp.parse(OFFER.replace("a=extmap:4 ", "a=extmap:4/recvonly ")).media[1]
    chosen = codecs.choose(media)
    assert chosen is not None
    assert sdp.MID not in chosen.extensions


@given(st.lists(st.tuples(st.integers(0, 10_000_000), st.floats(0, 1)), max_size=50))
def test_an_estimate_stays_within_reason(intervals: list[tuple[int, float]]) -> None:
    estimate, total = LossEstimate(), 0
    for received, loss in intervals:
        total += received
        before = estimate.bitrate
        limit = estimate.update(total, loss, 1.0)
        assert FLOOR <= limit <= CEILING
        if loss < 0.02:
            assert limit >= int(before)
        elif loss > 0.10:
            assert limit <= before


def test_an_estimate_falls_with_loss_and_grows_back() -> None:
    estimate, total = LossEstimate(), 0
    for _ in range(8):
        total += 187_500
        low = estimate.update(total, 0.3, 1.0)
    assert low < 500_000
    for _ in range(30):
        total += 187_500
        high = estimate.update(total, 0.0, 1.0)
    assert high > 1_400_000
