"""Does this payload begin a key frame? By the payload descriptors alone: nothing is decoded."""

from __future__ import annotations


def vp8(payload: bytes) -> bool:
    """RFC 7741, 4.2 and 4.3: the first packet of a frame whose inverse key frame flag is 0."""
    size = len(payload)
    if size < 2:
        return False
    first = payload[0]
    if not first & 0x10 or first & 0x07:  # S: start of a partition; PID: the first one
        return False
    at = 1
    if first & 0x80:  # X
        flags = payload[1]
        at = 2
        if flags & 0x80:  # I: picture id, of one or two bytes
            if at >= size:
                return False
            at += 2 if payload[at] & 0x80 else 1
        if flags & 0x40:  # L
            at += 1
        if flags & 0x30:  # T or K
            at += 1
    return at < size and not payload[at] & 0x01


def h264(payload: bytes) -> bool:
    """RFC 6184: an IDR slice or a sequence parameter set, alone, aggregated or starting a fragment."""
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind in (5, 7):
        return True
    if kind == 24:  # STAP-A
        at = 1
        while at + 2 < len(payload):
            if payload[at + 2] & 0x1F in (5, 7):
                return True
            at += 2 + (payload[at] << 8 | payload[at + 1])
        return False
    if kind == 28 and len(payload) > 1:  # FU-A
        return bool(payload[1] & 0x80) and payload[1] & 0x1F in (5, 7)
    return False


def vp9(payload: bytes) -> bool:
    """RFC 9628, 4.2: begins a frame (B) that is not predicted from another (P clear)."""
    return bool(payload) and bool(payload[0] & 0x08) and not payload[0] & 0x40


def av1(payload: bytes) -> bool:
    """AV1 RTP payload format, 4.4: N says that a new coded video sequence begins."""
    return bool(payload) and bool(payload[0] & 0x08)


DETECTORS = {"vp8": vp8, "h264": h264, "vp9": vp9, "av1": av1}
