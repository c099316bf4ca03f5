"""One person's connection: its ICE credentials, its DTLS association, where its peer is."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from media import stun
from media.dtls import Certificate, Dtls, Srtp
from media.path.api import Address, Path
from media.rtp.packet import Malformed
from media.rtp.rtcp import Part, parse

CONSENT_S = 30.0  # RFC 7675, 5.1
SETUP_S = 30.0  # from the first description to a working association
ABANDONED_S = 7.5  # an address without checks; consent is asked for every 4 to 6 s (RFC 7675, 5.1)


class Transport(Protocol):
    """What a connection needs of the worker's sockets."""

    certificate: Certificate
    path: Path

    def register(self, credentials: Credentials, connection: Connection) -> None:
        """Checks for these credentials are the connection's."""
        ...

    def forget(self, credentials: Credentials) -> None: ...
    def accepts(self, address: Address) -> bool:
        """Whether a connection may be from there."""
        ...

    def move(self, connection: Connection, address: Address) -> None:
        """Believe that the peer is there."""
        ...

    def leave(self, connection: Connection) -> None:
        """The peer is nowhere."""
        ...

    def send(self, data: bytes, address: Address) -> None: ...
    def flush_soon(self) -> None: ...
    def in_rhythm(self, work: Callable[[float], bool]) -> None:
        """Call it every few milliseconds with the time, until it answers False."""
        ...

    def refuse(self, reason: str) -> None: ...
    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run it to its end, even beyond the connection's."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Who gets what arrives on a connection."""

    unknown: Callable[[bytes, float], None]
    """A decrypted RTP packet whose SSRC has no route yet."""
    rtcp: Callable[[list[Part], float], None]
    state: Callable[[str], None]
    """``connected``, ``failed`` or ``closed``."""


class Credentials:
    """Our ICE user fragment and password, as one description told them."""

    __slots__ = ("password", "secret", "ufrag")

    def __init__(self) -> None:
        self.ufrag = secrets.token_hex(8)
        self.password = secrets.token_hex(16)
        self.secret = self.password.encode()


class Connection:
    """One ICE+DTLS connection on the shared socket."""

    __slots__ = (
        "_checked_at",
        "_closing",
        "_dtls",
        "_eager",
        "_fingerprints",
        "_former",
        "_led",
        "_transactions",
        "_transport",
        "certificate",
        "credentials",
        "heard_at",
        "link",
        "owner",
        "pictures",
        "started_at",
        "state",
    )

    def __init__(self, transport: Transport, now: float) -> None:
        self._transport = transport
        self.certificate = transport.certificate
        """The worker's when the connection began; later ones don't concern it."""
        self.owner: Owner | None = None
        self.credentials = Credentials()
        self._former: Credentials | None = None
        self._transactions = stun.Transactions()
        self._eager: bool | None = None  # the peer nominates every pair it tries; None before its first check
        self._led: tuple[Credentials, int] | None = None  # what moved us to the present address: under which, priority
        self._checked_at = now  # from the present address
        self._fingerprints: list[tuple[str, str]] = []
        self._dtls: Dtls | None = None
        self.link = transport.path.link(self)
        self.pictures: set[int] = set()
        """SSRCs that go out and are not sound: the first to be dropped where not everything can leave."""
        self.state = "new"
        self.started_at = now
        self.heard_at = now
        self._closing = False
        transport.register(self.credentials, self)

    # Signaling's side

    def renew_credentials(self) -> None:
        """Fresh ICE credentials for a restart; the old ones stay good until the next restart."""
        if self._former is not None:
            self._transport.forget(self._former)
        self._former = self.credentials
        self.credentials = Credentials()
        self._transport.register(self.credentials, self)

    def set_remote(self, fingerprints: list[tuple[str, str]], now: float) -> None:
        """The peer's certificate fingerprints. Others than before mean another client: start DTLS anew."""
        if fingerprints == self._fingerprints:
            return
        self._fingerprints = fingerprints
        self._end_dtls()
        self.started_at = now
        self.state = "connecting"
        self._dtls = Dtls(self.certificate, fingerprints, self._send_datagram, self._dtls_done)

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
                self._transport.forget(credentials)
        self._end_dtls()
        self._transport.leave(self)
        self.link.close()
        self.state = "closed"
        if owner is not None:
            owner.state("closed")

    def _end_dtls(self) -> None:
        dtls, self._dtls = self._dtls, None
        self.link.use(None)
        if dtls is not None:
            self._transport.spawn(dtls.close())

    def _dtls_done(self, srtp: Srtp | None) -> None:
        self.link.use(srtp)
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
        if not self._transport.accepts(address):
            return None
        if check.controlled:
            return stun.role_conflict(check, credentials.secret)
        if self._transactions.fresh(check.transaction):
            self.heard_at = now
            if self._eager is None:
                self._eager = check.use_candidate
            if address == self.address:
                self._checked_at = now
            elif self._leads(check, credentials, now):
                self._led, self._checked_at = (credentials, check.priority), now
                self._transport.move(self, address)
        elif self.address is not None and address != self.address:
            # Somebody sends a recorded check from elsewhere. From its own address a repeated one is answered
            # (the answer was lost), but only a new one is consent, or moves anything.
            self._transport.refuse("stun_replayed")
            return None
        return stun.success(check, credentials.secret, address[0], address[1])

    def _leads(self, check: stun.Check, credentials: Credentials, now: float) -> bool:
        """Whether the peer is where this check came from, which is not where we thought.

        A peer that nominates one pair means it. After a restart Chromium may nominate a new port towards our former
        candidate, under the former credentials, and stay there: both are as good, until another restart.

        A peer that nominates all pairs it tries (RFC 5245, 8.1.1.2; Firefox) uses the one of the highest priority:
        a later check of a worse one, over TCP say, must not lead us away from it. What it prefers under new
        credentials is another matter, and so is a pair that it gave up.
        """
        if self.address is None or self._led is None:
            return True  # without a nomination: DTLS begins before it, and would wait for its own timer
        if not self._eager:
            return check.use_candidate
        abandoned = now - self._checked_at > ABANDONED_S
        under, priority = self._led
        return abandoned or (check.use_candidate and (credentials is not under or check.priority >= priority))

    def dtls(self, datagram: bytes) -> None:
        """A DTLS record from our address."""
        if self._dtls is not None:
            self._dtls.feed(datagram)

    def rtcp(self, data: bytes, now: float) -> None:
        """A decrypted compound packet."""
        try:
            parts = parse(data)
        except Malformed:
            self._transport.refuse("rtcp_malformed")
            return
        if self.owner is not None:
            self.owner.rtcp(parts, now)

    def unknown(self, packet: bytes, now: float) -> None:
        """A decrypted RTP packet whose SSRC has no route."""
        if self.owner is not None:
            self.owner.unknown(packet, now)

    def left(self, address: Address) -> None:
        """The TCP connection to there ended."""
        if address == self.address:
            self._transport.leave(self)

    # Sending

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send a compound RTCP packet."""
        self.link.send_rtcp(packet)
        self._transport.flush_soon()

    def in_rhythm(self, work: Callable[[float], bool]) -> None:
        """Call it every few milliseconds with the time, until it answers False."""
        self._transport.in_rhythm(work)

    def feedback(self, media_ssrc: int) -> None:
        """Send transport-wide feedback for what came since the last call."""
        self.link.feedback(media_ssrc)
        self._transport.flush_soon()

    @property
    def address(self) -> Address | None:
        """The peer's, once a check nominated it."""
        return self.link.address

    @property
    def fingerprint(self) -> str:
        """Our certificate's, for the description."""
        return self.certificate.fingerprint

    @property
    def ready(self) -> bool:
        return self.link.ready

    def _send_datagram(self, data: bytes) -> None:
        if self.address is None:
            return  # DTLS sends again; the address is nominated by then
        self._transport.send(data, self.address)

    def tick(self, now: float) -> None:
        """Once a second: drop a peer that went silent."""
        stuck = self.state == "connecting" and now - self.started_at > SETUP_S
        if stuck or (self.address is not None and now - self.heard_at > CONSENT_S):
            if self.owner is not None:
                self.owner.state("failed")
            self.close()
