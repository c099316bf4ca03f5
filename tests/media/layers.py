"""Senders of layers: descriptors written as encoders write them, and the frames they describe."""

from __future__ import annotations

from dataclasses import dataclass

INDICATIONS = "-DSR"


class Bits:
    """Writes most significant bits first."""

    def __init__(self) -> None:
        self._value = self._count = 0

    def put(self, value: int, count: int) -> None:
        assert 0 <= value < 1 << count
        self._value, self._count = self._value << count | value, self._count + count

    def below(self, value: int, limit: int) -> None:
        """A number under ``limit``, in as few bits as that takes."""
        width = limit.bit_length()
        short = (1 << width) - limit
        if value < short:
            self.put(value, width - 1)
        else:
            self.put(value + short, width)

    @property
    def data(self) -> bytes:
        spare = -self._count % 8
        return (self._value << spare).to_bytes((self._count + spare) // 8, "big")


@dataclass(frozen=True)
class Template:
    """A kind of frame."""

    spatial: int
    temporal: int
    indications: str
    """One of ``-DSR`` for each decode target."""
    needs: tuple[int, ...] = ()
    chains: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scheme:
    """What an encoder does. Templates are ordered by layer, beginning with (0, 0)."""

    templates: tuple[Template, ...]
    protected: tuple[int, ...] = ()
    """The chain of each decode target."""
    lines: tuple[int, ...] = ()
    offset: int = 0

    @property
    def targets(self) -> int:
        return len(self.templates[0].indications)

    def structure(self, bits: Bits) -> None:
        bits.put(self.offset, 6)
        bits.put(self.targets - 1, 5)
        before = self.templates[0]
        for template in self.templates[1:]:
            step = 0
            if template.spatial > before.spatial:
                step = 2
            elif template.temporal > before.temporal:
                step = 1
            bits.put(step, 2)
            before = template
        bits.put(3, 2)
        for template in self.templates:
            for indication in template.indications:
                bits.put(INDICATIONS.index(indication), 2)
        for template in self.templates:
            for need in template.needs:
                bits.put(1, 1)
                bits.put(need - 1, 4)
            bits.put(0, 1)
        chains = len(self.templates[0].chains)
        bits.below(chains, self.targets + 1)
        if chains:
            for protected in self.protected:
                bits.below(protected, chains)
            for template in self.templates:
                for before_it in template.chains:
                    bits.put(before_it, 4)
        bits.put(bool(self.lines), 1)
        for lines in self.lines:
            bits.put(lines * 16 // 9 - 1, 16)
            bits.put(lines - 1, 16)

    def describe(
        self,
        template: int,
        number: int,
        *,
        start: bool = True,
        end: bool = True,
        tell: bool = False,
        active: int | None = None,
        indications: str = "",
        needs: tuple[int, ...] | None = None,
        chains: tuple[int, ...] | None = None,
    ) -> bytes:
        """A packet's descriptor; ``tell``: with the structure; the rest: what this frame does otherwise."""
        bits = Bits()
        bits.put(start, 1)
        bits.put(end, 1)
        bits.put((template + self.offset) % 64, 6)
        bits.put(number & 0xFFFF, 16)
        flags = (tell, active is not None, bool(indications), needs is not None, chains is not None)
        if not any(flags):
            return bits.data
        for flag in flags:
            bits.put(flag, 1)
        if tell:
            self.structure(bits)
        if active is not None:
            bits.put(active, self.targets)
        for indication in indications:
            bits.put(INDICATIONS.index(indication), 2)
        if needs is not None:
            for need in needs:
                size = 1 if need <= 16 else 2 if need <= 256 else 3
                bits.put(size, 2)
                bits.put(need - 1, 4 * size)
            bits.put(0, 2)
        for before in chains or ():
            bits.put(before, 8)
        return bits.data


L1T3 = Scheme(
    (
        Template(0, 0, "SSS", (), (0,)),
        Template(0, 0, "SSS", (4,), (4,)),
        Template(0, 1, "-DS", (2,), (2,)),
        Template(0, 2, "--D", (1,), (1,)),
        Template(0, 2, "--D", (1,), (3,)),
    ),
    (0, 0, 0),
    (360,),
)
L1T3_PICTURES = ((1,), (3,), (2,), (4,))
"""Templates of the frames of four pictures that repeat."""

L2T2_KEY = Scheme(
    (
        Template(0, 0, "SSSS", (), (0, 0)),
        Template(0, 0, "SS--", (4,), (4, 3)),
        Template(0, 1, "-D--", (2,), (2, 1)),
        Template(1, 0, "--SS", (1,), (1, 1)),
        Template(1, 0, "--SS", (4,), (1, 4)),
        Template(1, 1, "---D", (2,), (3, 2)),
    ),
    (0, 0, 1, 1),
    (180, 360),
    50,
)
L2T2_KEY_PICTURES = ((1, 4), (2, 5))
L2T2_KEY_FIRST = (0, 3)
