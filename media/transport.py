"""One UDP socket for everyone: demultiplexing (RFC 7983), ICE-lite checks, and SRTP for each connection.

A packet's address names its connection. An address is believed only after an authenticated ICE check
that nominates it arrived from there; a later one from elsewhere moves the connection at once. All the
rest is dropped and counted by reason; nothing is logged per packet.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from media import stun
from media.dtls import BUFFER_SIZE, Buffer, Certificate, Dtls, Srtp
from media.rtp.packet import Malformed
from media.rtp.rtcp import Part, parse

Address = tuple[str, int] | tuple[str, int, int, int]

BATCH = 64  # datagrams read before the loop gets its turn
SOCKET_BUFFER = 4 * 1024 * 1024  # 30 ms of 1 Gbit/s; the kernel may grant less
CONSENT_S = 30.0  # RFC 7675, 5.1
SETUP_S = 30.0  # from the first description to a working association
MAX_BYTES_PER_INTERVAL = 400_000  # of one connection in 100 ms: 32 Mbit/s, far over any honest sender
MAX_PACKETS_PER_INTERVAL = 1_500
SMALLEST_RTP = 12
SMALLEST_RTCP = 8


class PortTaken(Exception):
    """The UDP port can't be had; the message is one line a person can act on."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who gets what arrives on a connection."""

    rtp: Callable[[bytes, float], None]
    rtcp: Callable[[list[Part], float], None]
    state: Callable[[str], None]
    """``connected``, ``failed`` or ``closed``."""


class _Credentials:
    """Our ICE user fragment and password, as one description told them."""

    __slots__ = ("password", "secret", "ufrag")

    def __init__(self) -> None:
        self.ufrag = secrets.token_hex(8)
        self.password = secrets.token_hex(16)
        self.secret = self.password.encode()


class Connection:
    """One ICE+DTLS connection on the shared socket."""

    __slots__ = (
        "_closing",
        "_dtls",
        "_fingerprints",
        "_former",
        "_interval_bytes",
        "_interval_packets",
        "_srtp",
        "_transport",
        "address",
        "bytes_in",
        "bytes_out",
        "credentials",
        "heard_at",
        "owner",
        "packets_in",
        "packets_out",
        "started_at",
        "state",
    )

    def __init__(self, transport: UdpTransport, now: float) -> None:
        self._transport = transport
        self.owner: Owner | None = None
        self.credentials = _Credentials()
        self._former: _Credentials | None = None
        self._fingerprints: list[tuple[str, str]] = []
        self._dtls: Dtls | None = None
        self._srtp: Srtp | None = None
        self.address: Address | None = None
        self.state = "new"
        self.started_at = now
        self.heard_at = now
        self.packets_in = self.bytes_in = self.packets_out = self.bytes_out = 0
        self._interval_bytes = self._interval_packets = 0
        self._closing = False
        transport._register(self.credentials, self)

    # Signaling's side

    def renew_credentials(self) -> None:
        """Fresh ICE credentials for a restart; the old ones stay good until the next restart."""
        if self._former is not None:
            self._transport._forget(self._former)
        self._former = self.credentials
        self.credentials = _Credentials()
        self._transport._register(self.credentials, self)

    def set_remote(self, fingerprints: list[tuple[str, str]], now: float) -> None:
        """The peer's certificate fingerprints. Others than before mean another client: start DTLS anew."""
        if fingerprints == self._fingerprints:
            return
        self._fingerprints = fingerprints
        self._end_dtls()
        self.started_at = now
        self.state = "connecting"
        self._dtls = Dtls(self._transport.certificate, fingerprints, self._send_datagram, self._dtls_done)

    def same_peer(self, fingerprints: list[tuple[str, str]]) -> bool:
        """Whether these are the fingerprints of the peer we already talk to."""
        return fingerprints == self._fingerprints

    def close(self) -> None:
        """Leave the socket, say goodbye, and cut every reference that could form a cycle."""
        if self._closing:
            return
        self._closing = True
        owner, self.owner = self.owner, None
        for credentials in (self.credentials, self._former):
            if credentials is not None:
                self._transport._forget(credentials)
        self._end_dtls()
        self._transport._leave(self)
        self.state = "closed"
        if owner is not None:
            owner.state("closed")

    def _end_dtls(self) -> None:
        dtls, self._dtls, self._srtp = self._dtls, None, None
        if dtls is not None:
            self._transport._spawn(dtls.close())

    def _dtls_done(self, srtp: Srtp | None) -> None:
        self._srtp = srtp
        if srtp is not None:
            self.state = "connected"
            if self.owner is not None:
                self.owner.state("connected")
            return
        failed = self.state != "connected"
        self.state = "failed" if failed else "closed"
        if failed and self.owner is not None:
            self.owner.state("failed")
        self.close()

    # The socket's side

    def check(self, check: stun.Check, address: Address, now: float) -> bytes | None:
        """Answer an ICE check addressed to one of our fragments; None when it does not prove itself."""
        credentials = self.credentials
        if check.local_ufrag != credentials.ufrag:
            if self._former is None or check.local_ufrag != self._former.ufrag:
                return None
            credentials = self._former
        if not stun.authentic(check, credentials.secret):
            return None
        if check.controlled:
            return stun.role_conflict(check, credentials.secret)
        self.heard_at = now
        # After a restart Chromium may nominate a new port towards our former candidate, under the
        # former credentials, and stay there: both are as good, until another restart.
        if check.use_candidate and address != self.address:
            self._transport._move(self, address)
        return stun.success(check, credentials.secret, address[0], address[1])

    def dtls(self, datagram: bytes) -> None:
        """A DTLS record from our address."""
        if self._dtls is not None:
            self._dtls.feed(datagram)

    def media(self, buffer: Buffer, size: int, now: float) -> None:
        """An encrypted packet in ``buffer``, from our address."""
        self._interval_bytes += size
        self._interval_packets += 1
        if self._interval_bytes > MAX_BYTES_PER_INTERVAL or self._interval_packets > MAX_PACKETS_PER_INTERVAL:
            self._transport.drops["over_rate"] += 1
            return
        srtp, owner = self._srtp, self.owner
        if srtp is None or owner is None:
            self._transport.drops["before_dtls"] += 1
            return
        if 192 <= buffer.view[1] <= 223:
            size = srtp.unprotect_rtcp(buffer, size)
            if size < SMALLEST_RTCP:
                self._transport.drops["srtcp"] += 1
                return
            try:
                parts = parse(bytes(buffer.view[:size]))
            except Malformed:
                self._transport.drops["rtcp_malformed"] += 1
                return
            owner.rtcp(parts, now)
            return
        size = srtp.unprotect(buffer, size) if size >= SMALLEST_RTP else -1
        if size < 0:
            self._transport.drops["srtp"] += 1
            return
        self.packets_in += 1
        self.bytes_in += size
        owner.rtp(bytes(buffer.view[:size]), now)

    def send_rtp(self, packet: bytes) -> int:
        """Encrypt and send; the size of what went out, which is in ``transport.out`` until the next send."""
        srtp, address = self._srtp, self.address
        if srtp is None or address is None:
            return -1
        transport = self._transport
        out = transport.out
        size = srtp.protect(packet, out)
        if size < 0:
            transport.drops["protect"] += 1
            return -1
        self.packets_out += 1
        self.bytes_out += size
        transport.send(out.view[:size], address)
        return size

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send a compound RTCP packet."""
        srtp, address = self._srtp, self.address
        if srtp is None or address is None:
            return
        out = self._transport.out
        size = srtp.protect_rtcp(packet, out)
        if size > 0:
            self._transport.send(out.view[:size], address)

    def copy_sent(self, size: int) -> bytes:
        """The ciphertext of the send that just returned ``size``."""
        return bytes(self._transport.out.view[:size])

    def send_again(self, ciphertext: bytes) -> None:
        """Send the identical ciphertext: the only safe way to repeat a sequence number under GCM."""
        if self.address is not None:
            self.packets_out += 1
            self.bytes_out += len(ciphertext)
            self._transport.send(ciphertext, self.address)

    @property
    def fingerprint(self) -> str:
        """Our certificate's, for the description."""
        return self._transport.certificate.fingerprint

    @property
    def ready(self) -> bool:
        return self._srtp is not None and self.address is not None

    def _send_datagram(self, data: bytes) -> None:
        if self.address is None:
            return  # DTLS sends again; the address is nominated by then
        self._transport.send(data, self.address)

    def tick(self, now: float) -> None:
        """Ten times a second: renew the rate budget, drop a peer that went silent."""
        self._interval_bytes = self._interval_packets = 0
        stuck = self.state == "connecting" and now - self.started_at > SETUP_S
        if stuck or (self.address is not None and now - self.heard_at > CONSENT_S):
            if self.owner is not None:
                self.owner.state("failed")
            self.close()


class UdpTransport:
    """The worker's socket and its connections."""

    def __init__(self, certificate: Certificate, now: Callable[[], float]) -> None:
        self.certificate = certificate
        self.buffer = Buffer()
        self.out = Buffer()
        self.drops: Counter[str] = Counter()
        self.port = 0
        self._now = now
        self._socket: socket.socket | None = None
        self._by_address: dict[Address, Connection] = {}
        self._by_ufrag: dict[str, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, host: str, port: int) -> None:
        """Bind and start reading. Raises PortTaken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.bind((host, port))
        except OSError as error:
            udp.close()
            why = "is taken" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
            raise PortTaken(f"media UDP port {port} on {host} {why}: set BEDSIDE_MEDIA_PORT to another") from None
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with contextlib.suppress(OSError):
                udp.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
        udp.setblocking(False)
        self.port = udp.getsockname()[1]
        self._socket = udp
        asyncio.get_running_loop().add_reader(udp.fileno(), self._readable)

    async def close(self) -> None:
        """Close every connection, wait for their goodbyes, leave the socket."""
        for connection in self.connections():
            connection.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def connections(self) -> list[Connection]:
        """Every open connection, once."""
        return list(dict.fromkeys(self._by_ufrag.values()))

    def send(self, data: bytes | memoryview, address: Address) -> None:
        """Send a datagram; a full socket buffer drops it, as a network would."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, address)
        except BlockingIOError:
            self.drops["send_buffer_full"] += 1
        except OSError:
            self.drops["send_failed"] += 1

    def _readable(self) -> None:
        udp = self._socket
        if udp is None:
            return
        buffer, by_address = self.buffer, self._by_address
        view, receive = buffer.view, udp.recvfrom_into
        for _ in range(BATCH):
            try:
                size, address = receive(view, BUFFER_SIZE)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier send
            if size < 1:
                continue
            first = view[0]
            if 127 < first < 192:
                connection = by_address.get(address)
                if connection is not None:
                    connection.media(buffer, size, self._now())
                else:
                    self.drops["stranger"] += 1
            elif first < 4:
                self._check(bytes(view[:size]), address)
            elif 19 < first < 64 and (connection := by_address.get(address)) is not None:
                connection.dtls(bytes(view[:size]))
            else:
                self.drops["unknown"] += 1

    def _check(self, data: bytes, address: Address) -> None:
        check = stun.parse_check(data)
        if check is None:
            self.drops["stun_malformed"] += 1
            return
        connection = self._by_ufrag.get(check.local_ufrag)
        answer = connection.check(check, address, self._now()) if connection is not None else None
        if answer is None:
            self.drops["stun_refused"] += 1
            return
        self.send(answer, address)

    def _register(self, credentials: _Credentials, connection: Connection) -> None:
        self._by_ufrag[credentials.ufrag] = connection

    def _forget(self, credentials: _Credentials) -> None:
        self._by_ufrag.pop(credentials.ufrag, None)

    def _move(self, connection: Connection, address: Address) -> None:
        self._leave(connection)
        former = self._by_address.get(address)
        if former is not None:
            former.address = None  # its client left this port to another; its next check finds it again
        self._by_address[address] = connection
        connection.address = address

    def _leave(self, connection: Connection) -> None:
        if connection.address is not None and self._by_address.get(connection.address) is connection:
            del self._by_address[connection.address]
        connection.address = None

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
