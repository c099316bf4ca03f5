"""The path of packets in Python: one socket, its links."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from media.dtls import Buffer
from media.path.api import Address, DatagramHandler, LinkHandler, StreamAddress, StreamHandler
from media.path.limits import BATCH, MAX_DATAGRAM, SHED_AFTER_S, SHED_SOUND_AFTER_S

if TYPE_CHECKING:
    pass
from media.path.python_link import PythonLink
from media.path.sockets import bind


class PythonPath:
    """See ``api.Path``."""

    name = "python"

    def __init__(self, on_datagram: DatagramHandler, on_stream: StreamHandler) -> None:
        self.out = Buffer()
        self.drops: Counter[str] = Counter()
        self.by_address: dict[Address, PythonLink] = {}
        self.paced: dict[PythonLink, None] = {}  # those on which something waits
        self._on_datagram = on_datagram
        self._on_stream = on_stream
        self._buffer = Buffer()
        self._socket: socket.socket | None = None
        self._later: list[Callable[[], None]] = []
        self._behind_since: float | None = None

    def open(self, host: str, port: int) -> int:
        udp = bind(host, port)
        self._socket = udp
        return int(udp.getsockname()[1])

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    def ticker(self) -> int:
        return -1  # the standard library has none before Python 3.13

    def beat(self, period_s: float) -> None:
        pass

    def link(self, handler: LinkHandler) -> PythonLink:
        return PythonLink(self, handler)

    def later(self, work: Callable[[], None]) -> None:
        """Hand something unusual up, after the batch."""
        self._later.append(work)

    def poll(self, now: float) -> int:
        udp = self._socket
        if udp is None:
            return 0
        behind = self._behind_since
        late = now - behind if behind is not None else 0.0
        shed = (late > SHED_AFTER_S) + (late > SHED_SOUND_AFTER_S)
        view, receive = self._buffer.view, udp.recvfrom_into
        count = 0
        while count < BATCH:
            try:
                size, address = receive(view, MAX_DATAGRAM)
            except BlockingIOError:
                self._behind_since = None
                break
            except OSError:
                count += 1
                continue  # an ICMP error of an earlier send
            count += 1
            if size > 0:
                self._arrived(size, address, now, shed)
        else:
            if behind is None:
                self._behind_since = now
        if self.paced:
            self.pace(now)
        self._dispatch()
        return count

    def _arrived(self, size: int, address: Address, now: float, shed: int = 0) -> None:
        """``shed``: 1 drops media but sound, 2 all of it."""
        buffer = self._buffer
        first = buffer.view[0]
        if 127 < first < 192:
            link = self.by_address.get(address)
            if link is None:
                self.drops["stranger"] += 1
            elif shed and (shed > 1 or not link.is_sound(buffer.view, size)):
                self.drops["overload"] += 1
            else:
                link.media(buffer, size, now)
        elif first < 4 or (19 < first < 64 and address in self.by_address):
            self._datagram(bytes(buffer.view[:size]), address)
        else:
            self.drops["unknown"] += 1

    def receive(self, data: bytes, address: StreamAddress, now: float) -> None:
        size = len(data)
        if 0 < size <= MAX_DATAGRAM:
            self._buffer.view[:size] = data
            self._arrived(size, address, now)
            self._dispatch()

    def _datagram(self, data: bytes, address: Address) -> None:
        self._later.append(lambda: self._on_datagram(data, address))

    def _dispatch(self) -> None:
        while self._later:
            waiting, self._later = self._later, []
            for work in waiting:
                work()

    def send(self, data: bytes | memoryview, address: Address) -> None:
        if isinstance(address, StreamAddress):
            self._on_stream(address.stream, bytes(data))
            return
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, address)
        except BlockingIOError:
            self.drops["send_buffer_full"] += 1
        except OSError:
            self.drops["send_failed"] += 1

    def flush(self) -> None:
        pass  # sent at once

    @property
    def pacing(self) -> bool:
        return bool(self.paced)

    def pace(self, now: float) -> None:
        for link in list(self.paced):
            if not link.release(now):
                del self.paced[link]

    def close(self) -> None:
        udp, self._socket = self._socket, None
        if udp is not None:
            udp.close()
