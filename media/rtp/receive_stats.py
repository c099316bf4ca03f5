"""Reception statistics of one source (RFC 3550, appendix A.3 and A.8)."""

from __future__ import annotations


class ReceiveStats:
    """Loss and jitter from unwrapped sequence numbers, timestamps and arrival times."""

    __slots__ = (
        "_before_expected",
        "_before_received",
        "_last_transit",
        "base",
        "bytes",
        "clock_rate",
        "fraction",
        "highest",
        "jitter",
        "received",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.base = -1
        self.highest = -1
        self.received = 0
        self.bytes = 0
        self.jitter = 0.0  # in timestamp units
        self.fraction = 0.0  # loss of the last report's interval
        self._last_transit: float | None = None
        self._before_expected = 0
        self._before_received = 0

    def packet(self, sequence: int, timestamp: int, size: int, now: float) -> None:
        """Count one packet that arrived the first time."""
        self.received += 1
        self.bytes += size
        if sequence > self.highest:
            if self.base < 0:
                self.base = sequence
            self.highest = sequence
            transit = now * self.clock_rate - timestamp
            if self._last_transit is not None:
                change = abs(transit - self._last_transit)
                if change < self.clock_rate * 10:  # a jump of the timestamp is not jitter
                    self.jitter += (change - self.jitter) / 16
            self._last_transit = transit

    @property
    def lost(self) -> int:
        """Packets lost for good so far; never negative."""
        return max(0, self.highest - self.base + 1 - self.received) if self.base >= 0 else 0

    @property
    def jitter_ms(self) -> float:
        return self.jitter * 1000 / self.clock_rate

    def report(self) -> tuple[int, int, int, int]:
        """Close an interval: (fraction lost in 1/256, cumulative lost, extended highest sequence, jitter)."""
        if self.base < 0:
            return 0, 0, 0, 0
        expected = self.highest - self.base + 1
        in_interval = expected - self._before_expected
        lost = in_interval - (self.received - self._before_received)
        self._before_expected = expected
        self._before_received = self.received
        self.fraction = max(0.0, lost / in_interval) if in_interval > 0 else 0.0
        # Unwrapped numbers begin one cycle up; on the wire the first cycle is 0.
        return min(255, int(self.fraction * 256)), self.lost, (self.highest - 65536) & 0xFFFFFFFF, int(self.jitter)

    def skip_gap(self, sequence: int) -> None:
        """Continue at ``sequence`` without counting what lies before as lost (the source paused)."""
        if self.base >= 0:
            self.base += sequence - self.highest - 1
            self.highest = sequence - 1
            self._last_transit = None
