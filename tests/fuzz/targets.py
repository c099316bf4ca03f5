"""Fuzz targets: one function of bytes each. Whatever they get, they return; anything raised is a finding.

Beside "no crash" each checks what must hold of an answer: offsets inside the packet, sizes bounded, what we
write is read back the same.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

from media import codecs, sdp, stun
from media.errors import InvalidSdp
from media.rtp import dependency, keyframe, red, rtcp, rtx
from media.rtp.history import History, Kept
from media.rtp.nack import MAX_MISSING, NackGenerator
from media.rtp.packet import Malformed, payload_end, payload_start
from media.rtp.receive_stats import ReceiveStats
from media.rtp.sequence import Unwrapper
from media.rtp.twcc import MAX_PENDING, TwccReceiver

Target = Callable[[bytes], None]

LOCAL = sdp.Local(1, 1, "ufragufrag", "p" * 24, ":".join(["AB"] * 32), sdp.candidates([("127.0.0.1", 8189)]))
MOST_LINES = 4_000  # of an answer: 64 sections of what we write in each
DATAGRAM = 1_500


def packet(data: bytes) -> None:
    """RTP: header, extensions, padding."""
    try:
        start, extensions = payload_start(data)
    except Malformed:
        return
    assert 12 <= start <= len(data)
    for identifier, begin, end in extensions:
        assert 0 < identifier < 256
        assert 12 <= begin <= end <= start
    try:
        end = payload_end(data, start)
    except Malformed:
        return
    assert start <= end <= len(data)


def control(data: bytes) -> None:
    """RTCP: what came as parts; what we write of them is read back the same."""
    try:
        parts = rtcp.parse(data)
    except Malformed:
        return
    for part in parts:
        if isinstance(part, rtcp.Nack):
            assert len(part.sequences) <= rtcp.MAX_NACKS
            again = rtcp.parse(rtcp.nack(1, part.media_ssrc, part.sequences))
            assert set(_numbers(again)) == set(part.sequences)
        elif isinstance(part, rtcp.ReportBlock):
            assert rtcp.parse(rtcp.receiver_report(1, [part])) == [part]
        elif isinstance(part, rtcp.SenderReport):
            assert rtcp.parse(rtcp.sender_report(part)) == [part]
    assert len(parts) <= rtcp.MAX_PARTS * 64


def _numbers(parts: list[rtcp.Part]) -> list[int]:
    return [number for part in parts if isinstance(part, rtcp.Nack) for number in part.sequences]


def check(data: bytes) -> None:
    """STUN: nothing is believed without the password, and answers are well formed."""
    found = stun.parse_check(data)
    if found is None:
        return
    assert found.local_ufrag
    assert found.remote_ufrag
    assert len(found.transaction) == 12
    assert not stun.authentic(found, b"nobody knows this one")
    for answer in (stun.success(found, b"x", "127.0.0.1", 9), stun.role_conflict(found, b"x")):
        assert answer[4:20] == stun.MAGIC_BYTES + found.transaction
        assert struct.unpack_from("!H", answer, 2)[0] == len(answer) - 20


def description(data: bytes) -> None:
    """SDP: read, choose, answer; the answer is read back and is no larger than it must be."""
    try:
        offer = sdp.parse(data.decode("utf-8", "replace"))
    except InvalidSdp:
        return
    sections = [
        sdp.Section(m.kind, m.protocol, m.mid, "recvonly", codecs.choose(m), m.formats, start_bitrate=True)
        for m in offer.media
    ]
    answer = sdp.write(LOCAL, "passive", sections)
    assert answer.count("\n") <= MOST_LINES
    assert answer.isprintable() or all(line.isprintable() for line in answer.split("\r\n"))
    if any(section.chosen is not None for section in sections):
        again = sdp.parse(answer)
        assert [m.mid for m in again.media if not m.rejected] == [s.mid for s in sections if s.chosen is not None]


def payload(data: bytes) -> None:
    """Payload descriptors, dependency descriptors, RTX and RED."""
    with contextlib.suppress(Malformed):
        frame = dependency.parse(data, None)
        assert frame.structure is not None
        assert frame.switch & ~frame.present == 0
        assert -1 <= dependency.best(frame.structure, frame.active or 0, 1, 1) < len(frame.structure.targets)
    for detect in keyframe.DETECTORS.values():
        assert detect(data) in (True, False)
    unwrapped = rtx.unwrap(data)
    if unwrapped is not None:
        assert rtx.wrap(*unwrapped) == data
    own = red.primary(data)
    assert own is None or data.endswith(own)


def numbers(data: bytes) -> None:
    """Sequence numbers through everything that keeps them: unwrapping, loss, history, statistics, feedback."""
    unwrapper, nack, twcc = Unwrapper(), NackGenerator(), TwccReceiver()
    history, stats = History(64), ReceiveStats(90_000)
    now = 10.0
    for at in range(0, len(data) - 3, 4):
        kind, number, pause = struct.unpack_from("!BHB", data, at)
        now += pause / 1000 if kind & 1 else pause / 10
        full = unwrapper.unwrap(number)
        assert full & 0xFFFF == number
        assert full <= unwrapper.highest
        nack.received(full, now)
        if history.add(Kept(full, number, 0, 0, b"", now)):
            stats.packet(full, number * 90, 10, now)
            assert history.get(full) is not None
        if kind & 2:
            twcc.arrived(number, now)
        if kind & 4:
            wanted = nack.due(now, 0.05)
            assert len(wanted) <= MAX_MISSING
            assert wanted == sorted(wanted)
        if kind & 8:
            fraction, lost, highest, jitter = stats.report()
            assert 0 <= fraction <= 255
            assert lost >= 0
            assert 0 <= highest <= 0xFFFFFFFF
            assert jitter >= 0
        if kind & 16:
            for feedback in twcc.feedback(1, 2):
                assert len(feedback) <= DATAGRAM
                assert len(rtcp.parse(feedback)) == 1
    assert len(twcc.feedback(1, 2)) <= MAX_PENDING


TARGETS: dict[str, Target] = {
    "packet": packet,
    "control": control,
    "check": check,
    "description": description,
    "payload": payload,
    "numbers": numbers,
}
