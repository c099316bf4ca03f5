"""The way to one receiver: what its feedback tells, the rate that fits, the pacer set to it, and probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from media.path.api import Link, Sink
from media.rtp.bandwidth import PROBE_S, Bandwidth

MATERIAL = 0.05  # a change smaller than this share is nobody's concern
UDP_IP = 28
RESERVE = 0.95  # of the estimate; the rest is for headers and what is sent again


class Carrier(Protocol):
    """What is needed of the connection."""

    link: Link

    def in_rhythm(self, work: Callable[[float], bool]) -> None:
        """Call it every few milliseconds with the time, until it answers False."""
        ...


class Downlink:
    """Of a receiver that gives transport-wide feedback. ``look`` ten times a second."""

    def __init__(self, carrier: Carrier, now: float) -> None:
        self.bandwidth = Bandwidth(now)
        self.probed = 0
        """Bytes sent for nothing but to see whether they fit."""
        self._carrier: Carrier | None = carrier
        self._link = carrier.link
        self._pace = 0.0
        self._told = 0.0
        self._told_of = (0, 0)
        self._choked = 0
        self._set_pace()

    @property
    def estimate(self) -> int | None:
        """Bits a second for media; None before the receiver has told anything."""
        return int(self.bandwidth.rate * RESERVE) if self.bandwidth.known else None

    def look(self, wanted: int, padding: Sink | None, now: float) -> bool:
        """Take in what was told, probe if more is ``wanted`` (bits a second): whether the estimate changed much."""
        bandwidth, link = self.bandwidth, self._link
        bandwidth.update(link.told(), link.packets_out, now)
        self._set_pace()
        if padding is not None and not link.paced_packets:
            rate = bandwidth.probe(wanted / RESERVE, now)
            if rate is not None:
                self._probe(rate / 8, padding, now)
        changed = bandwidth.known and abs(bandwidth.rate - self._told) > self._told * MATERIAL
        if changed:
            self._told = bandwidth.rate
        return changed

    def _set_pace(self) -> None:
        pace = self.bandwidth.pace / 8
        if abs(pace - self._pace) > self._pace * MATERIAL:
            self._pace = pace
            self._link.pace(pace)

    def _probe(self, rate: float, padding: Sink, began: float) -> None:
        """Fill up what leaves from now on to ``rate`` bytes a second."""
        link = self._link
        before, packets = link.bytes_out, link.packets_out

        def fill(now: float) -> bool:
            if self._carrier is None or now > began + PROBE_S:
                return False
            left = link.bytes_out - before + UDP_IP * (link.packets_out - packets)
            lacking = int(rate * (now - began)) - left
            if lacking > 0:
                self.probed += padding.pad(lacking, now)
            return True

        if self._carrier is not None:
            self._carrier.in_rhythm(fill)

    def choked(self) -> bool:
        """Whether pictures were dropped since the last call: their tracks need key frames."""
        before, self._choked = self._choked, self._link.choked
        return self._choked != before

    def figures(self) -> dict[str, int]:
        """As docs/protocol.md, event ``stats``."""
        return {
            "estimate": self.estimate or 0,
            "waiting": self._link.paced_packets,
            "probes": self.bandwidth.probes,
            "probed": self.probed,
        }

    def news(self) -> tuple[int, int]:
        """Probes, and bytes sent for them, since the last call."""
        now = (self.bandwidth.probes, self.probed)
        before, self._told_of = self._told_of, now
        return now[0] - before[0], now[1] - before[1]

    def close(self) -> None:
        """No more probes."""
        self._carrier = None
