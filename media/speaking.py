"""Who speaks, and who spoke last, from audio levels looked at a few times a second. Pure.

A cough moves nobody: a voice has to be there for a while to count, and somebody else's has to be there longer,
and louder, to take over from who is speaking.
"""

from __future__ import annotations

from collections.abc import Mapping

SPEAKING_DBOV = 50.0  # quieter than -50 dBov is not speech
STARTS_AFTER_S = 0.5
ENDS_AFTER_S = 1.2  # a breath between sentences
TAKES_OVER_AFTER_S = 1.0
LOUDER_DB = 6.0  # so much louder takes over from somebody who goes on speaking


class Speakers:
    """Of one room."""

    def __init__(self) -> None:
        self.order: list[str] = []
        """Everybody who has spoken, the dominant one first, then by when they last were."""
        self.speaking: list[str] = []
        """Who speaks now: the dominant one first."""
        self._since: dict[str, float] = {}  # loud without a pause
        self._heard: dict[str, float] = {}
        self._challenge: tuple[str, float] | None = None

    def look(self, levels: Mapping[str, float], now: float) -> bool:
        """Everybody's level in -dBov (127: silence). True when ``speaking`` changed."""
        before = list(self.speaking)
        for who, level in levels.items():
            if level < SPEAKING_DBOV:
                self._heard[who] = now
                self._since.setdefault(who, now)
            elif now - self._heard.get(who, -ENDS_AFTER_S) >= ENDS_AFTER_S:
                self._since.pop(who, None)
        for known in (self._since, self._heard):
            for who in known.keys() - levels.keys():
                del known[who]
        self.order = [who for who in self.order if who in levels]
        speaking = [
            who
            for who, since in self._since.items()
            if (who in before or self._heard[who] - since >= STARTS_AFTER_S) and now - self._heard[who] < ENDS_AFTER_S
        ]
        self._choose(speaking, levels, now)
        self.speaking = sorted(speaking, key=self._place)
        return self.speaking != before

    def _place(self, who: str) -> tuple[int, float]:
        return (self.order.index(who) if who in self.order else len(self.order)), self._since.get(who, 0.0)

    def _choose(self, speaking: list[str], levels: Mapping[str, float], now: float) -> None:
        dominant = self.order[0] if self.order else None
        loudest = min(speaking, key=lambda who: levels[who], default=None)
        if loudest is None or loudest == dominant:
            self._challenge = None
            return
        if dominant in speaking and levels[loudest] > levels[dominant] - LOUDER_DB:
            self._challenge = None
            return
        if self._challenge is None or self._challenge[0] != loudest:
            self._challenge = loudest, now
        if dominant not in speaking or now - self._challenge[1] >= TAKES_OVER_AFTER_S:
            self._challenge = None
            self.order = [loudest, *(who for who in self.order if who != loudest)]
