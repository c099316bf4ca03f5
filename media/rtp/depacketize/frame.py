"""An encoded frame."""

from __future__ import annotations

from typing import NamedTuple


class Frame(NamedTuple):
    """``data`` is what a decoder takes: H.264 with start codes (Annex B), AV1 as OBUs with sizes."""

    data: bytes
    keyframe: bool
