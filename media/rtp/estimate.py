"""How much a sender without transport-wide feedback may send (REMB), from what arrived. Loss alone, no delay.

Browsers of today all take transport-wide feedback and estimate on their own; this serves those that offer
``goog-remb`` alone. The steps are those of loss-based control (draft-ietf-rmcat-gcc-02, 6).
"""

from __future__ import annotations

START = 1_500_000  # bit/s, where pictures begin
FLOOR = 150_000
CEILING = 5_000_000
LITTLE_LOSS, MUCH_LOSS = 0.02, 0.10
GROWTH = 1.08  # an interval
OVER_RECEIVED = 1.5  # a limit nobody comes near says nothing


class LossEstimate:
    """One sender's limit; ``update`` once a second."""

    __slots__ = ("_bytes", "bitrate")

    def __init__(self) -> None:
        self.bitrate = float(START)
        self._bytes = -1

    def update(self, bytes_in: int, loss: float, elapsed_s: float) -> int:
        """The new limit in bit/s, from the bytes received so far and the share lost in this interval."""
        received = (bytes_in - self._bytes) * 8 / max(elapsed_s, 0.001) if self._bytes >= 0 else START
        self._bytes = bytes_in
        if loss > MUCH_LOSS:
            self.bitrate *= 1 - 0.5 * min(1.0, loss)
        elif loss < LITTLE_LOSS:
            # Never down because little was sent: a quiet picture must be free to move at once.
            self.bitrate = max(self.bitrate, min(self.bitrate * GROWTH, received * OVER_RECEIVED))
        self.bitrate = min(CEILING, max(FLOOR, self.bitrate))
        return int(self.bitrate)
