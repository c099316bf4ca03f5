"""What of everybody's pictures one receiver gets, within the bandwidth there is to them. Pure.

Sound is not asked: it goes first, and what is left is shared. Every camera gets its smallest encoding before
any gets a larger one, but who matters most (shown largest, then who spoke last) gets one step more before the
others get anything. A screen comes right after the first camera: it has one encoding, whose rate follows the
receiver through its sender, so it is only stopped where hardly anything is left.

Going down is at once, for congestion hurts; going up waits until there has been room to spare for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LAST_N = 12  # cameras to one receiver: of those who spoke last
FLOOR = 100_000  # bit/s; less is no picture, and sound needs its room
HEADROOM = 0.85  # of the estimate may be used after going up
AMPLE = 0.6  # with that little used nothing need be waited for
UP_AFTER_S = 2.0
UP_AGAIN_AFTER_S = 6.0  # after a way down for want of room
CLOSE_ENOUGH = 0.8  # an encoding of so many of the lines that are shown will do
GUESSES = ((240, 150_000), (480, 500_000), (8192, 1_500_000))  # bit/s by lines, before it has been measured


@dataclass(frozen=True)
class Encoding:
    """One size of a picture."""

    lines: int
    bitrate: int
    """Measured, in bit/s; 0 while unknown."""

    @property
    def cost(self) -> int:
        return self.bitrate or next(rate for lines, rate in GUESSES if self.lines <= lines)


def wish(lines: Sequence[int], max_height: int | None) -> int:
    """Which of these (smallest first) suits a picture shown in ``max_height`` lines; None: the largest."""
    if max_height is None:
        return len(lines) - 1
    suits = next((each for each in lines if each >= max_height * CLOSE_ENOUGH), lines[-1])
    return max(at for at, each in enumerate(lines) if each == suits)


@dataclass(frozen=True)
class Shown:
    """A picture somebody wants to see."""

    key: str
    source: str
    """``camera`` or ``screen``."""
    encodings: tuple[Encoding, ...]
    """Those that come now, smallest first; at least one."""
    max_height: int | None = None
    """Lines it is shown in; None where the receiver has not said."""
    spoke: int = 0
    """0: the one who speaks, 1: who spoke before, …"""
    current: int | None = None
    """Which of ``encodings`` goes out now."""

    @property
    def wish(self) -> int:
        """The encoding that suits what is shown."""
        return wish([one.lines for one in self.encodings], self.max_height)

    @property
    def adapts(self) -> bool:
        """Its sender follows what the receiver can take: there is nothing to choose from."""
        return len(self.encodings) == 1


Plan = dict[str, int | None]


def plan(room: int | None, shown: Sequence[Shown], last_n: int = LAST_N) -> Plan:
    """Which encoding of each fits into ``room`` (bit/s left after sound; None: all of them)."""
    order = sorted(shown, key=lambda one: (-(one.max_height or 8192), one.spoke))
    cameras = [one for one in order if one.source != "screen"]
    seen = {one.key for one in sorted(cameras, key=lambda one: one.spoke)[:last_n]}
    found: Plan = {one.key: None for one in shown}
    cameras = [one for one in cameras if one.key in seen]
    screens = [one for one in order if one.source == "screen"]
    if room is None:
        return found | {one.key: one.wish for one in [*cameras, *screens]}
    left = room

    def take(one: Shown, wanted: int) -> None:
        nonlocal left
        present = found[one.key]
        paid = 0 if present is None else one.encodings[present].cost
        for index in range(min(wanted, one.wish), -1 if present is None else present, -1):
            cost = one.encodings[index].cost
            if one.adapts and left >= FLOOR:
                cost = min(cost, left)
            if cost - paid <= left:
                left -= cost - paid
                found[one.key] = index
                return

    for one in cameras[:1]:
        take(one, 0)
    for one in screens:
        take(one, one.wish)
    for one in cameras[:1]:
        take(one, 1)
    for one in cameras[1:]:
        take(one, 0)
    for one in cameras:
        for step in range(1, one.wish + 1):
            take(one, step)
    return found


class Allocator:
    """One receiver's choices over time."""

    def __init__(self, last_n: int = LAST_N) -> None:
        self._last_n = last_n
        self._roomy_since: dict[str, float] = {}
        self._fell_at: dict[str, float] = {}
        self._before: int | None = None  # the estimate

    def decide(self, estimate: int | None, sound: int, shown: Sequence[Shown], now: float) -> Plan:
        """The encoding of each picture to send now, None for none. ``estimate`` and ``sound`` in bit/s."""
        for known in (self._roomy_since, self._fell_at):
            for key in known.keys() - {one.key for one in shown}:
                del known[key]
        before, self._before = self._before, estimate
        if estimate is None:
            return plan(None, shown, self._last_n)
        less = before is not None and estimate < before
        now_fits, then_fits, ample = (
            plan(max(0, int(estimate * share) - sound), shown, self._last_n) for share in (1.0, HEADROOM, AMPLE)
        )
        free = plan(None, shown, self._last_n)
        decided: Plan = {}
        for one in shown:
            best = now_fits[one.key]
            decided[one.key] = best
            if _over(one.current, best):
                if less and _over(free[one.key], best):
                    self._fell_at[one.key] = now
                self._roomy_since.pop(one.key, None)
            elif _over(best, one.current):
                decided[one.key] = self._upward(one, then_fits[one.key], ample[one.key], now)
            else:
                self._roomy_since.pop(one.key, None)
        return decided

    def _upward(self, one: Shown, then: int | None, ample: int | None, now: float) -> int | None:
        """There is room for more: whether there is enough, and has been for long enough."""
        fell = self._fell_at.get(one.key)
        if fell is None and _over(ample, one.current):
            return ample
        if not _over(then, one.current):
            self._roomy_since.pop(one.key, None)
            return one.current
        since = self._roomy_since.setdefault(one.key, now)
        wait = UP_AFTER_S if fell is None or now - fell > 2 * UP_AGAIN_AFTER_S else UP_AGAIN_AFTER_S
        if now - since < wait:
            return one.current
        del self._roomy_since[one.key]
        self._fell_at.pop(one.key, None)
        return then


def _over(one: int | None, other: int | None) -> bool:
    return (-1 if one is None else one) > (-1 if other is None else other)
