"""RTP packets on bytes: fixed header (RFC 3550, 5.1) and header extensions (RFC 8285), without packet objects."""

from __future__ import annotations

import struct

HEADER = struct.Struct("!BBHII")  # V P X CC, M PT, sequence, timestamp, SSRC
HEADER_LENGTH = 12
ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000  # the low four bits are free ("appbits")
PADDING_BIT = 0x20
EXTENSION_BIT = 0x10

Extensions = list[tuple[int, int, int]]  # (id, start, end) of each element in the packet

NO_EXTENSIONS: Extensions = []


class Malformed(ValueError):
    """The bytes do not follow the format; the packet is dropped and counted."""


def is_rtcp(second_byte: int) -> bool:
    """RTP or RTCP by the second byte of the packet (RFC 5761, 4)."""
    return 192 <= second_byte <= 223


def payload_start(data: bytes) -> tuple[int, Extensions]:
    """Where the payload begins, and the header extensions before it. Raises Malformed."""
    size = len(data)
    if size < HEADER_LENGTH:
        raise Malformed("short header")
    first = data[0]
    if first >> 6 != 2:
        raise Malformed("version")
    start = HEADER_LENGTH + 4 * (first & 0x0F)
    if not first & EXTENSION_BIT:
        if start > size:
            raise Malformed("short CSRC list")
        return start, NO_EXTENSIONS
    if start + 4 > size:
        raise Malformed("short extension header")
    profile = data[start] << 8 | data[start + 1]
    end = start + 4 + 4 * (data[start + 2] << 8 | data[start + 3])
    if end > size:
        raise Malformed("short extension")
    start += 4
    if profile == ONE_BYTE_PROFILE:
        return end, _one_byte(data, start, end)
    if profile & 0xFFF0 == TWO_BYTE_PROFILE:
        return end, _two_byte(data, start, end)
    return end, NO_EXTENSIONS  # another profile: its content is not ours to read


def _one_byte(data: bytes, at: int, end: int) -> Extensions:
    found: Extensions = []
    while at < end:
        head = data[at]
        at += 1
        if head == 0:  # padding between elements
            continue
        identifier = head >> 4
        if identifier == 15:  # RFC 8285, 4.2: stop reading here
            break
        stop = at + (head & 0x0F) + 1
        if stop > end:
            raise Malformed("extension element")
        if identifier:
            found.append((identifier, at, stop))
        at = stop
    return found


def _two_byte(data: bytes, at: int, end: int) -> Extensions:
    found: Extensions = []
    while at < end:
        identifier = data[at]
        at += 1
        if identifier == 0:
            continue
        if at >= end:
            raise Malformed("extension element")
        stop = at + 1 + data[at]
        if stop > end:
            raise Malformed("extension element")
        found.append((identifier, at + 1, stop))
        at = stop
    return found


def payload_end(data: bytes, start: int) -> int:
    """Where the payload ends, before padding. Raises Malformed."""
    if not data[0] & PADDING_BIT:
        return len(data)
    padding = data[-1]
    if padding == 0 or len(data) - padding < start:
        raise Malformed("padding")
    return len(data) - padding


def extension_block(elements: list[tuple[int, bytes]]) -> bytes:
    """The extension header and elements, padded to 32 bits; one-byte form if it can hold them. ``b""`` for none."""
    if not elements:
        return b""
    if all(0 < identifier < 15 and 0 < len(value) <= 16 for identifier, value in elements):
        profile = ONE_BYTE_PROFILE
        body = b"".join(bytes((identifier << 4 | len(value) - 1,)) + value for identifier, value in elements)
    else:
        profile = TWO_BYTE_PROFILE
        body = b"".join(bytes((identifier, len(value))) + value for identifier, value in elements)
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", profile, len(body) // 4) + body


def open_block(elements: list[tuple[int, bytes]]) -> bytes:
    """In the two-byte form, without its length and padding, for ``closed_block``."""
    body = b"".join(bytes((identifier, len(value))) + value for identifier, value in elements)
    return struct.pack("!HH", TWO_BYTE_PROFILE, 0) + body


def closed_block(block: bytes, identifier: int, value: bytes) -> bytes:
    """An open block with a last element, unless that is empty."""
    if value:
        block += bytes((identifier, len(value))) + value
    block += bytes(-len(block) % 4)
    return block[:2] + (len(block) // 4 - 1).to_bytes(2, "big") + block[4:]


def abs_send_time(now: float) -> int:
    """24 bits of 6.18 fixed-point seconds (the abs-send-time extension)."""
    return int(now * 262144.0) & 0xFFFFFF
