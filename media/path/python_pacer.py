"""Bursts towards a slow receiver are spread, in Python: what does not fit its rate waits, by priority."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from media.path.limits import PACED_BURST_BYTES, PACED_BURST_S, PACED_DEBT_S, PACED_PACKETS, PACED_WAIT_S, PADDING

if TYPE_CHECKING:
    from media.path.python_sink import PythonSink


class Composed(NamedTuple):
    """A packet not encrypted yet."""

    data: bytearray
    send_time: int  # where to stamp it; 0: nowhere
    number: int
    sink: PythonSink | None = None  # wants to hear of the ciphertext
    own: int = -1  # the sink's number


class Pacer:
    """One link's queue and its budget."""

    __slots__ = ("_at", "_queues", "choked", "credit", "octets", "packets", "rate")

    def __init__(self) -> None:
        self.rate = 0.0
        """Bytes a second; 0: as it comes."""
        self.credit = 0.0
        self.choked = 0
        self.packets = 0
        self.octets = 0
        self._at = 0.0
        self._queues: tuple[deque[tuple[Composed, float]], ...] = tuple(deque() for _ in range(PADDING + 1))

    def refill(self, now: float) -> None:
        """Time has passed."""
        elapsed = now - self._at
        if elapsed <= 0:
            return
        self._at = now
        most = max(self.rate * PACED_BURST_S, PACED_BURST_BYTES)
        self.credit = min(most, self.credit + self.rate * elapsed)

    def spend(self, size: int) -> None:
        """Something went out."""
        self.credit = max(-self.rate * PACED_DEBT_S, self.credit - size)

    def hold(self, packet: Composed, priority: int, now: float) -> tuple[bool, int]:
        """Keep it waiting: whether it does, and how many were dropped for want of room."""
        dropped = 0
        sink = packet.sink
        if self.packets >= PACED_PACKETS:
            least = next((each for each in range(PADDING, priority - 1, -1) if self._queues[each]), None)
            if least is None:
                return False, 1
            dropped = self._drop_oldest(self._queues[least], now)
        if sink is not None and sink.is_choked:
            return False, dropped + 1  # its number is no longer its own
        self._queues[priority].append((packet, now))
        self.packets += 1
        self.octets += len(packet.data)
        return True, dropped

    def _drop_oldest(self, queue: deque[tuple[Composed, float]], now: float) -> int:
        """Of a track that lost a part of its pictures all go: the rest would only keep the next key frame waiting."""
        sink, before = queue[0][0].sink, self.packets
        if sink is None:
            self._taken(queue.popleft()[0])
        else:
            self.forget(sink)
            self.choked += 1
            sink.choke(now)
        return before - self.packets

    def take(self) -> Composed:
        """The next to go; there is one."""
        return self._taken(next(queue for queue in self._queues if queue).popleft()[0])

    def drop_stale(self, now: float) -> int:
        """What waited too long goes nowhere: how many."""
        dropped = 0
        for queue in self._queues:
            while queue and now - queue[0][1] > PACED_WAIT_S:
                dropped += self._drop_oldest(queue, now)
        return dropped

    def _taken(self, packet: Composed) -> Composed:
        self.packets -= 1
        self.octets -= len(packet.data)
        return packet

    def forget(self, sink: PythonSink | None) -> None:
        """Drop what waits of a sink; None: all."""
        for queue in self._queues:
            for _ in range(len(queue)):
                packet, since = queue.popleft()
                self._taken(packet)
                if sink is not None and packet.sink is not sink:
                    queue.append((packet, since))
                    self.packets += 1
                    self.octets += len(packet.data)
