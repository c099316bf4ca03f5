"""The process of one recording: packets on standard input, pieces of files on standard output.

It ends when its input ends, also when the worker died: the file is closed properly then too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import BinaryIO

from media.recording import Recording, Track
from media.recording_pipe import (
    ADD,
    ASK,
    CHUNK,
    DONE,
    HEAD,
    PACKET,
    PACKET_BODY,
    PAUSE,
    REMOVE,
    REPORT,
    REPORT_BODY,
    TICK,
    TICK_BODY,
    TRACK_BODY,
    record,
)

NICENESS = 5  # calls go before recordings


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Record until the source ends."""

    def say(kind: int, *parts: bytes) -> None:
        sink.write(record(kind, *parts))
        sink.flush()

    names: dict[int, str] = {}
    numbers: dict[str, int] = {}
    recording = Recording(
        lambda part, chunk: say(CHUNK, TRACK_BODY.pack(part), chunk),
        lambda name: say(ASK, TRACK_BODY.pack(numbers[name])),
    )
    while len(head := source.read(HEAD.size)) == HEAD.size:
        size, kind = HEAD.unpack(head)
        body = source.read(size)
        if len(body) < size:
            break
        if kind == PACKET:
            number, sequence, timestamp, marker, arrival = PACKET_BODY.unpack_from(body)
            payload = body[PACKET_BODY.size :]
            recording.packet(names.get(number, ""), sequence, timestamp, bool(marker), payload, arrival)
        elif kind == TICK:
            recording.advance(*TICK_BODY.unpack(body))
        elif kind == REPORT:
            number, ntp, timestamp, arrival = REPORT_BODY.unpack(body)
            recording.report(names.get(number, ""), ntp, timestamp, arrival)
        elif kind == ADD:
            told = json.loads(body)
            track = Track(told["id"], told["person"], told["kind"], told["codec"], told["clock_rate"])
            names[told["number"]], numbers[track.id] = track.id, told["number"]
            recording.add(track)
        elif kind == PAUSE:
            recording.pause(names.get(TRACK_BODY.unpack(body)[0], ""))
        elif kind == REMOVE:
            recording.remove(names.get(TRACK_BODY.unpack(body)[0], ""))
    recording.close()
    summary = {
        "parts": [
            {"begins": begins, "format": form} for begins, form in zip(recording.begins, recording.formats, strict=True)
        ],
        "frames": recording.frames,
        "dropped": recording.dropped,
        "failed": recording.failed,
    }
    say(DONE, json.dumps(summary).encode())


if __name__ == "__main__":
    for unwanted in (signal.SIGINT, signal.SIGTERM):  # the end of the input is what ends it
        signal.signal(unwanted, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
