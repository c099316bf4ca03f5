"""What the samples of ``watch.js`` say. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

STILL_S = 0.5  # a picture that stands longer than this is frozen, for browsers that do not count it themselves


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums since the start, at a moment."""

    at: float
    frames: float
    frozen: float
    packets: float
    concealed: float
    played: float
    bytes: float
    height: float


def first_media(samples: list[Sample]) -> float | None:
    """When picture and sound had both come."""
    return next((each.at for each in samples if each.frames > 0 and each.packets > 0), None)


def between(samples: list[Sample], start: float, end: float) -> list[Sample]:
    return [each for each in samples if start <= each.at <= end]


def longest_gap(samples: list[Sample], name: str, start: float, end: float) -> float:
    """The longest time without progress of ``frames`` or ``packets``; its beginning and end count as progress."""
    moments = [start]
    for before, after in pairwise(samples):
        if start <= after.at <= end and getattr(after, name) > getattr(before, name):
            moments.append(after.at)
    moments.append(end)
    return max(after - before for before, after in pairwise(moments))


def progress_after(samples: list[Sample], name: str, moment: float) -> float | None:
    """Seconds until ``frames`` or ``packets`` went on."""
    known = next((getattr(each, name) for each in reversed(samples) if each.at <= moment), 0.0)
    return next((each.at - moment for each in samples if each.at > moment and getattr(each, name) > known), None)


def back_after(samples: list[Sample], moment: float) -> float | None:
    """Seconds until picture and sound had both gone on."""
    pictures, sound = (progress_after(samples, name, moment) for name in ("frames", "packets"))
    return None if pictures is None or sound is None else max(pictures, sound)


def frozen(samples: list[Sample], start: float, end: float) -> float:
    """% of the time that the picture stood."""
    part = between(samples, start, end)
    if len(part) < 2:
        return 100.0
    told = part[-1].frozen - part[0].frozen
    if part[-1].frozen == 0:
        moments = [start, *(b.at for a, b in pairwise(part) if b.frames > a.frames), end]
        told = sum(gap for a, b in pairwise(moments) if (gap := b - a) > STILL_S)
    return min(100.0, 100 * told / (end - start))


def concealed(samples: list[Sample], start: float, end: float) -> float:
    """% of the sound that was made up. What a browser fills long holes with, silence, is made up, too."""
    part = between(samples, start, end)
    if len(part) < 2 or part[-1].played == part[0].played:
        return 100.0
    made_up = part[-1].concealed - part[0].concealed
    return max(0.0, 100 * made_up / (part[-1].played - part[0].played))


def kbps(samples: list[Sample], start: float, end: float) -> float:
    """Received, pictures and sound."""
    part = between(samples, start, end)
    if len(part) < 2:
        return 0.0
    return (part[-1].bytes - part[0].bytes) * 8 / 1000 / (part[-1].at - part[0].at)


def reaches(samples: list[Sample], wanted_kbps: float, moment: float, window_s: float = 1.0) -> float | None:
    """Seconds until that much came in, over a window."""
    late = [each for each in samples if each.at >= moment + window_s]
    return next((e.at - moment for e in late if kbps(samples, e.at - window_s, e.at) >= wanted_kbps), None)
