"""What a sender need not send, because nobody gets it. Pure.

More is told at once, less only after a while: a key frame costs more than some seconds of a small encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LESS_AFTER_S = 5.0


@dataclass(frozen=True)
class Wanted:
    """Of one picture."""

    any: bool
    rids: tuple[str, ...] = ()
    """The encodings to send, where there are several."""


def wanted(rids: Sequence[str], wishes: Sequence[int]) -> Wanted:
    """``wishes``: for each receiver that shows it, which of ``rids`` (smallest first) suits it.

    One receiver needs one encoding, whose rate follows it. Several get all up to the largest that suits one,
    so that each has one that fits.
    """
    if not wishes:
        return Wanted(False)
    largest = max(wishes)
    return Wanted(True, tuple(rids[largest : largest + 1] if len(wishes) == 1 else rids[: largest + 1]))


class Demand:
    """What a sender has been told about one picture."""

    def __init__(self) -> None:
        self.told: Wanted | None = None
        self._less: tuple[Wanted, float] | None = None

    def update(self, now_wanted: Wanted, now: float) -> bool:
        """True when ``told`` changed: tell the sender."""
        if now_wanted == self.told:
            self._less = None
            return False
        if self.told is not None and not (set(now_wanted.rids) - set(self.told.rids) or now_wanted.any > self.told.any):
            if self._less is None or self._less[0] != now_wanted:
                self._less = now_wanted, now
            if now - self._less[1] < LESS_AFTER_S:
                return False
        elif self.told is not None and now_wanted.any and self.told.any:
            # What is wanted no more goes by the slow way.
            now_wanted = Wanted(True, tuple(dict.fromkeys((*now_wanted.rids, *self.told.rids))))
        self.told, self._less = now_wanted, None
        return True
