"""A camera that is offered, and a connection whose reports can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from media.connection import Connection
from media.rtp import rtcp
from media.transport import UdpTransport
from tests.media.paths import RTX_TYPE, VIDEO_TYPE


def camera_offer(codec: str, extensions: Mapping[int, str], more: Sequence[str] = (), *, mixed: bool = False) -> str:
    """One section that sends; ``more``: lines at its end."""
    lines = [
        *("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0"),
        *(["a=extmap-allow-mixed"] if mixed else []),
        f"m=video 9 UDP/TLS/RTP/SAVPF {VIDEO_TYPE} {RTX_TYPE}",
        *("c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd", f"a=ice-pwd:{'p' * 24}"),
        f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}",
        *("a=setup:actpass", "a=mid:0"),
        *(f"a=extmap:{number} {uri}" for number, uri in extensions.items()),
        *("a=sendonly", "a=rtcp-mux", f"a=rtpmap:{VIDEO_TYPE} {codec}/90000"),
        *(f"a=rtcp-fb:{VIDEO_TYPE} {kind}" for kind in ("nack", "nack pli", "goog-remb")),
        *(f"a=rtpmap:{RTX_TYPE} rtx/90000", f"a=fmtp:{RTX_TYPE} apt={VIDEO_TYPE}"),
        *more,
    ]
    return "\n".join(lines) + "\n"


class Overheard(Connection):
    """A connection whose reports can be read before they are encrypted."""

    def __init__(self, transport: UdpTransport) -> None:
        super().__init__(transport, 0.0)
        self.reports: list[bytes] = []

    def send_rtcp(self, packet: bytes) -> None:
        self.reports.append(packet)

    def heard(self, kind: type) -> list[rtcp.Part]:
        found = [part for packet in self.reports for part in rtcp.parse(packet) if isinstance(part, kind)]
        self.reports.clear()
        return found
