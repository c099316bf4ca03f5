"""Tracks of the native path: figures are read from the C structs when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.path.api import Extensions, Link, Source, SourceHandler, Tap, Target
from media.path.limits import AUDIO_HISTORY, AUDIO_NACK_AGE_S, CAMERA, VIDEO_HISTORY
from media.path.native_library import NativeObject
from media.rtp.dependency import MAX_TARGETS
from media.rtp.nack import MAX_AGE_S, MAX_MISSING

if TYPE_CHECKING:
    from media.path.native import NativePath
    from media.path.native_link import NativeLink

CODECS = {"vp8": 1, "h264": 2, "vp9": 3, "av1": 4}


class NativeSink(NativeObject):
    """See ``api.Sink``."""

    def __init__(self, source: NativeSource, link: NativeObject, ssrc: int, first_sequence: int) -> None:
        super().__init__(source.ffi, source.lib, source.lib.bs_sink_new(source.c, link.c, ssrc, first_sequence))
        self._figures = self.lib.bs_sink_read(self.c)
        self._source: NativeSource | None = source

    @property
    def active(self) -> bool:
        return bool(self._figures.active)

    @active.setter
    def active(self, value: bool) -> None:
        self._figures.active = value

    @property
    def paused(self) -> bool:
        return bool(self._figures.paused)

    @paused.setter
    def paused(self, value: bool) -> None:
        self._figures.paused = value

    @property
    def packets(self) -> int:
        return int(self._figures.packets)

    @property
    def octets(self) -> int:
        return int(self._figures.octets)

    @property
    def resent(self) -> int:
        return int(self._figures.resent)

    @property
    def resend_misses(self) -> int:
        return int(self._figures.resend_misses)

    @property
    def choked(self) -> int:
        return int(self._figures.choked)

    @property
    def shift(self) -> int:
        return int(self._figures.shift)

    @property
    def source(self) -> NativeSource | None:
        return self._found(self._figures.source)

    @property
    def target(self) -> NativeSource | None:
        return self._found(self._figures.target)

    def _found(self, identifier: int) -> NativeSource | None:
        path = self._source.path if self._source is not None else None
        return path.sources.get(identifier) if path is not None and identifier else None

    def switch(self, source: Source) -> None:
        if self.c is not None and isinstance(source, NativeSource) and source.c is not None:
            self.lib.bs_sink_switch(self.c, source.c)

    def configure(
        self,
        payload_type: int,
        rtx_type: int | None,
        rtx_ssrc: int,
        extensions: Extensions,
        keep: int,
        priority: int = CAMERA,
    ) -> None:
        if self.c is None:
            return
        block, *places = extensions
        rtx = -1 if rtx_type is None else rtx_type
        changes = self.ffi.new("bs_changes *", places)
        if self.lib.bs_sink_configure(self.c, payload_type, rtx, rtx_ssrc, block, len(block), changes, keep, priority):
            raise ValueError("keep must be a power of two, the block short, and what changes in it")

    def pad(self, size: int, now: float) -> int:
        return int(self.lib.bs_sink_pad(self.c, size, now)) if self.c is not None else 0

    def resync(self) -> None:
        if self.c is not None:
            self.lib.bs_sink_resync(self.c)

    def wait_for_key(self, now: float) -> None:
        if self.c is not None:
            self.lib.bs_sink_wait(self.c, now)

    def aim(self, spatial: int, temporal: int) -> None:
        if self.c is not None:
            self.lib.bs_sink_aim(self.c, spatial, temporal)

    @property
    def aiming(self) -> bool:
        return self.c is not None and bool(self.lib.bs_sink_aiming(self.c))

    def resend(self, numbers: list[int], now: float, guard: float) -> None:
        if self.c is not None:
            self.lib.bs_sink_resend(self.c, self.ffi.new("uint16_t[]", numbers), len(numbers), now, guard)

    def close(self) -> None:
        c, self.c = self.c, None
        source, self._source = self._source, None
        if c is None:
            return
        self._figures = self.ffi.new("bs_sink_figures *", self._figures[0])  # the last ones
        self._figures.active = self._figures.source = self._figures.target = 0
        self.lib.bs_sink_free(c)
        if source is not None and self in source._sinks:
            source._sinks.remove(self)


class NativeSource(NativeObject):
    """See ``api.Source``."""

    def __init__(self, link: NativeLink, handler: SourceHandler, kind: str, codec: str, clock_rate: int) -> None:
        self.path: NativePath | None = link.path
        self._id = link.path.next_id()
        video = kind == "video"
        kept = VIDEO_HISTORY if video else AUDIO_HISTORY
        age = MAX_AGE_S if video else AUDIO_NACK_AGE_S
        c = link.lib.bs_source_new(link.c, self._id, kept, age, CODECS.get(codec, 0), clock_rate)
        super().__init__(link.ffi, link.lib, c)
        self._figures = self.lib.bs_source_read(self.c)
        self._clock_rate = clock_rate
        self._sinks: list[NativeSink] = []
        self.taps: list[Tap] = []
        self.handler: SourceHandler | None = handler
        link.path.sources[self._id] = self

    @property
    def muted(self) -> bool:
        return bool(self._figures.muted)

    @muted.setter
    def muted(self, value: bool) -> None:
        self._figures.muted = value

    @property
    def layered(self) -> bool:
        return bool(self._figures.layered)

    @layered.setter
    def layered(self, value: bool) -> None:
        self._figures.layered = value

    @property
    def shift(self) -> int | None:
        return int(self._figures.shift) if self._figures.shift >= 0 else None

    @shift.setter
    def shift(self, value: int | None) -> None:
        self._figures.shift = -1 if value is None else value & 0xFFFFFFFF

    @property
    def lines(self) -> int:
        return int(self._figures.lines)

    @property
    def started(self) -> bool:
        return bool(self._figures.base >= 0)

    @property
    def received(self) -> int:
        return int(self._figures.received)

    @property
    def octets(self) -> int:
        return int(self._figures.octets)

    @property
    def lost(self) -> int:
        figures = self._figures
        return max(0, int(figures.highest - figures.base + 1 - figures.received)) if figures.base >= 0 else 0

    @property
    def fraction(self) -> float:
        return float(self._figures.fraction)

    @property
    def jitter_ms(self) -> float:
        return float(self._figures.jitter) * 1000 / self._clock_rate

    @property
    def duplicates(self) -> int:
        return int(self._figures.duplicates)

    @property
    def recovered(self) -> int:
        return int(self._figures.recovered)

    @property
    def keyframes(self) -> int:
        return int(self._figures.keyframes)

    @property
    def level(self) -> float:
        return float(self._figures.level)

    @property
    def waiting(self) -> bool:
        return bool(self._figures.missing)

    def due(self, now: float, round_trip: float) -> list[int]:
        if self.c is None:
            return []
        numbers = self.ffi.new("int64_t[]", MAX_MISSING)
        count = self.lib.bs_source_due(self.c, now, round_trip, numbers, MAX_MISSING)
        return [int(numbers[index]) for index in range(count)]

    def report(self) -> tuple[int, int, int, int]:
        if self.c is None:
            return 0, 0, 0, 0
        report = self.ffi.new("bs_report *")
        self.lib.bs_source_report(self.c, report)
        return int(report.fraction), int(report.lost), int(report.highest), int(report.jitter)

    @property
    def targets(self) -> list[Target]:
        if self.c is None:
            return []
        found = self.ffi.new("bs_target[]", MAX_TARGETS)
        count = self.lib.bs_source_targets(self.c, found)
        return sorted(
            Target(int(one.spatial), int(one.temporal), int(one.lines), int(one.octets)) for one in found[0:count]
        )

    def set_types(self, payload_type: int, rtx_type: int | None) -> None:
        if self.c is not None:
            self.lib.bs_source_types(self.c, payload_type, -1 if rtx_type is None else rtx_type)

    def convert(self, other_type: int | None, block_type: int | None) -> None:
        if self.c is not None:
            other = -1 if other_type is None else other_type
            self.lib.bs_source_convert(self.c, other, -1 if block_type is None else block_type)

    def restart(self) -> None:
        if self.c is not None:
            self.lib.bs_source_restart(self.c)

    def resync(self) -> None:
        if self.c is not None:
            self.lib.bs_source_resync(self.c)

    def sink(self, link: Link, ssrc: int, first_sequence: int) -> NativeSink:
        if not isinstance(link, NativeObject):
            raise TypeError("a link of another path")
        made = NativeSink(self, link, ssrc, first_sequence)
        self._sinks.append(made)
        return made

    def add_tap(self, tap: Tap) -> None:
        self.taps.append(tap)
        self._figures.tapped = 1

    def remove_tap(self, tap: Tap) -> None:
        if tap in self.taps:
            self.taps.remove(tap)
        self._figures.tapped = bool(self.taps)

    def close(self) -> None:
        c, self.c = self.c, None
        if c is None:
            return
        for sink in list(self._sinks):
            sink.close()
        self.taps.clear()
        self.handler = None
        path, self.path = self.path, None
        if path is not None:
            path.sources.pop(self._id, None)
        self._figures = self.ffi.new("bs_source_figures *", self._figures[0])
        self._figures.missing = 0
        self.lib.bs_source_free(c)
