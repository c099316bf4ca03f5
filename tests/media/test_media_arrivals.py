"""Transport-wide feedback read: what was written comes back, nonsense is refused, and what it tells is gathered."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import sdp
from media.consumer import extensions
from media.path.api import Extensions
from media.rtp import rtcp
from media.rtp.packet import Malformed, payload_start
from media.rtp.sent import REMEMBERED, Sent
from media.rtp.twcc import REFERENCE_TICKS, TICK_S, Arrivals, TwccReceiver, parse


def bodies(packets: list[bytes]) -> list[bytes]:
    return [part.body for packet in packets for part in rtcp.parse(packet) if isinstance(part, rtcp.TwccFeedback)]


@given(st.dictionaries(st.integers(0, 3000), st.integers(0, 40_000), min_size=1, max_size=300), st.integers(0, 65535))
def test_what_is_written_is_read(arrived: dict[int, int], first: int) -> None:
    """Every number and its time, over wraps, gaps and disorder."""
    receiver = TwccReceiver()
    start = min(arrived)
    receiver.arrived((first + start) & 0xFFFF, (8_000 + arrived[start]) * TICK_S + TICK_S / 2)
    for number, ticks in sorted(arrived.items()):
        receiver.arrived((first + number) & 0xFFFF, (8_000 + ticks) * TICK_S + TICK_S / 2)
    found: dict[int, int] = {}
    for body in bodies(receiver.feedback(1, 2)):
        read = parse(body)
        ticks = read.reference * REFERENCE_TICKS
        for index, delta in enumerate(read.deltas):
            if delta is not None:
                ticks += delta
                found[(read.base + index - first) & 0xFFFF] = ticks - 8_000
    assert found == arrived


@given(st.binary(max_size=60))
def test_anything_is_read_or_refused(body: bytes) -> None:
    try:
        read = parse(body)
    except Malformed:
        return
    assert len(read.deltas) == struct.unpack_from("!H", body, 2)[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(7),
        struct.pack("!HHI", 1, 0, 0),  # covers nothing
        struct.pack("!HHI", 1, 5, 0),  # no chunks
        struct.pack("!HHIH", 1, 5, 0, 0),  # a run of nothing
        struct.pack("!HHIH", 1, 5, 0, 1 << 13 | 5) + bytes(4),  # a delta is missing
        struct.pack("!HHIH", 1, 2, 0, 2 << 13 | 2) + bytes(3),  # half of one
        struct.pack("!HHIH", 1, 1, 0, 3 << 13 | 1) + bytes(8),  # a status that means nothing
        struct.pack("!HHI", 1, 65_535, 0) + struct.pack("!H", 8191) * 9,  # covers more than anybody remembers
    ],
)
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse(body)


def test_packets_that_left_together_are_one_group() -> None:
    sent = Sent()
    for index in range(30):
        sent.left(1000, 1.0 + index // 3 * 0.02)
    deltas: list[int | None] = [4 if index % 3 else 80 for index in range(30)]
    deltas[4] = deltas[10] = None
    sent.acknowledge(Arrivals(65536 & 0xFFFF, 100, deltas))
    told = sent.told()
    assert (told.received, told.lost, told.octets, told.feedbacks) == (28, 2, 28_000, 1)
    assert [group.size for group in told.groups] == [3000, 2000, 3000, 2000] + [3000] * 5, "the last is not complete"
    assert [round(group.sent, 3) for group in told.groups] == [round(1 + n * 0.02, 3) for n in range(9)]
    assert told.groups[0].arrived == (100 * REFERENCE_TICKS + 88) * TICK_S
    assert sent.told().feedbacks == 0


def test_late_arrivals_are_not_lost_and_repeated_ones_tell_no_time() -> None:
    sent = Sent()
    for index in range(4):
        sent.left(500, index * 0.02)
    sent.acknowledge(Arrivals(0, 1, [0, None, None, 0]))
    sent.repeated(65536 + 1)
    sent.acknowledge(Arrivals(1, 1, [9, 9]))
    told = sent.told()
    assert (told.received, told.lost, told.octets) == (4, 0, 1500)


def test_what_never_left_or_left_long_ago_counts_for_nothing() -> None:
    sent = Sent()
    for _ in range(REMEMBERED + 10):
        sent.left(100, 1.0)
    sent.acknowledge(Arrivals(0, 1, [0] * 10))
    sent.acknowledge(Arrivals((REMEMBERED + 10) & 0xFFFF, 1, [0] * 100))
    assert sent.told().received == 0
    sent.acknowledge(Arrivals(9, 1, [0, 0]))
    assert sent.told().received == 1


def test_an_extension_block_says_where_it_changes() -> None:
    numbers = {sdp.AUDIO_LEVEL: 1, sdp.ABS_SEND_TIME: 2, sdp.TRANSPORT_CC: 3, sdp.MID: 4}
    written = extensions("s12", numbers)
    _, found = payload_start(b"\x90" + bytes(11) + written.block)
    places = {identifier: begin - 12 for identifier, begin, _ in found}
    assert (written.level, written.send_time, written.number) == (places[1], places[2], places[3])
    assert extensions("s12", {}) == Extensions()
