"""A tap on a camera with several encodings: follows the best one, and its numbers and timestamps go on."""

from __future__ import annotations

from media.layer import Layer
from media.path.api import Tap
from media.rtp import rtcp
from media.rtp.keyframe import DETECTORS


class Follower:
    """Between the layers' sources and a tap. It goes over at a key frame."""

    def __init__(self, tap: Tap, codec: str, clock_rate: int) -> None:
        self._tap = tap
        self._is_keyframe = DETECTORS[codec]
        self._rate = clock_rate
        self._layer: Layer | None = None
        self._entering = False
        self._first = self._next = 0
        self._offset = self._shift = 0
        self._last = 0, 0.0  # (timestamp, time) of the newest, as told

    def follow(self, layer: Layer | None) -> None:
        """Listen to this encoding from now on; None: to none."""
        former, self._layer = self._layer, layer
        if former is not None:
            former.track.remove_tap(self)
        if layer is not None:
            self._entering = former is not None
            if former is None:
                self._shift = layer.track.shift or 0
            layer.track.add_tap(self)

    def __call__(self, sequence: int, timestamp: int, marker: bool, payload: bytes, arrival: float) -> None:
        """One packet of the encoding it listens to."""
        if self._entering:
            if not self._is_keyframe(payload):
                return
            self._enter(sequence, timestamp, arrival)
        if sequence < self._first:
            return
        number, told = sequence + self._offset, timestamp + self._shift & 0xFFFFFFFF
        if number >= self._next:
            self._next = number + 1
            self._last = told, arrival
        self._tap(number, told, marker, payload, arrival)

    def _enter(self, sequence: int, timestamp: int, arrival: float) -> None:
        self._entering = False
        self._first, self._offset = sequence, self._next - sequence
        shift = self._layer.track.shift if self._layer is not None else None
        if shift is None:
            last, at = self._last
            shift = last + max(1, int((arrival - at) * self._rate)) - timestamp
        self._shift = shift & 0xFFFFFFFF

    def told(self, report: rtcp.SenderReport) -> rtcp.SenderReport:
        """A report of the encoding it listens to, in the timestamps it tells."""
        timestamp = report.timestamp + self._shift & 0xFFFFFFFF
        return rtcp.SenderReport(report.ssrc, report.ntp, timestamp, report.packets, report.octets)
