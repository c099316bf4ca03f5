"""VP9 (RFC 9628, 4.2): non-flexible and flexible mode, without spatial layers."""

from __future__ import annotations

from media.rtp.depacketize.frame import Frame

PICTURE_ID, PREDICTED, LAYERS, FLEXIBLE, BEGINS, ENDS, STRUCTURE = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02
MAX_REFERENCES = 3


def vp9(payloads: list[bytes]) -> Frame | None:
    """The payload descriptors off; the first packet must begin a frame and the last end it."""
    parts: list[bytes] = []
    for payload in payloads:
        at = _after_descriptor(payload)
        if at is None:
            return None
        parts.append(payload[at:])
    if not payloads or not payloads[0][0] & BEGINS or not payloads[-1][0] & ENDS:
        return None
    return Frame(b"".join(parts), not payloads[0][0] & PREDICTED)


def _after_descriptor(payload: bytes) -> int | None:
    try:
        first, at = payload[0], 1
        if first & PICTURE_ID:
            at += 2 if payload[at] & 0x80 else 1
        if first & LAYERS:
            at += 1 if first & FLEXIBLE else 2
        if first & FLEXIBLE and first & PREDICTED:
            for _ in range(MAX_REFERENCES):
                more = payload[at] & 0x01
                at += 1
                if not more:
                    break
        if first & STRUCTURE:
            at = _after_structure(payload, at)
    except IndexError:
        return None
    return at if at < len(payload) else None


def _after_structure(payload: bytes, at: int) -> int:
    head = payload[at]
    at += 1
    if head & 0x10:  # Y: a size for each layer
        at += 4 * ((head >> 5) + 1)
    if head & 0x08:  # G: a picture group
        pictures = payload[at]
        at += 1
        for _ in range(pictures):
            at += 1 + (payload[at] >> 2 & 0x03)
    return at
