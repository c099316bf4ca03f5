"""Known pictures and sound, really encoded, and their RTP payloads, as a browser would make them."""

from __future__ import annotations

import math
from array import array
from fractions import Fraction
from typing import NamedTuple

import av

MTU = 120  # small, so that every codec needs several packets
ENCODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9", "h264": "libx264", "av1": "libsvtav1"}
OPTIONS = {
    "vp8": {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "h264": {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1"},
    "av1": {"preset": "12"},
}
RATE = 30
DARK, BRIGHT = 40, 220


class Picture(NamedTuple):
    data: bytes
    keyframe: bool
    at: float  # seconds


def pictures(
    codec: str, seconds: float, flash_at: float, *, size: tuple[int, int] = (320, 180), keys: tuple[int, ...] = (0,)
) -> list[Picture]:
    """A dark picture that turns bright at ``flash_at``; key frames at the frame numbers ``keys``."""
    context = av.CodecContext.create(ENCODERS[codec], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, RATE), Fraction(RATE)
    context.bit_rate, context.options = 500_000, OPTIONS[codec]
    context.gop_size = keys[1] if codec == "av1" and len(keys) > 1 else 10_000
    found: list[Picture] = []
    frames: list[av.VideoFrame | None] = []
    for number in range(round(seconds * RATE)):
        frame = av.VideoFrame(*size, "yuv420p")
        shade = BRIGHT if number / RATE >= flash_at else DARK
        for index, plane in enumerate(frame.planes):
            row = bytes((shade + (x * 7 + number * 3) % 23 if index == 0 else 128) for x in range(plane.line_size))
            plane.update(row * plane.height)
        frame.pts = number
        if number in keys:
            frame.pict_type = av.video.frame.PictureType.I
        frames.append(frame)
    for each in [*frames, None]:
        for packet in context.encode(each):
            assert packet.pts is not None
            found.append(Picture(bytes(packet), packet.is_keyframe, packet.pts / RATE))
    return found


def sound(seconds: float, beep_at: float) -> list[tuple[bytes, float]]:
    """Opus in packets of 20 ms: silence, then a tone from ``beep_at`` on."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"  # type: ignore[assignment]  # takes names
    context.options = {"frame_duration": "20", "application": "lowdelay"}
    found: list[tuple[bytes, float]] = []
    for number in range(round(seconds * 50)):
        samples = array("h")
        for index in range(960):
            at = number / 50 + index / 48_000
            value = int(12_000 * math.sin(2 * math.pi * 880 * at)) if at >= beep_at else 0
            samples.extend((value, value))
        frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 960, Fraction(1, 48_000)
        for packet in context.encode(frame):
            found.append((bytes(packet), len(found) / 50))
    return found


def payloads(codec: str, picture: Picture, number: int) -> list[bytes]:
    """The RTP payloads of one frame."""
    return {"vp8": _vp8, "vp9": _vp9, "h264": _h264, "av1": _av1}[codec](picture, number)


def _cut(data: bytes) -> list[bytes]:
    return [data[at : at + MTU] for at in range(0, len(data), MTU)]


def _vp8(picture: Picture, number: int) -> list[bytes]:
    tail = bytes((0x80, 0x80 | number >> 8 & 0x7F, number & 0xFF))  # a picture id of two bytes
    return [bytes((0x90 if index == 0 else 0x80,)) + tail + cut for index, cut in enumerate(_cut(picture.data))]


def _vp9(picture: Picture, number: int) -> list[bytes]:
    cuts = _cut(picture.data)
    written = []
    for index, cut in enumerate(cuts):
        first = (
            0x80 | (0 if picture.keyframe else 0x40) | (0x08 if index == 0 else 0) | (0x04 if cut is cuts[-1] else 0)
        )
        head = bytes((0x80 | number >> 8 & 0x7F, number & 0xFF))
        if picture.keyframe and index == 0:
            first |= 0x02
            head += bytes((0x18, 1, 64, 0, 180, 1, 0x04, 1))  # a size; one picture with one reference
        written.append(bytes((first,)) + head + cut)
    return written


def nal_units(data: bytes) -> list[bytes]:
    """The units of an Annex B stream."""
    return [unit for unit in data.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01") if unit]


def _h264(picture: Picture, number: int) -> list[bytes]:
    written: list[bytes] = []
    small = [unit for unit in nal_units(picture.data) if unit[0] & 0x1F in (6, 7, 8)]
    if small:
        written.append(b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in small))
    for unit in nal_units(picture.data):
        if unit in small:
            continue
        if len(unit) <= MTU:
            written.append(unit)
            continue
        cuts = _cut(unit[1:])
        for index, cut in enumerate(cuts):
            edge = (0x80 if index == 0 else 0) | (0x40 if index == len(cuts) - 1 else 0)
            written.append(bytes((unit[0] & 0xE0 | 28, edge | unit[0] & 0x1F)) + cut)
    return written


def obus(data: bytes) -> list[bytes]:
    """The OBUs of a stream with sizes, each without its size, temporal delimiters left out."""
    found, at = [], 0
    while at < len(data):
        head = 2 if data[at] & 0x04 else 1
        size, shift, begin = 0, 0, at + head
        while True:
            size |= (data[begin] & 0x7F) << shift
            shift, begin = shift + 7, begin + 1
            if not data[begin - 1] & 0x80:
                break
        if data[at] >> 3 & 0x0F != 2:
            found.append(bytes((data[at] & ~0x02,)) + data[at + 1 : at + head] + data[begin : begin + size])
        at = begin + size
    return found


def _av1(picture: Picture, number: int) -> list[bytes]:
    written: list[bytes] = []
    for unit in obus(picture.data):
        cuts = _cut(unit)
        for index, cut in enumerate(cuts):
            head = 0x10 | (0x80 if index else 0) | (0x40 if index < len(cuts) - 1 else 0)
            head |= 0x08 if picture.keyframe and not written else 0
            written.append(bytes((head,)) + cut)
    return written
