"""H.264 (RFC 6184): single NAL units, STAP-A and FU-A, as an Annex B byte stream."""

from __future__ import annotations

from media.rtp.depacketize.frame import Frame

START_CODE = b"\x00\x00\x00\x01"
IDR, PARAMETERS = 5, 7
STAP_A, FU_A = 24, 28


def h264(payloads: list[bytes]) -> Frame | None:
    """The NAL units of one picture."""
    units: list[bytes] = []
    fragment: list[bytes] = []
    for payload in payloads:
        kind = payload[0] & 0x1F if payload else 0
        if fragment and kind != FU_A:
            return None
        if 0 < kind < STAP_A:
            units.append(payload)
        elif kind == STAP_A:
            found = _aggregated(payload)
            if found is None:
                return None
            units += found
        elif kind == FU_A and len(payload) > 2:
            begins, ends = payload[1] & 0x80, payload[1] & 0x40
            if bool(begins) == bool(fragment):
                return None
            if begins:
                fragment.append(bytes((payload[0] & 0xE0 | payload[1] & 0x1F,)))
            fragment.append(payload[2:])
            if ends:
                units.append(b"".join(fragment))
                fragment = []
        else:
            return None
    if fragment or not units:
        return None
    kinds = {unit[0] & 0x1F for unit in units}
    # Senders repeat their parameter sets before every IDR picture: one without them has lost its beginning.
    return Frame(b"".join(START_CODE + unit for unit in units), IDR in kinds and PARAMETERS in kinds)


def _aggregated(payload: bytes) -> list[bytes] | None:
    units: list[bytes] = []
    at = 1
    while at < len(payload):
        if at + 2 > len(payload):
            return None
        size = payload[at] << 8 | payload[at + 1]
        at += 2
        if size == 0 or at + size > len(payload):
            return None
        units.append(payload[at : at + size])
        at += size
    return units
