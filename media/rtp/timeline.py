"""When was it? RTP timestamps of a person's tracks on one clock, by their sender reports (RFC 3550, 6.4.1)."""

from __future__ import annotations

NTP_UNIT = 4294967296.0
HALF, CYCLE = 1 << 31, 1 << 32
JUMP_S = 5.0  # further than this from its arrival, a timestamp belongs to another numbering
TOLERANCE_S = 0.04  # a report that differs less is the jitter of its own making


class PersonClock:
    """A sender's wall clock against ours; the same for all its tracks, so lips match sound."""

    def __init__(self) -> None:
        self.offset: float | None = None
        """Our seconds minus theirs."""

    def learn(self, ntp_s: float, arrival: float) -> None:
        """The first report decides: a later one on a better moment would move all tracks at once."""
        if self.offset is None:
            self.offset = arrival - ntp_s


class Timeline:
    """One track's timestamps as seconds of our clock."""

    def __init__(self, clock_rate: int, person: PersonClock) -> None:
        self._rate = clock_rate
        self._person = person
        self._last = -1
        self._anchor: tuple[int, float] | None = None  # (unwrapped timestamp, our seconds)
        self.reported = False

    def _unwrap(self, timestamp: int) -> int:
        if self._last < 0:
            return timestamp + CYCLE
        delta = (timestamp - self._last) & (CYCLE - 1)
        return self._last + (delta if delta < HALF else delta - CYCLE)

    def report(self, ntp: int, timestamp: int, arrival: float) -> None:
        """A sender report: NTP time (64 bits) and the timestamp of the same moment."""
        ntp_s = ntp / NTP_UNIT
        self._person.learn(ntp_s, arrival)
        full = self._unwrap(timestamp)
        if self._last < 0:
            self._last = full
        at = (self._person.offset or 0.0) + ntp_s
        if not self.reported or self._anchor is None or abs(self._time(full, self._anchor) - at) > TOLERANCE_S:
            self._anchor = (full, at)
        self.reported = True

    def time(self, timestamp: int, arrival: float) -> float:
        """Our seconds of that timestamp; by arrival as long as nothing better is known."""
        full = self._unwrap(timestamp)
        if self._anchor is None or abs(self._time(full, self._anchor) - arrival) > JUMP_S:
            self._anchor = (full, arrival)
            self.reported = False
        self._last = full
        return self._time(full, self._anchor)

    def _time(self, full: int, anchor: tuple[int, float]) -> float:
        return anchor[1] + (full - anchor[0]) / self._rate
