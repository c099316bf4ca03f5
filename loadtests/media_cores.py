"""Which cores the server under test may use, and which everything else of a benchmark.

A server that shares its core with the peers measures their turns, too. With two cores or more the first
is the server's alone and the others are the peers'; every server compared gets the same one, and the same
priority. With one core they share it, and the tables say so.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

NICE = -10  # of server and peers alike, where the system allows it: other programs' turns are not measured


@dataclass(frozen=True)
class Cores:
    """Numbers of cores, as the kernel counts them."""

    server: frozenset[int]
    peers: frozenset[int]

    @property
    def apart(self) -> bool:
        """Whether server and peers have cores of their own."""
        return not self.server & self.peers

    def __str__(self) -> str:
        def names(cores: frozenset[int]) -> str:
            return ", ".join(map(str, sorted(cores)))

        if not self.apart:
            return f"server and peers share core {names(self.server)}"
        return f"server on core {names(self.server)}, peers on {names(self.peers)}"


def split() -> Cores:
    """The first core we may use for the server, the others for the peers."""
    usable = sorted(os.sched_getaffinity(0))
    first = frozenset(usable[:1])
    return Cores(first, frozenset(usable[1:]) or first)


@contextlib.contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """Processes started inside run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_priority() -> bool:
    """For this process and all it starts; False where the system refuses."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except PermissionError:
        return False
    return True
