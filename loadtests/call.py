"""A call of two with real media: ``python -m loadtests.call --seconds 20``, people on standard input.

Standard input: ``{"url": …, "participants": [{"token": …}, {"token": …}]}`` (tokens do not belong into a command
line). Standard output: one line of JSON, ``Outcome``. Exit code 1 when pictures or sound did not arrive as sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from loadtests.peer import FRAMES_PER_SECOND, stay_on_loopback
from loadtests.visitor import Visitor

AUDIO_FRAMES_PER_SECOND = 50
FIRST_WITHIN_S = 20.0
# Decoding and encoding share the machine with the server under load, so callers fall behind; the server must not.
LEAST_FRAMES = 0.5
MOST_LOSS = 0.02


@dataclass(frozen=True, slots=True)
class Received:
    """What one side has sent and received; RTP packets, without retransmissions of the server."""

    packets_sent: int
    packets_received: int
    video_frames: int
    audio_frames: int

    def since(self, start: Received) -> Received:
        """The difference."""
        return Received(
            self.packets_sent - start.packets_sent,
            self.packets_received - start.packets_received,
            self.video_frames - start.video_frames,
            self.audio_frames - start.audio_frames,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """``first_ms``: from joining until both sides have decoded sound and picture. ``problem`` is empty if all fits."""

    seconds: float
    first_ms: float
    people: list[Received]
    loss: float
    problem: str


def judge(seconds: float, people: list[Received]) -> tuple[float, str]:
    """The packets' loss between sender and receiver (0 to 1), and what is wrong, if anything."""
    sent = sum(each.packets_sent for each in people)
    received = sum(each.packets_received for each in people)
    loss = max(0.0, 1 - received / sent) if sent else 1.0
    if loss > MOST_LOSS:
        return loss, f"{loss:.1%} of the packets were lost"
    for each in people:
        if each.video_frames < LEAST_FRAMES * seconds * FRAMES_PER_SECOND:
            return loss, f"only {each.video_frames} pictures in {seconds:.0f} s"
        if each.audio_frames < LEAST_FRAMES * seconds * AUDIO_FRAMES_PER_SECOND:
            return loss, f"only {each.audio_frames} frames of sound in {seconds:.0f} s"
    return loss, ""


async def call(url: str, tokens: list[str], seconds: float) -> Outcome:
    """Join, talk for ``seconds``, leave."""
    visitors = [Visitor(url, token) for token in tokens]
    try:
        for visitor in visitors:
            await visitor.connect()
        began = time.perf_counter()
        for visitor in visitors:
            await visitor.join(media=True)
        for visitor in visitors:
            assert visitor.caller is not None
            await visitor.caller.received(2, 1, FIRST_WITHIN_S)
        first_ms = (time.perf_counter() - began) * 1000
        # What was sent before the other side was there has gone to nobody: counted from here.
        before = [await _received(visitor) for visitor in visitors]
        await asyncio.sleep(seconds)
        people = [(await _received(visitor)).since(start) for visitor, start in zip(visitors, before, strict=True)]
        loss, problem = judge(seconds, people)
        for visitor in visitors:
            await visitor.call("call.leave")
        return Outcome(seconds, round(first_ms, 1), people, round(loss, 5), problem)
    finally:
        for visitor in visitors:
            await visitor.close()


async def _received(visitor: Visitor) -> Received:
    caller = visitor.caller
    assert caller is not None
    assert caller.publishing is not None
    assert caller.subscribing is not None
    sent = await caller.publishing.getStats()
    came = await caller.subscribing.getStats()
    frames = {"audio": 0, "video": 0}
    for transceiver in caller.subscribing.getTransceivers():
        frames[transceiver.kind] += caller.frames.get(transceiver.receiver.track.id, 0)
    return Received(
        packets_sent=_sum(sent, "outbound-rtp", "packetsSent"),
        packets_received=_sum(came, "inbound-rtp", "packetsReceived"),
        video_frames=frames["video"],
        audio_frames=frames["audio"],
    )


def _sum(report: Any, kind: str, name: str) -> int:
    return sum(int(getattr(each, name)) for each in report.values() if each.type == kind)


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    people = json.load(sys.stdin)
    stay_on_loopback()
    tokens = [each["token"] for each in people["participants"]]
    outcome = asyncio.run(call(people["url"], tokens, arguments.seconds))
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    return 1 if outcome.problem else 0


if __name__ == "__main__":
    sys.exit(main())
