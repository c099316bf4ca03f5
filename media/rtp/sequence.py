"""Sequence numbers of 16 bits made endless, so that everything after compares plain integers."""

from __future__ import annotations


class Unwrapper:
    """Maps 16-bit numbers to growing integers, reading each as the nearest one to the highest so far."""

    __slots__ = ("highest",)

    def __init__(self) -> None:
        self.highest = -1
        """The highest unwrapped number yet; -1 before the first."""

    def peek(self, number: int) -> int:
        """Unwrap without moving. Never negative: the first number is placed one cycle up."""
        highest = self.highest
        if highest < 0:
            return number + 65536
        delta = (number - highest) & 0xFFFF
        return highest + delta if delta < 32768 else highest + delta - 65536

    def unwrap(self, number: int) -> int:
        """Unwrap, and remember it if it is the highest."""
        full = self.peek(number)
        if full > self.highest:
            self.highest = full
        return full
