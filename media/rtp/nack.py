"""What to ask for again (RFC 4585, 6.2.1), and how often."""

from __future__ import annotations

MAX_MISSING = 256  # beyond this a picture is cheaper to start anew than to mend
MAX_TRIES = 10
FIRST_WAIT_S = 0.0  # ask at the next tick: ticks are short, and reordering on one hop is rare
MIN_RETRY_S = 0.04
MAX_AGE_S = 1.2  # later than this no jitter buffer still waits


class NackGenerator:
    """Watches unwrapped sequence numbers of one source; tells which to request now."""

    __slots__ = ("_missing", "expected", "gave_up", "max_age", "requested")

    def __init__(self, max_age: float = MAX_AGE_S) -> None:
        self.expected = -1
        self.max_age = max_age
        self._missing: dict[int, list[float]] = {}  # sequence -> [missed at, next request at, tries]
        self.requested = 0
        self.gave_up = 0

    @property
    def waiting(self) -> bool:
        """Whether anything is missing."""
        return bool(self._missing)

    def received(self, sequence: int, now: float) -> bool:
        """Note an arrival. True when the gap is too wide to mend: ask for a key frame instead."""
        if self.expected < 0 or sequence == self.expected:
            self.expected = sequence + 1
            return False
        if sequence < self.expected:
            self._missing.pop(sequence, None)
            return False
        gap = sequence - self.expected
        start, self.expected = self.expected, sequence + 1
        if gap + len(self._missing) > MAX_MISSING:
            self.gave_up += gap + len(self._missing)
            self._missing.clear()
            return True
        for number in range(start, sequence):
            self._missing[number] = [now, now + FIRST_WAIT_S, 0]
        return False

    def due(self, now: float, round_trip: float) -> list[int]:
        """The numbers to request now, in order. Forgets those too old or asked for too often."""
        if not self._missing:
            return []
        wait = max(MIN_RETRY_S, round_trip * 1.2)
        requests: list[int] = []
        for number, state in list(self._missing.items()):
            missed_at, next_at, tries = state
            if now - missed_at > self.max_age or tries >= MAX_TRIES:
                del self._missing[number]
                self.gave_up += 1
            elif now >= next_at:
                state[1] = now + wait
                state[2] = tries + 1
                requests.append(number)
        self.requested += len(requests)
        return requests

    def reset(self) -> None:
        """Start anew at the next packet (the source was muted, or jumped)."""
        self.expected = -1
        self._missing.clear()
