"""What the server can tell of a track's quality, from counters looked at a few times a second. Pure.

Nothing here runs once a packet. A freeze is a camera from which nothing comes for a while, or a picture
with a part that never came, until the next key frame: what a receiver most likely saw.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SILENT_S = 0.5  # no camera that moves pauses longer between frames
SETTLED_S = 1.5  # what is missing longer is not mended any more
WINDOW_S = 2.0  # of the bitrate


class Look(NamedTuple):
    """A track's counters at one moment."""

    at: float
    received: int
    octets: int
    lost: int
    keyframes: int


class Totals(NamedTuple):
    """What only grows."""

    received: int = 0
    octets: int = 0
    lost: int = 0
    freezes: int = 0
    frozen_s: float = 0.0


def overall(people: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """One line about everybody, from their statistics: for the registry, and so for the administrator.

    Rates are added, shares and times are the mean of those who have any traffic.
    """
    busy = [each for each in people if each["packets_in"] or each["packets_out"]]

    def mean(name: str) -> float:
        return round(sum(each[name] for each in busy) / len(busy), 4) if busy else 0.0

    return {
        "bitrate_in": sum(each["bitrate_in"] for each in busy),
        "loss_in": mean("loss_in"),
        "loss_out": mean("loss_out"),
        "jitter_ms": mean("jitter_ms"),
        "round_trip_ms": mean("round_trip_ms"),
        "frozen": sum(track["frozen"] for each in busy for track in each["tracks"]),
    }


class Meter:
    """One track. ``look`` about three times a second."""

    def __init__(self, *, moving: bool) -> None:
        self._moving = moving  # cameras: sound and screens pause for good reasons
        self._looks: deque[Look] = deque()
        self._last_new: float | None = None  # when a packet came last
        self._settled = 0
        self._silent = False
        self._broken: tuple[float, int] | None = None  # since when, key frames by then
        self.totals = Totals()

    @property
    def bitrate(self) -> int:
        """Bits a second, of payload, lately."""
        if len(self._looks) < 2:
            return 0
        first, last = self._looks[0], self._looks[-1]
        return int((last.octets - first.octets) * 8 / max(0.001, last.at - first.at))

    @property
    def frozen(self) -> bool:
        """Whether the picture stands still now."""
        return self._silent or self._broken is not None

    def look(self, now: Look, *, muted: bool) -> None:
        """Compare with before. A mute is no freeze."""
        before = self._looks[-1] if self._looks else None
        if before is not None and (now.received < before.received or now.octets < before.octets):
            self._looks.clear()  # the source began anew
            self._settled, self._broken, before = 0, None, None
        self._looks.append(now)
        while self._looks[0].at < now.at - WINDOW_S:
            self._looks.popleft()
        was, since = self.frozen, before.at if before is not None else now.at
        totals = self.totals
        new = now.received - (before.received if before is not None else 0)
        grown = now.octets - (before.octets if before is not None else 0)
        if new or muted:
            self._last_new = now.at if new else None
            self._silent = False
        elif self._moving and self._last_new is not None and now.at - self._last_new > SILENT_S:
            self._silent = True
        gone = self._gone(now)
        if muted or not self._moving:
            self._broken = None
        elif gone:
            self._broken = (now.at, self._looks[0].keyframes)
        freezes, frozen_s = totals.freezes, totals.frozen_s
        if self._broken is not None and now.keyframes > self._broken[1]:
            # Repaired by now: it lasted no longer than it takes to know.
            self._broken = None
            if gone:
                freezes, frozen_s = freezes + 1, frozen_s + SETTLED_S / 2
        if self.frozen and was:
            frozen_s += now.at - since
        elif self.frozen:
            freezes += 1
            frozen_s += now.at - self._last_new if self._silent and self._last_new is not None else 0.0
        self.totals = Totals(totals.received + new, totals.octets + grown, totals.lost + gone, freezes, frozen_s)

    def _gone(self, now: Look) -> int:
        """Packets that turned out to be lost for good since the last look."""
        old = [each.lost for each in self._looks if each.at >= now.at - SETTLED_S]
        if now.at - self._looks[0].at < SETTLED_S:
            return 0
        settled = min(old)
        gone = max(0, settled - self._settled)
        self._settled = max(settled, self._settled)
        return gone
