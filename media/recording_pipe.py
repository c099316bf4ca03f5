"""What a worker and its recording process say to each other: records with a length and a kind."""

from __future__ import annotations

import struct

HEAD = struct.Struct("!IB")  # bytes after this, kind
PACKET, ADD, REPORT, PAUSE, REMOVE, TICK = 1, 2, 3, 4, 5, 6
"""To the process: a packet, a track (JSON), a sender report, its mute, its end, the time."""
CHUNK, ASK, DONE = 1, 2, 3
"""From the process: a piece of a file, a track that needs a key frame, the summary (JSON)."""
PACKET_BODY = struct.Struct("!HqIBd")  # track, sequence, timestamp, marker, arrival; then the payload
REPORT_BODY = struct.Struct("!HQId")  # track, NTP, timestamp, arrival
TRACK_BODY = struct.Struct("!H")  # a track; before the data of a chunk: a part
TICK_BODY = struct.Struct("!d")


def record(kind: int, *parts: bytes) -> bytes:
    """One record."""
    return HEAD.pack(sum(map(len, parts)), kind) + b"".join(parts)
