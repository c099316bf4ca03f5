"""Frames come out of packets as they went in; whatever is hostile comes out as nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp.depacketize import DEPACKETIZERS
from media.rtp.frames import MAX_WAIT_S, FrameAssembler
from tests.media.encoded import ENCODERS, Picture, nal_units, obus, payloads, pictures

CODECS = list(ENCODERS)


@pytest.fixture(scope="module")
def encoded() -> dict[str, list[Picture]]:
    return {codec: pictures(codec, 1.0, 0.5, keys=(0, 15)) for codec in CODECS}


def essence(codec: str, data: bytes) -> list[bytes]:
    """What of a frame has to stay the same: containers and packets delimit units in their own ways."""
    return nal_units(data) if codec == "h264" else obus(data) if codec == "av1" else [data]


@pytest.mark.parametrize("codec", CODECS)
def test_frames_survive_their_packets(codec: str, encoded: dict[str, list[Picture]]) -> None:
    assert any(len(payloads(codec, picture, 0)) > 2 for picture in encoded[codec])
    for number, picture in enumerate(encoded[codec]):
        frame = DEPACKETIZERS[codec](payloads(codec, picture, number))
        assert frame is not None
        assert sorted(essence(codec, frame.data)) == sorted(essence(codec, picture.data))
        assert frame.keyframe == picture.keyframe


@pytest.mark.parametrize("codec", CODECS)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_hostile_payloads_never_raise(codec: str, hostile: list[bytes]) -> None:
    frame = DEPACKETIZERS[codec](hostile) if hostile else None
    assert frame is None or frame.data


@pytest.mark.parametrize("codec", CODECS)
def test_truncated_payloads_never_raise(codec: str, encoded: dict[str, list[Picture]]) -> None:
    for payload in payloads(codec, encoded[codec][0], 0)[:3]:
        for size in range(min(len(payload), 60)):
            DEPACKETIZERS[codec]([payload[:size]])


Packet = tuple[int, int, bool, bytes, float]


def packets(codec: str, encoded: list[Picture]) -> list[Packet]:
    made: list[Packet] = []
    for number, picture in enumerate(encoded):
        parts = payloads(codec, picture, number)
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            made.append((65_500 + len(made), round(picture.at * 90_000), last, part, 10.0 + picture.at))
    return made


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("seed", range(5))
def test_order_and_copies_do_not_matter(codec: str, seed: int, encoded: dict[str, list[Picture]]) -> None:
    chance = random.Random(seed)
    sent = packets(codec, encoded[codec])
    first, rest = sent[0], sent[1:]
    mixed = sorted(rest, key=lambda packet: packet[0] + chance.uniform(0, 12))
    assembler = FrameAssembler(codec)
    frames = []
    for packet in [first, *mixed, *chance.sample(sent, 10)]:
        frames += assembler.packet(*packet)
    assert [frame.timestamp for frame in frames] == [round(p.at * 90_000) for p in encoded[codec]]
    assert not any(frame.after_gap for frame in frames)
    assert (assembler.lost, assembler.broken) == (0, 0)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("lost_frame", [3, 7])
@pytest.mark.parametrize("part", [0, -1])
def test_after_a_loss_pictures_go_on_at_a_key_frame(
    codec: str, lost_frame: int, part: int, encoded: dict[str, list[Picture]]
) -> None:
    sent = packets(codec, encoded[codec])
    of_frame = [p for p in sent if p[1] == round(encoded[codec][lost_frame].at * 90_000)]
    gone = of_frame[part]
    assembler = FrameAssembler(codec)
    frames = []
    for packet in sent:
        if packet is not gone:
            frames += assembler.packet(*packet)
    assert len(frames) == lost_frame, "nothing is given up before its time"
    frames += assembler.frames(sent[-1][4] + MAX_WAIT_S + 0.1)
    seen = [frame.timestamp for frame in frames]
    expected = [p.at for n, p in enumerate(encoded[codec]) if n < lost_frame or n >= 15]
    assert seen == [round(at * 90_000) for at in expected]
    assert [frame.timestamp for frame in frames if frame.after_gap] == [round(0.5 * 90_000)]
    assert assembler.lost >= 1


def test_a_pause_of_sound_is_no_loss_and_a_lost_packet_is_a_gap() -> None:
    assembler = FrameAssembler("opus")
    assert [f.frame.data for f in assembler.packet(100, 0, True, b"a", 1.0)] == [b"a"]
    assert assembler.packet(102, 1920, False, b"c", 1.04) == []
    assert [f.frame.data for f in assembler.frames(1.04 + MAX_WAIT_S + 0.1)] == [b"c"]
    assert assembler.lost == 1
    assembler.pause()
    late = assembler.packet(500, 96_000, False, b"d", 9.0)
    assert [(f.frame.data, f.after_gap) for f in late] == [(b"d", False)]
    assert assembler.lost == 1
    assert [f.frame.data for f in assembler.packet(501, 96_960, False, b"", 9.02)] == [], "padding alone"
    again = assembler.packet(65_536, 0, False, b"e", 10.0)
    assert again == [], "far ahead: what is between may come"
    assert assembler.frames(10.0 + MAX_WAIT_S + 0.1)[0].frame.data == b"e"


def test_a_source_that_numbers_anew_begins_anew() -> None:
    assembler = FrameAssembler("opus")
    assembler.packet(200_000, 0, False, b"a", 1.0)
    assert [f.frame.data for f in assembler.packet(65_540, 0, False, b"b", 1.1)] == [b"b"]
