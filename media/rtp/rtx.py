"""Retransmission payloads (RFC 4588): the original sequence number, then the original payload."""

from __future__ import annotations


def wrap(original_sequence: int, payload: bytes) -> bytes:
    """The payload of a retransmission packet."""
    return (original_sequence & 0xFFFF).to_bytes(2, "big") + payload


def unwrap(payload: bytes) -> tuple[int, bytes] | None:
    """The original sequence number and payload; None for a probe that carries padding alone."""
    if len(payload) <= 2:
        return None
    return payload[0] << 8 | payload[1], payload[2:]
