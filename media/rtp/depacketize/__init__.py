"""From the RTP payloads of one frame back to the frame, for each codec. Pure; None for what is broken.

A depacketiser gets every payload of one timestamp, in order. It takes off the payload format and nothing
else: the bits a decoder needs stay as the sender's encoder wrote them.
"""

from __future__ import annotations

from collections.abc import Callable

from media.rtp.depacketize.av1 import av1
from media.rtp.depacketize.frame import Frame
from media.rtp.depacketize.h264 import h264
from media.rtp.depacketize.vp8 import vp8
from media.rtp.depacketize.vp9 import vp9

Depacketizer = Callable[[list[bytes]], Frame | None]


def opus(payloads: list[bytes]) -> Frame | None:
    """RFC 7587, 4.2: a payload is a packet of the codec."""
    return Frame(payloads[0], True) if len(payloads) == 1 and payloads[0] else None


DEPACKETIZERS: dict[str, Depacketizer] = {"opus": opus, "vp8": vp8, "vp9": vp9, "h264": h264, "av1": av1}

__all__ = ["DEPACKETIZERS", "Depacketizer", "Frame"]
