"""Recordings: what was sent is in the file, bit for bit, in step, for as long as it lasted."""

from __future__ import annotations

import asyncio
import io
import random
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import av
import pytest

from loadtests.peer import stay_on_loopback
from media.recorder import Recorder
from media.recording import Recording, Track, container_of
from tests.media.encoded import BRIGHT, DARK, Picture, nal_units, obus, payloads, pictures, sound
from tests.media.stage import Stage

SECONDS, CHANGE = 3.0, 1.5
BEGINS = 1000.0  # of our clock
NTP = 3_900_000_000.0  # of theirs, at the same moment
DELAY = 0.03


class Shelf:
    """Files by part."""

    def __init__(self) -> None:
        self.parts: dict[int, bytearray] = defaultdict(bytearray)
        self.chunks = 0
        self.asked: list[str] = []

    def take(self, part: int, chunk: bytes) -> None:
        self.parts[part] += chunk
        self.chunks += 1

    async def write(self, part: int, chunk: bytes) -> None:
        self.take(part, chunk)

    def open(self, part: int = 0) -> av.container.InputContainer:
        return av.open(io.BytesIO(bytes(self.parts[part])))

    def packets(self, kind: str, part: int = 0) -> list[tuple[float, bytes]]:
        """(seconds, bytes) of each."""
        with self.open(part) as file:
            stream = file.streams.get({kind: 0})[0]
            return [(float(p.pts * p.time_base), bytes(p)) for p in file.demux(stream) if p.size and p.pts is not None]

    def pictures(self, part: int = 0) -> list[tuple[float, float, tuple[int, int]]]:
        """(seconds, brightness, size) of each decoded picture."""
        with self.open(part) as file:
            return [
                (float(f.time or 0), sum(bytes(f.planes[0])[: f.width]) / f.width, (f.width, f.height))
                for f in file.decode(video=0)
            ]

    def beep(self) -> float:
        """When the tone begins."""
        with self.open() as file:
            for frame in file.decode(audio=0):
                samples = array("f", bytes(frame.planes[0]))
                for index, value in enumerate(samples):
                    if abs(value) > 0.05:
                        return float(frame.time or 0) + index / frame.sample_rate / (2 if frame.format.is_packed else 1)
        raise AssertionError("no tone")


class Sender:
    """A person's microphone and camera, with clocks that begin anywhere."""

    def __init__(self, recording: Recording, codec: str, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.recording = recording
        self.codec = codec
        self.starts = {"v": self.chance.randrange(1 << 32), "a": self.chance.randrange(1 << 32)}
        self.sequences = {"v": 66_000, "a": 65_600}
        self.pictures = 0
        recording.add(Track("v", "alice", "video", codec, 90_000))
        recording.add(Track("a", "alice", "audio", "opus", 48_000))

    def report(self, track: str, at: float) -> None:
        rate = 90_000 if track == "v" else 48_000
        timestamp = (self.starts[track] + round(at * rate)) & 0xFFFFFFFF
        self.recording.report(track, round((NTP + at) * (1 << 32)), timestamp, BEGINS + at + DELAY)

    def send(self, seen: list[Picture], heard: list[tuple[bytes, float]], *, shuffle: bool = True) -> None:
        """Everything, in the order of time but for what the network swaps."""
        events: list[tuple[float, str, int, int, bool, bytes]] = []
        for picture in seen:
            parts = payloads(self.codec, picture, self.pictures)
            self.pictures += 1
            for index, part in enumerate(parts):
                timestamp = (self.starts["v"] + round(picture.at * 90_000)) & 0xFFFFFFFF
                last = index == len(parts) - 1
                events.append((picture.at + DELAY, "v", self.sequences["v"], timestamp, last, part))
                self.sequences["v"] += 1
        for packet, at in heard:
            timestamp = (self.starts["a"] + round(at * 48_000)) & 0xFFFFFFFF
            events.append((at + DELAY, "a", self.sequences["a"], timestamp, False, packet))
            self.sequences["a"] += 1
        late = (lambda: self.chance.uniform(0, 0.05)) if shuffle else (lambda: 0.0)
        first = {min(e[2] for e in events if e[1] == t) for t in {e[1] for e in events}}
        arriving = sorted((event[0] + (0 if event[2] in first else late()), *event) for event in events)
        ticked = reported = -1.0
        for arrival, at, track, sequence, timestamp, marker, payload in arriving:
            if at - reported >= 1.0:
                self.report("a", at)
                self.report("v", at)
                reported = at
            self.recording.packet(track, sequence, timestamp, marker, payload, BEGINS + arrival)
            if arrival - ticked >= 0.1:
                self.recording.advance(BEGINS + arrival)
                ticked = arrival


def essence(codec: str, data: bytes, container: str) -> list[bytes]:
    if codec == "av1":
        return obus(data)
    if codec == "h264" and container == "mp4":
        units, at = [], 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            units.append(data[at + 4 : at + 4 + size])
            at += 4 + size
        return units
    return nal_units(data) if codec == "h264" else [data]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_a_recording_is_what_was_sent(codec: str) -> None:
    shelf = Shelf()
    recording = Recording(shelf.take, shelf.asked.append)
    seen, heard = pictures(codec, SECONDS, CHANGE), sound(SECONDS, CHANGE)
    Sender(recording, codec).send(seen, heard)
    written_early = shelf.chunks
    recording.close()
    assert (recording.failed, recording.dropped, recording.part) == (False, 0, 1)
    assert recording.formats == ["mp4" if codec == "h264" else "webm"]
    assert written_early > 0, "pieces come while it goes on"
    assert shelf.asked == []
    assert abs(recording.begins[0] - (BEGINS + DELAY)) < 0.01

    # Not encoded again: the same bits.
    kept = shelf.packets("video")
    assert [sorted(essence(codec, data, recording.formats[0])) for _, data in kept] == [
        sorted(essence(codec, picture.data, "")) for picture in seen
    ]
    assert [data for _, data in shelf.packets("audio")] == [packet for packet, _ in heard]

    # As long as it lasted.
    for kind, step in (("video", 1 / 30), ("audio", 0.02)):
        times = [at for at, _ in shelf.packets(kind)]
        assert abs(times[-1] + step - SECONDS) < 0.1
        assert times == sorted(times)

    # In step, and to be seen.
    shown = shelf.pictures()
    assert len(shown) == len(seen)
    flash = next(at for at, brightness, _ in shown if brightness > (DARK + BRIGHT) / 2)
    assert abs(flash - CHANGE) < 0.04
    assert abs(shelf.beep() - flash) < 0.04


def test_lost_pictures_are_a_gap_until_the_next_key_frame_which_is_asked_for() -> None:
    shelf = Shelf()
    recording = Recording(shelf.take, shelf.asked.append)
    sender = Sender(recording, "vp8")
    seen = pictures("vp8", 6.0, 9.0, keys=(0, 150))
    lost = payloads("vp8", seen[60], 60)
    sender.send(seen[:60], sound(2.0, 9.0), shuffle=False)
    sender.sequences["v"] += len(lost)
    sender.pictures = 61
    tone = [(packet, at + 2.0) for packet, at in sound(4.0, 9.0)]
    sender.send(seen[61:], tone, shuffle=False)
    recording.close()
    times = [at for at, _ in shelf.packets("video")]
    assert [round(at * 30) for at in times] == [*range(60), *range(150, 180)]
    assert "v" in shelf.asked
    assert len(shelf.packets("audio")) == 300, "sound goes on"
    assert len(shelf.pictures()) == 90


def test_a_mute_is_a_gap_of_its_length() -> None:
    shelf = Shelf()
    recording = Recording(shelf.take, shelf.asked.append)
    sender = Sender(recording, "vp8")
    seen = pictures("vp8", 4.0, 9.0, keys=(0, 90))
    sender.send(seen[:30], sound(1.0, 9.0), shuffle=False)
    for track in ("v", "a"):
        recording.pause(track)
    sender.sequences = {"v": 70_000, "a": 70_000}
    sender.send(seen[90:], [(packet, at + 3.0) for packet, at in sound(1.0, 9.0)], shuffle=False)
    recording.close()
    assert recording.dropped == 0
    for kind, count in (("video", 30), ("audio", 50)):
        times = [at for at, _ in shelf.packets(kind)]
        assert len(times) == 2 * count
        assert abs(times[count] - times[count - 1] - 2.0) < 0.1
        assert abs(times[count] - 3.0) < 0.05


def test_a_picture_may_change_its_size() -> None:
    shelf = Shelf()
    recording = Recording(shelf.take, shelf.asked.append)
    sender = Sender(recording, "vp8")
    small = pictures("vp8", 1.0, 9.0, size=(160, 90))
    large = [Picture(p.data, p.keyframe, p.at + 1.0) for p in pictures("vp8", 1.0, 9.0, size=(320, 180))]
    sender.send(small + large, sound(2.0, 9.0))
    recording.close()
    assert recording.part == 1
    with shelf.open() as file:
        decoder = av.CodecContext.create("vp8", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        coded = [av.Packet(bytes(packet)) for packet in file.demux(video=0) if packet.size]
        sizes = [(frame.width, frame.height) for packet in coded for frame in decoder.decode(packet)]
    assert sizes == [(160, 90)] * 30 + [(320, 180)] * 30


def test_a_track_that_comes_later_begins_the_next_part() -> None:
    shelf = Shelf()
    recording = Recording(shelf.take, shelf.asked.append)
    sender = Sender(recording, "vp8")
    seen, heard = pictures("vp8", 4.0, 9.0, keys=(0, 90)), sound(4.0, 9.0)
    sender.send(seen[:60], heard[:100], shuffle=False)
    recording.add(Track("b", "bob", "audio", "opus", 48_000))
    for number in range(100):
        recording.packet("b", 70_000 + number, 960 * number, False, heard[number][0], BEGINS + 2.0 + number / 50)
    sender.send(seen[60:], heard[100:], shuffle=False)
    recording.close()
    assert recording.part == 2
    assert list(recording.begins) == sorted(recording.begins)
    with shelf.open(1) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio", "audio"]
    assert len(shelf.packets("video", 0)) == 60
    assert len(shelf.packets("video", 1)) == 30, "from its next key frame"
    assert "v" in shelf.asked


@pytest.mark.parametrize(
    ("codecs", "container"),
    [({"opus", "vp8"}, "webm"), ({"opus", "h264"}, "mp4"), ({"h264", "vp8"}, "matroska"), ({"opus"}, "webm")],
)
def test_containers_hold_what_is_put_into_them(codecs: set[str], container: str) -> None:
    assert container_of(codecs) == container


def test_nothing_recorded_is_no_file() -> None:
    shelf = Shelf()
    recording = Recording(shelf.take, shelf.asked.append)
    recording.add(Track("v", "alice", "video", "vp8", 90_000))
    recording.packet("unknown", 1, 1, True, b"x", 1.0)
    recording.advance(100.0)
    recording.close()
    assert (shelf.parts, recording.part) == ({}, 0)


# With its process, in a call


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stay_on_loopback()
    async with AsyncExitStack() as stack:
        made = Stage(stack)
        yield made
        await made.close()


@pytest.mark.integration
async def test_a_call_is_recorded_by_a_process_of_its_own(stage: Stage) -> None:
    shelf = Shelf()
    speaker, listener = await stage.person("speaker"), await stage.person("listener")
    await speaker.caller.start()
    await speaker.until("connection", connection="publish", state="connected")
    incoming = stage.control.rooms["r"].participants["speaker"].incoming
    assert incoming is not None
    recorder = Recorder(shelf, stage.clock)
    await recorder.start()
    for producer in incoming.producers.values():
        recorder.add(producer, "speaker")
    await listener.caller.received(tracks=2, frames=10)
    async with asyncio.timeout(30):
        while len(shelf.parts[0]) < 20_000:
            await asyncio.sleep(0.05)
    summary = await recorder.stop()
    assert not summary.failed
    assert [form for _, form in summary.parts] == ["webm"]
    assert all(count > 10 for count in summary.frames.values()), summary
    shown = shelf.pictures()
    assert {size for _, _, size in shown} == {(320, 180)}
    spans = {kind: shelf.packets(kind) for kind in ("video", "audio")}
    lengths = {kind: found[-1][0] - found[0][0] for kind, found in spans.items()}
    assert abs(lengths["video"] - lengths["audio"]) < 0.5
    heard = listener.caller.frames.copy()
    await listener.caller.received(tracks=2, frames=max(heard.values()) + 5)
    assert recorder._batch == [], "it has let go of the tracks"


@pytest.mark.integration
async def test_a_writer_that_fails_ends_the_recording_and_nothing_else(stage: Stage) -> None:
    class Full:
        async def write(self, part: int, chunk: bytes) -> None:
            raise OSError("no space left")

    speaker = await stage.person("speaker")
    await speaker.caller.start(video=False)
    await speaker.until("connection", connection="publish", state="connected")
    incoming = stage.control.rooms["r"].participants["speaker"].incoming
    assert incoming is not None
    recorder = Recorder(Full(), stage.clock)
    await recorder.start()
    for producer in incoming.producers.values():
        recorder.add(producer, "speaker")
    listener = await stage.person("listener")
    await listener.caller.received(tracks=1, frames=20)
    assert (await recorder.stop()).failed
    assert speaker.caller.publishing is not None
    assert speaker.caller.publishing.connectionState == "connected"
