"""What left towards one receiver by transport-wide number, and what its feedback tells of it. Pure.

The sending half of transport-wide congestion control: the path notes each packet (its twin in C is
``media/native/sent.c``); what feedback tells is gathered into groups of packets that left together, as
few numbers as an estimator needs (draft-ietf-rmcat-gcc-02, 5.2).
"""

from __future__ import annotations

from typing import NamedTuple

from media.rtp.twcc import REFERENCE_TICKS, TICK_S, Arrivals

REMEMBERED = 2048  # packets, a power of two: seconds of them
BURST_S = 0.005  # what left within this time is one group
BURST_TICKS = 20  # what arrived so close together and left further apart waited in one queue: one group
LONGEST_BURST_TICKS = 400
MAX_GROUPS = 128  # between two looks
TOLD_RECEIVED, UNTOLD, TOLD_LOST = 0, 1, 2


class Group(NamedTuple):
    """Packets that left together."""

    sent: float
    """When the last of them left, in seconds of our clock."""
    arrived: float
    """When the last of them arrived, in seconds of the receiver's clock."""
    size: int
    """Bytes, headers and all."""


class Told(NamedTuple):
    """What feedback told since somebody last asked."""

    groups: list[Group]
    received: int
    lost: int
    """Told lost, less what arrived all the same later."""
    octets: int
    """Of what was received."""
    feedbacks: int


class Sent:
    """One link's."""

    __slots__ = (
        "_at",
        "_feedbacks",
        "_first_arrived",
        "_first_sent",
        "_groups",
        "_last_arrived",
        "_last_sent",
        "_lost",
        "_octets",
        "_received",
        "_reference",
        "_size",
        "_sizes",
        "_states",
        "next",
    )

    def __init__(self) -> None:
        self.next = 65536
        """The number of the next packet; endless."""
        self._at = [0.0] * REMEMBERED
        self._sizes = [0] * REMEMBERED
        self._states = [TOLD_RECEIVED] * REMEMBERED
        self._reference = -1  # of the last feedback, endless
        self._groups: list[Group] = []
        self._size = 0  # of the group that is not complete; 0: there is none
        self._first_sent = self._last_sent = 0.0
        self._first_arrived = self._last_arrived = 0
        self._received = self._lost = self._octets = self._feedbacks = 0

    def left(self, size: int, now: float) -> int:
        """Note a packet: its number."""
        number = self.next
        place = number & REMEMBERED - 1
        self._at[place] = now
        self._sizes[place] = size
        self._states[place] = UNTOLD
        self.next = number + 1
        return number

    def repeated(self, number: int) -> None:
        """It left once more under the same number: when it arrives tells nothing."""
        if self.next - REMEMBERED <= number < self.next:
            self._sizes[number & REMEMBERED - 1] = 0

    def acknowledge(self, arrivals: Arrivals) -> None:
        """Take in one feedback."""
        self._feedbacks += 1
        newest = self.next - 1
        number = newest + ((arrivals.base - newest + 32768 & 0xFFFF) - 32768)
        if self._reference < 0:
            self._reference = arrivals.reference
        else:
            step = (arrivals.reference - self._reference + 0x800000 & 0xFFFFFF) - 0x800000
            self._reference = max(0, self._reference + step)
        ticks = self._reference * REFERENCE_TICKS
        oldest = self.next - REMEMBERED
        for delta in arrivals.deltas:
            if delta is not None:
                ticks += delta
            if oldest <= number <= newest:
                self._one(number & REMEMBERED - 1, delta is not None, ticks)
            number += 1

    def _one(self, place: int, received: bool, ticks: int) -> None:
        state = self._states[place]
        if not received:
            if state == UNTOLD:
                self._states[place] = TOLD_LOST
                self._lost += 1
            return
        if state == TOLD_RECEIVED:
            return
        if state == TOLD_LOST:
            self._lost -= 1
        self._states[place] = TOLD_RECEIVED
        self._received += 1
        size = self._sizes[place]
        if size:
            self._octets += size
            self._group(self._at[place], ticks, size)

    def _group(self, sent: float, ticks: int, size: int) -> None:
        if self._size:
            if sent < self._first_sent:
                return  # of a group that is complete
            since = ticks - self._last_arrived
            close = since <= BURST_TICKS and ticks - self._first_arrived < LONGEST_BURST_TICKS
            if sent - self._first_sent <= BURST_S or (close and since * TICK_S < sent - self._last_sent):
                self._size += size
                self._last_sent = max(self._last_sent, sent)
                self._last_arrived = max(self._last_arrived, ticks)
                return
            if len(self._groups) < MAX_GROUPS:
                self._groups.append(Group(self._last_sent, self._last_arrived * TICK_S, self._size))
        self._size = size
        self._first_sent = self._last_sent = sent
        self._first_arrived = self._last_arrived = ticks

    def told(self) -> Told:
        """What was told since the last call."""
        told = Told(self._groups, self._received, self._lost, self._octets, self._feedbacks)
        self._groups = []
        self._received = self._lost = self._octets = self._feedbacks = 0
        return told
