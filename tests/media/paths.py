"""Both paths of packets on real sockets and real SRTP, with time passed in: what the tests of paths share."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Callable
from typing import Any

from pylibsrtp import Error, Policy, Session

from media import sdp
from media.consumer import extensions
from media.dtls import Srtp
from media.path.api import Address, Path, Sink, Source
from media.path.limits import CAMERA, SOUND
from media.path.native import NativePath
from media.path.python_path import PythonPath
from media.rtp import rtcp
from media.rtp.packet import HEADER, extension_block, payload_start

MAKERS: dict[str, Callable[..., Path]] = {"python": PythonPath, "native": NativePath}
LEVEL_ID, SEND_TIME_ID, TWCC_ID, MID_ID, DEPENDENCY_ID = 1, 2, 3, 4, 5
AUDIO_TYPE, RED_TYPE, VIDEO_TYPE, RTX_TYPE = 111, 63, 96, 97


def session(name: str, direction: int) -> Session:
    """The same name, the same key: two worlds encrypt alike."""
    key = hashlib.sha256(name.encode()).digest()[:28]
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    policy.window_size = 1024
    policy.allow_repeat_tx = True
    return Session(policy)


def rtp(
    ssrc: int,
    number: int,
    payload: bytes,
    *,
    kind: int = VIDEO_TYPE,
    timestamp: int = 0,
    marker: bool = False,
    elements: list[tuple[int, bytes]] | None = None,
    padding: int = 0,
) -> bytes:
    """A packet of a sender."""
    block = extension_block(elements or [])
    first = 0x80 | (0x10 if block else 0) | (0x20 if padding else 0)
    header = HEADER.pack(first, (0x80 if marker else 0) | kind, number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
    return header + block + payload + tail


class Peer:
    """A client's end of one link, and what its handler heard."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.setblocking(False)
        self._send = session(name + " up", Policy.SSRC_ANY_OUTBOUND)
        self._receive = session(name + " down", Policy.SSRC_ANY_INBOUND)
        self.link = world.path.link(self)
        self.link.move(self.socket.getsockname())
        self.link.use(
            Srtp(session(name + " up", Policy.SSRC_ANY_INBOUND), session(name + " down", Policy.SSRC_ANY_OUTBOUND))
        )
        self.learn: dict[int, tuple[Source, bool]] = {}
        self.sinks: dict[int, Sink] = {}

    # LinkHandler

    def rtcp(self, data: bytes, now: float) -> None:
        self.world.heard.append((self.name, "rtcp", data))
        for part in rtcp.parse(data):
            if isinstance(part, rtcp.Nack) and part.media_ssrc in self.sinks:
                self.sinks[part.media_ssrc].resend(part.sequences, now, 0.0)
            elif isinstance(part, rtcp.TwccFeedback):
                self.world.heard.append((self.name, "acknowledged", self.link.acknowledge(part.body)))

    def unknown(self, packet: bytes, now: float) -> None:
        ssrc = HEADER.unpack_from(packet)[4]
        self.world.heard.append((self.name, "unknown", ssrc))
        if ssrc in self.learn:
            self.link.route(ssrc, *self.learn[ssrc])
            self.link.inject(packet, now)

    # The client

    def send(self, packet: bytes) -> bytes:
        """Encrypt and send; the ciphertext. What libsrtp refuses is sent as it is."""
        try:
            ciphertext = self._send.protect(packet)
        except Error:
            ciphertext = packet
        self.raw(ciphertext)
        return ciphertext

    def send_rtcp(self, packet: bytes) -> None:
        self.raw(self._send.protect_rtcp(packet))

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, ("127.0.0.1", self.world.port))

    def received(self) -> list[bytes]:
        """Every datagram that came, as it came."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.socket.recv(4096))
        return found

    def packets(self) -> list[Received]:
        """Every RTP packet that came, decrypted."""
        return [Received(self._receive.unprotect(data)) for data in self.received() if not 192 <= data[1] <= 223]

    def reports(self) -> list[bytes]:
        """Every compound packet that came, decrypted."""
        return [self._receive.unprotect_rtcp(data) for data in self.received() if 192 <= data[1] <= 223]


class Received:
    """A packet as a receiver reads it."""

    def __init__(self, data: bytes) -> None:
        start, extensions = payload_start(data)
        _, second, self.number, self.timestamp, self.ssrc = HEADER.unpack_from(data)
        self.type, self.marker = second & 0x7F, bool(second & 0x80)
        self.payload = data[start:]
        self.extensions = {number: data[begin:end] for number, begin, end in extensions}


def numbers(packets: list[Received], first: int) -> list[int]:
    """Wire numbers as distances from the first."""
    return [(packet.number - first) & 0xFFFF for packet in packets]


class Track:
    """A source and what its handler heard."""

    def __init__(self, peer: Peer, name: str, kind: str, codec: str, clock: int) -> None:
        self.world, self.name = peer.world, name
        self.source = peer.link.source(self, kind, codec, clock)

    def attention(self) -> None:
        self.world.heard.append((self.name, "attention", None))

    def gap(self) -> None:
        self.world.heard.append((self.name, "gap", None))

    def restarted(self) -> None:
        self.world.heard.append((self.name, "restarted", None))


class World:
    """A path, a sender of sound and pictures, and receivers of both. ``now`` is the only time there is.

    The sender's pictures come once more in small, which nobody gets at first.
    """

    VIDEO, VIDEO_RTX, AUDIO, LOW, LOW_RTX = 1001, 1002, 1003, 1004, 1005

    def __init__(self, kind: str, receivers: int = 2, *, video_rtx: bool = True, codec: str = "vp8") -> None:
        self.datagrams: list[tuple[bytes, Address]] = []
        self.heard: list[tuple[str, str, Any]] = []
        self.streamed: list[tuple[int, bytes]] = []
        self.path = MAKERS[kind](
            lambda data, address: self.datagrams.append((data, address)),
            lambda stream, packet: self.streamed.append((stream, packet)),
        )
        self.port = self.path.open("127.0.0.1", 0)
        self.now = 100.0
        self.sender = Peer(self, "sender")
        self.sender.link.listen(LEVEL_ID, TWCC_ID, DEPENDENCY_ID)
        self.video = Track(self.sender, "video", "video", codec, 90_000)
        self.video.source.set_types(VIDEO_TYPE, RTX_TYPE)
        self.low = Track(self.sender, "low", "video", codec, 90_000)
        self.low.source.set_types(VIDEO_TYPE, RTX_TYPE)
        self.video.source.layered = self.low.source.layered = True
        self.audio = Track(self.sender, "audio", "audio", "opus", 48_000)
        self.audio.source.set_types(AUDIO_TYPE, None)
        for ssrc, track, again in (
            (self.VIDEO, self.video, False),
            (self.VIDEO_RTX, self.video, True),
            (self.AUDIO, self.audio, False),
            (self.LOW, self.low, False),
            (self.LOW_RTX, self.low, True),
        ):
            self.sender.link.route(ssrc, track.source, again)
        self.receivers = [self._receiver(index, video_rtx) for index in range(receivers)]

    def _receiver(self, index: int, video_rtx: bool) -> Peer:
        peer = Peer(self, f"receiver {index}")
        video = self.video.source.sink(peer.link, 2000 + index, 65_500 + index)
        rtx = RTX_TYPE if video_rtx else None
        names = {sdp.MID: MID_ID, sdp.ABS_SEND_TIME: SEND_TIME_ID, sdp.TRANSPORT_CC: TWCC_ID}
        written = extensions("v", names | ({sdp.DEPENDENCY: DEPENDENCY_ID} if index else {}))
        video.configure(VIDEO_TYPE, rtx, 3000 + index, written, 0 if rtx else 512, CAMERA)
        audio = self.audio.source.sink(peer.link, 4000 + index, 7 + index)
        # One receiver counts all it gets, the other its pictures alone, as Firefox does.
        numbers = {sdp.AUDIO_LEVEL: LEVEL_ID} | ({} if index else {sdp.TRANSPORT_CC: TWCC_ID})
        audio.configure(AUDIO_TYPE, None, 0, extensions("a", numbers), 128, SOUND)
        peer.sinks = {2000 + index: video, 4000 + index: audio}
        return peer

    def poll(self, wait: float = 0.0) -> None:
        """Let time pass, then handle all that has arrived."""
        self.now += wait
        while self.path.poll(self.now):
            pass
        self.path.flush()

    def figures(self) -> dict[str, Any]:
        """Everything the path tells about what happened."""
        told: dict[str, Any] = {"drops": {name: count for name, count in self.path.drops.items() if count}}
        for peer in (self.sender, *self.receivers):
            link = peer.link
            told[peer.name] = (link.packets_in, link.bytes_in, link.packets_out, link.bytes_out)
            told[f"{peer.name} waits"] = (link.paced_packets, link.paced_bytes, link.choked, link.told())
            for ssrc, sink in peer.sinks.items():
                names = {id(track.source): track.name for track in self.tracks}
                told[f"sink {ssrc}"] = (sink.packets, sink.octets, sink.resent, sink.resend_misses, sink.shift)
                told[f"sink {ssrc} waited"] = (sink.choked, sink.aiming)
                told[f"sink {ssrc} of"] = (names.get(id(sink.source)), names.get(id(sink.target)))
        for track in self.tracks:
            source = track.source
            told[track.name] = (
                source.received,
                source.octets,
                source.lost,
                source.fraction,
                source.jitter_ms,
                source.duplicates,
                source.recovered,
                source.keyframes,
                source.level,
                source.waiting,
                source.started,
                source.lines,
                source.shift,
                source.targets,
            )
        return told

    @property
    def tracks(self) -> tuple[Track, ...]:
        return self.video, self.audio, self.low

    def close(self) -> None:
        for track in self.tracks:
            track.source.close()
        for peer in (self.sender, *self.receivers):
            peer.link.close()
            peer.socket.close()
        self.path.close()
