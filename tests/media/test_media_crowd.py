"""A visit of many: whose pictures go out to whom as people speak, from packets of sound to what receivers get."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable

import pytest

from media import sdp
from media.allocation import LAST_N
from media.dtls import Certificate
from media.participant import Participant
from media.router import Room
from media.transport import UdpTransport
from tests.media.paths import AUDIO_TYPE, LEVEL_ID, MID_ID, RTX_TYPE, VIDEO_TYPE, rtp

STEP_S = 0.02
SILENT, VOICE, LOUD = 127, 40, 25


def offer(number: int) -> str:
    """A microphone and a camera."""
    return f"""v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF {AUDIO_TYPE}
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:{"p" * 24}
a=fingerprint:sha-256 {":".join([f"{number:02X}"] * 32)}
a=setup:actpass
a=mid:0
a=extmap:{MID_ID} {sdp.MID}
a=extmap:{LEVEL_ID} {sdp.AUDIO_LEVEL}
a=sendonly
a=rtcp-mux
a=rtpmap:{AUDIO_TYPE} opus/48000/2
m=video 9 UDP/TLS/RTP/SAVPF {VIDEO_TYPE} {RTX_TYPE}
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:{"p" * 24}
a=fingerprint:sha-256 {":".join([f"{number:02X}"] * 32)}
a=setup:actpass
a=mid:1
a=extmap:{MID_ID} {sdp.MID}
a=sendonly
a=rtcp-mux
a=rtpmap:{VIDEO_TYPE} VP8/90000
a=rtcp-fb:{VIDEO_TYPE} nack pli
a=rtpmap:{RTX_TYPE} rtx/90000
a=fmtp:{RTX_TYPE} apt={VIDEO_TYPE}
"""


class Crowd:
    """People in a room; what they say is handed in as packets, time is passed in."""

    def __init__(self, transport: UdpTransport) -> None:
        self.now = 0.0
        tracks = iter(range(1000))
        self.room = Room("room", transport, [], lambda: self.now, lambda: f"t{next(tracks)}")
        self.levels: dict[str, int] = {}
        self.changes: list[list[str]] = []
        self._sent = self._step = 0

    def come(self, count: int) -> None:
        for number in range(len(self.levels), len(self.levels) + count):
            name = f"p{number:02}"
            person = self.room.join(name)
            person.publish(offer(number), {"0": "microphone", "1": "camera"})
            self.room.welcome(person)
            self.levels[name] = SILENT

    def go(self, seconds: float, **levels: int) -> None:
        """Everybody sends sound at a level of theirs."""
        self.levels |= levels
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            self._sent += 1
            self._step += 1
            for number, (name, person) in enumerate(self.room.participants.items()):
                assert person.incoming is not None
                elements = [(MID_ID, b"0"), (LEVEL_ID, bytes((self.levels[name],)))]
                packet = rtp(100 + number, self._sent, b"s", kind=AUDIO_TYPE, elements=elements)
                person.incoming.unknown(packet, self.now)
            self.room.step(self._step, self.now)
            if not self.changes or self.changes[-1] != self.room._speakers.order:
                self.changes.append(list(self.room._speakers.order))

    def cameras(self, person: Participant) -> dict[str, bool]:
        """By whose: whether this person gets that camera."""
        assert person.outgoing is not None
        return {
            consumer.owner: not consumer.paused
            for consumer in person.outgoing.consumers
            if consumer.producer is not None and consumer.producer.kind == "video"
        }

    def unseen(self) -> dict[str, set[str]]:
        """By receiver: whose cameras are kept back."""
        return {
            name: {owner for owner, seen in self.cameras(person).items() if not seen}
            for name, person in self.room.participants.items()
        }

    def seen_by_all(self, names: Iterable[str]) -> bool:
        return all(not (set(names) & kept) for kept in self.unseen().values())


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    transport = UdpTransport(Certificate(), time.monotonic)
    transport.open("127.0.0.1", 0)
    made = Crowd(transport)
    yield made
    made.room.close()
    await transport.close()


async def test_twelve_see_everybody(crowd: Crowd) -> None:
    crowd.come(12)
    crowd.go(3, p03=VOICE)
    assert set(map(len, crowd.unseen().values())) == {0}
    assert all(len(crowd.cameras(person)) == 11 for person in crowd.room.participants.values())


async def test_where_there_are_more_the_last_to_speak_are_seen(crowd: Crowd) -> None:
    crowd.come(16)
    for number in range(16):  # everybody says a few words, the first of them longest ago
        crowd.go(2.0, **{f"p{number:02}": VOICE})
        crowd.go(1.5, **{f"p{number:02}": SILENT})
    unseen = crowd.unseen()
    order = crowd.room._speakers.order
    assert order == [f"p{number:02}" for number in reversed(range(16))]
    for name, kept in unseen.items():
        others = [each for each in order if each != name]
        assert kept == set(others[LAST_N:]), "those who spoke longest ago"
    # Sound is everybody's, always.
    for person in crowd.room.participants.values():
        assert person.outgoing is not None
        sounds = [c for c in person.outgoing.consumers if c.producer is not None and c.producer.kind == "audio"]
        assert len(sounds) == 15
        assert not any(consumer.paused for consumer in sounds)
    # Who has not been seen speaks: everybody sees them within a second and a half.
    assert not crowd.seen_by_all(["p00"])
    crowd.go(1.5, p00=VOICE)
    assert crowd.seen_by_all(["p00"])
    assert {len(kept) for kept in crowd.unseen().values()} == {15 - LAST_N}


async def test_who_is_seen_does_not_flap(crowd: Crowd) -> None:
    """A cough, a breath, a word of agreement and somebody as loud move nobody; an answer does, once."""
    crowd.come(14)
    crowd.go(3, p05=VOICE)
    before, seen = len(crowd.changes), crowd.unseen()
    for _ in range(5):
        crowd.go(0.3, p01=LOUD, p02=VOICE)
        crowd.go(0.8, p01=SILENT, p02=SILENT)
        crowd.go(0.9, p05=SILENT)
        crowd.go(1.2, p05=VOICE)
    assert crowd.room._speakers.order[0] == "p05"
    assert len(crowd.changes) == before
    assert crowd.unseen() == seen
    crowd.go(0.4, p05=SILENT)
    crowd.go(3.0, p01=VOICE)
    assert crowd.room._speakers.order[:2] == ["p01", "p05"]
    assert len(crowd.changes) == before + 1
