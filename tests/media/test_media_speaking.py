"""Who speaks: voices count, coughs don't, and the picture does not jump to and fro."""

from __future__ import annotations

from media.speaking import Speakers

QUIET, VOICE, LOUD = 127.0, 40.0, 25.0


class Talk:
    """Looks three times a second."""

    def __init__(self, *people: str) -> None:
        self.speakers = Speakers()
        self.levels = dict.fromkeys(people, QUIET)
        self.now = 0.0
        self.changes = 0

    def go(self, seconds: float, **levels: float) -> list[str]:
        self.levels |= levels
        for _ in range(round(seconds / 0.3)):
            self.changes += self.speakers.look(self.levels, self.now)
            self.now += 0.3
        return self.speakers.speaking


def test_a_voice_counts_soon_and_a_breath_ends_nothing() -> None:
    talk = Talk("ann", "bob")
    assert talk.go(0.3, ann=VOICE) == []
    assert talk.go(0.6) == ["ann"]
    talk.go(0.9, ann=QUIET)
    assert talk.speakers.speaking == ["ann"], "a breath"
    talk.go(3, ann=VOICE)
    assert talk.changes == 1
    assert talk.go(1.8, ann=QUIET) == []
    assert talk.speakers.order == ["ann"], "who spoke last stays in view"


def test_a_cough_switches_nothing() -> None:
    talk = Talk("ann", "bob")
    talk.go(3, ann=VOICE)
    talk.go(0.3, bob=LOUD)
    talk.go(3, bob=QUIET)
    assert talk.speakers.order == ["ann"]
    assert talk.speakers.speaking == ["ann"]
    assert talk.changes == 1


def test_taking_over_needs_a_clearly_louder_voice_for_a_while() -> None:
    talk = Talk("ann", "bob")
    talk.go(3, ann=VOICE)
    assert talk.go(3, bob=VOICE - 2) == ["ann", "bob"], "as loud: the one who speaks keeps the floor"
    assert talk.go(0.6, bob=LOUD) == ["ann", "bob"]
    assert talk.go(1.5) == ["bob", "ann"]
    assert talk.go(3, bob=QUIET) == ["ann"]
    assert talk.speakers.order == ["ann", "bob"]


def test_an_answer_takes_the_floor_when_the_other_is_silent() -> None:
    talk = Talk("ann", "bob", "eve")
    talk.go(3, ann=VOICE)
    talk.go(1.5, ann=QUIET)
    assert talk.go(0.9, bob=VOICE) == ["bob"]
    talk.go(3, bob=QUIET)
    talk.go(3, eve=VOICE)
    assert talk.speakers.order == ["eve", "bob", "ann"]


def test_who_leaves_is_forgotten() -> None:
    talk = Talk("ann", "bob")
    talk.go(3, ann=VOICE)
    del talk.levels["ann"]
    assert talk.go(0.3) == []
    assert talk.speakers.order == []
