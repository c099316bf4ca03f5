"""Dependency descriptors (AV1 RTP specification, appendix A): which frames a receiver of some layers needs.

A sender tells a structure with its key frames: templates of frames, and decode targets, each a set of layers somebody
may want. Each packet then names the template of its frame. What a packet decides is made of it once: masks, one bit
a target.
"""

from __future__ import annotations

from typing import NamedTuple

from media.rtp.packet import Malformed

SHORT = 3  # bytes of a descriptor without anything but the template and the number
MAX_TEMPLATES = 64
MAX_TARGETS = 32
MAX_SPATIAL, MAX_TEMPORAL = 3, 7
WINDOW = 64  # frames back that are remembered; what needs an older one is never begun with
SWITCH = 2  # of a decode target indication: the target can be begun with this frame


class Structure(NamedTuple):
    """What templates mean."""

    offset: int  # number of the first template
    spatial: tuple[int, ...]  # by template
    present: tuple[int, ...]  # by template: mask of the targets that need the frame
    switch: tuple[int, ...]  # by template: mask of those that can be begun with it
    needs: tuple[int, ...]  # by template: bit d is set where it needs the frame d before it
    chains: int
    targets: tuple[tuple[int, int], ...]  # by target: its highest (spatial, temporal) layer
    lines: tuple[int, ...]  # by spatial layer; () where that is not told


class Frame(NamedTuple):
    """The frame of a packet."""

    number: int  # 16 bits
    start: bool
    end: bool
    template: int
    spatial: int
    present: int
    switch: int
    needs: int
    far: bool  # needs one beyond the window
    structure: Structure | None  # told with it
    active: int | None  # mask of the targets that are sent from here on, where told


class _Bits:
    """Reads most significant bits first. Raises Malformed at the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise Malformed("short descriptor")
        return self._value >> self._left & (1 << count) - 1

    def below(self, limit: int) -> int:
        """A number under ``limit``, in as few bits as that takes."""
        width = limit.bit_length()
        short = (1 << width) - limit
        value = self.take(width - 1)
        return value if value < short else (value << 1) - short + self.take(1)


def parse(data: bytes, structure: Structure | None) -> Frame:
    """A packet's descriptor; ``structure``: the last one told. Raises Malformed, also without a structure."""
    bits = _Bits(data)
    start, end = bool(bits.take(1)), bool(bits.take(1))
    template, number = bits.take(6), bits.take(16)
    told: Structure | None = None
    active: int | None = None
    flags = 0
    if len(data) > SHORT:
        flags = bits.take(5)
        if flags & 0x10:
            structure = told = _structure(bits)
            active = (1 << len(told.targets)) - 1
        if flags & 0x08 and structure is not None:
            active = bits.take(len(structure.targets))
    if structure is None:
        raise Malformed("no structure")
    index = template - structure.offset & 63
    if index >= len(structure.present):
        raise Malformed("unknown template")
    present, switch, needs = structure.present[index], structure.switch[index], structure.needs[index]
    far = False
    if flags & 0x04:
        present, switch = _indications(bits, len(structure.targets))
    if flags & 0x02:
        needs = 0
        while size := bits.take(2):
            before = bits.take(4 * size) + 1
            if before < WINDOW:
                needs |= 1 << before
            else:
                far = True
    if flags & 0x01:
        bits.take(8 * structure.chains)
    return Frame(number, start, end, index, structure.spatial[index], present, switch, needs, far, told, active)


def _indications(bits: _Bits, targets: int) -> tuple[int, int]:
    present = switch = 0
    for target in range(targets):
        indication = bits.take(2)
        present |= (indication != 0) << target
        switch |= (indication == SWITCH) << target
    return present, switch


def _structure(bits: _Bits) -> Structure:
    offset, count = bits.take(6), bits.take(5) + 1
    layers = _layers(bits)
    indications = [_indications(bits, count) for _ in layers]
    needs = []
    for _ in layers:
        found = 0
        while bits.take(1):
            found |= 1 << bits.take(4) + 1
        needs.append(found)
    chains = bits.below(count + 1)
    if chains:
        for _ in range(count):
            bits.below(chains)
        bits.take(4 * chains * len(layers))
    targets = []
    for target in range(count):
        reached = [layer for layer, (present, _) in zip(layers, indications, strict=True) if present >> target & 1]
        targets.append((max((s for s, _ in reached), default=0), max((t for _, t in reached), default=0)))
    lines: list[int] = []
    if bits.take(1):
        for _ in range(layers[-1][0] + 1):
            bits.take(16)
            lines.append(bits.take(16) + 1)
    return Structure(
        offset,
        tuple(spatial for spatial, _ in layers),
        tuple(present for present, _ in indications),
        tuple(switch for _, switch in indications),
        tuple(needs),
        chains,
        tuple(targets),
        tuple(lines),
    )


def _layers(bits: _Bits) -> list[tuple[int, int]]:
    layers = [(0, 0)]
    spatial = temporal = 0
    while (step := bits.take(2)) != 3:
        if step == 1:
            temporal += 1
        elif step == 2:
            spatial, temporal = spatial + 1, 0
        if len(layers) == MAX_TEMPLATES or spatial > MAX_SPATIAL or temporal > MAX_TEMPORAL:
            raise Malformed("too many layers")
        layers.append((spatial, temporal))
    return layers


def best(structure: Structure, active: int, spatial: int, temporal: int) -> int:
    """The largest active target within these layers; where all are larger, the smallest; -1 where none is active."""
    found = [(layers, index) for index, layers in enumerate(structure.targets) if active >> index & 1]
    fitting = [each for each in found if each[0][0] <= spatial and each[0][1] <= temporal]
    if fitting:
        return max(fitting)[1]
    return min(found)[1] if found else -1
