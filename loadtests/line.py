"""What the people waiting for one practitioner should be told. No I/O; times are passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

TOLD_WITHIN_S = 5.0
"""A change is told within a second or so; later than this counts as not told."""


@dataclass(slots=True)
class _Waits:
    place: int
    expects_since: float | None = None


@dataclass(slots=True)
class Line:
    """One practitioner's waiting room as its visitors know it."""

    _people: dict[str, _Waits] = field(default_factory=dict)

    def entered(self, who: str, place: int) -> None:
        """``place`` as the acknowledgement said."""
        self._people[who] = _Waits(place)

    def leaves(self, who: str, now: float) -> None:
        """Before ``waiting.leave`` is sent: everybody behind comes nearer and has to be told."""
        gone = self._people.pop(who, None)
        if gone is None:
            return
        for other in self._people.values():
            if other.place > gone.place and other.expects_since is None:
                other.expects_since = now

    def told(self, who: str, place: int) -> float | None:
        """``waiting.updated`` has come. Since when it was due; None when nobody had left."""
        mine = self._people.get(who)
        if mine is None:
            return None
        since, mine.expects_since = mine.expects_since, None
        mine.place = place
        return since

    def overdue(self, who: str, now: float) -> bool:
        """Whether a change was not told in time; said once."""
        mine = self._people.get(who)
        if mine is None or mine.expects_since is None or now - mine.expects_since < TOLD_WITHIN_S:
            return False
        mine.expects_since = None
        return True
