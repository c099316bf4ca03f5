"""AV1 (AV1 RTP payload format 1.0, 4): aggregated and fragmented OBUs, written with sizes."""

from __future__ import annotations

from media.rtp.depacketize.frame import Frame

CONTINUES, CONTINUED, NEW_SEQUENCE = 0x80, 0x40, 0x08  # Z, Y, N
TEMPORAL_DELIMITER, TILE_LIST = 2, 8
HAS_EXTENSION, HAS_SIZE = 0x04, 0x02


def av1(payloads: list[bytes]) -> Frame | None:
    """The OBUs of one temporal unit, without temporal delimiters: containers keep them so."""
    units: list[bytes] = []
    fragment: list[bytes] = []
    for payload in payloads:
        elements = _elements(payload)
        if not elements or bool(payload[0] & CONTINUES) != bool(fragment):
            return None
        for index, element in enumerate(elements):
            fragment.append(element)
            if index < len(elements) - 1 or not payload[0] & CONTINUED:
                units.append(b"".join(fragment))
                fragment = []
    if fragment:
        return None
    written = [_with_size(unit) for unit in units]
    if any(unit is None for unit in written):
        return None
    data = b"".join(unit for unit in written if unit)
    return Frame(data, bool(payloads[0][0] & NEW_SEQUENCE)) if data else None


def _elements(payload: bytes) -> list[bytes] | None:
    """The OBU elements of a packet; with a count (W) the last has no length."""
    if len(payload) < 2:
        return None
    count, at = payload[0] >> 4 & 0x03, 1
    elements: list[bytes] = []
    while at < len(payload):
        if count and len(elements) == count - 1:
            size = len(payload) - at
        else:
            found = leb128(payload, at)
            if found is None:
                return None
            size, at = found
        if at + size > len(payload):
            return None
        elements.append(payload[at : at + size])
        at += size
    return elements if not count or len(elements) == count else None


def leb128(data: bytes, at: int) -> tuple[int, int] | None:
    """(value, where it ends) of a little-endian base 128 number; None if it does not end in time."""
    value = 0
    for index in range(5):
        if at >= len(data):
            return None
        value |= (data[at] & 0x7F) << (7 * index)
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    return None


def _leb128(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _with_size(unit: bytes) -> bytes | None:
    """An OBU with its size in it; ``b""`` for one that containers leave out, None for a broken one."""
    if not unit:
        return None
    kind = unit[0] >> 3 & 0x0F
    if kind in (TEMPORAL_DELIMITER, TILE_LIST):
        return b""
    if unit[0] & HAS_SIZE:
        return unit
    head = 2 if unit[0] & HAS_EXTENSION else 1
    if len(unit) < head:
        return None
    return bytes((unit[0] | HAS_SIZE,)) + unit[1:head] + _leb128(len(unit) - head) + unit[head:]
