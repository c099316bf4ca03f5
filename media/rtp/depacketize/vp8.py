"""VP8 (RFC 7741, 4.2)."""

from __future__ import annotations

from media.rtp.depacketize.frame import Frame

EXTENDED, START = 0x80, 0x10
PICTURE_ID, LAYER, TEMPORAL_OR_KEY = 0x80, 0x40, 0x30


def vp8(payloads: list[bytes]) -> Frame | None:
    """The payload descriptors off; the first packet must begin the first partition."""
    parts: list[bytes] = []
    for index, payload in enumerate(payloads):
        at = _after_descriptor(payload)
        if at is None or (index == 0 and not (payload[0] & START and not payload[0] & 0x07)):
            return None
        parts.append(payload[at:])
    data = b"".join(parts)
    return Frame(data, not data[0] & 0x01) if data else None


def _after_descriptor(payload: bytes) -> int | None:
    if not payload:
        return None
    at = 1
    if payload[0] & EXTENDED:
        if len(payload) < 2:
            return None
        flags, at = payload[1], 2
        if flags & PICTURE_ID:
            if at >= len(payload):
                return None
            at += 2 if payload[at] & 0x80 else 1
        at += bool(flags & LAYER) + bool(flags & TEMPORAL_OR_KEY)
    return at if at < len(payload) else None
