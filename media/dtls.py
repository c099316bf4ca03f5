"""DTLS-SRTP. The one file that touches private names of aiortc and pylibsrtp; their versions are pinned.

``Dtls`` runs the server side of a handshake over datagrams handed in; afterwards ``Srtp`` protects and
unprotects in place on a ``Buffer``. Each arriving packet goes through ``unprotect`` exactly once: it
advances the replay window.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

from aiortc import rtcdtlstransport as upstream
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from pylibsrtp._binding import ffi, lib

BUFFER_SIZE = 2048  # larger than any datagram we take or send
MAX_RTP = 1500  # a larger packet can't come from an honest sender on Ethernet
TRAILER = 160  # libsrtp's largest tag, key identifier and SRTCP index
MAX_QUEUED = 64  # handshake datagrams waiting; more are dropped, DTLS sends them again
HANDSHAKE_TIMEOUT_S = 20.0

PROFILES = [
    upstream.SRTP_AEAD_AES_128_GCM,  # cheapest on any processor with AES instructions
    upstream.SRTP_AEAD_AES_256_GCM,
    upstream.SRTP_AES128_CM_SHA1_80,  # what every browser must offer (RFC 8827)
]
FINGERPRINT_ALGORITHMS = frozenset(upstream.X509_DIGEST_ALGORITHMS)


class Certificate:
    """One self-signed certificate of a worker, shared by all its connections."""

    def __init__(self) -> None:
        self._certificate = RTCCertificate.generateCertificate()
        self.fingerprint: str = next(
            print_.value for print_ in self._certificate.getFingerprints() if print_.algorithm == "sha-256"
        )
        """SHA-256, upper-case hex with colons, as SDP writes it."""


class Buffer:
    """Memory that libsrtp works on in place, and Python sees as a memoryview."""

    __slots__ = ("data", "view")

    def __init__(self) -> None:
        self.data = ffi.new("unsigned char[]", BUFFER_SIZE)
        self.view = memoryview(ffi.buffer(self.data))


class Srtp:
    """The SRTP sessions of one connection, both directions."""

    __slots__ = ("_in", "_keep", "_length", "_out", "_protect", "_protect_rtcp", "_unprotect", "_unprotect_rtcp")

    def __init__(self, incoming: Any, outgoing: Any) -> None:
        """From two ``pylibsrtp.Session``s, which stay the owners of the native sessions."""
        self._keep = (incoming, outgoing)
        self._in = incoming._srtp[0]
        self._out = outgoing._srtp[0]
        self._length = ffi.new("int *")
        self._unprotect = lib.srtp_unprotect
        self._unprotect_rtcp = lib.srtp_unprotect_rtcp
        self._protect = lib.srtp_protect
        self._protect_rtcp = lib.srtp_protect_rtcp

    @property
    def addresses(self) -> tuple[int, int]:
        """Where the native sessions are, incoming and outgoing; good while this object lives."""
        return int(ffi.cast("uintptr_t", self._in)), int(ffi.cast("uintptr_t", self._out))

    def unprotect(self, buffer: Buffer, size: int) -> int:
        """Decrypt the RTP packet in ``buffer``; its new size, or -1 when it is forged, replayed or broken."""
        length = self._length
        length[0] = size
        return length[0] if self._unprotect(self._in, buffer.data, length) == 0 else -1

    def unprotect_rtcp(self, buffer: Buffer, size: int) -> int:
        """The same for RTCP."""
        length = self._length
        length[0] = size
        return length[0] if self._unprotect_rtcp(self._in, buffer.data, length) == 0 else -1

    def protect(self, packet: bytes | bytearray, buffer: Buffer) -> int:
        """Copy ``packet`` into ``buffer`` and encrypt it there; its new size, or -1."""
        size = len(packet)
        if size > MAX_RTP:
            return -1
        buffer.view[:size] = packet
        length = self._length
        length[0] = size
        return length[0] if self._protect(self._out, buffer.data, length) == 0 else -1

    def protect_rtcp(self, packet: bytes, buffer: Buffer) -> int:
        """The same for RTCP."""
        size = len(packet)
        if size > MAX_RTP:
            return -1
        buffer.view[:size] = packet
        length = self._length
        length[0] = size
        return length[0] if self._protect_rtcp(self._out, buffer.data, length) == 0 else -1


def function_addresses() -> tuple[int, int, int, int]:
    """Where libsrtp's protect, unprotect, protect_rtcp and unprotect_rtcp are, for code that is not Python."""
    names = ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp")
    first, second, third, fourth = (int(ffi.cast("uintptr_t", ffi.addressof(lib, name))) for name in names)
    return first, second, third, fourth


class _Wire:
    """What RTCDtlsTransport needs of an ICE transport: ``role``, ``_recv`` and ``_send``."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED)
        self._send_datagram: Callable[[bytes], None] | None = send

    async def _recv(self) -> bytes:
        data = await self.queue.get()
        if data is None:
            raise ConnectionError
        return data

    async def _send(self, data: bytes) -> None:
        if self._send_datagram is None:
            raise ConnectionError
        self._send_datagram(data)

    def close(self) -> None:
        self._send_datagram = None
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Dtls:
    """The server side of one DTLS association.

    ``on_done`` gets the Srtp when the handshake succeeded and the fingerprint matched, None when it
    failed, and None again when the peer closes the association later.
    """

    def __init__(
        self,
        certificate: Certificate,
        fingerprints: list[tuple[str, str]],
        send: Callable[[bytes], None],
        on_done: Callable[[Srtp | None], None],
    ) -> None:
        self._wire = _Wire(send)
        self._on_done: Callable[[Srtp | None], None] | None = on_done
        transport = RTCDtlsTransport(cast(Any, self._wire), [certificate._certificate])
        transport._set_role("server")
        transport._srtp_profiles = PROFILES
        self._transport: RTCDtlsTransport | None = transport
        remote = RTCDtlsParameters([RTCDtlsFingerprint(*fingerprint) for fingerprint in fingerprints], role="client")
        self._task: asyncio.Task[None] | None = asyncio.create_task(self._run(transport, remote))

    def feed(self, datagram: bytes) -> None:
        """Hand in a DTLS record; dropped when too many wait."""
        with contextlib.suppress(asyncio.QueueFull):
            self._wire.queue.put_nowait(datagram)

    async def _run(self, transport: RTCDtlsTransport, remote: RTCDtlsParameters) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await transport.start(remote)
        except (TimeoutError, ConnectionError):
            pass
        if transport.state != "connected":
            self._report(None)
            return
        private = cast(Any, transport)
        self._report(Srtp(private._rx_srtp, private._tx_srtp))
        pump = transport._task
        if pump is not None:
            await asyncio.wait([asyncio.ensure_future(pump)])
        self._report(None)

    def _report(self, srtp: Srtp | None) -> None:
        if self._on_done is not None:
            self._on_done(srtp)

    async def close(self) -> None:
        """Say goodbye to the peer and let go of everything; cycles through aiortc are cut."""
        self._on_done = None
        transport, self._transport = self._transport, None
        if transport is None:
            return
        with contextlib.suppress(Exception):  # a broken association must not keep us from letting go
            await transport.stop()
        self._wire.close()
        # A finished task keeps its exception, that its frames, and those us: without the reference no cycle is left.
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        transport.remove_all_listeners()
