"""Transport-wide feedback, written and read (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from media.rtp.packet import Malformed
from media.rtp.sequence import Unwrapper

TICK_S = 0.00025  # deltas count 250 microseconds
REFERENCE_TICKS = 256  # the reference time counts 64 ms
MAX_STATUSES = 400  # packets one feedback covers, so that it fits a datagram with room to spare
MAX_PENDING = 4096  # arrivals kept until feedback is written
MAX_GAP = 2000  # a wider jump is a restart of the sender's numbering, not loss
MAX_TOLD = 4096  # packets one feedback of others may cover: seconds of them

NOT_RECEIVED, SMALL, LARGE = 0, 1, 2


class Arrivals(NamedTuple):
    """What one feedback tells."""

    base: int
    """The 16-bit number of the first packet it covers."""
    reference: int
    """24 bits, in 64 ms of the receiver's clock."""
    deltas: list[int | None]
    """For each packet from ``base`` on its arrival in ticks since the one before; None: it did not arrive."""


def parse(body: bytes) -> Arrivals:
    """A feedback, after its SSRCs and without padding. Raises Malformed."""
    size = len(body)
    if size < 8:
        raise Malformed("short TWCC")
    base, count = struct.unpack_from("!HH", body)
    if not 0 < count <= MAX_TOLD:
        raise Malformed("TWCC count")
    statuses: list[int] = []
    at = 8
    while len(statuses) < count:
        if at + 2 > size:
            raise Malformed("TWCC chunks")
        chunk = body[at] << 8 | body[at + 1]
        at += 2
        if not chunk & 0x8000:
            run = min(chunk & 0x1FFF, count - len(statuses))
            if not run:
                raise Malformed("empty TWCC run")
            statuses += [chunk >> 13] * run
        elif chunk & 0x4000:
            statuses += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            statuses += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    deltas: list[int | None] = []
    for status in statuses[:count]:
        if status == NOT_RECEIVED:
            deltas.append(None)
            continue
        if status > LARGE or at + status > size:
            raise Malformed("TWCC deltas")
        deltas.append(body[at] if status == SMALL else (body[at] << 8 | body[at + 1]) - (body[at] >> 7 << 16))
        at += status
    return Arrivals(base, int.from_bytes(body[4:7], "big"), deltas)


class TwccReceiver:
    """Collects arrivals of one transport; writes feedback packets (RTCP without the compound's first part)."""

    __slots__ = ("_arrivals", "_count", "_next", "_unwrapper")

    def __init__(self) -> None:
        self._unwrapper = Unwrapper()
        self._arrivals: dict[int, int] = {}  # unwrapped number -> arrival in ticks
        self._next = -1  # first number the next feedback covers
        self._count = 0

    def arrived(self, number: int, now: float) -> None:
        """Note the arrival of a transport-wide number; the first arrival of a number counts."""
        full = self._unwrapper.unwrap(number)
        if len(self._arrivals) < MAX_PENDING:
            self._arrivals.setdefault(full, int(now / TICK_S))

    def feedback(self, sender_ssrc: int, media_ssrc: int) -> list[bytes]:
        """Feedback for everything that arrived since the last call; each packet stands alone."""
        packets: list[bytes] = []
        numbers = sorted(self._arrivals)
        if not numbers:
            return packets
        if self._next < 0 or numbers[-1] - self._next > MAX_GAP or numbers[0] < self._next - MAX_GAP:
            self._next = numbers[0]
        # A number before the last feedback's end is told again, from where it belongs: it was late.
        base = min(self._next, numbers[0])
        at = 0
        while at < len(numbers):
            base = max(base, numbers[at] - MAX_STATUSES + 1)
            statuses: list[int] = []
            deltas: list[bytes] = []
            # A first delta of up to 64 ms is positive: the reference time is rounded down.
            reference = self._arrivals[numbers[at]] // REFERENCE_TICKS
            last = reference * REFERENCE_TICKS
            number = base
            while at < len(numbers) and number - base < MAX_STATUSES:
                if number != numbers[at]:
                    statuses.append(NOT_RECEIVED)
                    number += 1
                    continue
                delta = self._arrivals[number] - last
                if 0 <= delta <= 255:
                    statuses.append(SMALL)
                    deltas.append(bytes((delta,)))
                elif -32768 <= delta <= 32767:
                    statuses.append(LARGE)
                    deltas.append(struct.pack("!h", delta))
                else:
                    break  # too far from its neighbour for a delta: the next packet begins here
                last += delta
                number += 1
                at += 1
            if deltas:
                packets.append(self._packet(sender_ssrc, media_ssrc, base, reference, statuses, deltas))
            base = number
        self._next = max(self._next, base)
        self._arrivals.clear()
        return packets

    def _packet(
        self, sender: int, media: int, base: int, reference: int, statuses: list[int], deltas: list[bytes]
    ) -> bytes:
        body = struct.pack("!HH", base & 0xFFFF, len(statuses))
        body += (reference & 0xFFFFFF).to_bytes(3, "big") + bytes((self._count & 0xFF,))
        self._count += 1
        body += b"".join(_chunks(statuses)) + b"".join(deltas)
        padding = -len(body) % 4
        first = 0x80 | 15
        if padding:
            first |= 0x20
            body += bytes(padding - 1) + bytes((padding,))
        return struct.pack("!BBHII", first, 205, 2 + len(body) // 4, sender, media) + body


def _chunks(statuses: list[int]) -> list[bytes]:
    """Run-length chunks for long runs, two-bit vectors of seven otherwise."""
    chunks: list[bytes] = []
    at, size = 0, len(statuses)
    while at < size:
        symbol = statuses[at]
        end = at + 1
        while end < size and statuses[end] == symbol:
            end += 1
        if end - at >= 7 or end == size:
            chunks.append(struct.pack("!H", symbol << 13 | end - at))
            at = end
            continue
        vector = 0xC000
        for index, status in enumerate(statuses[at : at + 7]):
            vector |= status << (12 - 2 * index)
        chunks.append(struct.pack("!H", vector))
        at += 7
    return chunks
