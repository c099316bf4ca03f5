"""Packets of one source put in order and made frames again; what stays missing becomes a gap."""

from __future__ import annotations

from typing import NamedTuple

from media.rtp.depacketize import DEPACKETIZERS, Frame

MAX_WAIT_S = 1.5  # retransmission gives up before
MAX_HELD = 1024  # packets that wait for a missing one
MAX_FRAME_PACKETS = 512
RESTART_BEHIND = 10_000  # packets: the numbering began anew


class TimedFrame(NamedTuple):
    timestamp: int
    frame: Frame
    arrival: float  # of its last packet
    after_gap: bool  # frames before it are missing


class _Held(NamedTuple):
    timestamp: int
    marker: bool
    payload: bytes
    arrival: float


class FrameAssembler:
    """Takes unwrapped sequence numbers in any order; gives whole frames in order."""

    def __init__(self, codec: str) -> None:
        self._depacketize = DEPACKETIZERS[codec]
        self._single = codec == "opus"  # every packet is a frame
        self._held: dict[int, _Held] = {}
        self._next = -1
        self.blind = not self._single
        """Whether nothing but a key frame is of use."""
        self._gap = False
        self.lost = 0
        """Packets that never came."""
        self.broken = 0
        """Frames that could not be put together, or had nothing to refer to."""

    def pause(self) -> None:
        """What comes next is not the neighbour of what was (the source was muted)."""
        self._held.clear()
        self._next = -1
        self.blind = not self._single

    def packet(self, sequence: int, timestamp: int, marker: bool, payload: bytes, arrival: float) -> list[TimedFrame]:
        """One packet; the frames that are whole now."""
        if self._next < 0 or sequence < self._next - RESTART_BEHIND:
            self._held.clear()
            self._next = sequence
            self.blind = not self._single
        if sequence < self._next:
            return []
        self._held[sequence] = _Held(timestamp, marker, payload, arrival)
        return self.frames(arrival)

    def frames(self, now: float) -> list[TimedFrame]:
        """Whole frames; a missing packet is waited for, then left behind."""
        ready: list[TimedFrame] = []
        while self._held:
            last = self._whole()
            if last is None:
                if not self._given_up(now):
                    break
                self._skip()
            else:
                self._take(last, ready)
        return ready

    def _whole(self) -> int | None:
        """The last number of the frame that begins at ``_next``, if it is there to its end."""
        first = self._held.get(self._next)
        if first is None:
            return None
        if self._single or not first.payload:
            return self._next
        at = self._next
        while at - self._next < MAX_FRAME_PACKETS:
            present = self._held.get(at)
            if present is None:
                return None
            if present.timestamp != first.timestamp:
                return at - 1  # the marker was left out
            if present.marker:
                return at
            at += 1
        return at

    def _given_up(self, now: float) -> bool:
        """Whether what is missing at the front will not come any more."""
        oldest = min(self._held)
        return len(self._held) > MAX_HELD or now - self._held[oldest].arrival > MAX_WAIT_S

    def _skip(self) -> None:
        """Leave what is broken behind: go on with what is there after the hole.

        If that is the middle of a frame its depacketiser says so, and a picture begins only at a key frame.
        """
        if self._next in self._held:
            while self._held.pop(self._next, None) is not None:
                self._next += 1
            self.broken += 1
        self._gap = True
        self.blind = not self._single
        if self._held:
            start = min(self._held)
            self.lost += start - self._next
            self._next = start

    def _take(self, last: int, ready: list[TimedFrame]) -> None:
        packets = [self._held.pop(number) for number in range(self._next, last + 1)]
        self._next = last + 1
        payloads = [packet.payload for packet in packets if packet.payload]
        if not payloads:
            return  # padding alone: a probe
        frame = self._depacketize(payloads)
        if frame is None or (self.blind and not frame.keyframe):
            self.broken += 1
            self._gap = True
            self.blind = not self._single
            return
        self.blind = False
        ready.append(TimedFrame(packets[0].timestamp, frame, packets[-1].arrival, self._gap))
        self._gap = False
