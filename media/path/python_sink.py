"""A track going out, in Python: numbers of its own, extensions written, retransmission on request."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from media.path.api import NO_EXTENSIONS, Extensions
from media.path.limits import (
    AGAIN,
    CAMERA,
    CHOKED_S,
    INTERVAL_S,
    KEEP_S,
    MAX_MAPPINGS,
    MAX_PADDING,
    MAX_RTP,
    PADS_AT_ONCE,
    RESEND_INTERVAL_S,
    RESENDS_PER_INTERVAL,
    RESENT_KEPT,
    WORTH_A_COPY,
)
from media.path.python_layers import RING, Described, Selection
from media.path.python_pacer import Composed
from media.rtp import rtx
from media.rtp.history import Kept
from media.rtp.packet import HEADER, HEADER_LENGTH, PADDING_BIT, closed_block
from media.rtp.picture import Place, rewrite
from media.rtp.sequence import Unwrapper

if TYPE_CHECKING:
    from media.path.api import Source
    from media.path.python_link import PythonLink
    from media.path.python_source import PythonSource


FILLER = b"\x01"  # a packet of padding alone


class Numbering(NamedTuple):
    """How packets of a source were numbered from some packet on."""

    source: PythonSource
    first: int  # its number of that packet
    offset: int  # added to sequence numbers
    shift: int  # to timestamps
    picture: int  # to picture ids
    base: int  # to TL0PICIDX


class PythonSink:
    """See ``api.Sink``. ``forward`` runs once a packet."""

    def __init__(self, source: PythonSource, link: PythonLink, ssrc: int, first_sequence: int) -> None:
        self.active = False
        self.paused = False
        self.packets = 0
        self.octets = 0
        self.resent = 0
        self.resend_misses = 0
        self.choked = 0
        self.source: PythonSource | None = source
        self.target: PythonSource | None = None
        self.shift = 0
        self._base: int | None = None  # what turns the clock that siblings share into ours
        self._picture = self._tl0 = 0
        self._last: tuple[int, float, Place | None] | None = None  # (timestamp, time, place) of the newest, as sent
        self._link = link
        self._ssrc = ssrc
        self._rtx_ssrc = 0
        self._payload_type = 0
        self._rtx_type: int | None = None
        self._extensions = NO_EXTENSIONS
        self._priority = CAMERA
        self._next = first_sequence + 65536  # numbers of ours are endless too
        self._left = self._next  # after the highest number that went out
        self._choked_until = 0.0  # 0: not; else a key frame is awaited
        self._rtx_sequence = first_sequence
        self._mappings: deque[Numbering] = deque(maxlen=MAX_MAPPINGS)
        self._offset = 0
        self._floor = 0
        self._resync = True
        self._unwrapper = Unwrapper()
        self._selection: Selection | None = None  # made with the first packet that is described
        self._aim: tuple[int, int] | None = None
        self._ciphertexts: list[tuple[int, int, bytes] | None] = []  # (number, transport-wide number, datagram)
        self._resent_at: list[tuple[int, float]] = [(-1, 0.0)] * RESENT_KEPT
        self._budget = 0
        self._interval_at = -INTERVAL_S

    def configure(
        self,
        payload_type: int,
        rtx_type: int | None,
        rtx_ssrc: int,
        extensions: Extensions,
        keep: int,
        priority: int = CAMERA,
    ) -> None:
        if keep & (keep - 1):
            raise ValueError("keep must be a power of two")
        self._payload_type = payload_type
        self._rtx_type = rtx_type
        self._rtx_ssrc = rtx_ssrc
        self._extensions = extensions
        self._priority = priority
        if len(self._ciphertexts) != keep:
            self._ciphertexts = [None] * keep
        self.active = True

    def resync(self) -> None:
        self._resync = True

    def aim(self, spatial: int, temporal: int) -> None:
        self._aim = spatial, temporal
        if self._selection is not None:
            self._selection.retarget(self._aim)

    @property
    def aiming(self) -> bool:
        selection = self._selection
        return selection is not None and selection.current != selection.wanted

    def switch(self, source: Source) -> None:
        self.stay()
        if self.source is None or source is self.source:
            return
        target: PythonSource = source  # type: ignore[assignment]  # a path's sources are its own
        target.expect(self, True)
        self.target = target

    def stay(self) -> None:
        """Go nowhere."""
        target, self.target = self.target, None
        if target is not None:
            target.expect(self, False)

    def close(self) -> None:
        self.stay()
        source, self.source = self.source, None
        self.active = False
        if source is not None:
            source.forget(self)
        self._link.forget(self)
        self._ciphertexts.clear()
        self._mappings.clear()

    def enter(self, source: PythonSource, kept: Kept, place: Place | None, now: float) -> None:
        """Called by a target whose key frame begins with ``kept``."""
        former, self.source, self.target = self.source, source, None
        if former is not None:
            former.forget(self)
            if self._base is None and former.shift is not None:
                self._base = self.shift - former.shift & 0xFFFFFFFF
        self._resync = True
        if self._last is None:
            self.shift = 0
            return
        timestamp, at, last = self._last
        self.shift = self._aligned(source, kept.timestamp, timestamp, int((now - at) * source.clock_rate))
        if place is not None and last is not None:
            self._picture = last.picture + 1 - place.picture & 0x7FFF
            self._tl0 = last.base + 1 - place.base & 0xFF

    def _aligned(self, source: PythonSource, timestamp: int, last: int, elapsed: int) -> int:
        """What to add to the source's timestamps from this one on: by its clock, or else by arrival."""
        if source.shift is not None and self._base is not None:
            shift = self._base + source.shift
            ahead = (timestamp + shift - last & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
            most = source.clock_rate // 2
            if 0 < ahead <= elapsed + most:
                return shift & 0xFFFFFFFF
            if -most < ahead <= 0:  # the other encoding was ahead of this one: the same picture, or the next
                return last + 1 - timestamp & 0xFFFFFFFF
        shift = last + max(1, elapsed) - timestamp & 0xFFFFFFFF
        if source.shift is not None:
            self._base = shift - source.shift & 0xFFFFFFFF
        return shift

    def forward(
        self, kept: Kept, level: int, now: float, place: Place | None, key: bool, described: Described | None = None
    ) -> None:
        """Write and send one packet; ``place`` where pictures are numbered and the source has siblings."""
        if not self.active or self.paused:
            return
        if self._choked_until:
            if not key and now < self._choked_until:
                return
            self._choked_until = 0.0
        sequence = kept.sequence
        if described is not None and self._selection is None:
            self._selection = Selection(self._next, self._aim)
            self._resync = True
        if self._resync:
            if not self._link.ready:
                return
            self._resync = False
            self._offset = self._next - sequence
            self._floor = sequence
            if self.source is not None:
                self._mappings.append(
                    Numbering(self.source, sequence, self._offset, self.shift, self._picture, self._tl0)
                )
            if self._selection is not None:
                self._selection.reset(sequence)
        if sequence < self._floor:
            return  # from before the source was switched on: the receiver does not miss it
        if self._selection is not None:
            number, kept = self._selected(self._selection, kept, described)
            if number < 0:
                return
            if kept.payload is FILLER:
                place = None
        else:
            number = sequence + self._offset
        link = self._link
        payload, timestamp = kept.payload, kept.timestamp
        if self.shift:
            timestamp = timestamp + self.shift & 0xFFFFFFFF
        if place is not None and (self._picture or self._tl0):
            payload = rewrite(payload, place, self._picture, self._tl0)
        composed = self._compose(kept, self._payload_type, number, self._ssrc, level, timestamp, payload)
        if composed is None or not link.send_paced(composed._replace(sink=self, own=number), self._priority, now):
            return
        if number >= self._next:
            self._next = number + 1
            if self.source is not None and self.source.layered:
                self._remember(timestamp, now, place)
        else:
            # Late: the receiver asked for it while it was under way. Those requests are answered by this.
            self._resent_at[number % RESENT_KEPT] = (number, now)
        self.packets += 1
        self.octets += len(kept.payload)

    def _selected(self, selection: Selection, kept: Kept, described: Described | None) -> tuple[int, Kept]:
        """Our number of a packet of layers, -1 where it is not sent; and the packet as it is sent."""
        layers = self.source.layers if self.source is not None else None
        admitted, marker, sequence = True, kept.marker, kept.sequence
        if described is not None and layers is not None:
            admitted = selection.admit(layers, described.number, described.frame)
            if admitted and selection.ends(layers, described.frame):
                marker = 0x80
        newest = sequence > selection.highest
        number = selection.number(sequence, self._offset, admitted)
        if newest and not admitted:
            self._offset -= 1
        if number < 0:
            return number, kept
        if admitted:
            kept = kept._replace(marker=marker)
        else:  # its number has been left for it, so something must have it
            kept = kept._replace(marker=0, padding=PADDING_BIT, payload=FILLER, descriptor=b"")
        selection.sent[number & RING] = number, self._mappings[-1], sequence if admitted else -1, kept.marker
        return number, kept

    def _remember(self, timestamp: int, now: float, place: Place | None) -> None:
        if place is not None:
            place = place._replace(picture=place.picture + self._picture, base=place.base + self._tl0)
        elif self._last is not None:
            place = self._last[2]
        self._last = timestamp, now, place

    def wait_for_key(self, now: float) -> None:
        self._choked_until = now + CHOKED_S

    @property
    def is_choked(self) -> bool:
        """It waits for a key frame."""
        return self._choked_until > 0

    def choke(self, now: float) -> None:
        """What waited of it was dropped. Its numbers are used again: the receiver sees a pause, not loss."""
        self.choked += 1
        self._choked_until = now + CHOKED_S
        self._next = self._left
        self._resync = True

    def emitted(self, number: int, transport: int, ciphertext: memoryview) -> None:
        """A packet of ours went out as this."""
        self._left = max(self._left, number + 1)
        if self._ciphertexts:
            place = number & len(self._ciphertexts) - 1
            self._ciphertexts[place] = (number, transport, bytes(ciphertext))

    def _compose(
        self, kept: Kept, payload_type: int, number: int, ssrc: int, level: int, timestamp: int, payload: bytes
    ) -> Composed | None:
        """Header, extensions, payload; None when it can't be."""
        block, level_at, time_at, number_at, descriptor = self._extensions
        if descriptor:
            block = closed_block(block, descriptor, kept.descriptor)
        if not self._link.ready:
            return None
        if HEADER_LENGTH + len(block) + len(payload) > MAX_RTP:
            self._link.drop("protect")
            return None
        header = HEADER.pack(
            (0x90 if block else 0x80) | kept.padding,
            kept.marker | payload_type,
            number & 0xFFFF,
            timestamp,
            ssrc,
        )
        data = bytearray(header + block + payload)
        if level_at:
            data[HEADER_LENGTH + level_at] = level if level >= 0 else 127
        return Composed(data, time_at and HEADER_LENGTH + time_at, number_at and HEADER_LENGTH + number_at)

    def resend(self, numbers: list[int], now: float, guard: float) -> None:
        if not self.active or self.source is None:
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
            return self._link.send_again(found[2], found[1], now)
        if self._rtx_type is None:
            return False
        composed = self._compose_again(number, now)
        return composed is not None and self._link.send_paced(composed, AGAIN, now)

    def _compose_again(self, number: int, now: float) -> Composed | None:
        """As RTX; None where it is no longer there."""
        if self._rtx_type is None:
            return None
        found = self._find(number)
        if found is None or now - found[1].kept_at > KEEP_S:
            return None
        mapping, kept = found
        payload, source = kept.payload, mapping.source
        if (mapping.picture or mapping.base) and source.place is not None:
            place = source.place(payload)
            payload = rewrite(payload, place, mapping.picture, mapping.base) if place is not None else payload
        self._rtx_sequence += 1
        timestamp = kept.timestamp + mapping.shift & 0xFFFFFFFF
        payload = rtx.wrap(number, payload)
        return self._compose(kept, self._rtx_type, self._rtx_sequence, self._rtx_ssrc, -1, timestamp, payload)

    def _find(self, number: int) -> tuple[Numbering, Kept] | None:
        """The packet that went out under this number, and how that came about."""
        selection = self._selection
        if selection is not None and number >= selection.first:
            sent = selection.sent[number & RING]
            if sent is None or sent[0] != number or sent[2] < 0:
                return None
            kept = sent[1].source.history.get(sent[2])
            return (sent[1], kept._replace(marker=sent[3])) if kept is not None else None
        for mapping in reversed(self._mappings):
            if number - mapping.offset >= mapping.first:
                kept = mapping.source.history.get(number - mapping.offset)
                return (mapping, kept) if kept is not None else None
        return None

    def pad(self, size: int, now: float) -> int:
        sent = 0
        if not self.active or self.source is None or self._rtx_type is None or self._ciphertexts:
            return 0
        for _ in range(PADS_AT_ONCE):
            if sent >= size:
                break
            composed = self._compose_again(self._next - 1, now) if size - sent >= WORTH_A_COPY else None
            if composed is None:
                composed = self._compose_padding(size - sent, self._rtx_type)
            gone = self._link.emit(composed, now) if composed is not None else 0
            if not gone:
                break
            self._link.spent(gone, now)
            sent += gone
        return sent

    def _compose_padding(self, size: int, rtx_type: int) -> Composed | None:
        size = min(size, MAX_PADDING)
        self._rtx_sequence += 1
        bare = Kept(0, 0, 0, PADDING_BIT, b"", 0.0)
        payload = bytes(size - 1) + bytes((size,))
        return self._compose(bare, rtx_type, self._rtx_sequence, self._rtx_ssrc, -1, 0, payload)
