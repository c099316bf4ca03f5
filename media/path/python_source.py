"""A track coming in, in Python: numbers made endless, duplicates dropped, loss noticed, handed to its sinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.path.api import SourceHandler, Tap
from media.path.limits import AUDIO_HISTORY, AUDIO_NACK_AGE_S, FAR_BEHIND, RESTART_AFTER, VIDEO_HISTORY
from media.path.python_layers import Described, Layers
from media.path.python_sink import PythonSink
from media.rtp import picture as pictures
from media.rtp import red
from media.rtp.history import History, Kept
from media.rtp.keyframe import DETECTORS
from media.rtp.nack import NackGenerator
from media.rtp.receive_stats import ReceiveStats
from media.rtp.sequence import Unwrapper

if TYPE_CHECKING:
    from media.path.api import Link, Target
    from media.path.python_path import PythonPath

new_tuple = tuple.__new__


class PythonSource:
    """See ``api.Source``. ``receive`` runs once a packet."""

    def __init__(self, path: PythonPath, handler: SourceHandler, kind: str, codec: str, clock_rate: int) -> None:
        self.muted = False
        self.layered = False
        self.shift: int | None = None
        self.lines = 0
        self.clock_rate = clock_rate
        self.duplicates = 0
        self.recovered = 0
        self.keyframes = 0
        self.level = 127.0
        self.payload_type = -1
        self.rtx_type = -1
        self.other_type = -1
        self._block_type: int | None = None
        self.history = History(VIDEO_HISTORY if kind == "video" else AUDIO_HISTORY)
        self.sound = kind == "audio"
        self.handler: SourceHandler | None = handler
        self._path = path
        self._stats = ReceiveStats(clock_rate)
        self._unwrapper = Unwrapper()
        self._nack = NackGenerator() if kind == "video" else NackGenerator(AUDIO_NACK_AGE_S)
        self._codec = codec
        self._is_keyframe = DETECTORS.get(codec)
        self.place = pictures.PLACES.get(codec)
        self._behind = 0
        self.layers: Layers | None = None
        """What descriptors tell; None before the first."""
        self._sinks: list[PythonSink] = []
        self._entering: list[PythonSink] = []
        self._taps: list[Tap] = []

    # Figures

    @property
    def targets(self) -> list[Target]:
        return self.layers.targets if self.layers is not None else []

    @property
    def started(self) -> bool:
        return self._stats.base >= 0

    @property
    def received(self) -> int:
        return self._stats.received

    @property
    def octets(self) -> int:
        return self._stats.bytes

    @property
    def lost(self) -> int:
        return self._stats.lost

    @property
    def fraction(self) -> float:
        return self._stats.fraction

    @property
    def jitter_ms(self) -> float:
        return self._stats.jitter_ms

    @property
    def waiting(self) -> bool:
        return self._nack.waiting

    def due(self, now: float, round_trip: float) -> list[int]:
        return self._nack.due(now, round_trip)

    def report(self) -> tuple[int, int, int, int]:
        return self._stats.report()

    # Control

    def set_types(self, payload_type: int, rtx_type: int | None) -> None:
        self.payload_type = payload_type
        self.rtx_type = -1 if rtx_type is None else rtx_type

    def convert(self, other_type: int | None, block_type: int | None) -> None:
        self.other_type = -1 if other_type is None else other_type
        self._block_type = block_type

    def converted(self, payload: bytes) -> bytes | None:
        """A payload of the second type as one of the first; None for one that is broken."""
        return red.primary(payload) if self._block_type is None else red.wrap(self._block_type, payload)

    def restart(self) -> None:
        self._unwrapper = Unwrapper()
        self._nack.reset()
        self.history.clear()
        self._stats = ReceiveStats(self.clock_rate)
        self._behind = 0
        self.layers = None
        self.resync()

    def resync(self) -> None:
        for sink in self._sinks:
            sink.resync()

    def sink(self, link: Link, ssrc: int, first_sequence: int) -> PythonSink:
        made = PythonSink(self, link, ssrc, first_sequence)  # type: ignore[arg-type]  # a path's links are its own
        self._sinks.append(made)
        return made

    def forget(self, sink: PythonSink) -> None:
        """Called by a sink that closes, or goes elsewhere."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    def expect(self, sink: PythonSink, coming: bool) -> None:
        """A sink comes over at the next key frame, or does not any more."""
        if coming:
            self._entering.append(sink)
        elif sink in self._entering:
            self._entering.remove(sink)

    def _enter(self, kept: Kept, now: float) -> None:
        place = self.place(kept.payload) if self.place is not None else None
        for sink in self._entering:
            sink.enter(self, kept, place, now)
            self._sinks.append(sink)
        self._entering.clear()

    def add_tap(self, tap: Tap) -> None:
        self._taps.append(tap)

    def remove_tap(self, tap: Tap) -> None:
        if tap in self._taps:
            self._taps.remove(tap)

    def close(self) -> None:
        for sink in list(self._sinks):
            sink.close()
        for sink in list(self._entering):
            sink.stay()
        self._taps.clear()
        self.history.clear()
        self.handler = None

    # The path of a packet

    def receive(
        self,
        number: int,
        timestamp: int,
        marker: int,
        padding: int,
        payload: bytes,
        level: int,
        now: float,
        descriptor: bytes = b"",
    ) -> None:
        """One packet, from the source itself or mended. ``level`` is the audio level byte, -1 without."""
        unwrapper = self._unwrapper
        sequence = unwrapper.peek(number)
        if sequence < unwrapper.highest - FAR_BEHIND:
            self._behind += 1
            if self._behind < RESTART_AFTER:
                return
            self.restart()
            if self.handler is not None:
                self._path.later(self.handler.restarted)
            unwrapper = self._unwrapper
            sequence = unwrapper.peek(number)
        self._behind = 0
        # A named tuple's own constructor is a Python function: on this path its price shows.
        described = None
        if descriptor:
            described = self._described(descriptor)
            if described is None:
                descriptor = b""
        kept = new_tuple(Kept, (sequence, timestamp, marker, padding, payload, now, descriptor))
        if not self.history.add(kept):
            self.duplicates += 1
            return
        if sequence > unwrapper.highest:
            unwrapper.highest = sequence
        self._stats.packet(sequence, timestamp, len(payload), now)
        nack = self._nack
        if sequence == nack.expected:  # in order, as nearly always
            nack.expected = sequence + 1
        else:
            self._out_of_order(sequence, now)
        key = False
        if level >= 0:
            self.level += ((level & 0x7F) - self.level) * 0.1
        elif self._is_keyframe is not None and self._is_keyframe(payload):
            key = True
            self.keyframes += 1
            self.lines = pictures.lines(self._codec, payload) or self.lines
            if self._entering and sequence == unwrapper.highest and not self.muted:
                self._enter(kept, now)
        if described is not None and self.layers is not None:
            self.layers.count(described, len(payload))
        if self._taps:
            self._tapped(kept)
        if self.muted:
            return
        place = self.place(payload) if self.layered and self.place is not None else None
        for sink in self._sinks:
            sink.forward(kept, level, now, place, key, described)

    def _described(self, descriptor: bytes) -> Described | None:
        if self.sound:
            return None
        if self.layers is None:
            self.layers = Layers()
        return self.layers.read(descriptor)

    def _out_of_order(self, sequence: int, now: float) -> None:
        nack, handler = self._nack, self.handler
        waited = nack.waiting
        gap = nack.received(sequence, now)
        if handler is None:
            return
        if gap:
            self._path.later(handler.gap)
        elif nack.waiting and not waited:
            self._path.later(handler.attention)

    def _tapped(self, kept: Kept) -> None:
        payload = kept.payload
        if kept.padding:
            size = payload[-1] if payload else 0
            if not 0 < size <= len(payload):
                return
            payload = payload[:-size]
        for tap in self._taps:
            self._path.later(
                lambda tap=tap: tap(kept.sequence, kept.timestamp, bool(kept.marker), payload, kept.kept_at)  # type: ignore[misc]
            )
