"""Redundant audio (RFC 2198): a packet carries its own block last, copies of earlier ones before it."""

from __future__ import annotations

MORE = 0x80  # another block header follows
HEADER_LENGTH = 4  # of a redundant block: F, payload type, 14 bits of timestamp offset, 10 bits of length


def primary(payload: bytes) -> bytes | None:
    """The packet's own block; None where the headers lie about lengths."""
    at, copies, size = 0, 0, len(payload)
    while at < size and payload[at] & MORE:
        if at + HEADER_LENGTH > size:
            return None
        copies += (payload[at + 2] & 0x03) << 8 | payload[at + 3]
        at += HEADER_LENGTH
    at += 1 + copies
    return payload[at:] if at <= size else None


def wrap(payload_type: int, payload: bytes) -> bytes:
    """A packet with its own block alone."""
    return bytes((payload_type,)) + payload
