"""Where a payload says which picture it belongs to, and how large a key frame is. By the descriptors alone.

A receiver takes pictures in the order of these numbers. Each encoding of a camera counts on its own: whoever
goes over from one to another needs them rewritten, so that they go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Place(NamedTuple):
    """What a payload descriptor says, and where."""

    at: int  # of the picture id
    wide: bool  # 15 bits, not 7
    picture: int
    index_at: int  # of TL0PICIDX, -1 without
    base: int  # which picture of the lowest temporal layer this one builds on


def vp8(payload: bytes) -> Place | None:
    """RFC 7741, 4.2; None without a picture id."""
    if len(payload) < 3 or not payload[0] & 0x80 or not payload[1] & 0x80:
        return None
    return _place(payload, 2, bool(payload[1] & 0x40))


def vp9(payload: bytes) -> Place | None:
    """RFC 9628, 4.2: TL0PICIDX is there in non-flexible mode."""
    if len(payload) < 2 or not payload[0] & 0x80:
        return None
    layered, flexible = payload[0] & 0x20, payload[0] & 0x10
    return _place(payload, 1, bool(layered and not flexible), 1)


def _place(payload: bytes, at: int, indexed: bool, between: int = 0) -> Place | None:
    wide = bool(payload[at] & 0x80)
    end = at + (2 if wide else 1)
    index_at = end + between if indexed else -1
    if max(end, index_at + 1) > len(payload):
        return None
    picture = (payload[at] & 0x7F) << 8 | payload[at + 1] if wide else payload[at]
    return Place(at, wide, picture, index_at, payload[index_at] if indexed else 0)


PLACES: dict[str, Callable[[bytes], Place | None]] = {"vp8": vp8, "vp9": vp9}


def rewrite(payload: bytes, place: Place, picture: int, base: int) -> bytes:
    """The payload with these added to its picture id and TL0PICIDX."""
    changed = bytearray(payload)
    number = place.picture + picture
    if place.wide:
        changed[place.at] = 0x80 | number >> 8 & 0x7F
        changed[place.at + 1] = number & 0xFF
    else:
        changed[place.at] = number & 0x7F
    if place.index_at >= 0:
        changed[place.index_at] = place.base + base & 0xFF
    return bytes(changed)


def lines(codec: str, payload: bytes) -> int:
    """The height a key frame's first packet tells (VP8: RFC 6386, 9.1); 0 where it doesn't."""
    if codec != "vp8" or not payload:
        return 0
    at = 1
    if payload[0] & 0x80:
        if len(payload) < 3:
            return 0
        flags = payload[1]
        at = 2
        if flags & 0x80:
            at += 2 if payload[at] & 0x80 else 1
        at += bool(flags & 0x40) + bool(flags & 0x30)
    if len(payload) < at + 10 or payload[at + 3 : at + 6] != b"\x9d\x01\x2a":
        return 0
    return (payload[at + 9] << 8 | payload[at + 8]) & 0x3FFF
