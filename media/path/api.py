"""What a path of packets offers: a socket, links (connections), sources (tracks in), sinks (tracks out).

Times are seconds of one monotonic clock and always passed in. Nothing here waits, and nothing calls back
into Python for an ordinary packet. What is unusual (ICE, DTLS, RTCP, an unknown SSRC) is handed to the
handlers after the batch it came in, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from media.dtls import Srtp
from media.path.limits import CAMERA
from media.rtp.sent import Told


class StreamAddress(NamedTuple):
    """The peer of a TCP connection. Its three parts keep it apart from every address of datagrams."""

    host: str
    port: int
    stream: int
    """The number that connection has here; never used twice."""


Address = tuple[str, int] | tuple[str, int, int, int] | StreamAddress


class Extensions(NamedTuple):
    """A sink's extension block as it is written into every packet, and where in it something changes.

    A place is counted from the beginning of the block; 0: it is not there.
    """

    block: bytes = b""
    level: int = 0
    """One byte: the audio level of the packet."""
    send_time: int = 0
    """Three bytes: abs-send-time."""
    number: int = 0
    """Two bytes: the transport-wide number, counted per link."""
    descriptor: int = 0
    """Not a place but a number: packets carry the descriptor they came with as this, in an ``open_block``."""


NO_EXTENSIONS = Extensions()


class Target(NamedTuple):
    """A set of layers of one track that can be sent without the others, by its highest ones."""

    spatial: int
    temporal: int
    lines: int
    """0 where its sender does not tell."""
    octets: int
    """Of all packets it needs, since its structure was told."""


Tap = Callable[[int, int, bool, bytes, float], None]
"""Gets each new packet of a source: (unwrapped sequence, timestamp, marker, payload without padding, time)."""


class LinkHandler(Protocol):
    """Gets what is unusual on a connection."""

    def rtcp(self, data: bytes, now: float) -> None:
        """A decrypted compound packet, not parsed."""
        ...

    def unknown(self, packet: bytes, now: float) -> None:
        """A decrypted RTP packet of an SSRC without a route: ``route`` and ``inject`` it, or leave it."""
        ...


class SourceHandler(Protocol):
    """Hears of a source what needs a decision."""

    def attention(self) -> None:
        """Packets are missing: ask ``due`` until ``waiting`` is false."""
        ...

    def gap(self) -> None:
        """Too much is missing to mend: a key frame is needed."""
        ...

    def restarted(self) -> None:
        """The sender began its numbering anew."""
        ...


class Sink(Protocol):
    """A track going out to one receiver: numbers of its own, extensions, retransmission."""

    active: bool
    """Off until configured."""
    paused: bool

    @property
    def packets(self) -> int: ...
    @property
    def octets(self) -> int:
        """Of payload, as sender reports count."""
        ...

    @property
    def resent(self) -> int: ...
    @property
    def resend_misses(self) -> int: ...
    @property
    def choked(self) -> int:
        """Times that all of it that waited was dropped; then it goes on at the next key frame, which somebody asks for.

        The receiver sees a pause, not loss: numbers go on from what went out.
        """
        ...

    @property
    def source(self) -> Source | None:
        """What it forwards now; None once closed."""
        ...

    @property
    def target(self) -> Source | None:
        """What it goes over to at the next key frame of that."""
        ...

    @property
    def shift(self) -> int:
        """What is added to timestamps of the present source."""
        ...

    def switch(self, source: Source) -> None:
        """Go over to a sibling of the present source at its next key frame; the present one: stay.

        Numbers, timestamps and picture ids go on; requests for what went out before are still answered.
        """
        ...

    @property
    def aiming(self) -> bool:
        """Whether it waits for a frame its ``aim`` can be begun with."""
        ...

    def aim(self, spatial: int, temporal: int) -> None:
        """Send no layers above these, from the next frame on with which that can begin. Until told: all.

        Only where the source's packets are described; numbers go on where frames are left out.
        """
        ...

    def configure(
        self,
        payload_type: int,
        rtx_type: int | None,
        rtx_ssrc: int,
        extensions: Extensions,
        keep: int,
        priority: int = CAMERA,
    ) -> None:
        """How packets are written, and what they go before.

        With ``keep`` (a power of two) that many ciphertexts are kept, to be sent again as they are.
        """
        ...

    def pad(self, size: int, now: float) -> int:
        """Send some ``size`` bytes nobody needs, to see whether they fit: the bytes sent, 0 where it can't.

        What was sent lately goes again as RTX, or padding alone.
        """
        ...

    def resync(self) -> None:
        """The next packet continues our numbering, whatever its own number is."""
        ...

    def wait_for_key(self, now: float) -> None:
        """Send nothing before the next key frame, of its source or of what it goes over to; some seconds at most."""
        ...

    def resend(self, numbers: list[int], now: float, guard: float) -> None:
        """Answer a NACK for 16-bit numbers; what went out again within ``guard`` seconds is left out."""
        ...

    def close(self) -> None: ...


class Source(Protocol):
    """A track coming in: endless numbers, no duplicates, a history, statistics, what is missing."""

    muted: bool
    """Nothing is forwarded while set; receiving goes on."""
    layered: bool
    """It has siblings (other encodings of the same pictures) that sinks may go over to and come from."""
    shift: int | None
    """Added to its timestamps it makes those of one clock it shares with its siblings; None: not known."""

    @property
    def lines(self) -> int:
        """Height of the newest key frame; 0 where that is not told."""
        ...

    @property
    def targets(self) -> list[Target]:
        """What of its layers can be sent, smallest first; nothing where its packets are not described."""
        ...

    @property
    def started(self) -> bool:
        """Whether a packet has come since the last restart."""
        ...

    @property
    def received(self) -> int: ...
    @property
    def octets(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def fraction(self) -> float:
        """Loss in the interval of the last report."""
        ...

    @property
    def jitter_ms(self) -> float: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def recovered(self) -> int:
        """Retransmissions and probes that carried a packet."""
        ...

    @property
    def keyframes(self) -> int: ...
    @property
    def level(self) -> float:
        """Smoothed audio level in -dBov: 127 is silence."""
        ...

    def set_types(self, payload_type: int, rtx_type: int | None) -> None:
        """The payload types that belong to it; anything else is dropped."""
        ...

    def convert(self, other_type: int | None, block_type: int | None) -> None:
        """Take a second payload type too, made into the first on arrival: RED (RFC 2198).

        Without ``block_type`` its packets are RED and their own block alone goes on; with it they are the
        codec alone and are wrapped as a RED packet with one block of that type. None: no second type.
        """
        ...

    def restart(self) -> None:
        """Begin anew: another SSRC. Receivers notice nothing."""
        ...

    def sink(self, link: Link, ssrc: int, first_sequence: int) -> Sink:
        """Forward to a link."""
        ...

    def resync(self) -> None:
        """``resync`` every sink."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether anything is missing."""
        ...

    def due(self, now: float, round_trip: float) -> list[int]:
        """The numbers (unwrapped) to request now, in order."""
        ...

    def report(self) -> tuple[int, int, int, int]:
        """Close an interval: (fraction lost in 1/256, cumulative lost, extended highest sequence, jitter)."""
        ...

    def add_tap(self, tap: Tap) -> None:
        """Hand every new packet to ``tap``, muted or not: check ``muted`` where it matters."""
        ...

    def remove_tap(self, tap: Tap) -> None: ...
    def close(self) -> None: ...


class Link(Protocol):
    """One connection: where it is, its keys, its limits, its counters, which SSRC is whose."""

    @property
    def packets_in(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def packets_out(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def ready(self) -> bool:
        """Whether it has an address and keys."""
        ...

    @property
    def address(self) -> Address | None: ...
    def move(self, address: Address | None) -> None:
        """Believe this address. Another link that had it loses it."""
        ...

    def use(self, srtp: Srtp | None) -> None:
        """The keys; None: nothing is taken or sent."""
        ...

    def limit(self, bytes_per_interval: int) -> None:
        """A lower limit than usual for what is taken."""
        ...

    def listen(self, level_id: int, twcc_id: int, dependency_id: int = -1) -> None:
        """Take media: SSRCs without a route are handed up. Ids of the extensions in it, -1 for none."""
        ...

    def source(self, handler: SourceHandler, kind: str, codec: str, clock_rate: int) -> Source: ...
    def route(self, ssrc: int, source: Source, retransmission: bool) -> None: ...
    def unroute(self, ssrc: int) -> None: ...
    def inject(self, packet: bytes, now: float) -> None:
        """Handle a packet that ``unknown`` was given, now that it has a route."""
        ...

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt a compound packet and queue it: ``Path.flush`` sends."""
        ...

    def feedback(self, media_ssrc: int) -> None:
        """Queue transport-wide feedback for what arrived since the last call."""
        ...

    def acknowledge(self, feedback: bytes) -> bool:
        """Transport-wide feedback about what we sent (after its SSRCs); False where it is malformed."""
        ...

    def told(self) -> Told:
        """What feedback told since the last call."""
        ...

    def pace(self, rate: float) -> None:
        """Send no faster than this (bytes a second) but for bursts and sound; 0: as it comes."""
        ...

    @property
    def paced_packets(self) -> int:
        """That wait now."""
        ...

    @property
    def paced_bytes(self) -> int: ...
    @property
    def choked(self) -> int:
        """Of all its sinks."""
        ...

    def close(self) -> None: ...


class Path(Protocol):
    """The worker's socket and everything on it."""

    name: str
    """``native`` or ``python``."""

    @property
    def drops(self) -> dict[str, int]:
        """By reason; only what happened."""
        ...

    def open(self, host: str, port: int) -> int:
        """Bind: the port. Raises OSError."""
        ...

    def fileno(self) -> int: ...
    def ticker(self) -> int:
        """A descriptor that becomes readable at each beat, until the next poll; -1 where there is none."""
        ...

    def beat(self, period_s: float) -> None:
        """Beat with this period; 0: no more."""
        ...

    def link(self, handler: LinkHandler) -> Link: ...
    def poll(self, now: float) -> int:
        """Read and handle one batch; the number of datagrams read."""
        ...

    def receive(self, data: bytes, address: StreamAddress, now: float) -> None:
        """Handle a packet that came over a TCP connection; ``flush`` when no more wait."""
        ...

    def send(self, data: bytes, address: Address) -> None:
        """A datagram as it is, at once; a full socket drops it, as a network would."""
        ...

    def flush(self) -> None:
        """Send what is queued."""
        ...

    @property
    def pacing(self) -> bool:
        """Whether anything waits for ``pace``."""
        ...

    def pace(self, now: float) -> None:
        """Send what waits and may go by now."""
        ...

    def close(self) -> None: ...


DatagramHandler = Callable[[bytes, Address], None]
"""Gets datagrams that are not SRTP: ICE checks from anywhere, DTLS from where a link is."""

StreamHandler = Callable[[int, bytes], None]
"""Gets what is to be sent over a TCP connection: its number, a packet."""
