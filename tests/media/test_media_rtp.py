"""Pure RTP: good bytes, hostile bytes, loss, reordering, wrap-around. No sockets, no sleeping."""

from __future__ import annotations

import random
import struct

import pytest
from aiortc import rtp as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtp import keyframe, rtcp, rtx
from media.rtp.history import History, Kept
from media.rtp.nack import MAX_MISSING, MAX_TRIES, NackGenerator
from media.rtp.packet import HEADER, Malformed, extension_block, payload_end, payload_start
from media.rtp.receive_stats import ReceiveStats
from media.rtp.sequence import Unwrapper
from media.rtp.twcc import TICK_S, TwccReceiver

ELEMENTS = st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=6)
LONG_ELEMENTS = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=40)), min_size=1, max_size=6)


@given(ELEMENTS | LONG_ELEMENTS, st.binary(max_size=40), st.integers(0, 15))
def test_extensions_written_are_read_back(elements: list[tuple[int, bytes]], payload: bytes, csrcs: int) -> None:
    block = extension_block(elements)
    first = 0x80 | csrcs | (0x10 if block else 0)
    data = HEADER.pack(first, 96, 1, 2, 3) + bytes(4 * csrcs) + block + payload
    start, found = payload_start(data)
    assert data[start:] == payload
    assert [(number, data[begin:end]) for number, begin, end in found] == elements


@given(st.binary(max_size=120))
def test_hostile_packets_are_malformed_or_within_bounds(noise: bytes) -> None:
    for data in (noise, b"\x90" + noise, HEADER.pack(0xB0, 96, 1, 2, 3) + noise):
        try:
            start, found = payload_start(data)
            end = payload_end(data, start)
        except Malformed:
            continue
        assert 12 <= start <= end <= len(data)
        assert all(12 < begin <= stop <= start for _, begin, stop in found)


@given(st.integers(0, 65535), st.lists(st.integers(-3000, 3000), max_size=300))
def test_unwrapped_numbers_follow_the_true_ones_across_wraps(first: int, steps: list[int]) -> None:
    unwrapper = Unwrapper()
    true = first + 65536
    highest = true
    assert unwrapper.unwrap(first) == true
    for step in steps:
        true = max(0, highest + step)
        assert unwrapper.unwrap(true & 0xFFFF) == true
        highest = max(highest, true)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60, unique=True))
def test_nacks_ask_for_exactly_what_was_given(numbers: list[int]) -> None:
    parts = rtcp.parse(rtcp.nack(1, 77, sorted(numbers)))
    assert len(parts) == 1
    nack = parts[0]
    assert isinstance(nack, rtcp.Nack)
    assert nack.media_ssrc == 77
    assert sorted(set(nack.sequences)) == sorted(numbers)


def test_nacks_pack_across_the_wrap() -> None:
    packet = rtcp.nack(1, 2, [65534, 65535, 0, 1])
    assert len(packet) == 16
    assert rtcp.parse(packet) == [rtcp.Nack(2, [65534, 65535, 0, 1])]


@given(st.binary(max_size=200))
def test_hostile_rtcp_is_refused_or_parsed(noise: bytes) -> None:
    for kind in (200, 201, 202, 203, 205, 206):
        for data in (noise, bytes((0x81, kind, 0, (len(noise) // 4) & 0xFF)) + noise):
            try:
                rtcp.parse(data)
            except Malformed:
                continue


def test_a_nack_for_half_the_world_is_refused() -> None:
    control = struct.pack("!HH", 0, 0xFFFF) * 40
    with pytest.raises(Malformed):
        rtcp.parse(struct.pack("!BBHII", 0x81, 205, 2 + len(control) // 4, 1, 2) + control)


@given(st.integers(1, 2**40), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3))
def test_remb_keeps_the_bitrate_within_its_precision(bitrate: int, ssrcs: list[int]) -> None:
    (part,) = rtcp.parse(rtcp.remb(1, bitrate, ssrcs))
    assert isinstance(part, rtcp.Remb)
    assert part.ssrcs == tuple(ssrcs)
    assert bitrate * (1 - 2**-17) <= part.bitrate <= bitrate


def test_reports_agree_with_another_implementation() -> None:
    block = rtcp.ReportBlock(9, 25, -3, 70000, 12, 0x11223344, 65536)
    report = rtcp.SenderReport(7, 0x0102030405060708, 90000, 5, 600)
    data = rtcp.receiver_report(1, [block]) + rtcp.sender_report(report) + rtcp.cname(7, "bedside")
    rr, sr, sdes = reference.RtcpPacket.parse(data)
    assert isinstance(rr, reference.RtcpRrPacket)
    assert (rr.reports[0].ssrc, rr.reports[0].fraction_lost, rr.reports[0].packets_lost) == (9, 25, -3)
    assert isinstance(sr, reference.RtcpSrPacket)
    assert sr.sender_info.ntp_timestamp == report.ntp
    assert isinstance(sdes, reference.RtcpSdesPacket)
    assert rtcp.parse(data) == [block, report]


def kept(sequence: int, now: float = 0.0) -> Kept:
    return Kept(sequence, 0, 0, 0, b"x", now)


def test_history_tells_duplicates_and_forgets_the_oldest() -> None:
    history = History(8)
    assert history.add(kept(100))
    assert not history.add(kept(100))
    assert history.add(kept(108))
    assert history.get(100) is None
    assert not history.add(kept(100)), "older than what its place holds: too late to be told from a duplicate"
    assert history.get(108) is not None


@settings(max_examples=60)
@given(st.integers(0, 65535), st.integers(0, 2**32))
def test_seeded_loss_is_mended_by_nacks(first: int, seed: int) -> None:
    """5 % loss both ways in simulated time: everything arrives, and nothing is asked for after it came."""
    chance = random.Random(seed)
    generator, unwrapper = NackGenerator(), Unwrapper()
    got: set[int] = set()
    start = first + 65536

    def arrive(number: int, now: float) -> None:
        full = unwrapper.unwrap(number & 0xFFFF)
        assert full == number
        generator.received(full, now)
        got.add(full)

    arrive(start, 0.0)
    now = 0.0
    for step in range(1, 400):
        now = step * 0.005
        if chance.random() > 0.05 or step == 399:
            arrive(start + step, now)
        for wanted in generator.due(now, 0.02):
            assert wanted not in got
            if chance.random() > 0.1:
                arrive(wanted, now)
    for _ in range(20):
        now += 0.05
        for wanted in generator.due(now, 0.02):
            arrive(wanted, now)
    assert got == set(range(start, start + 400))
    assert not generator.waiting


def test_nacks_give_up_by_tries_and_on_wide_gaps() -> None:
    generator = NackGenerator(max_age=1000.0)
    generator.received(10, 0.0)
    generator.received(12, 0.0)
    asked = sum(len(generator.due(float(t), 0.01)) for t in range(50))
    assert asked == MAX_TRIES
    assert generator.received(12 + MAX_MISSING + 10, 60.0), "too wide to mend: a key frame instead"
    assert not generator.waiting


def test_receive_statistics_follow_the_specification() -> None:
    stats = ReceiveStats(8000)
    for index in range(100):
        if index % 10 != 5:
            stats.packet(65536 + 65500 + index, index * 160, 160, index * 0.02)
    fraction, lost, highest, jitter = stats.report()
    assert (fraction, lost) == (int(256 * 0.1), 10)
    assert highest == 65500 + 99
    assert jitter == 0
    assert stats.report()[0] == 0


def decode_twcc(packet: bytes) -> dict[int, float]:
    """Arrival times by number, read by the draft's letter."""
    _, kind, words, _, _ = struct.unpack_from("!BBHII", packet)
    assert kind == 205
    assert len(packet) == 4 * (words + 1)
    base, count = struct.unpack_from("!HH", packet, 12)
    clock = int.from_bytes(packet[16:19], "big") * 256
    statuses: list[int] = []
    at = 20
    while len(statuses) < count:
        (chunk,) = struct.unpack_from("!H", packet, at)
        at += 2
        if not chunk & 0x8000:
            statuses += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            statuses += [chunk >> (12 - 2 * i) & 3 for i in range(7)]
        else:
            statuses += [chunk >> (13 - i) & 1 for i in range(14)]
    arrivals: dict[int, float] = {}
    for index, status in enumerate(statuses[:count]):
        if status == 1:
            clock += packet[at]
            at += 1
        elif status == 2:
            clock += struct.unpack_from("!h", packet, at)[0]
            at += 2
        if status:
            arrivals[(base + index) & 0xFFFF] = clock * TICK_S
    return arrivals


@given(
    st.integers(0, 65535),
    st.lists(
        st.tuples(st.integers(1, 30), st.floats(0, 0.3, allow_nan=False), st.booleans()), min_size=1, max_size=120
    ),
)
def test_transport_feedback_tells_every_arrival(first: int, steps: list[tuple[int, float, bool]]) -> None:
    receiver = TwccReceiver()
    number, now = first, 1000.0
    expected: dict[int, float] = {}
    told: dict[int, float] = {}
    for step, wait, flush in steps:
        now += wait
        receiver.arrived(number & 0xFFFF, now)
        expected[number & 0xFFFF] = now
        number += step
        if flush:
            for packet in receiver.feedback(1, 2):
                told |= decode_twcc(packet)
    for packet in receiver.feedback(1, 2):
        told |= decode_twcc(packet)
    assert set(told) == set(expected)
    assert all(abs(told[n] - expected[n]) <= TICK_S for n in told)


def test_retransmissions_unwrap_and_probes_do_not() -> None:
    assert rtx.unwrap(rtx.wrap(65535, b"abc")) == (65535, b"abc")
    assert rtx.unwrap(b"") is None
    assert rtx.unwrap(b"\x00\x01") is None


def test_key_frames_are_told_by_their_descriptors() -> None:
    assert keyframe.vp8(b"\x90\x80\x81\x23\x10\x02\x00")  # extended, 15-bit picture id, key frame
    assert not keyframe.vp8(b"\x90\x80\x81\x23\x11\x02\x00")
    assert not keyframe.vp8(b"\x80\x80\x81\x23\x10"), "not the start of a partition"
    assert keyframe.h264(b"\x78\x00\x04\x67\x00\x00\x00")
    assert keyframe.h264(b"\x7c\x85\x00")
    assert not keyframe.h264(b"\x7c\x05\x00")
    assert not keyframe.h264(b"\x41\x00")


@given(st.binary(max_size=24))
def test_hostile_payloads_do_not_break_detection(noise: bytes) -> None:
    for detect in keyframe.DETECTORS.values():
        assert detect(noise) in (True, False)
