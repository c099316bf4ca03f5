"""The whole worker by datagrams: rooms, connections, the path of packets, over real sockets on loopback.

Three people in a room have keys: one is hostile, one only listens, one is honest. The input says what the
hostile one, the listener and a stranger send, rightly encrypted or not, and when time passes. Afterwards the
honest person's packet must reach the listener, and nobody's must have been forged.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from pylibsrtp import Error, Policy, Session

from core.rpc import Params
from media import sdp, stun
from media.connection import Connection
from media.control import Control
from media.dtls import Certificate, Srtp
from media.router import REPORT_EVERY
from media.rtp.packet import HEADER
from media.transport import UdpTransport

KEY = bytes(range(28))  # AEAD_AES_128_GCM: 16 of key, 12 of salt; the same for all, both ways
ROOM = "r"
PEOPLE = ("hostile", "honest", "listener")
MOST = 60  # datagrams of an input
SSRC = {"hostile": 7, "honest": 1007}
LARGEST = 2_048

RAW, STRANGER, RTP, RTCP, BACK_RTP, BACK_RTCP, TIME, PLAIN = range(8)


def record(kind: int, data: bytes) -> bytes:
    """One step of an input."""
    return bytes((kind, len(data) >> 8, len(data) & 0xFF)) + data


def seeds(packets: list[bytes], reports: list[bytes], checks: list[bytes]) -> list[bytes]:
    """Inputs that go deep: media of the right SSRCs, reports, loss, time, noise."""
    media = [packet[:8] + SSRC["hostile"].to_bytes(4, "big") + packet[12:] for packet in packets]
    media += [packet[:8] + (SSRC["hostile"] + 1).to_bytes(4, "big") + packet[12:] for packet in packets]
    plain = b"".join(record(PLAIN, bytes((1, n))) for n in (1, 1, 1, 3, 1, 200, 1))
    return [
        b"".join(record(RTP, packet) for packet in media) + record(TIME, b"\x20"),
        b"".join(record(RTCP, report) for report in reports) + record(TIME, b"\xff"),
        plain + b"".join(record(BACK_RTCP, report) for report in reports) + record(TIME, b"\x30") + plain,
        b"".join(record(RAW, packet) for packet in (*packets, *reports, *checks)),
        b"".join(record(STRANGER, packet) for packet in (*packets, *reports, *checks)),
        plain + record(BACK_RTP, packets[0]) + record(RAW, b"\x16\xfe\xff" + bytes(10)) + record(RAW, b"\x15\xfe\xfd"),
    ]


class _Ear:
    """Signaling's end of the control channel."""

    closed = False

    def __init__(self) -> None:
        self.offer: Params | None = None

    def event(self, name: str, params: Params) -> bool:
        if name == "offer":
            self.offer = params
        return True


@dataclass
class _Person:
    """Somebody's sockets and keys, by connection."""

    sockets: dict[str, socket.socket] = field(default_factory=dict)
    keys: dict[str, tuple[Session, Session]] = field(default_factory=dict)  # what they send, what they get
    connections: dict[str, Connection] = field(default_factory=dict)


def _session(direction: int) -> Session:
    policy = Policy(key=KEY, ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    policy.window_size = 1024
    policy.allow_repeat_tx = True
    return Session(policy)


def _keys() -> tuple[Session, Session]:
    return _session(Policy.SSRC_ANY_OUTBOUND), _session(Policy.SSRC_ANY_INBOUND)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made


def _description(name: str, setup: str, sections: list[tuple[str, str, str]]) -> str:
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    for mid, kind, direction in sections:
        types = "111" if kind == "audio" else "96 97"
        lines += [
            f"m={kind} 9 UDP/TLS/RTP/SAVPF {types}",
            "a=ice-ufrag:client",
            "a=ice-pwd:" + "p" * 24,
            "a=fingerprint:sha-256 " + ":".join([f"{sum(name.encode()) % 256:02X}"] * 32),
            f"a=setup:{setup}",
            f"a=mid:{mid}",
            f"a=extmap:1 {sdp.AUDIO_LEVEL}" if kind == "audio" else f"a=extmap:2 {sdp.ABS_SEND_TIME}",
            f"a=extmap:3 {sdp.TRANSPORT_CC}",
            f"a=extmap:4 {sdp.MID}",
            f"a={direction}",
            "a=rtcp-mux",
        ]
        if kind == "audio":
            lines += ["a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 nack"]
            if direction == "sendonly":
                lines.append(f"a=ssrc:{SSRC[name] + 2} cname:x")
        else:
            lines += ["a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:96 goog-remb"]
            lines += ["a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96"]
            if direction == "sendonly":
                lines += [f"a=ssrc-group:FID {SSRC[name]} {SSRC[name] + 1}"]
                lines += [f"a=ssrc:{ssrc} cname:x" for ssrc in (SSRC[name], SSRC[name] + 1)]
    return "\r\n".join(lines) + "\r\n"


class Place:
    """A worker without a process: its transport, its control, and the three people. ``async with``."""

    certificate = Certificate()

    def __init__(self, path: str) -> None:
        self.now = 1_000.0
        self.transport = UdpTransport(self.certificate, lambda: self.now, path)
        self.people = {name: _Person() for name in PEOPLE}
        self.stranger = _socket()
        self._ears = {name: _Ear() for name in PEOPLE}
        self._ids = iter(range(1 << 30))
        self._sequence = 10
        self.control: Control | None = None

    async def __aenter__(self) -> Place:
        self.transport.open("127.0.0.1", 0)
        asyncio.get_running_loop().remove_reader(self.transport.path.fileno())  # we poll, so that order is ours
        candidates = sdp.candidates([("127.0.0.1", self.transport.port)])
        control = self.control = Control(self.transport, candidates, lambda: self.now, lambda: f"t{next(self._ids)}")
        for name in PEOPLE:
            await self._ask(name, "join")
        for name in SSRC:
            offer = _description(name, "active", [("0", "audio", "sendonly"), ("1", "video", "sendonly")])
            tracks = [{"mid": "0", "source": "microphone"}, {"mid": "1", "source": "camera"}]
            await self._ask(name, "publish", sdp=offer, tracks=tracks)
            incoming = control.rooms[ROOM].participants[name].incoming
            assert incoming is not None
            self._connect(name, "publish", incoming.connection)
        for name in PEOPLE:
            while (offered := self._ears[name].offer) is not None:
                self._ears[name].offer = None
                sections = [
                    (m.mid, m.kind, "recvonly" if m.direction == "sendonly" else "inactive")
                    for m in sdp.parse(offered["sdp"]).media
                ]
                text = _description(name + "'", "active", sections)
                await self._ask(name, "answer", negotiation=offered["negotiation"], sdp=text)
            outgoing = control.rooms[ROOM].participants[name].outgoing
            assert outgoing is not None
            self._connect(name, "subscribe", outgoing.connection)
        await self._turn()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.control is not None
        self.control.close()
        # Reading was ours: give the loop its reader back, so that the transport can take it away.
        asyncio.get_running_loop().add_reader(self.transport.path.fileno(), lambda: None)
        await self.transport.close()
        for person in self.people.values():
            for one in person.sockets.values():
                one.close()
        self.stranger.close()

    async def _ask(self, name: str, method: str, **params: Any) -> Params:
        assert self.control is not None
        who = {"room": ROOM, "participant": name}
        return await self.control.handle(method, {**who, **params}, self._ears[name])  # type: ignore[arg-type]

    def _connect(self, name: str, which: str, connection: Connection) -> None:
        """As after ICE and DTLS: an address that a check nominated, and keys."""
        person = self.people[name]
        person.sockets[which] = _socket()
        person.keys[which] = _keys()
        mine = _keys()
        person.connections[which] = connection
        self._consent(person)
        assert connection.address is not None
        connection._dtls_done(Srtp(mine[1], mine[0]))

    def _consent(self, person: _Person) -> None:
        """Checks as browsers send them every few seconds: without them a person counts as gone."""
        for which, connection in person.connections.items():
            credentials, transaction = connection.credentials, next(self._ids).to_bytes(12)
            check = stun.binding_request(transaction, "client", credentials.ufrag, credentials.secret, nominate=True)
            self._send(person.sockets[which], check)
        self.transport._poll()

    async def _turn(self) -> None:
        """Let the worker read, send, and do what it put off."""
        self.transport._poll()
        await asyncio.sleep(0)
        self.transport.path.flush()

    def _send(self, one: socket.socket, data: bytes) -> None:
        with contextlib.suppress(OSError):
            one.sendto(data[:LARGEST], ("127.0.0.1", self.transport.port))

    def _encrypted(self, name: str, which: str, data: bytes, protect: Callable[[Session, bytes], bytes]) -> None:
        person = self.people[name]
        try:
            data = protect(person.keys[which][0], data)
        except (Error, TypeError, ValueError):
            return  # libsrtp does not encrypt what is no packet at all; nor would it decrypt it
        self._send(person.sockets[which], data)

    async def step(self, kind: int, data: bytes) -> None:
        """One record of the input."""
        rtp, rtcp_ = Session.protect, Session.protect_rtcp
        hostile = self.people["hostile"].sockets["publish"]
        if kind == RAW:
            self._send(hostile, data)
        elif kind == STRANGER:
            self._send(self.stranger, data)
        elif kind == RTP:
            self._encrypted("hostile", "publish", data, rtp)
        elif kind == RTCP:
            self._encrypted("hostile", "publish", data, rtcp_)
        elif kind == BACK_RTP:
            self._encrypted("listener", "subscribe", data, rtp)
        elif kind == BACK_RTCP:
            self._encrypted("listener", "subscribe", data, rtcp_)
        elif kind == PLAIN:
            self._sequence = (self._sequence + (data[1] if len(data) > 1 else 1)) & 0xFFFF
            header = HEADER.pack(0x80, 96, self._sequence, self._sequence * 3000, SSRC["hostile"])
            self._encrypted("hostile", "publish", header + b"\x10" + data, rtp)
        else:
            self.pass_time((data[0] if data else 1) / 100)
        await self._turn()

    def pass_time(self, seconds: float) -> None:
        """Time passes, and the worker's timers run."""
        assert self.control is not None
        self.now += seconds
        for name in ("honest", "listener"):
            self._consent(self.people[name])
        for count in range(REPORT_EVERY):  # rooms take turns with what they do less often
            self.control.step(count, self.now)

    async def still_serves(self) -> None:
        """The honest person's packets reach the listener; nothing that comes is forged."""
        person, listener = self.people["honest"], self.people["listener"]
        self.drain("listener")
        self.now += 0.5  # budgets are new
        for number in range(3):
            header = HEADER.pack(0x80, 96, 500 + number, 9000, SSRC["honest"])
            self._send(person.sockets["publish"], person.keys["publish"][0].protect(header + b"\x10honest"))
        await self._turn()
        assert [packet[-6:] for packet in self.drain("listener")].count(b"honest") == 3
        assert listener.sockets

    def drain(self, name: str) -> list[bytes]:
        """All media that came to somebody, decrypted."""
        person = self.people[name]
        found: list[bytes] = []
        while True:
            try:
                data = person.sockets["subscribe"].recv(LARGEST)
            except BlockingIOError:
                return found
            except OSError:
                continue
            if 127 < data[0] < 192 and not 192 <= data[1] <= 223:
                found.append(person.keys["subscribe"][1].unprotect(data))
            elif 127 < data[0] < 192:
                person.keys["subscribe"][1].unprotect_rtcp(data)


async def run(data: bytes, path: str) -> dict[str, int]:
    """One input; what was dropped, by reason."""
    async with Place(path) as place:
        at = 0
        for _ in range(MOST):
            if at + 3 > len(data):
                break
            kind, size = data[at] % 8, min(data[at + 1] << 8 | data[at + 2], LARGEST)
            await place.step(kind, data[at + 3 : at + 3 + size])
            at += 3 + size
        await place.still_serves()
        return dict(place.transport.drops)
