"""What the benchmark's peers write and read as session descriptions: Opus and VP8 as Chromium offers them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from loadtests.media_link import Link
from media import sdp

EXTENSIONS = {1: sdp.AUDIO_LEVEL, 2: sdp.ABS_SEND_TIME, 3: sdp.TRANSPORT_CC, 4: sdp.MID}
SIMULCAST = {10: sdp.RID, 11: sdp.REPAIRED_RID}
OFFERED = {"audio": (1, 3, 4), "video": (2, 3, 4)}
UNDERSTOOD = frozenset(EXTENSIONS.values())
FEEDBACK = frozenset({"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"})


@dataclass(frozen=True)
class Planned:
    """A track to publish."""

    kind: str
    mid: str
    payload_type: int
    ssrc: int
    rtx_type: int | None
    rtx_ssrc: int
    rids: tuple[str, ...] = ()  # of encodings, smallest first; their SSRCs are told by packets alone
    encodings: tuple[tuple[int, int], ...] = ()  # SSRC and retransmissions' SSRC of each rid


@dataclass(frozen=True)
class Expected:
    """A track that is offered to us."""

    kind: str
    ssrc: int
    rtx_ssrc: int
    nack: bool
    remb: bool
    transport_id: int  # of transport-wide numbers, -1 without


def plan(dice: random.Random, rids: tuple[str, ...] = ()) -> list[Planned]:
    """A microphone and a camera, which is sent in these encodings."""

    def ssrc() -> int:
        return dice.randrange(2, 1 << 32)

    encodings = tuple((ssrc(), ssrc()) for _ in rids)
    camera = Planned("video", "1", 96, ssrc(), 97, ssrc(), rids, encodings)
    return [Planned("audio", "0", 111, ssrc(), None, 0), camera]


def _transport(link: Link, setup: str) -> list[str]:
    host, port = link.address
    return [
        "c=IN IP4 127.0.0.1",
        f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=end-of-candidates",
        f"a=ice-ufrag:{link.ufrag}",
        f"a=ice-pwd:{link.password}",
        f"a=fingerprint:sha-256 {link.fingerprint}",
        f"a=setup:{setup}",
    ]


def offer(link: Link, planned: list[Planned]) -> str:
    """An offer to send these tracks; we are the DTLS client, as a browser that gets ``passive`` back."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += ["a=group:BUNDLE " + " ".join(one.mid for one in planned), "a=msid-semantic: WMS *"]
    for one in planned:
        formats = str(one.payload_type) + (f" {one.rtx_type}" if one.rtx_type is not None else "")
        lines += [f"m={one.kind} 9 UDP/TLS/RTP/SAVPF {formats}", *_transport(link, "active"), f"a=mid:{one.mid}"]
        lines += [f"a=extmap:{number} {EXTENSIONS[number]}" for number in OFFERED[one.kind]]
        if one.rids:
            lines += [f"a=extmap:{number} {uri}" for number, uri in SIMULCAST.items()]
        lines += ["a=sendonly", f"a=msid:stream {one.kind}", "a=rtcp-mux", "a=rtcp-rsize"]
        if one.kind == "audio":
            lines += ["a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111 nack"]
            lines += ["a=fmtp:111 minptime=10;useinbandfec=1"]
        else:
            lines += ["a=rtpmap:96 VP8/90000"]
            lines += [f"a=rtcp-fb:96 {feedback}" for feedback in sorted(FEEDBACK)]
            lines += ["a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96"]
        if one.rids:
            lines += [*(f"a=rid:{rid} send" for rid in one.rids), f"a=simulcast:send {';'.join(one.rids)}"]
            continue
        if one.rtx_ssrc:
            lines.append(f"a=ssrc-group:FID {one.ssrc} {one.rtx_ssrc}")
        lines += [f"a=ssrc:{ssrc} cname:peer" for ssrc in (one.ssrc, one.rtx_ssrc) if ssrc]
    return "\r\n".join(lines) + "\r\n"


def answer(link: Link, text: str) -> tuple[str, list[Expected]]:
    """Accept all of an offer: the answer, and what to expect."""
    offered = sdp.parse(text)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += ["a=group:BUNDLE " + " ".join(media.mid for media in offered.media if not media.rejected)]
    expected: list[Expected] = []
    for media in offered.media:
        formats = " ".join(media.formats)
        if media.rejected:
            lines += [f"m={media.kind} 0 {media.protocol} {formats}", "c=IN IP4 127.0.0.1", "a=inactive"]
            continue
        direction = sdp.REVERSED[media.direction]
        lines += [f"m={media.kind} 9 {media.protocol} {formats}", *_transport(link, "active"), f"a=mid:{media.mid}"]
        extensions = {uri: number for number, uri in media.extensions.items() if uri in UNDERSTOOD}
        lines += [f"a=extmap:{number} {uri}" for uri, number in extensions.items()]
        lines += [f"a={direction}", "a=rtcp-mux", "a=rtcp-rsize"]
        feedback: set[str] = set()
        for codec in media.codecs.values():
            channels = f"/{codec.channels}" if codec.channels > 1 else ""
            lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
            known = FEEDBACK.intersection(codec.feedback)
            feedback |= known
            lines += [f"a=rtcp-fb:{codec.payload_type} {one}" for one in sorted(known)]
            if codec.parameters:
                lines.append(f"a=fmtp:{codec.payload_type} {codec.parameters}")
        if direction != "recvonly" or not media.ssrcs:
            continue
        rtx = {original: ssrc for ssrc, original in media.retransmission.items()}
        ssrc = next(one for one in media.ssrcs if one not in media.retransmission)
        expected.append(
            Expected(
                media.kind,
                ssrc,
                rtx.get(ssrc, 0),
                "nack" in feedback,
                "goog-remb" in feedback,
                extensions.get(sdp.TRANSPORT_CC, -1),
            )
        )
    return "\r\n".join(lines) + "\r\n", expected


def features(text: str) -> set[str]:
    """What a description of the server agrees to, in words: ``video nack``, ``audio mid``, ``video rtx``."""
    names = {
        sdp.AUDIO_LEVEL: "level",
        sdp.ABS_SEND_TIME: "abs-send-time",
        sdp.TRANSPORT_CC: "twcc",
        sdp.MID: "mid",
    }
    found: set[str] = set()
    for media in sdp.parse(text).media:
        if media.rejected or media.direction == "inactive":
            continue
        found |= {f"{media.kind} {names[uri]}" for uri in media.extensions.values() if uri in names}
        for codec in media.codecs.values():
            found |= {f"{media.kind} {feedback}" for feedback in FEEDBACK.intersection(codec.feedback)}
            if codec.name == "rtx":
                found.add(f"{media.kind} rtx")
    if "\na=simulcast:recv" in text:
        found.add("video rid")
    return found
