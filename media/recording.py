"""A recording: packets of several tracks become files (WebM or MP4) with the frames as they were encoded.

No socket, no clock, no process here: packets, reports and the time go in, chunks of files come out.
``media.recorder`` runs it in a process of its own.
"""

from __future__ import annotations

import io
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer

from media.rtp.frames import MAX_WAIT_S, FrameAssembler, TimedFrame
from media.rtp.timeline import PersonClock, Timeline

HOLD_S = MAX_WAIT_S + 0.3  # frames wait for those of other tracks that may still be mended
START_WAIT_S = 5.0  # for tracks that have shown nothing yet, and for their first report
MAX_HELD_BYTES = 48 * 1024 * 1024  # of all tracks; the oldest frames go first
TIME_BASE = Fraction(1, 90_000)
FOURCC = {"vp8": b"VP80", "vp9": b"VP90", "av1": b"AV01"}
OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "max_interleave_delta": "1000000"}
# Fragments of a second at most, so that an interrupted recording loses no more.
MP4_OPTIONS = {"frag_duration": "1000000"}

Write = Callable[[int, bytes], None]
"""Gets (part, chunk): parts count from 0, each is a whole file; chunks come in order."""
Ask = Callable[[str], None]
"""Gets the id of a track that needs a key frame."""
ASK_EVERY_S = 1.0


@dataclass(frozen=True)
class Track:
    """What is recorded of a producer. Tracks of one person are kept in step."""

    id: str
    person: str
    kind: str  # audio or video
    codec: str
    clock_rate: int


@dataclass
class _Lane:
    """A track on its way into the file."""

    track: Track
    assembler: FrameAssembler
    timeline: Timeline
    waiting: deque[TimedFrame] = field(default_factory=deque)
    since: float | None = None  # its first packet
    stream: Any = None
    ended: bool = False
    needs_key: bool = True
    key: bytes = b""  # its latest key frame: describes it to a container
    asked_at: float = -ASK_EVERY_S
    last: int = -1  # time of its last frame in the file, in ticks


class _Sink:
    """A file that can only be appended to: all that a writer that encrypts can offer."""

    def __init__(self, part: int, write: Write) -> None:
        self._part = part
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(self._part, bytes(data))
        return len(data)


def container_of(codecs: set[str]) -> str:
    """WebM where it holds them all, MP4 for H.264, Matroska for what no browser's container holds together."""
    if "h264" not in codecs:
        return "webm"
    return "matroska" if "vp8" in codecs else "mp4"


class Recording:
    """One at a time, in parts: a track that joins later, or changes its codec, begins the next part."""

    def __init__(self, write: Write, ask: Ask) -> None:
        self._write = write
        self._ask = ask
        self._lanes: dict[str, _Lane] = {}
        self._persons: dict[str, PersonClock] = {}
        self._output: OutputContainer | None = None
        self._since: float | None = None
        self._zero = 0.0
        self._held = 0
        self.part = 0
        self.begins: list[float] = []
        """When each part begins, in our seconds: parts and other recordings align by it."""
        self.formats: list[str] = []
        self.frames: dict[str, int] = {}
        self.dropped = 0
        self.failed = False

    def add(self, track: Track) -> None:
        """Record this track too, from its next key frame."""
        present = self._lanes.get(track.id)
        if present is not None and present.track == track:
            return
        self._end_part()
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane.waiting or not lane.ended}
        person = self._persons.setdefault(track.person, PersonClock())
        lane = _Lane(track, FrameAssembler(track.codec), Timeline(track.clock_rate, person))
        self._lanes[track.id] = lane
        self.frames.setdefault(track.id, 0)

    def remove(self, identifier: str) -> None:
        """It ended; what it left goes into the file still."""
        lane = self._lanes.get(identifier)
        if lane is not None:
            for frame in lane.assembler.frames(float("inf")):
                self._hold(lane, frame)
            lane.ended = True

    def packet(
        self, identifier: str, sequence: int, timestamp: int, marker: bool, payload: bytes, arrival: float
    ) -> None:
        """A packet as a producer's tap hands it out."""
        lane = self._lanes.get(identifier)
        if lane is None:
            return
        if lane.since is None:
            lane.since = arrival
        if self._since is None:
            self._since = arrival
        for frame in lane.assembler.packet(sequence, timestamp, marker, payload, arrival):
            self._hold(lane, frame)

    def report(self, identifier: str, ntp: int, timestamp: int, arrival: float) -> None:
        """A sender report of the track."""
        lane = self._lanes.get(identifier)
        if lane is not None:
            lane.timeline.report(ntp, timestamp, arrival)

    def pause(self, identifier: str) -> None:
        """It was muted: what comes next is not its continuation. The pause stays as long as it was."""
        lane = self._lanes.get(identifier)
        if lane is not None:
            for frame in lane.assembler.frames(float("inf")):
                self._hold(lane, frame)
            lane.assembler.pause()

    def advance(self, now: float) -> None:
        """A few times a second: write what is complete."""
        for lane in self._lanes.values():
            for frame in lane.assembler.frames(now):
                self._hold(lane, frame)
            waiting = lane.track.kind == "video" and lane.since is not None and not lane.waiting
            if waiting and (lane.assembler.blind or lane.needs_key) and now - lane.asked_at >= ASK_EVERY_S:
                lane.asked_at = now
                self._ask(lane.track.id)
        if self._output is None and not self._ready(now):
            return
        self._flush(now - HOLD_S)

    def close(self) -> None:
        """Write what is there and end the file."""
        for lane in self._lanes.values():
            for frame in lane.assembler.frames(float("inf")):
                self._hold(lane, frame)
        self._flush(float("inf"))
        self._end_part()
        self._lanes.clear()

    # The way into the file

    def _hold(self, lane: _Lane, frame: TimedFrame) -> None:
        lane.waiting.append(frame)
        if lane.track.kind == "video" and frame.frame.keyframe:
            lane.key = frame.frame.data
        self._held += len(frame.frame.data)
        while self._held > MAX_HELD_BYTES:
            fullest = max(self._lanes.values(), key=lambda each: sum(len(f.frame.data) for f in each.waiting))
            self._held -= len(fullest.waiting.popleft().frame.data)
            fullest.needs_key = fullest.track.kind == "video"
            self.dropped += 1

    def _ready(self, now: float) -> bool:
        """Whether every track has shown what it is and when it is, or has been waited for long enough."""
        if self._since is None:
            return False
        if now - self._since > START_WAIT_S:
            return any(lane.waiting for lane in self._lanes.values())
        going_on = [lane for lane in self._lanes.values() if not lane.ended]
        return all(lane.waiting and lane.timeline.reported for lane in going_on)

    def _flush(self, until: float) -> None:
        while True:
            due: list[tuple[float, _Lane]] = []
            for lane in self._lanes.values():
                if lane.waiting and lane.waiting[0].arrival <= until:
                    head = lane.waiting[0]
                    due.append((lane.timeline.time(head.timestamp, head.arrival), lane))
            if not due:
                return
            at, lane = min(due, key=lambda each: each[0])
            if self._output is not None and lane.stream is None and lane.key:
                self._finish()  # it was not there when the part began
            if self._output is None and not self._begin(at):
                return
            frame = lane.waiting.popleft()
            self._held -= len(frame.frame.data)
            self._mux(lane, frame, at)

    def _begin(self, at: float) -> bool:
        """Open the next part, with the tracks that have shown what they are."""
        codecs = {lane.track.codec for lane in self._lanes.values()}
        container = container_of(codecs)
        options = OPTIONS | (MP4_OPTIONS if container == "mp4" else {})
        sink: Any = _Sink(self.part, self._write)
        try:
            output = av.open(sink, "w", format=container, options=options)
            for lane in self._lanes.values():
                lane.stream = _stream(output, lane)
                lane.needs_key = lane.track.kind == "video"
                lane.last = -1
        except (av.error.FFmpegError, ValueError):
            self.failed = True
            return False
        self._output = output
        self._zero = at
        self.begins.append(at)
        self.formats.append(container)
        return True

    def _mux(self, lane: _Lane, frame: TimedFrame, at: float) -> None:
        if lane.stream is None or self._output is None or (lane.needs_key and not frame.frame.keyframe):
            self.dropped += 1
            return
        lane.needs_key = False
        ticks = max(lane.last + 1, round((at - self._zero) / TIME_BASE))
        if ticks < 0:
            self.dropped += 1
            return
        lane.last = ticks
        packet = av.Packet(frame.frame.data)
        packet.stream = lane.stream
        packet.time_base = TIME_BASE
        packet.pts = packet.dts = ticks
        packet.is_keyframe = frame.frame.keyframe
        try:
            self._output.mux(packet)
        except (av.error.FFmpegError, ValueError):
            self.failed = True
            return
        self.frames[lane.track.id] += 1

    def _end_part(self) -> None:
        if self._output is None:
            return
        self._flush(float("inf"))
        self._finish()

    def _finish(self) -> None:
        output, self._output = self._output, None
        if output is None:
            return
        try:
            output.close()
        except (av.error.FFmpegError, ValueError):
            self.failed = True
        self.part += 1
        for lane in self._lanes.values():
            lane.stream = None
            lane.needs_key = lane.track.kind == "video"


def _stream(output: OutputContainer, lane: _Lane) -> Any:
    """A stream of the file; None for pictures that have shown no key frame to describe them by."""
    if lane.track.kind == "audio":
        return output.add_stream("libopus", rate=48_000)
    key = lane.key
    if not key:
        return None
    codec = lane.track.codec
    described = io.BytesIO(key if codec == "h264" else _ivf(FOURCC[codec], key))
    with av.open(described, format="h264" if codec == "h264" else "ivf") as source:
        # Sizes and parameter sets are read from the frame; no encoder is opened.
        return output.add_stream_from_template(source.streams.video[0], opaque=True)


def _ivf(fourcc: bytes, frame: bytes) -> bytes:
    head = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, fourcc, 0, 0, 30, 1, 1, 0)
    return head + struct.pack("<IQ", len(frame), 0) + frame
