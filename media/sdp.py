"""Session descriptions (RFC 8866, RFC 8829) as far as a forwarding server needs them: parse, answer, offer.

Parsing is bounded before it is clever: every limit below is far above what browsers write. What is not
understood is ignored; what is understood must be right, else ``InvalidSdp``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from media.dtls import FINGERPRINT_ALGORITHMS
from media.errors import InvalidSdp

MAX_BYTES = 256 * 1024
MAX_LINES = 12_000
MAX_LINE = 2_048
MAX_MEDIA = 64
MAX_CODECS = 128  # of one media section
MAX_SSRCS = 16  # of one media section
MAX_EXTENSIONS = 64
MAX_CANDIDATES = 512  # the whole description; none is used, a lite agent learns addresses from checks
MAX_FINGERPRINTS = 8
MAX_PARAMETERS = 512  # characters of one format's parameters
MAX_FEEDBACK = 16  # of one payload type
MAX_RIDS = 4  # encodings of one media section; browsers send three
EVERY = -1  # feedback of all payload types, "*"

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
DEPENDENCY = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
START_BITRATE_KBPS = 1500  # reaches 720 lines within two seconds; estimation takes over from there

TCP_PREFERENCE = 90  # of candidates' types; UDP has 126
TCP_PASSIVE = 4 << 13  # the direction's part of a preference (RFC 6544, 4.2)

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_ICE = re.compile(r"[A-Za-z0-9+/=_-]+")
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){19,63}")


@dataclass
class Codec:
    """One payload type of a media section."""

    payload_type: int
    name: str  # lower case
    clock_rate: int
    channels: int
    parameters: str = ""
    feedback: list[str] = field(default_factory=list)

    @property
    def apt(self) -> int | None:
        """The payload type an rtx codec retransmits."""
        found = re.search(r"(?:^|;)\s*apt=(\d{1,3})\s*(?:;|$)", self.parameters)
        return int(found.group(1)) if found else None


@dataclass
class Media:
    """One media section."""

    kind: str  # audio, video, or another that is refused
    protocol: str
    formats: list[str]
    rejected: bool
    mid: str = ""
    direction: Direction = "sendrecv"
    codecs: dict[int, Codec] = field(default_factory=dict)
    extensions: dict[int, str] = field(default_factory=dict)
    not_sent: set[int] = field(default_factory=set)  # extensions the writer receives at most
    ssrcs: list[int] = field(default_factory=list)
    retransmission: dict[int, int] = field(default_factory=dict)  # RTX ssrc -> media ssrc
    rtcp_mux: bool = False
    rids: list[str] = field(default_factory=list)  # that the writer sends, as described
    simulcast: list[str] = field(default_factory=list)  # rids of the encodings it sends, in its order
    parameters: dict[int, str] = field(default_factory=dict)  # by payload type, as read
    feedback: dict[int, list[str]] = field(default_factory=dict)  # by payload type, EVERY for all

    def complete(self) -> None:
        """Join what was read: Firefox writes parameters and feedback before the codec they belong to."""
        every = self.feedback.get(EVERY, [])
        for payload_type, codec in self.codecs.items():
            codec.parameters = self.parameters.get(payload_type, "")
            codec.feedback = [*self.feedback.get(payload_type, []), *every]


@dataclass
class Description:
    """A parsed offer or answer, with the credentials of its bundle."""

    media: list[Media]
    ufrag: str
    password: str
    fingerprints: list[tuple[str, str]]
    setup: str
    mixed: bool = False
    """Whether its writer takes header extensions of both forms (RFC 8285, 6): the longer ones need the second."""


@dataclass
class _Transport:
    """Credentials seen so far; a bundled description repeats them, the first of each wins."""

    ufrag: str = ""
    password: str = ""
    fingerprints: list[tuple[str, str]] = field(default_factory=list)
    setup: str = ""


def parse(text: Any) -> Description:
    """Parse what a client sent. Raises InvalidSdp."""
    if not isinstance(text, str) or not text.startswith("v=0"):
        raise InvalidSdp("not a session description")
    if len(text) > MAX_BYTES or text.count("\n") > MAX_LINES:
        raise InvalidSdp("the session description is too large")
    session, transport = _Transport(), _Transport()
    sections: list[Media] = []
    candidates = 0
    mixed = False
    for line in text.splitlines():
        if len(line) > MAX_LINE:
            raise InvalidSdp("a line is too long")
        if not line:
            continue
        if len(line) < 2 or line[1] != "=":
            raise InvalidSdp("a line is not of the form type=value")
        if line[0] == "m":
            if len(sections) >= MAX_MEDIA:
                raise InvalidSdp("too many media sections")
            sections.append(_media_line(line[2:]))
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            if name == "candidate":
                candidates += 1
                if candidates > MAX_CANDIDATES:
                    raise InvalidSdp("too many candidates")
                continue
            mixed |= name == "extmap-allow-mixed"
            # A refused section's credentials are stale: those of the others count.
            into = session if not sections else transport
            if not (sections and sections[-1].rejected and name in ("ice-ufrag", "ice-pwd")):
                _transport_attribute(into, name, value)
            if sections:
                _media_attribute(sections[-1], name, value)
    if not sections:
        raise InvalidSdp("no media section")
    for section in sections:
        section.complete()
    mids = [section.mid for section in sections if not section.rejected]
    if len(set(mids)) != len(mids) or not all(mids):
        raise InvalidSdp("every media section needs a mid of its own")
    ufrag, password = transport.ufrag or session.ufrag, transport.password or session.password
    fingerprints = transport.fingerprints or session.fingerprints
    if not (ufrag and password and fingerprints):
        raise InvalidSdp("ICE credentials or fingerprint missing")
    return Description(sections, ufrag, password, fingerprints, transport.setup or session.setup, mixed)


def _number(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not low <= int(text) <= high:
        raise InvalidSdp("a number is missing or out of range")
    return int(text)


def _media_line(value: str) -> Media:
    parts = value.split()
    if len(parts) < 4 or len(parts) > 3 + MAX_CODECS:
        raise InvalidSdp("media line")
    if not all(_TOKEN.fullmatch(part.replace("/", "-")) for part in (parts[0], parts[2], *parts[3:])):
        raise InvalidSdp("media line")
    return Media(parts[0], parts[2], parts[3:], rejected=_number(parts[1], 0, 65535) == 0)


def _transport_attribute(into: _Transport, name: str, value: str) -> None:
    if name == "ice-ufrag" and not into.ufrag:
        if not 4 <= len(value) <= 256 or not _ICE.fullmatch(value):
            raise InvalidSdp("ice-ufrag")
        into.ufrag = value
    elif name == "ice-pwd" and not into.password:
        if not 22 <= len(value) <= 256 or not _ICE.fullmatch(value):
            raise InvalidSdp("ice-pwd")
        into.password = value
    elif name == "setup" and not into.setup:
        if value not in ("active", "passive", "actpass", "holdconn"):
            raise InvalidSdp("setup")
        into.setup = value
    elif name == "fingerprint":
        algorithm, _, digest = value.partition(" ")
        if algorithm.lower() not in FINGERPRINT_ALGORITHMS:
            return
        digest = digest.strip()
        if not _HEX_PAIRS.fullmatch(digest):
            raise InvalidSdp("fingerprint")
        entry = (algorithm.lower(), digest.upper())
        if entry not in into.fingerprints:
            if len(into.fingerprints) >= MAX_FINGERPRINTS:
                raise InvalidSdp("too many fingerprints")
            into.fingerprints.append(entry)


def _media_attribute(media: Media, name: str, value: str) -> None:
    if name == "mid":
        if not _TOKEN.fullmatch(value) or len(value) > 16:
            raise InvalidSdp("mid")
        media.mid = value
    elif name in DIRECTIONS:
        media.direction = name
    elif name == "rtcp-mux":
        media.rtcp_mux = True
    elif name == "bundle-only":
        media.rejected = False  # port 0 here means "only inside the bundle" (RFC 9143, 6)
    elif name == "rtpmap":
        _rtpmap(media, value)
    elif name == "fmtp":
        number, _, rest = value.partition(" ")
        media.parameters.setdefault(_number(number, 0, 127), rest.strip()[:MAX_PARAMETERS])
    elif name == "rtcp-fb":
        number, _, rest = value.partition(" ")
        kinds = media.feedback.setdefault(EVERY if number == "*" else _number(number, 0, 127), [])
        if len(kinds) < MAX_FEEDBACK:
            kinds.append(rest.strip()[:64])
    elif name == "extmap":
        _extension(media, value)
    elif name == "rid":
        _rid(media, value)
    elif name == "simulcast":
        _simulcast(media, value)
    elif name == "ssrc":
        ssrc = _number(value.partition(" ")[0], 0, 0xFFFFFFFF)
        if ssrc not in media.ssrcs:
            if len(media.ssrcs) >= MAX_SSRCS:
                raise InvalidSdp("too many SSRCs")
            media.ssrcs.append(ssrc)
    elif name == "ssrc-group" and value.startswith("FID "):
        pair = value.split()[1:]
        if len(pair) == 2 and len(media.retransmission) < MAX_SSRCS:
            media.retransmission[_number(pair[1], 0, 0xFFFFFFFF)] = _number(pair[0], 0, 0xFFFFFFFF)


def _rid(media: Media, value: str) -> None:
    """RFC 8851; restrictions are the sender's business."""
    identifier, _, rest = value.partition(" ")
    if rest.partition(" ")[0] != "send":
        return
    if not _RID.fullmatch(identifier) or identifier in media.rids or len(media.rids) >= MAX_RIDS:
        raise InvalidSdp("a rid is malformed, used twice or one too many")
    media.rids.append(identifier)


def _simulcast(media: Media, value: str) -> None:
    """RFC 8853, 5.1: encodings by ``;``, alternatives of one by ``,`` (the first counts), ``~`` for paused ones."""
    parts = value.split()
    for direction, encodings in zip(parts[::2], parts[1::2], strict=False):
        if direction == "send" and not media.simulcast:
            media.simulcast = [one.split(",")[0].removeprefix("~") for one in encodings.split(";")]


def _extension(media: Media, value: str) -> None:
    number, _, uri = value.partition(" ")
    identifier, _, direction = number.partition("/")
    found = _number(identifier, 1, 255)
    if found in media.extensions or found in media.not_sent:
        raise InvalidSdp("a header extension's number is used twice")
    if len(media.extensions) + len(media.not_sent) >= MAX_EXTENSIONS:
        raise InvalidSdp("too many header extensions")
    if direction in ("recvonly", "inactive"):
        media.not_sent.add(found)
    if direction != "inactive":
        media.extensions[found] = uri.split(" ")[0]


def _rtpmap(media: Media, value: str) -> None:
    number, _, encoding = value.partition(" ")
    parts = encoding.strip().split("/")
    if not 2 <= len(parts) <= 3 or not _TOKEN.fullmatch(parts[0]):
        raise InvalidSdp("rtpmap")
    payload_type = _number(number, 0, 127)
    if len(media.codecs) >= MAX_CODECS:
        raise InvalidSdp("too many codecs")
    if payload_type in media.codecs:
        raise InvalidSdp("a payload type is used twice")
    channels = _number(parts[2], 1, 255) if len(parts) == 3 else 1
    media.codecs[payload_type] = Codec(payload_type, parts[0].lower(), _number(parts[1], 1, 1_000_000), channels)


@dataclass
class Chosen:
    """What of an offered media section is used (``media.codecs`` decides)."""

    codec: Codec
    rtx: int | None
    extensions: dict[str, int]  # uri -> id, offered and supported alone
    feedback: list[str]
    red: Codec | None = None  # redundancy around the codec (RFC 2198); sent first, so preferred


@dataclass
class Local:
    """Our side of a connection: what every media section repeats."""

    session: int
    version: int
    ufrag: str
    password: str
    fingerprint: str  # SHA-256
    candidates: list[str]  # values of a=candidate
    mixed: bool = False


@dataclass
class Section:
    """One media section to write. Without ``chosen`` it is refused (answer) or inactive (offer)."""

    kind: str
    protocol: str
    mid: str
    direction: Direction
    chosen: Chosen | None
    formats: list[str] = field(default_factory=list)  # repeated when refused
    ssrc: int = 0  # ours, when we send
    rtx_ssrc: int = 0
    stream: str = ""
    track: str = ""
    start_bitrate: bool = False
    rids: list[str] = field(default_factory=list)  # encodings we receive


def candidates(addresses: list[tuple[str, int]], *, tcp: bool = False) -> list[str]:
    """Host candidates of a worker (RFC 8839, 5.1), the first preferred.

    With ``tcp`` the TCP port of the same number too, where we wait to be called (RFC 6544): after all of UDP.
    """
    udp = [
        f"{index + 1} 1 udp {(126 << 24) + ((65535 - index) << 8) + 255} {host} {port} typ host"
        for index, (host, port) in enumerate(addresses)
    ]
    return udp + [
        f"{len(udp) + index + 1} 1 tcp {(TCP_PREFERENCE << 24) + ((TCP_PASSIVE + 8191 - index) << 8) + 255} "
        f"{host} {port} typ host tcptype passive"
        for index, (host, port) in enumerate(addresses if tcp else [])
    ]


def is_tcp(candidate: str) -> bool:
    """Whether a value of ``a=candidate`` is TCP's."""
    return candidate.split(" ", 3)[2].lower() == "tcp"


def write(local: Local, setup: Literal["passive", "actpass"], sections: list[Section]) -> str:
    """An answer (``passive``) or an offer (``actpass``)."""
    lines = ["v=0", f"o=- {local.session} {local.version} IN IP4 127.0.0.1", "s=-", "t=0 0"]
    bundled = [section.mid for section in sections if section.chosen is not None]
    if bundled:
        lines.append("a=group:BUNDLE " + " ".join(bundled))
    lines += ["a=ice-lite", "a=msid-semantic: WMS *"]
    if local.mixed:
        lines.append("a=extmap-allow-mixed")
    for section in sections:
        lines += _section(local, setup, section)
    return "\r\n".join(lines) + "\r\n"


def _section(local: Local, setup: str, section: Section) -> list[str]:
    chosen = section.chosen
    if chosen is None:
        formats = " ".join(section.formats) or "0"
        lines = [f"m={section.kind} 0 {section.protocol} {formats}", "c=IN IP4 0.0.0.0", "a=inactive"]
        return lines + ([f"a=mid:{section.mid}"] if section.mid else [])
    codec = chosen.codec
    red = chosen.red
    numbers = [red.payload_type if red is not None else None, codec.payload_type, chosen.rtx]
    formats = " ".join(str(number) for number in numbers if number is not None)
    lines = [
        f"m={section.kind} 9 {section.protocol} {formats}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        f"a=setup:{setup}",
        f"a=mid:{section.mid}",
    ]
    lines += [f"a=extmap:{identifier} {uri}" for uri, identifier in chosen.extensions.items()]
    lines.append(f"a={section.direction}")
    if section.stream and section.direction in ("sendonly", "sendrecv"):
        lines.append(f"a=msid:{section.stream} {section.track}")
    lines += ["a=rtcp-mux", "a=rtcp-rsize"]
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    name = codec.name if codec.name == "opus" else codec.name.upper()
    lines.append(f"a=rtpmap:{codec.payload_type} {name}/{codec.clock_rate}{channels}")
    lines += [f"a=rtcp-fb:{codec.payload_type} {feedback}" for feedback in chosen.feedback]
    parameters = codec.parameters
    if section.start_bitrate and section.kind == "video":
        parameters = ";".join(filter(None, (parameters, f"x-google-start-bitrate={START_BITRATE_KBPS}")))
    if parameters:
        lines.append(f"a=fmtp:{codec.payload_type} {parameters}")
    if red is not None:
        lines += [
            f"a=rtpmap:{red.payload_type} red/{red.clock_rate}{channels}",
            f"a=fmtp:{red.payload_type} {codec.payload_type}/{codec.payload_type}",
        ]
    if section.rids:
        lines += [f"a=rid:{rid} recv" for rid in section.rids]
        lines.append("a=simulcast:recv " + ";".join(section.rids))
    if chosen.rtx is not None:
        lines += [f"a=rtpmap:{chosen.rtx} rtx/{codec.clock_rate}", f"a=fmtp:{chosen.rtx} apt={codec.payload_type}"]
    if section.ssrc and section.direction in ("sendonly", "sendrecv"):
        if section.rtx_ssrc:
            lines.append(f"a=ssrc-group:FID {section.ssrc} {section.rtx_ssrc}")
        lines += [f"a=ssrc:{ssrc} cname:{section.stream}" for ssrc in (section.ssrc, section.rtx_ssrc) if ssrc]
    lines += [f"a=candidate:{candidate}" for candidate in local.candidates]
    lines.append("a=end-of-candidates")
    return lines
