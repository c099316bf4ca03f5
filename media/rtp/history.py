"""The last packets of one source, by unwrapped sequence number: answers NACKs, and tells duplicates.

One ring serves every receiver of the source: receivers number packets on their own and translate
back, so a payload is kept once however many people watch.
"""

from __future__ import annotations

from typing import NamedTuple


class Kept(NamedTuple):
    """What is needed to write the packet again for any receiver."""

    sequence: int
    timestamp: int
    marker: int  # 0x80 or 0
    padding: int  # the header's P bit, 0x20 or 0
    payload: bytes  # after the header and its extensions, padding included
    kept_at: float
    descriptor: bytes = b""  # of its frame's dependencies


class History:
    """A ring of ``size`` packets (a power of two)."""

    __slots__ = ("_mask", "_slots")

    def __init__(self, size: int) -> None:
        if size & (size - 1):
            raise ValueError("size must be a power of two")
        self._mask = size - 1
        self._slots: list[Kept | None] = [None] * size

    def add(self, kept: Kept) -> bool:
        """Keep it. False for a duplicate, or for one older than what its place holds."""
        index = kept.sequence & self._mask
        present = self._slots[index]
        if present is not None and present.sequence >= kept.sequence:
            return False
        self._slots[index] = kept
        return True

    def get(self, sequence: int) -> Kept | None:
        """The packet, if it is still here."""
        kept = self._slots[sequence & self._mask]
        return kept if kept is not None and kept.sequence == sequence else None

    def clear(self) -> None:
        """Forget everything, on close."""
        self._slots = [None] * (self._mask + 1)
