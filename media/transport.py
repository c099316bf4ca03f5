"""One UDP socket for everyone: whose each ICE check and DTLS record is, and when the path is polled.

A packet's address names its connection. An address is believed only after an authenticated ICE check
that nominates it arrived from there; a later one from elsewhere moves the connection at once. What
happens to each packet is the path's work (``media.path``); here is what happens rarely.
"""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from media import stun
from media.connection import Connection, Credentials
from media.dtls import Certificate
from media.path.api import Address, Path, StreamAddress
from media.path.choice import make_path
from media.path.limits import BATCH, PACE_S
from media.streams import StreamServer

PORT_TRIES = 50  # for a number that is free for UDP and TCP
BATCHES = 4  # polls before the loop gets its turn

# Few packets are read at once, as they come. Many are read by a timer: one wake-up serves them all.
DENSE_PER_S = 1_500
SPARSE_PER_S = 700
RATE_WINDOW_S = 0.1
DENSE_PERIOD_S = 0.001


class PortTaken(Exception):
    """The UDP port can't be had; the message is one line a person can act on."""


class UdpTransport:
    """The worker's socket and its connections.

    ``path`` is ``auto``, ``native`` or ``python``.
    """

    def __init__(self, certificate: Certificate, now: Callable[[], float], path: str = "auto") -> None:
        self.certificate = certificate
        """Of connections that begin now."""
        self._certified_at = now()
        self.port = 0
        self.path: Path = make_path(path, self._datagram, self._to_stream)
        self.streams = StreamServer(self.path, now, self.accepts)
        self.dense = False
        """Whether packets are read by the timer now."""
        self._refused: Counter[str] = Counter()
        self._sources: tuple[IPv4Network | IPv6Network, ...] = ()
        self._now = now
        self._open = False
        self._by_address: dict[Address, Connection] = {}
        self._by_ufrag: dict[str, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pacer: asyncio.TimerHandle | None = None
        self._rhythm: list[Callable[[float], bool]] = []
        self._flushing = False
        self._window_at = 0.0
        self._seen = 0

    def rotate(self, now: float, max_age_s: float) -> bool:
        """A new certificate once the present one is older than that; whether there was one."""
        if now - self._certified_at < max_age_s:
            return False
        self.certificate, self._certified_at = Certificate(), now
        return True

    @property
    def drops(self) -> Counter[str]:
        """What was dropped, by reason."""
        return self._refused + self.streams.cut + Counter(self.path.drops)

    def accept_only(self, sources: Iterable[str]) -> None:
        """Believe checks from these networks alone (relays); none: from everywhere."""
        self._sources = tuple(ip_network(each, strict=False) for each in sources)

    def accepts(self, address: Address) -> bool:
        """Whether a connection may be from there. Asked for a check that proved itself, not for a packet."""
        if not self._sources:
            return True
        source = ip_address(address[0].partition("%")[0])
        if isinstance(source, IPv6Address) and source.ipv4_mapped is not None:
            source = source.ipv4_mapped
        if any(source in network for network in self._sources):
            return True
        self.refuse("not_a_relay")
        return False

    def refuse(self, reason: str) -> None:
        """Count a drop."""
        self._refused[reason] += 1

    def open(self, host: str, port: int, *, tcp: bool = True) -> None:
        """Bind and start reading; ``tcp``: the TCP port of the same number too. Raises PortTaken."""
        for _ in range(1 if port or not tcp else PORT_TRIES):
            protocol = "TCP"
            try:
                number = self.streams.bind(host, port) if tcp else port
                protocol = "UDP"
                self.port = self.path.open(host, number)
                break
            except OSError as error:
                self.streams.unbind()
                failed = error
        else:
            why = "is taken" if failed.errno == errno.EADDRINUSE else f"can't be used ({failed.strerror})"
            raise PortTaken(f"media {protocol} port {port} on {host} {why}: set BEDSIDE_MEDIA_PORT to another")
        self._open = True
        if tcp:
            self.streams.start()
        asyncio.get_running_loop().add_reader(self.path.fileno(), self._readable)

    async def close(self) -> None:
        """Close every connection, wait for their goodbyes, leave the socket."""
        for connection in self.connections():
            connection.close()
        self.streams.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self._open:
            self._open = False
            self._rhythm.clear()
            if self._pacer is not None:
                self._pacer.cancel()
            if self.dense:
                self._stop_timer()
            else:
                asyncio.get_running_loop().remove_reader(self.path.fileno())
        self.path.close()

    def connections(self) -> list[Connection]:
        """Every open connection, once."""
        return list(dict.fromkeys(self._by_ufrag.values()))

    def send(self, data: bytes, address: Address) -> None:
        """Send a datagram; a full socket buffer drops it, as a network would."""
        self.path.send(data, address)

    def _to_stream(self, stream: int, packet: bytes) -> None:
        self.streams.send(stream, packet)

    def flush_soon(self) -> None:
        """Send what is queued, once everybody had their turn."""
        if not self._flushing and self._open:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self.path.flush()
        if self.path.pacing:
            self._pace_soon()

    # What waits for its turn

    def in_rhythm(self, work: Callable[[float], bool]) -> None:
        """Call it every few milliseconds with the time, until it answers False."""
        self._rhythm.append(work)
        self._pace_soon()

    def _pace_soon(self) -> None:
        if self._pacer is None and self._open:
            self._pacer = asyncio.get_running_loop().call_later(PACE_S, self._pace)

    def _pace(self) -> None:
        self._pacer = None
        now = self._now()
        working, self._rhythm = self._rhythm, []
        self._rhythm += [work for work in working if work(now)]
        self.path.pace(now)
        self.path.flush()
        if self.path.pacing or self._rhythm:
            self._pace_soon()

    # Reading

    def _poll(self) -> float:
        now = self._now()
        poll = self.path.poll
        for _ in range(BATCHES):
            count = poll(now)
            self._seen += count
            if count < BATCH:
                break
        if self.path.pacing:
            self._pace_soon()
        return now

    def _rate(self, now: float) -> float | None:
        """Datagrams a second, when a window has passed."""
        elapsed = now - self._window_at
        if elapsed < RATE_WINDOW_S:
            return None
        rate, self._seen, self._window_at = self._seen / elapsed, 0, now
        return rate

    def _readable(self) -> None:
        rate = self._rate(self._poll())
        if rate is not None and rate > DENSE_PER_S and self._open:
            self._read_by_timer()

    def _read_by_timer(self) -> None:
        self.dense = True
        loop, ticker = asyncio.get_running_loop(), self.path.ticker()
        loop.remove_reader(self.path.fileno())
        if ticker >= 0:
            self.path.beat(DENSE_PERIOD_S)
            loop.add_reader(ticker, self._beaten)
        else:
            self._timer = loop.call_later(DENSE_PERIOD_S, self._timed)

    def _read_as_it_comes(self) -> None:
        self._stop_timer()
        asyncio.get_running_loop().add_reader(self.path.fileno(), self._readable)

    def _stop_timer(self) -> None:
        self.dense = False
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        elif (ticker := self.path.ticker()) >= 0:
            self.path.beat(0)
            asyncio.get_running_loop().remove_reader(ticker)

    def _beaten(self) -> None:
        rate = self._rate(self._poll())
        if rate is not None and rate < SPARSE_PER_S and self._open:
            self._read_as_it_comes()

    def _timed(self) -> None:
        # First: whatever is raised below, reading goes on.
        self._timer = asyncio.get_running_loop().call_later(DENSE_PERIOD_S, self._timed)
        self._beaten()

    def _datagram(self, data: bytes, address: Address) -> None:
        """What is not SRTP."""
        if data[0] < 4:
            self._check(data, address)
        elif (connection := self._by_address.get(address)) is not None:
            connection.dtls(data)

    def _check(self, data: bytes, address: Address) -> None:
        check = stun.parse_check(data)
        if check is None:
            self.refuse("stun_malformed")
            return
        connection = self._by_ufrag.get(check.local_ufrag)
        answer = connection.check(check, address, self._now()) if connection is not None else None
        if answer is None:
            self.refuse("stun_refused")
            if isinstance(address, StreamAddress):
                self.streams.refused(address)
            return
        if isinstance(address, StreamAddress) and connection is not None:
            self.streams.proven(address, connection)
        self.send(answer, address)

    def register(self, credentials: Credentials, connection: Connection) -> None:
        self._by_ufrag[credentials.ufrag] = connection

    def forget(self, credentials: Credentials) -> None:
        self._by_ufrag.pop(credentials.ufrag, None)

    def move(self, connection: Connection, address: Address) -> None:
        self.leave(connection)
        former = self._by_address.get(address)
        if former is not None:
            self.leave(former)  # its client left this port to another; its next check finds it again
        self._by_address[address] = connection
        connection.link.move(address)

    def leave(self, connection: Connection) -> None:
        address = connection.address
        if address is not None and self._by_address.get(address) is connection:
            del self._by_address[address]
        connection.link.move(None)

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
