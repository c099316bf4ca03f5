"""Layers of a track, in Python: what its descriptors tell, and which of its packets one receiver is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from media.path.api import Target
from media.path.limits import FAR_BEHIND, VIDEO_HISTORY
from media.rtp.dependency import MAX_SPATIAL, MAX_TEMPLATES, MAX_TEMPORAL, WINDOW, Frame, Structure, best, parse
from media.rtp.packet import Malformed
from media.rtp.sequence import Unwrapper

if TYPE_CHECKING:
    from media.path.python_sink import Numbering

WINDOW_MASK = (1 << WINDOW) - 1
RING = VIDEO_HISTORY - 1  # mask of a place


class Described(NamedTuple):
    """A packet's frame."""

    number: int  # without end
    frame: Frame


class Layers:
    """Of a source."""

    def __init__(self) -> None:
        self.structure: Structure | None = None
        self.active = 0
        self.structures = 0
        """How many there have been."""
        self.version = 0
        """Another with each change."""
        self._octets = [0] * MAX_TEMPLATES
        self._unwrapper = Unwrapper()
        self._told_at = -1  # the frame that came with the structure, or with what is active

    def count(self, described: Described, octets: int) -> None:
        """A packet of that frame has come."""
        self._octets[described.frame.template] += octets

    def read(self, data: bytes) -> Described | None:
        """Take a packet's descriptor; None where nothing can be told of it."""
        try:
            frame = parse(data, self.structure)
        except Malformed:
            return None
        unwrapper = self._unwrapper
        number = unwrapper.peek(frame.number)
        if frame.structure is not None and number < unwrapper.highest - FAR_BEHIND:
            unwrapper.highest = self._told_at = -1  # the sender began its numbering anew
            number = unwrapper.peek(frame.number)
        if number > unwrapper.highest:
            unwrapper.highest = number
        if frame.active is not None and not self._told(number, frame.structure, frame.active):
            return None
        return Described(number, frame)

    def _told(self, number: int, structure: Structure | None, active: int) -> bool:
        """False: of a structure that is no longer the present one."""
        if number < self._told_at:
            return structure is None or structure == self.structure
        self._told_at = number
        if structure is not None and structure != self.structure:
            self.structure = structure
            self._octets = [0] * MAX_TEMPLATES
            self.structures += 1
        elif active == self.active:
            return True
        self.active = active
        self.version += 1
        return True

    @property
    def targets(self) -> list[Target]:
        """See ``api.Source``."""
        structure = self.structure
        if structure is None:
            return []
        found = [
            Target(
                spatial,
                temporal,
                structure.lines[spatial] if spatial < len(structure.lines) else 0,
                sum(self._octets[at] for at, present in enumerate(structure.present) if present >> index & 1),
            )
            for index, (spatial, temporal) in enumerate(structure.targets)
            if self.active >> index & 1
        ]
        return sorted(found)


class Selection:
    """Of a sink: the target it gets, the frames it got, and how its packets are numbered."""

    def __init__(self, first: int, aim: tuple[int, int] | None) -> None:
        self.first = first
        """The first number that was given here."""
        self._aim = aim or (MAX_SPATIAL, MAX_TEMPORAL)
        self.current = self.wanted = -1
        self.highest = -1  # sequence number of the source
        self.numbers = [(-1, -1)] * (RING + 1)
        """By place of the source's number: that, and ours; -1 for none."""
        self.sent: list[tuple[int, Numbering, int, int] | None] = [None] * (RING + 1)
        """By place of our number: that, how it came about, the source's, the marker."""
        self._version = -1
        self._structures = -1
        self._frame = -1
        self._seen = self._forwarded = 0  # bit d: the frame d before the newest

    def reset(self, sequence: int) -> None:
        """Numbering begins anew with this one."""
        self.highest = sequence - 1
        self.numbers = [(-1, -1)] * (RING + 1)
        self.current = self.wanted = -1
        self._version = self._structures = self._frame = -1
        self._seen = self._forwarded = 0

    def retarget(self, aim: tuple[int, int]) -> None:
        """The highest layers that are wanted."""
        self._aim = aim
        self._version = -1

    def admit(self, layers: Layers, number: int, frame: Frame) -> bool:
        """Whether packets of this frame go out."""
        if self._version != layers.version:
            self._settle(layers)
        back = self._frame - number
        if back < 0 or back > FAR_BEHIND:
            shift = min(-back, WINDOW) if back < 0 else WINDOW
            self._frame = number
            self._seen = (self._seen << shift | 1) & WINDOW_MASK
            self._forwarded = self._forwarded << shift & WINDOW_MASK
            if self.wanted != self.current and self._begins(frame):
                self.current = self.wanted
            back = 0
        elif back >= WINDOW:
            return False
        elif self._seen >> back & 1:
            return bool(self._forwarded >> back & 1)
        self._seen |= 1 << back
        admitted = self.current < 0 or bool(frame.present >> self.current & 1)
        self._forwarded |= admitted << back
        return admitted

    def _settle(self, layers: Layers) -> None:
        self._version = layers.version
        if layers.structure is not None:
            self.wanted = best(layers.structure, layers.active, *self._aim)
        if self._structures != layers.structures:
            self._structures = layers.structures
            self.current = self.wanted  # what comes with a structure can be begun with

    def _begins(self, frame: Frame) -> bool:
        """Whether the wanted target can be begun with this frame: what it needs has been sent."""
        if self.wanted < 0:
            return True
        return bool(frame.switch >> self.wanted & 1) and not frame.far and not frame.needs & ~self._forwarded

    def ends(self, layers: Layers, frame: Frame) -> bool:
        """Whether it is the last packet of a picture for this receiver."""
        structure = layers.structure
        if structure is None or not 0 <= self.current < len(structure.targets):
            return False
        return frame.end and frame.spatial == structure.targets[self.current][0]

    def number(self, sequence: int, offset: int, admitted: bool) -> int:
        """Our number of the packet, -1 for none. What is missing before it keeps a number each."""
        numbers, highest = self.numbers, self.highest
        if sequence <= highest:
            known, number = numbers[sequence & RING]
            return number if known == sequence else -1
        for missing in range(max(highest + 1, sequence - RING), sequence):
            numbers[missing & RING] = missing, missing + offset
        self.highest = sequence
        number = sequence + offset if admitted else -1
        numbers[sequence & RING] = sequence, number
        return number
