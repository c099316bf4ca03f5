"""RTCP (RFC 3550, 4585, 5104, REMB) on bytes: what came as small tuples, what goes as bytes.

Parsing is strict about lengths and quiet about kinds it does not know: those are skipped. A compound
packet that lies about a length is refused whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from media.rtp.packet import Malformed

SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206
NACK_FORMAT, TWCC_FORMAT = 1, 15
PLI_FORMAT, FIR_FORMAT, APPLICATION_FORMAT = 1, 4, 15
MAX_PARTS = 64  # packets in one compound; a datagram holds fewer in honest use
MAX_NACKS = 512  # sequence numbers one packet may ask for

NTP_EPOCH_OFFSET = 2208988800  # seconds from 1900 to 1970


class ReportBlock(NamedTuple):
    ssrc: int
    fraction_lost: int  # 1/256
    lost: int  # cumulative, signed
    highest: int
    jitter: int
    last_sr: int  # middle 32 bits of the NTP time of the last SR, 0 for none
    delay: int  # since that SR, in 1/65536 s


class SenderReport(NamedTuple):
    ssrc: int
    ntp: int  # 64 bits
    timestamp: int
    packets: int
    octets: int


class Nack(NamedTuple):
    media_ssrc: int
    sequences: list[int]


class KeyframeRequest(NamedTuple):
    """A PLI or a FIR: both want a key frame."""

    media_ssrc: int


class Remb(NamedTuple):
    bitrate: int  # bit/s
    ssrcs: tuple[int, ...]


class Bye(NamedTuple):
    ssrcs: tuple[int, ...]


class TwccFeedback(NamedTuple):
    body: bytes  # after the SSRCs: read by whoever estimates bandwidth


Part = ReportBlock | SenderReport | Nack | KeyframeRequest | Remb | Bye | TwccFeedback


def parse(data: bytes) -> list[Part]:
    """Parse a compound packet. Raises Malformed."""
    parts: list[Part] = []
    at, size, count = 0, len(data), 0
    while at < size:
        count += 1
        if at + 4 > size or count > MAX_PARTS:
            raise Malformed("RTCP header")
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > size:
            raise Malformed("RTCP length")
        body = data[at + 4 : end]
        if first & 0x20:
            if not body or body[-1] == 0 or body[-1] > len(body):
                raise Malformed("RTCP padding")
            body = body[: -body[-1]]
        _part(kind, first & 0x1F, body, parts)
        at = end
    if not count:
        raise Malformed("empty RTCP")
    return parts


def _part(kind: int, form: int, body: bytes, parts: list[Part]) -> None:
    if kind == SR:
        if len(body) < 24:
            raise Malformed("SR")
        ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!IQIII", body)
        parts.append(SenderReport(ssrc, ntp, timestamp, packets, octets))
        _blocks(body, 24, form, parts)
    elif kind == RR:
        if len(body) < 4:
            raise Malformed("RR")
        _blocks(body, 4, form, parts)
    elif kind == BYE:
        if len(body) < 4 * form:
            raise Malformed("BYE")
        parts.append(Bye(struct.unpack_from(f"!{form}I", body)))
    elif kind in (RTPFB, PSFB):
        if len(body) < 8:
            raise Malformed("feedback")
        _feedback(kind, form, struct.unpack_from("!I", body, 4)[0], body[8:], parts)


def _blocks(body: bytes, at: int, count: int, parts: list[Part]) -> None:
    if len(body) < at + 24 * count:
        raise Malformed("report blocks")
    for index in range(count):
        ssrc, loss, highest, jitter, last_sr, delay = struct.unpack_from("!IIIIII", body, at + 24 * index)
        lost = loss & 0xFFFFFF
        if lost & 0x800000:
            lost -= 0x1000000
        parts.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_sr, delay))


def _feedback(kind: int, form: int, media: int, control: bytes, parts: list[Part]) -> None:
    if kind == RTPFB and form == NACK_FORMAT:
        parts.append(Nack(media, _nacked(control)))
    elif kind == RTPFB and form == TWCC_FORMAT:
        parts.append(TwccFeedback(control))
    elif kind == PSFB and form == PLI_FORMAT:
        parts.append(KeyframeRequest(media))
    elif kind == PSFB and form == FIR_FORMAT:
        # The media SSRC of a FIR is 0; each entry names its own (RFC 5104, 4.3.1.1).
        parts.extend(KeyframeRequest(struct.unpack_from("!I", control, at)[0]) for at in range(0, len(control) - 7, 8))
    elif kind == PSFB and form == APPLICATION_FORMAT and control[:4] == b"REMB":
        if len(control) < 8 or len(control) < 8 + 4 * control[4]:
            raise Malformed("REMB")
        exponent = control[5] >> 2
        mantissa = (control[5] & 0x03) << 16 | control[6] << 8 | control[7]
        parts.append(Remb(mantissa << exponent, struct.unpack_from(f"!{control[4]}I", control, 8)))


def _nacked(control: bytes) -> list[int]:
    numbers: list[int] = []
    for at in range(0, len(control) - 3, 4):
        first, mask = struct.unpack_from("!HH", control, at)
        numbers.append(first)
        for bit in range(16):
            if mask >> bit & 1:
                numbers.append((first + bit + 1) & 0xFFFF)
        if len(numbers) > MAX_NACKS:
            raise Malformed("NACK asks for too much")
    return numbers


def _packet(form: int, kind: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | form, kind, len(body) // 4) + body


def _block(block: ReportBlock) -> bytes:
    lost = max(-0x800000, min(0x7FFFFF, block.lost)) & 0xFFFFFF
    return struct.pack(
        "!IIIIII",
        block.ssrc,
        block.fraction_lost << 24 | lost,
        block.highest,
        block.jitter,
        block.last_sr,
        block.delay,
    )


def receiver_report(sender_ssrc: int, blocks: list[ReportBlock]) -> bytes:
    """RR with at most 31 blocks."""
    return _packet(len(blocks), RR, struct.pack("!I", sender_ssrc) + b"".join(map(_block, blocks)))


def sender_report(report: SenderReport) -> bytes:
    """SR without report blocks."""
    return _packet(0, SR, struct.pack("!IQIII", *report))


def cname(ssrc: int, name: str) -> bytes:
    """SDES with a CNAME, which a compound packet carries (RFC 3550, 6.1)."""
    text = name.encode()[:255]
    body = struct.pack("!IBB", ssrc, 1, len(text)) + text
    return _packet(1, SDES, body + bytes(4 - len(body) % 4))


def nack(sender_ssrc: int, media_ssrc: int, sequences: Iterable[int]) -> bytes:
    """Generic NACK for 16-bit numbers in ascending order of their unwrapped selves."""
    pairs: list[list[int]] = []
    for number in sequences:
        if pairs and 0 < (distance := (number - pairs[-1][0]) & 0xFFFF) <= 16:
            pairs[-1][1] |= 1 << (distance - 1)
        else:
            pairs.append([number & 0xFFFF, 0])
    body = struct.pack("!II", sender_ssrc, media_ssrc) + b"".join(struct.pack("!HH", *pair) for pair in pairs)
    return _packet(NACK_FORMAT, RTPFB, body)


def pli(sender_ssrc: int, media_ssrc: int) -> bytes:
    return _packet(PLI_FORMAT, PSFB, struct.pack("!II", sender_ssrc, media_ssrc))


def fir(sender_ssrc: int, media_ssrc: int, number: int) -> bytes:
    """Full intra request; ``number`` counts requests of this sender (RFC 5104, 4.3.1)."""
    return _packet(FIR_FORMAT, PSFB, struct.pack("!IIIBBH", sender_ssrc, 0, media_ssrc, number & 0xFF, 0, 0))


def remb(sender_ssrc: int, bitrate: int, ssrcs: list[int]) -> bytes:
    """Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03), in bit/s."""
    exponent = max(0, bitrate.bit_length() - 18)
    mantissa = bitrate >> exponent
    body = struct.pack("!II", sender_ssrc, 0) + b"REMB"
    body += bytes((len(ssrcs), exponent << 2 | mantissa >> 16, mantissa >> 8 & 0xFF, mantissa & 0xFF))
    return _packet(APPLICATION_FORMAT, PSFB, body + struct.pack(f"!{len(ssrcs)}I", *ssrcs))


def ntp(wall: float) -> int:
    """Unix seconds as a 64-bit NTP time."""
    return int((wall + NTP_EPOCH_OFFSET) * 4294967296) & 0xFFFFFFFFFFFFFFFF
