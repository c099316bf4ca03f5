"""Whether packets wait longer and longer on their way to a receiver: the queue of a bottleneck. Pure.

Two views of the same waits. The trend of them (draft-ietf-rmcat-gcc-02, 5.3 and 5.4, with the slope of a line
instead of a Kalman filter) tells soon, but jitter looks like a trend now and then. The least wait of the last
moments over the least of the last seconds is the part of the queue that never empties: jitter does not raise it.
Only both together are called overuse.
"""

from __future__ import annotations

from collections import deque

from media.rtp.sent import Group

WINDOW = 20  # groups a trend is read from
SMOOTHING = 0.9
GAIN = 4.0
MOST_DELTAS = 60
THRESHOLD, LEAST_THRESHOLD, MOST_THRESHOLD = 12.5, 6.0, 600.0  # ms
RISE, FALL = 0.0087, 0.039  # of the threshold, per ms and ms
OUTLIER = 15.0  # ms over the threshold: not adapted to
OVERUSE_S = 0.01  # a trend must last
RECENT_S = 0.3
MEMORY_S = 15.0  # a way that got longer for good is believed after this
STANDING_S = 0.02  # a queue that never empties within RECENT_S
JUMP_S = 3.0  # the receiver's clock, or its numbering, began anew


class Delay:
    """One receiver's; ``add`` each group, then look."""

    __slots__ = (
        "_accumulated",
        "_count",
        "_last",
        "_least",
        "_over_s",
        "_points",
        "_recent",
        "_smoothed",
        "_threshold",
        "_trend",
        "_trending",
    )

    def __init__(self) -> None:
        self._threshold = THRESHOLD
        self._recent: deque[tuple[float, float]] = deque()  # (arrived, wait)
        self._least: deque[tuple[float, float]] = deque()  # the same, waits rising: the first is the least
        self._points: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # (arrived, accumulated delay), in ms
        self.restart()

    def restart(self) -> None:
        """Another clock or another way: forget what was."""
        self._last: Group | None = None
        self._recent.clear()
        self._least.clear()
        self.forget_trend()

    def forget_trend(self) -> None:
        """What comes next is not compared with what was."""
        self._last = None
        self._points.clear()
        self._accumulated = self._smoothed = self._trend = self._over_s = 0.0
        self._count = 0
        self._trending = 0

    def rebase(self) -> None:
        """The present wait is the way's own: nothing we do shortens it."""
        self._least = deque(self._recent)
        self._tidy()

    def _tidy(self) -> None:
        least: deque[tuple[float, float]] = deque()
        for arrived, wait in self._least:
            while least and least[-1][1] >= wait:
                least.pop()
            least.append((arrived, wait))
        self._least = least

    @property
    def standing(self) -> float:
        """Seconds that everything waits lately, over the least of the last while."""
        if not self._recent:
            return 0.0
        return min(wait for _, wait in self._recent) - self._least[0][1]

    @property
    def over(self) -> bool:
        """The queue grows."""
        return self._trending > 0 and self.standing > STANDING_S

    @property
    def under(self) -> bool:
        """The queue empties."""
        return self._trending < 0

    def add(self, group: Group) -> None:
        """The next group."""
        arrived = group.arrived
        wait = arrived - group.sent
        last = self._last
        if last is not None and abs(arrived - last.arrived - group.sent + last.sent) > JUMP_S:
            self.restart()
            last = None
        self._last = group
        recent, least = self._recent, self._least
        recent.append((arrived, wait))
        while recent[0][0] < arrived - RECENT_S:
            recent.popleft()
        while least and least[-1][1] >= wait:
            least.pop()
        least.append((arrived, wait))
        while least[0][0] < arrived - MEMORY_S:
            least.popleft()
        if last is not None:
            self._follow(arrived, wait - (last.arrived - last.sent), group.sent - last.sent)

    def _follow(self, arrived: float, longer: float, since: float) -> None:
        self._count += 1
        self._accumulated += longer * 1000
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._accumulated
        points = self._points
        points.append((arrived * 1000, self._smoothed))
        if len(points) < WINDOW:
            return
        slope = _slope(points)
        value = min(self._count, MOST_DELTAS) * slope * GAIN
        if value > self._threshold:
            self._over_s += since
            if self._over_s > OVERUSE_S and slope >= self._trend:
                self._trending = 1
        else:
            self._over_s = 0.0
            self._trending = -1 if value < -self._threshold else 0
        self._trend = slope
        self._adapt(abs(value), since)

    def _adapt(self, value: float, since: float) -> None:
        if value > self._threshold + OUTLIER:
            return
        speed = RISE if value > self._threshold else FALL
        self._threshold += speed * (value - self._threshold) * min(since * 1000, 100.0)
        self._threshold = min(MOST_THRESHOLD, max(LEAST_THRESHOLD, self._threshold))


def _slope(points: deque[tuple[float, float]]) -> float:
    """Of the line through them, by least squares."""
    first = points[0][0]
    count = len(points)
    sum_x = sum_y = sum_xx = sum_xy = 0.0
    for x, y in points:
        x -= first
        sum_x += x
        sum_y += y
        sum_xx += x * x
        sum_xy += x * y
    spread = count * sum_xx - sum_x * sum_x
    return (count * sum_xy - sum_x * sum_y) / spread if spread > 0 else 0.0
