"""Records producers: their packets go to a process of their own, the files' pieces come back to a writer.

A process, not a thread: putting frames together is Python work, and a thread would hold the interpreter
for milliseconds at a time while packets of calls wait. On the path of a packet there is one short append;
what is collected goes to the process ten times a second. A library that crashes on odd bits takes a
recording down, never a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from media.path.api import Tap
from media.producer import Producer
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
from media.rtp import red

log = logging.getLogger(__name__)

PERIOD_S = 0.1
MAX_QUEUED = 8 * 1024 * 1024  # bytes on their way to the process: over half a minute of a call
END_WAIT_S = 30.0
ROOT = Path(__file__).parent.parent


class Writer(Protocol):
    """Where files go, piece by piece. A slow writer slows the recording, never the call."""

    async def write(self, part: int, chunk: bytes) -> None:
        """The next piece of a part; parts are whole files and come one after the other."""
        ...


@dataclass(frozen=True)
class Summary:
    """What was recorded."""

    parts: tuple[tuple[float, str], ...]
    """(when it begins in seconds of the worker's clock, container) of each."""
    frames: dict[str, int]
    """By track."""
    dropped: int
    """Packets and frames that found no room, or had nothing to refer to."""
    failed: bool


@dataclass
class _Input:
    producer: Producer
    tap: Tap
    muted: bool = False
    reported: float = -1.0


class Recorder:
    """One recording. ``start``, ``add`` and ``remove`` as tracks come and go, ``stop``."""

    def __init__(self, writer: Writer, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._clock = clock
        self._process: Process | None = None
        self._inputs: dict[int, _Input] = {}
        self._next = 0
        self._batch: list[bytes] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._summary: dict[str, Any] = {}
        self._unwritten = False
        self.dropped = 0

    async def start(self) -> None:
        """Begin the process."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        command = (sys.executable, "-m", "media.recording_process")
        self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._tick())]

    def add(self, producer: Producer, person: str) -> None:
        """Record a track; ``person`` is whose it is: what is one person's stays in step."""
        number, self._next = self._next, self._next + 1
        codec = producer.chosen.codec
        told = {"number": number, "id": producer.track_id, "person": person, "kind": producer.kind}
        told |= {"codec": codec.name, "clock_rate": codec.clock_rate}
        self._batch.append(record(ADD, json.dumps(told).encode()))
        made = _Input(producer, self._tap(number, producer))
        self._inputs[number] = made
        producer.add_tap(made.tap)
        producer.request_keyframe(self._clock())

    def _tap(self, number: int, producer: Producer) -> Tap:
        def tap(sequence: int, timestamp: int, marker: bool, payload: bytes, arrival: float) -> None:
            if producer.muted:
                return
            own = red.primary(payload) if producer.red else payload
            if own is not None:
                self._batch.append(record(PACKET, PACKET_BODY.pack(number, sequence, timestamp, marker, arrival), own))

        return tap

    def remove(self, producer: Producer) -> None:
        """It ended, or is not recorded any more."""
        for number, known in list(self._inputs.items()):
            if known.producer is producer:
                producer.remove_tap(known.tap)
                del self._inputs[number]
                self._batch.append(record(REMOVE, TRACK_BODY.pack(number)))

    async def stop(self) -> Summary:
        """End the files; what has been written is whole then."""
        for known in list(self._inputs.values()):
            self.remove(known.producer)
        process = self._process
        if process is not None and process.stdin is not None:
            self._send()
            with contextlib.suppress(ConnectionError):
                process.stdin.write_eof()
            listening, ticking = self._tasks
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            try:
                async with asyncio.timeout(END_WAIT_S):
                    await asyncio.gather(listening, return_exceptions=True)
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        found = self._summary
        return Summary(
            tuple((part["begins"], part["format"]) for part in found.get("parts", [])),
            found.get("frames", {}),
            self.dropped + found.get("dropped", 0),
            self._unwritten or found.get("failed", True),
        )

    # The process

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            self._look()
            self._send()

    def _look(self) -> None:
        """Reports and mutes that are new since the last time."""
        for number, known in self._inputs.items():
            producer = known.producer
            if producer.muted and not known.muted:
                self._batch.append(record(PAUSE, TRACK_BODY.pack(number)))
            known.muted = producer.muted
            if producer.sender_report is not None and producer.sender_report[1] != known.reported:
                report, arrived = producer.sender_report
                known.reported = arrived
                self._batch.append(record(REPORT, REPORT_BODY.pack(number, report.ntp, report.timestamp, arrived)))

    def _send(self) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            self._batch.clear()
            return
        batch, self._batch = self._batch, []
        if process.stdin.transport.get_write_buffer_size() > MAX_QUEUED:
            kept = [each for each in batch if each[HEAD.size - 1] != PACKET]
            self.dropped += len(batch) - len(kept)
            batch = kept
        batch.append(record(TICK, TICK_BODY.pack(self._clock())))
        process.stdin.write(b"".join(batch))

    async def _listen(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                size, kind = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
                body = await process.stdout.readexactly(size)
                if kind == CHUNK:
                    (part,) = TRACK_BODY.unpack_from(body)
                    await self._keep(part, body[TRACK_BODY.size :])
                elif kind == ASK:
                    known = self._inputs.get(TRACK_BODY.unpack(body)[0])
                    if known is not None:
                        known.producer.request_keyframe(self._clock())
                elif kind == DONE:
                    self._summary = json.loads(body)

    async def _keep(self, part: int, chunk: bytes) -> None:
        if self._unwritten:
            return
        try:
            await self._writer.write(part, chunk)
        except Exception:
            log.exception("recording_not_written")
            self._unwritten = True  # the process is read on, so that it ends
