"""The transport of a benchmark's peer: one UDP socket, ICE checks, a DTLS handshake, SRTP's keys.

A browser's side as far as a server can tell, without a browser's cost: a controlling ICE agent that
nominates its one pair, and a DTLS client that offers one SRTP profile alone, so that every server
compared encrypts alike.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from aiortc.rtcdtlstransport import SRTP_AEAD_AES_128_GCM, RTCCertificate
from OpenSSL import SSL
from pylibsrtp import Error, Policy, Session

from loadtests import media_native
from media import stun

PROFILE = SRTP_AEAD_AES_128_GCM
DATAGRAM = 2048
SO_TIMESTAMPNS = 35  # the kernel's receive time: what the peer's own process waits for a core does not count
SO_MEMINFO = 55
MEMINFO = struct.Struct("@9I")
MEMINFO_DROPS = 8
REPLAY_WINDOW = 1024
_CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ ([\d.]+) (\d+) typ host", re.MULTILINE | re.IGNORECASE)


class LinkError(Exception):
    """The server's description or handshake is not what a browser would take."""


@dataclass(frozen=True)
class Remote:
    """Where the server is and how it proves itself, from its description."""

    ufrag: str
    password: str
    fingerprint: str
    host: str
    port: int
    lite: bool


def remote(sdp: str) -> Remote:
    """Read a server's description. Raises LinkError."""

    def one(pattern: str) -> str:
        found = re.search(pattern, sdp, re.MULTILINE)
        if found is None:
            raise LinkError(f"the description has no {pattern}")
        return found.group(1)

    candidate = _CANDIDATE.search(sdp)
    if candidate is None:
        raise LinkError("the description has no UDP host candidate")
    return Remote(
        one(r"^a=ice-ufrag:(\S+)"),
        one(r"^a=ice-pwd:(\S+)"),
        one(r"^a=fingerprint:sha-256 (\S+)").upper(),
        candidate.group(1),
        int(candidate.group(2)),
        "a=ice-lite" in sdp,
    )


class Identity:
    """A certificate, shared by the peers of a process: making one is no part of what is measured."""

    def __init__(self) -> None:
        certificate = RTCCertificate.generateCertificate()
        self.fingerprint = next(p.value for p in certificate.getFingerprints() if p.algorithm == "sha-256")
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.use_certificate(certificate._cert)
        self.context.use_privatekey(certificate._key)
        self.context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
        self.context.set_tlsext_use_srtp(PROFILE.openssl_profile)


class Link:
    """One connection to a server; ``controlling`` when the offer is ours.

    RTP goes through ``native`` (media_native.Link) alone; what else arrives is handed to ``other``.
    """

    def __init__(
        self, identity: Identity, address: str, controlling: bool, loss: float, on_rtcp: Callable[[bytes], None]
    ) -> None:
        self._identity = identity
        self._controlling = controlling
        self._on_rtcp = on_rtcp
        self.ufrag = secrets.token_hex(4)
        self.password = secrets.token_hex(12)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.address: tuple[str, int] = self.socket.getsockname()
        self.connected = False
        self.native = media_native.Link(
            descriptor=self.socket.fileno(),
            chance=secrets.randbits(31) + 1,
            lost_below=int(loss * 2**32),
            transport_number=secrets.randbelow(30_000),
        )
        self._remote: Remote | None = None
        self._ssl: SSL.Connection | None = None
        self._send: Session | None = None
        self._receive: Session | None = None

    @property
    def fingerprint(self) -> str:
        return self._identity.fingerprint

    def connect(self, sdp: str) -> None:
        """Begin checks towards the server of this description; a repeated one changes nothing."""
        if self._remote is None:
            self._remote = remote(sdp)
            self.socket.connect((self._remote.host, self._remote.port))
            self.check()

    def check(self) -> None:
        """A check that nominates: consent too, every few seconds. Before it is answered, DTLS waits.

        A full agent that made the offer controls, checks by itself, and needs nothing but our answers.
        """
        if self._remote is None:
            return
        if self._ssl is not None and not self.connected:
            self._ssl.DTLSv1_handle_timeout()
            self._flush()
        if not self._controlling and not self._remote.lite:
            return
        self.send(self.binding_request())

    def binding_request(self) -> bytes:
        """A check of its own transaction, that nominates."""
        assert self._remote is not None
        secret = self._remote.password.encode()
        return stun.binding_request(secrets.token_bytes(12), self.ufrag, self._remote.ufrag, secret, nominate=True)

    def send(self, data: bytes) -> None:
        """A datagram as it is."""
        with contextlib.suppress(OSError):  # a full buffer drops, as a network would
            self.socket.send(data)

    def protect(self, packet: bytes) -> bytes:
        """Encrypt a packet that Python wrote, as tests do."""
        assert self._send is not None
        return self._send.protect(packet)

    def unprotect(self, data: bytes) -> bytes | None:
        """An RTP packet; None when it is forged, replayed or too early."""
        if self._receive is None:
            return None
        try:
            return self._receive.unprotect(data)
        except Error:
            return None

    def protect_rtcp(self, packet: bytes) -> bytes:
        assert self._send is not None
        return self._send.protect_rtcp(packet)

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """The same for RTCP."""
        if self._receive is None:
            return None
        try:
            return self._receive.unprotect_rtcp(data)
        except Error:
            return None

    def other(self, data: bytes) -> None:
        """A datagram that is not RTP."""
        first = data[0] if data else 255
        if 127 < first < 192:
            self._on_rtcp(data)
        elif first < 4:
            self._ice(data)
        elif 19 < first < 64 and self._ssl is not None:
            self._ssl.bio_write(data)
            self._handshake()

    @property
    def overflowed(self) -> int:
        """Datagrams the kernel dropped because we did not read them in time."""
        return int(MEMINFO.unpack(self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))[MEMINFO_DROPS])

    def _ice(self, data: bytes) -> None:
        if self._remote is None:
            return
        if data[:2] == b"\x01\x01":
            nominated = True
        else:
            check, secret = stun.parse_check(data), self.password.encode()
            if check is None or not stun.authentic(check, secret):
                return
            self.send(stun.success(check, secret, self._remote.host, self._remote.port))
            nominated = check.use_candidate
        if nominated and self._ssl is None:
            self._start_dtls()

    def _start_dtls(self) -> None:
        self._ssl = SSL.Connection(self._identity.context, None)
        self._ssl.set_connect_state()
        self._ssl.set_ciphertext_mtu(1200)
        self._handshake()

    def _handshake(self) -> None:
        connection, remote = self._ssl, self._remote
        assert connection is not None
        assert remote is not None
        if self.connected:
            with contextlib.suppress(SSL.Error):  # the server's goodbye
                connection.recv(1)
            return
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        self._flush()
        certificate = connection.get_peer_certificate()
        if certificate is None or certificate.digest("sha256").decode().upper() != remote.fingerprint:
            raise LinkError("the server's fingerprint does not match its description")
        if connection.get_selected_srtp_profile() != PROFILE.openssl_profile:
            raise LinkError("the server took another SRTP profile")
        keys = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (PROFILE.key_length + PROFILE.salt_length))
        self._send = _session(PROFILE.get_key_and_salt(keys, 0), Policy.SSRC_ANY_OUTBOUND)
        self._receive = _session(PROFILE.get_key_and_salt(keys, 1), Policy.SSRC_ANY_INBOUND)
        self.native.outgoing = media_native.session_address(self._send)
        self.native.incoming = media_native.session_address(self._receive)
        self.connected = True

    def _flush(self) -> None:
        assert self._ssl is not None
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self.send(self._ssl.bio_read(DATAGRAM))

    def close(self) -> None:
        """Leave without a goodbye, as a killed browser does."""
        self.native.outgoing = self.native.incoming = None
        self.socket.close()


def _session(key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=PROFILE.libsrtp_profile)
    policy.window_size = REPLAY_WINDOW
    return Session(policy)
