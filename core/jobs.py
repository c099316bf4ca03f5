"""Periodic work, done by one process at a time however many run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]


class Jobs:
    """The registry, filled by each module's ``setup`` and run by the ``worker`` role under an advisory lock each."""

    def __init__(self) -> None:
        self.all: list[Job] = []

    def every(self, seconds: float, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Call ``run`` every ``seconds``; a failure is logged and the next turn comes as usual."""
        self.all.append(Job(name, seconds, run))
