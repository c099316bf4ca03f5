"""Which of what a media section offers is used: codec, retransmission, redundancy, extensions, feedback. Pure.

A forwarding server can't convert: what is chosen from a publisher's offer is what every receiver is
offered, with the same parameters, so the choice favours what every browser decodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from media.sdp import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    DEPENDENCY,
    MID,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    Chosen,
    Codec,
    Media,
)

SUPPORTED_EXTENSIONS = {"audio": (MID, AUDIO_LEVEL, TRANSPORT_CC), "video": (MID, ABS_SEND_TIME, TRANSPORT_CC)}
VIDEO = ("vp8", "h264", "vp9", "av1")
FEEDBACK = {
    "audio": ("nack", "transport-cc"),
    "video": ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"),
}
SIMULCAST_EXTENSIONS = (RID, REPAIRED_RID)
LAYERED = ("vp9", "av1")
"""Codecs of which layers may be left out: what goes on is right as it is. VP8 would need its pictures renumbered."""
PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF")
HIGHEST_EXTENSION = 14  # one-byte header extensions (RFC 8285, 4.2)
OPUS_TYPE = 111
"""The payload type of Opus towards receivers. Blocks of RED name it inside the payload, which is passed
through: RED is used where the publisher calls Opus the same, as every browser with RED does."""
RED_TYPE = 63
"""The payload type of RED towards receivers."""
PARAMETERS = {
    "opus": {"minptime", "ptime", "maxptime", "maxplaybackrate", "sprop-maxcapturerate", "maxaveragebitrate"}
    | {"stereo", "sprop-stereo", "cbr", "useinbandfec", "usedtx"},
    "vp8": {"max-fr", "max-fs"},
    "vp9": {"max-fr", "max-fs", "profile-id"},
    "h264": {"level-asymmetry-allowed", "packetization-mode", "profile-level-id"},
    "av1": {"profile", "level-idx", "tier"},
}
"""What of a publisher's parameters is passed on: anything else could break other people's descriptions."""
BASELINE_COMPATIBLE = 0x40  # constraint_set1: what every WebRTC endpoint decodes (RFC 7742, 6.2)

_PARAMETER = re.compile(r"[A-Za-z0-9-]{1,40}=[A-Za-z0-9.,+/-]{1,40}")


@dataclass(frozen=True)
class Preferences:
    """The operator's say."""

    video: tuple[str, ...] = ()
    """Codecs that may be used, best first; empty: all, in the offerer's order."""
    red: bool = True
    """Whether sound carries copies of earlier packets where the publisher's browser can."""


DEFAULT = Preferences()


def choose(media: Media, preferences: Preferences = DEFAULT, *, mixed: bool = False) -> Chosen | None:
    """The best supported codec of an offered section; None when there is none.

    ``mixed``: header extensions of both forms may come, which the longer descriptors of layers need.
    """
    if media.rejected or media.kind not in FEEDBACK or not media.rtcp_mux or media.protocol not in PROTOCOLS:
        return None
    offered = [media.codecs[int(form)] for form in media.formats if form.isdigit() and int(form) in media.codecs]
    able = [_cleaned(codec) for codec in offered if _supported(media.kind, codec)]
    if media.kind == "video":
        order = preferences.video or tuple(dict.fromkeys(codec.name for codec in able))
        able = sorted((c for c in able if c.name in order), key=lambda c: (order.index(c.name), _unusual(c)))
    if not able:
        return None
    codec = able[0]
    rtx = next((c.payload_type for c in offered if c.name == "rtx" and c.apt == codec.payload_type), None)
    feedback = [kind for kind in FEEDBACK[media.kind] if kind in codec.feedback]
    extensions: dict[str, int] = {}
    for identifier, uri in media.extensions.items():
        usable = identifier <= HIGHEST_EXTENSION and identifier not in media.not_sent
        wanted = uri in SUPPORTED_EXTENSIONS[media.kind] or (bool(rids(media)) and uri in SIMULCAST_EXTENSIONS)
        wanted |= mixed and uri == DEPENDENCY and codec.name in LAYERED
        if usable and wanted:
            extensions.setdefault(uri, identifier)
    # Feedback of numbers nobody stamps, or numbers nobody wants feedback of, are of no use.
    if "transport-cc" not in feedback:
        extensions.pop(TRANSPORT_CC, None)
    elif TRANSPORT_CC not in extensions:
        feedback.remove("transport-cc")
    if media.kind == "video":
        return Chosen(codec, rtx, extensions, feedback)
    if "nack" not in feedback:
        feedback.insert(0, "nack")  # Chromium honours it in an answer without having offered it
    return Chosen(with_fec(codec), None, extensions, feedback, red_of(codec, offered) if preferences.red else None)


def rids(media: Media) -> list[str]:
    """The encodings of a section that come on SSRCs of their own, lowest first as browsers order them; or none."""
    offered = [rid for rid in media.simulcast if rid in media.rids]
    return offered if media.kind == "video" and len(offered) > 1 and RID in media.extensions.values() else []


def _supported(kind: str, codec: Codec) -> bool:
    if kind == "audio":
        return codec.name == "opus" and codec.clock_rate == 48000
    return codec.name in VIDEO and codec.clock_rate == 90000


def _cleaned(codec: Codec) -> Codec:
    kept = [part.strip() for part in codec.parameters.split(";") if _PARAMETER.fullmatch(part.strip())]
    text = ";".join(part for part in kept if part.partition("=")[0].lower() in PARAMETERS[codec.name])
    return replace(codec, parameters=text)


def _unusual(codec: Codec) -> tuple[int, int]:
    """Sorts what every browser decodes before what few do, within one codec: (profile, packetization)."""
    values = parameters(codec)
    if codec.name == "h264":
        profile, compatible = _h264_profile(values)
        baseline = profile == 0x42 and bool(compatible & BASELINE_COMPATIBLE)
        return 0 if baseline else 1, 0 if values.get("packetization-mode") == "1" else 1
    profile_text = values.get("profile-id" if codec.name == "vp9" else "profile", "0")
    return (0 if profile_text == "0" else 1), 0


def parameters(codec: Codec) -> dict[str, str]:
    """The format parameters by lower-case name."""
    found: dict[str, str] = {}
    for part in codec.parameters.split(";"):
        name, _, value = part.strip().partition("=")
        if name:
            found.setdefault(name.lower(), value.strip())
    return found


def _h264_profile(values: dict[str, str]) -> tuple[int, int]:
    """(profile_idc, constraint flags); Baseline where it is not said (RFC 6184, 8.1)."""
    text = values.get("profile-level-id", "42000a")
    if not re.fullmatch(r"[0-9A-Fa-f]{6}", text):
        return 0, 0
    return int(text[:2], 16), int(text[2:4], 16)


def compatible(offered: Codec, answered: Codec) -> bool:
    """Whether an answer means the codec that was offered: same profile and packetization, the level may differ."""
    if (offered.name, offered.clock_rate) != (answered.name, answered.clock_rate):
        return False
    ours, theirs = parameters(offered), parameters(answered)
    if offered.name == "h264":
        mode = ours.get("packetization-mode", "0"), theirs.get("packetization-mode", "0")
        return mode[0] == mode[1] and _h264_profile(ours)[0] == _h264_profile(theirs)[0]
    if offered.name in ("vp9", "av1"):
        name = "profile-id" if offered.name == "vp9" else "profile"
        return ours.get(name, "0") == theirs.get(name, "0")
    return True


def with_fec(codec: Codec) -> Codec:
    """Opus asked for with in-band FEC (RFC 7587, 6.1); the rest, DTX among it, as offered."""
    if parameters(codec).get("useinbandfec") == "1":
        return codec
    kept = [p.strip() for p in codec.parameters.split(";") if p.strip() and not p.strip().startswith("useinbandfec")]
    text = ";".join([*kept, "useinbandfec=1"])
    return replace(codec, parameters=text)


def red_of(codec: Codec, offered: Iterable[Codec]) -> Codec | None:
    """RED (RFC 2198) whose blocks are all this Opus; None where there is none we can pass through."""
    if codec.payload_type != OPUS_TYPE:
        return None
    for red in offered:
        blocks = red.parameters.split("/")
        fits = (red.name, red.clock_rate, red.channels) == ("red", codec.clock_rate, codec.channels)
        if fits and len(blocks) >= 2 and set(blocks) == {str(codec.payload_type)}:
            return red
    return None
