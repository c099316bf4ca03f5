"""A visit of many with narrow receivers: who is seen how, and how soon.

    python -m loadtests.media_visit --people 12 --kbit 1500 --seconds 40

Everybody publishes sound and a camera in three encodings, and receives everybody else over a bottleneck: what
arrives waits for its turn at that rate, and is dropped after a third of a second of waiting, before the
receiver notices it and tells of it in its transport-wide feedback. One speaks, then another. Prints what each
receiver got, and one JSON line on stderr; exit code 1 when a bar was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from loadtests import media_sdp
from loadtests.media_link import Identity, Link
from loadtests.media_servers import BedsideServer
from media.rtp import rtcp
from media.rtp.packet import HEADER, extension_block, payload_start
from media.rtp.twcc import TwccReceiver

CONNECT_BAR_S = 6.0
ENCODINGS = {"q": (160, 180, 80_000, 15), "h": (320, 360, 300_000, 25), "f": (640, 720, 900_000, 25)}
"""By rid: SSRC offset, lines, bit/s, pictures a second."""
SOUND_S, SOUND_BYTES = 0.02, 80
PACKET = 1000  # bytes of payload at most
LOUD, SILENT = 30, 127
QUEUE_S = 0.33
FEEDBACK_S = 0.1
CHECK_S, CONSENT_S = 0.05, 2.0
WINDOW_S = 8.0  # at the end of each speech, in which is counted


class Bottleneck:
    """A link of so many bits a second with a bounded queue."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free = 0.0
        self.dropped = 0

    def arrival(self, size: int, now: float) -> float | None:
        """When a datagram of ``size`` is through; None when it found the queue full."""
        begins = max(now, self._free)
        if begins - now > QUEUE_S:
            self.dropped += 1
            return None
        self._free = begins + (size + 28) * 8 / self._rate
        return self._free


class Encoding:
    """One size of a camera: pictures that carry its name and whose they are."""

    def __init__(self, person: Person, rid: str) -> None:
        offset, self._lines, rate, self._pictures = ENCODINGS[rid]
        self.ssrc = 10_000 * (person.number + 1) + offset
        self.rid = rid
        self.wants_key = True
        self._person = person
        self._size = rate // 8 // self._pictures
        self._sequence = self._picture = 0
        self._elements = [(4, b"1"), (10, rid.encode())]

    async def run(self) -> None:
        due = time.monotonic()
        while True:
            self._send()
            due += 1 / self._pictures
            await asyncio.sleep(due - time.monotonic())

    def _send(self) -> None:
        key, self.wants_key = self.wants_key, False
        left = self._size * (3 if key else 1)
        self._picture += 1
        timestamp = int(time.time() * 90_000) + self.ssrc & 0xFFFFFFFF
        name = f"{self._person.number:03d}{self.rid}".encode()
        first = True
        while left > 0:
            size, left = min(left, PACKET), left - PACKET
            head = bytes((0x90 if first else 0x80, 0x80)) + (0x8000 | self._picture & 0x7FFF).to_bytes(2, "big")
            if first:
                tag = bytes(3) + b"\x9d\x01\x2a" + bytes(2) + self._lines.to_bytes(2, "little")
                head += tag if key else b"\x01" + bytes(9)
            self._sequence += 1
            second = 96 | (0x80 if left <= 0 else 0)
            header = HEADER.pack(0x90, second, self._sequence & 0xFFFF, timestamp, self.ssrc)
            self._person.publish(header + extension_block(self._elements) + head + bytes(size) + name)
            first = False


class Person:
    """A publishing and a subscribing connection."""

    def __init__(self, identity: Identity, number: int, rate: float) -> None:
        self.number = number
        self.level = SILENT
        self.publishing = Link(identity, "127.0.0.1", True, 0.0, self._told)
        self.subscribing = Link(identity, "127.0.0.1", False, 0.0, lambda data: None)
        self.encodings = [Encoding(self, rid) for rid in ENCODINGS]
        self.bottleneck = Bottleneck(rate)
        self.seen: list[tuple[float, int, str, int]] = []  # pictures' packets: (when, whose, rid, size)
        self.heard = 0
        self.first: dict[int, float] = {}
        self._ssrcs: dict[int, str] = {}
        self._transport_id = -1
        self._twcc = TwccReceiver()
        self._waiting: deque[tuple[float, int]] = deque()
        self.sounds = 0
        loop = asyncio.get_running_loop()
        for link in (self.publishing, self.subscribing):
            loop.add_reader(link.socket.fileno(), self._readable, link)

    # Out

    def offer(self) -> str:
        sound = media_sdp.Planned("audio", "0", 111, self.number + 1, None, 0)
        camera = media_sdp.Planned("video", "1", 96, 0, 97, 0, tuple(ENCODINGS))
        return media_sdp.offer(self.publishing, [sound, camera])

    def publish(self, packet: bytes) -> None:
        self.publishing.send(self.publishing.protect(packet))

    async def sound(self) -> None:
        due = time.monotonic()
        while True:
            self.sounds += 1
            header = HEADER.pack(0x90, 111, self.sounds & 0xFFFF, self.sounds * 960 & 0xFFFFFFFF, self.number + 1)
            self.publish(header + extension_block([(1, bytes((self.level,))), (4, b"0")]) + bytes(SOUND_BYTES))
            due += SOUND_S
            await asyncio.sleep(due - time.monotonic())

    def _told(self, data: bytes) -> None:
        plain = self.publishing.unprotect_rtcp(data)
        for part in rtcp.parse(plain) if plain is not None else []:
            if isinstance(part, rtcp.KeyframeRequest):
                for encoding in self.encodings:
                    encoding.wants_key |= encoding.ssrc == part.media_ssrc

    # In

    def answer(self, offer: str) -> str:
        text, expected = media_sdp.answer(self.subscribing, offer)
        self._ssrcs = {one.ssrc: one.kind for one in expected}
        self._transport_id = max((one.transport_id for one in expected), default=-1)
        self.subscribing.connect(offer)
        return text

    def _readable(self, link: Link) -> None:
        with contextlib.suppress(OSError):  # nothing more, or an ICMP error of an earlier send
            while True:
                data = link.socket.recv(2048)
                if link is self.subscribing and len(data) > 1 and 127 < data[0] < 192 and not 192 <= data[1] <= 223:
                    self._media(data, time.monotonic())
                else:
                    link.other(data)

    def _media(self, data: bytes, now: float) -> None:
        through = self.bottleneck.arrival(len(data), now)
        packet = self.subscribing.unprotect(data)
        if through is None or packet is None:
            return
        start, extensions = payload_start(packet)
        for number, begin, end in extensions:
            if number == self._transport_id:
                self._waiting.append((through, int.from_bytes(packet[begin:end])))
        kind = self._ssrcs.get(HEADER.unpack_from(packet)[4])
        if kind == "audio":
            self.heard += 1
        elif kind == "video" and len(packet) - start > 4:
            whose, rid = int(packet[-4:-1]), packet[-1:].decode()
            self.seen.append((through, whose, rid, len(data)))
            self.first.setdefault(whose, through)

    async def feedback(self) -> None:
        while True:
            await asyncio.sleep(FEEDBACK_S)
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                at, number = self._waiting.popleft()
                self._twcc.arrived(number, at % 100_000)
            if self.subscribing.connected and self._ssrcs:
                for packet in self._twcc.feedback(1, next(iter(self._ssrcs))):
                    compound = rtcp.receiver_report(1, []) + packet
                    self.subscribing.send(self.subscribing.protect_rtcp(compound))

    # Both

    @property
    def connected(self) -> bool:
        return self.publishing.connected and self.subscribing.connected

    def check(self) -> None:
        for link in (self.publishing, self.subscribing):
            link.check()

    async def consent(self) -> None:
        while True:
            await asyncio.sleep(CONSENT_S if self.connected else CHECK_S)
            self.check()

    def close(self) -> None:
        for link in (self.publishing, self.subscribing):
            asyncio.get_running_loop().remove_reader(link.socket.fileno())
            link.close()


class Everybody:
    """The ``People`` of the server's driver."""

    def __init__(self, people: list[Person]) -> None:
        self.people = people

    async def offer(self, person: int, receivers: int) -> str:
        return self.people[person].offer()

    async def answered(self, person: int, sdp: str) -> None:
        self.people[person].publishing.connect(sdp)

    async def answer(self, person: int, sdp: str) -> str:
        return self.people[person].answer(sdp)


def got(people: list[Person], speaker: int, since: float, until: float) -> dict[str, Any]:
    """What receivers saw of who speaks, and of the others, in that time."""
    speaking: list[float] = []
    others: list[float] = []
    rids: dict[str, Counter[str]] = {"speaker": Counter(), "others": Counter()}
    dark = 0
    for person in people:
        if person.number == speaker:
            continue
        seen = [each for each in person.seen if since <= each[0] < until]
        bits: Counter[int] = Counter()
        for _, whose, rid, size in seen:
            bits[whose] += size * 8
            rids["speaker" if whose == speaker else "others"][rid] += size
        span = until - since
        for other in people:
            if other is person:
                continue
            (speaking if other.number == speaker else others).append(bits[other.number] / span / 1000)
            dark += not bits[other.number]
    return {
        "speaker_kbit": round(statistics.median(speaking)),
        "speaker_least_kbit": round(min(speaking)),
        "others_kbit": round(statistics.median(others)),
        "dark": dark,
        "speaker_share": _shares(rids["speaker"]),
        "others_share": _shares(rids["others"]),
    }


def _shares(sizes: Counter[str]) -> dict[str, float]:
    total = sum(sizes.values()) or 1
    return {rid: round(sizes[rid] / total, 3) for rid in ENCODINGS}


def rises(people: list[Person], speaker: int, since: float) -> float:
    """Seconds until half of the receivers had a larger encoding of who speaks now than the smallest."""
    times = [
        next((at - since for at, whose, rid, _ in person.seen if at > since and whose == speaker and rid != "q"), 999.0)
        for person in people
        if person.number != speaker
    ]
    return round(statistics.median(times), 2)


async def run(count: int, rate: float, seconds: float) -> dict[str, Any]:
    """The whole scenario; its figures."""
    identity = Identity()
    with tempfile.TemporaryDirectory(prefix="bedside-visit-") as folder:
        server = BedsideServer(Path(folder), "127.0.0.1", frozenset(os.sched_getaffinity(0)))
        await server.start()
        people = [Person(identity, number, rate) for number in range(count)]
        people[0].level = LOUD
        tasks = [asyncio.create_task(work) for person in people for work in (person.consent(), person.feedback())]
        try:
            begun = time.monotonic()
            calling = asyncio.create_task(server.call(Everybody(people), list(range(count))))
            started: set[int] = set()
            while not all(
                person.connected and person.heard and (person.first or not person.number) for person in people
            ):
                for person in people:
                    if person.publishing.connected and person.number not in started:
                        started.add(person.number)
                        works = [person.sound(), *(encoding.run() for encoding in person.encodings)]
                        tasks += [asyncio.create_task(work) for work in works]
                if time.monotonic() > begun + 40:
                    raise RuntimeError("not everybody was connected within 40 s")
                await asyncio.sleep(0.01)
            await calling
            connected_after = time.monotonic() - begun
            sent = sum(person.sounds for person in people) * (count - 1)
            heard = sum(person.heard for person in people)
            await asyncio.sleep(seconds / 2)
            first = got(people, 0, time.monotonic() - WINDOW_S, time.monotonic())
            people[0].level, people[1].level = SILENT, LOUD
            changed = time.monotonic()
            await asyncio.sleep(seconds / 2)
            second = got(people, 1, time.monotonic() - WINDOW_S, time.monotonic())
            sent = sum(person.sounds for person in people) * (count - 1) - sent
            heard = sum(person.heard for person in people) - heard
            return {
                "people": count,
                "kbit": rate / 1000,
                "connected_after_s": round(connected_after, 2),
                "first": first,
                "second": second,
                "new_speaker_larger_after_s": rises(people, 1, changed),
                "dropped": sum(person.bottleneck.dropped for person in people),
                "sound_arrived": round(heard / sent, 4),
            }
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for person in people:
                person.close()
            await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--kbit", type=float, default=1500)
    parser.add_argument("--seconds", type=float, default=40)
    chosen = parser.parse_args()
    figures = asyncio.run(run(chosen.people, chosen.kbit * 1000, chosen.seconds))
    print(json.dumps(figures), file=sys.stderr)
    print(f"{chosen.people} people, {chosen.kbit:.0f} kbit/s each")
    print(f"  media for everybody after {figures['connected_after_s']} s")
    for name in ("first", "second"):
        part = figures[name]
        print(
            f"  {name} speaker: {part['speaker_kbit']} kbit/s {part['speaker_share']}; "
            f"others: {part['others_kbit']} kbit/s {part['others_share']}; not seen: {part['dark']}"
        )
    print(f"  a new speaker is seen larger after {figures['new_speaker_larger_after_s']} s")
    print(f"  sound that arrived: {figures['sound_arrived']:.2%}")
    high = all(figures[name]["speaker_kbit"] > 2 * figures[name]["others_kbit"] for name in ("first", "second"))
    sys.exit(0 if figures["connected_after_s"] <= CONNECT_BAR_S and high else 1)


if __name__ == "__main__":
    main()
