"""A track going out, in Python: numbers of its own, extensions written, retransmission on request."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from media.path.api import (
    CHANGES_LEVEL,
    CHANGES_NOTHING,
    CHANGES_SEND_TIME,
    INTERVAL_S,
    KEEP_S,
    MAX_MAPPINGS,
    RESEND_INTERVAL_S,
    RESENDS_PER_INTERVAL,
    RESENT_KEPT,
)
from media.rtp import rtx
from media.rtp.history import Kept
from media.rtp.packet import HEADER, abs_send_time
from media.rtp.sequence import Unwrapper

if TYPE_CHECKING:
    from media.path.python_path import PythonLink
    from media.path.python_source import PythonSource


class PythonSink:
    """See ``api.Sink``. ``forward`` runs once a packet."""

    def __init__(self, source: PythonSource, link: PythonLink, ssrc: int, first_sequence: int) -> None:
        self.active = False
        self.paused = False
        self.packets = 0
        self.octets = 0
        self.resent = 0
        self.resend_misses = 0
        self._source: PythonSource | None = source
        self._link = link
        self._ssrc = ssrc
        self._rtx_ssrc = 0
        self._payload_type = 0
        self._rtx_type: int | None = None
        self._prefix = b""
        self._changes = CHANGES_NOTHING
        self._next = first_sequence + 65536  # numbers of ours are endless too
        self._rtx_sequence = first_sequence
        self._mappings: deque[tuple[int, int]] = deque(maxlen=MAX_MAPPINGS)  # (from this incoming number, offset)
        self._offset = 0
        self._floor = 0
        self._resync = True
        self._unwrapper = Unwrapper()
        self._ciphertexts: list[tuple[int, bytes] | None] = []
        self._resent_at: list[tuple[int, float]] = [(-1, 0.0)] * RESENT_KEPT
        self._budget = 0
        self._interval_at = -INTERVAL_S

    def configure(
        self, payload_type: int, rtx_type: int | None, rtx_ssrc: int, prefix: bytes, changes: int, keep: int
    ) -> None:
        if keep & (keep - 1):
            raise ValueError("keep must be a power of two")
        self._payload_type = payload_type
        self._rtx_type = rtx_type
        self._rtx_ssrc = rtx_ssrc
        self._prefix = prefix
        self._changes = changes
        if len(self._ciphertexts) != keep:
            self._ciphertexts = [None] * keep
        self.active = True

    def resync(self) -> None:
        self._resync = True

    def close(self) -> None:
        source, self._source = self._source, None
        self.active = False
        if source is not None:
            source.forget(self)
        self._ciphertexts.clear()

    def forward(self, kept: Kept, level: int, now: float) -> None:
        """Write and send one packet."""
        if not self.active or self.paused:
            return
        sequence = kept.sequence
        if self._resync:
            if not self._link.ready:
                return
            self._resync = False
            self._offset = self._next - sequence
            self._floor = sequence
            self._mappings.append((sequence, self._offset))
        if sequence < self._floor:
            return  # from before the source was switched on: the receiver does not miss it
        number = sequence + self._offset
        link = self._link
        size = link.send_rtp(self._write(kept, self._payload_type, number, self._ssrc, level, now, kept.payload))
        if size < 0:
            return
        if number >= self._next:
            self._next = number + 1
        else:
            # Late: the receiver asked for it while it was under way. Those requests are answered by this.
            self._resent_at[number % RESENT_KEPT] = (number, now)
        self.packets += 1
        self.octets += len(kept.payload)
        if self._ciphertexts:
            self._ciphertexts[number & len(self._ciphertexts) - 1] = (number, link.copy_sent(size))

    def _write(
        self, kept: Kept, payload_type: int, number: int, ssrc: int, level: int, now: float, payload: bytes
    ) -> bytes:
        prefix = self._prefix
        header = HEADER.pack(
            (0x90 if prefix else 0x80) | kept.padding,
            kept.marker | payload_type,
            number & 0xFFFF,
            kept.timestamp,
            ssrc,
        )
        if self._changes == CHANGES_SEND_TIME:
            return header + prefix + abs_send_time(now).to_bytes(3, "big") + payload
        if self._changes == CHANGES_LEVEL:
            return header + prefix + bytes((level if level >= 0 else 127,)) + payload
        return header + prefix + payload

    def resend(self, numbers: list[int], now: float, guard: float) -> None:
        if not self.active or self._source is None:
            return
        guard = max(guard, RESEND_INTERVAL_S)
        if now - self._interval_at >= INTERVAL_S:
            self._interval_at = now
            self._budget = RESENDS_PER_INTERVAL
        self._unwrapper.highest = self._next - 1
        for wire in numbers:
            if self._budget <= 0:
                return
            number = self._unwrapper.peek(wire)
            place = number % RESENT_KEPT
            last, at = self._resent_at[place]
            if last == number and now - at < guard:
                continue
            if not self._resend_one(number, now):
                self.resend_misses += 1  # lost upstream too: mended there, it is forwarded late
                continue
            self._budget -= 1
            self.resent += 1
            self._resent_at[place] = (number, now)

    def _resend_one(self, number: int, now: float) -> bool:
        if self._ciphertexts:
            found = self._ciphertexts[number & len(self._ciphertexts) - 1]
            if found is None or found[0] != number:
                return False
            return self._link.send_again(found[1])
        source = self._source
        if source is None or self._rtx_type is None:
            return False
        for first, offset in reversed(self._mappings):
            if number - offset >= first:
                kept = source.history.get(number - offset)
                break
        else:
            return False
        if kept is None or now - kept.kept_at > KEEP_S:
            return False
        self._rtx_sequence += 1
        payload = rtx.wrap(number, kept.payload)
        written = self._write(kept, self._rtx_type, self._rtx_sequence, self._rtx_ssrc, -1, now, payload)
        return self._link.send_rtp(written) >= 0
