"""What happens to each packet, on the path in Python and on the native one alike: the same tests for both."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from media.path.limits import KEEP_S, RESENDS_PER_INTERVAL, RESTART_AFTER
from media.rtp import rtcp, rtx
from media.rtp.nack import MAX_MISSING
from media.rtp.twcc import TwccReceiver
from tests.media.paths import (
    AUDIO_TYPE,
    LEVEL_ID,
    RED_TYPE,
    RTX_TYPE,
    SEND_TIME_ID,
    TWCC_ID,
    World,
    numbers,
    rtp,
)

KEYFRAME = b"\x10\x50\x00\x00\x9d\x01\x2a"
INTER = b"\x10\x51\x00\x00"


@pytest.fixture
def world(media_path: str) -> Iterator[World]:
    made = World(media_path)
    yield made
    made.close()


def test_every_receiver_gets_every_packet_in_its_own_numbers(world: World) -> None:
    for index in range(200):  # over the wrap of both the sender's numbers and the receivers'
        world.sender.send(rtp(World.VIDEO, 65_400 + index, b"v%d" % index, timestamp=index, marker=index % 4 == 3))
        world.sender.send(rtp(World.AUDIO, index, b"a%d" % index, kind=AUDIO_TYPE, elements=[(LEVEL_ID, b"\xa0")]))
        if index % 7 == 0:
            world.poll(0.01)
    world.poll(0.01)
    for index, receiver in enumerate(world.receivers):
        got = receiver.packets()
        video, audio = ([p for p in got if p.ssrc == ssrc + index] for ssrc in (2000, 4000))
        assert [p.payload for p in video] == [b"v%d" % n for n in range(200)]
        assert numbers(video, 65_500 + index) == list(range(200))
        assert [p.timestamp for p in video] == list(range(200))
        assert [p.marker for p in video] == [n % 4 == 3 for n in range(200)]
        assert all(len(p.extensions[SEND_TIME_ID]) == 3 for p in video)
        assert numbers(audio, 7 + index) == list(range(200))
        assert all(p.extensions[LEVEL_ID] == b"\xa0" for p in audio)
    assert world.path.drops == {}
    assert world.sender.link.packets_in == 400
    assert abs(world.audio.source.level - 32) < 1


def test_reordering_and_duplicates(world: World) -> None:
    chance = random.Random(7)
    order = list(range(300))
    for at in range(0, 300, 10):
        part = order[at : at + 10]
        chance.shuffle(part)
        order[at : at + 10] = part
    sent: list[bytes] = []
    world.sender.send(rtp(World.VIDEO, 999, b"first"))
    for number in order:
        sent.append(world.sender.send(rtp(World.VIDEO, 1000 + number, b"%d" % number)))
        if chance.random() < 0.2:
            world.sender.raw(chance.choice(sent))  # the network repeats a datagram: SRTP notices
        world.poll(0.001)
    got = world.receivers[0].packets()
    assert sorted(int(p.payload) for p in got[1:]) == list(range(300))
    assert all((p.number - got[0].number) & 0xFFFF == int(p.payload) + 1 for p in got[1:])
    assert world.path.drops["srtp"] > 20
    assert world.video.source.lost == 0


def test_retransmissions_mend_and_their_copies_are_dropped(world: World) -> None:
    for number in (10, 11, 14, 15):
        world.sender.send(rtp(World.VIDEO, number, b"%d" % number))
    world.poll()
    assert ("video", "attention", None) in world.heard
    assert [n & 0xFFFF for n in world.video.source.due(world.now, 0.01)] == [12, 13]
    assert world.video.source.due(world.now + 0.001, 0.01) == [], "asked for just now"
    for again, number in enumerate((12, 13, 13, 15)):  # a copy, and a probe of something that came
        payload = rtx.wrap(number, b"%d" % number)
        world.sender.send(rtp(World.VIDEO_RTX, again, payload, kind=RTX_TYPE, padding=5 if again == 0 else 0))
    world.sender.send(rtp(World.VIDEO_RTX, 9, b"", kind=RTX_TYPE, padding=200))
    world.poll(0.01)
    assert not world.video.source.waiting
    assert [p.payload for p in world.receivers[1].packets()] == [b"10", b"11", b"14", b"15", b"12", b"13"]
    assert (world.video.source.recovered, world.video.source.duplicates) == (4, 2)
    assert world.video.source.report()[1] == 0


def test_requests_stop_and_wide_gaps_ask_for_a_key_frame(world: World) -> None:
    world.sender.send(rtp(World.VIDEO, 1, b"x"))
    world.sender.send(rtp(World.VIDEO, 4, b"x"))
    world.poll()
    asked = 0
    for _ in range(100):
        world.now += 0.05
        asked += len(world.video.source.due(world.now, 0.01))
    assert asked == 20, "ten times each"
    assert not world.video.source.waiting
    world.sender.send(rtp(World.VIDEO, 4 + MAX_MISSING + 5, b"x"))
    world.poll()
    assert ("video", "gap", None) in world.heard
    assert not world.video.source.waiting


def test_requests_are_answered_across_changes_of_source(world: World) -> None:
    """Numbers are translated through every renumbering: RTX with the receiver's own original number."""
    receiver = world.receivers[0]
    sink = receiver.sinks[2000]
    first = 65_500
    for round_ in range(4):
        for index in range(5):
            world.sender.send(rtp(World.VIDEO + 0, 1000 * round_ + index, b"%d.%d" % (round_, index)))
        world.poll(0.02)
        world.video.source.resync()
    assert numbers(receiver.packets(), first) == list(range(20))
    receiver.send_rtcp(rtcp.receiver_report(1, []) + rtcp.nack(1, 2000, [(first + n) & 0xFFFF for n in (2, 7, 19)]))
    world.poll(0.05)
    got = receiver.packets()
    assert {p.ssrc for p in got} == {3000}
    assert {p.type for p in got} == {RTX_TYPE}
    found = {((rtx.unwrap(p.payload) or (0, b""))[0] - first) & 0xFFFF: rtx.unwrap(p.payload) for p in got}
    assert {n: f[1] for n, f in found.items() if f} == {2: b"0.2", 7: b"1.2", 19: b"3.4"}
    assert (sink.resent, sink.resend_misses) == (3, 0)
    sink.resend([(first + 2) & 0xFFFF], world.now + 0.001, 0.0)
    assert sink.resent == 3, "two requests crossed"
    sink.resend([(first + 2) & 0xFFFF], world.now + 0.02, 0.0)
    assert sink.resent == 4
    sink.resend([(first + 3) & 0xFFFF], world.now + KEEP_S + 0.1, 0.0)
    assert sink.resend_misses == 1, "nobody waits for it any more"


def test_without_rtx_the_identical_ciphertext_is_sent_again(media_path: str) -> None:
    world = World(media_path, receivers=1, video_rtx=False)
    (receiver,) = world.receivers
    for number in range(20):
        world.sender.send(rtp(World.AUDIO, number, b"sound %d" % number, kind=AUDIO_TYPE))
        world.sender.send(rtp(World.VIDEO, number, b"picture %d" % number))
    world.poll()
    first = receiver.received()
    assert len(first) == 40
    world.now += 0.02
    receiver.sinks[4000].resend([7, 9, 400], world.now, 0.0)
    receiver.sinks[2000].resend([65_500], world.now, 0.0)
    world.path.flush()
    again = receiver.received()
    assert again == [first[0], first[4], first[1]]
    assert receiver.sinks[4000].resend_misses == 1
    world.close()


def test_a_late_packet_answers_the_requests_that_crossed_it(world: World) -> None:
    receiver = world.receivers[0]
    for number in (1, 2, 4):
        world.sender.send(rtp(World.VIDEO, number, b"%d" % number))
    world.poll()
    wanted = (65_500 + 2) & 0xFFFF
    world.sender.send(rtp(World.VIDEO_RTX, 1, rtx.wrap(3, b"3"), kind=RTX_TYPE))
    receiver.send_rtcp(rtcp.receiver_report(1, []) + rtcp.nack(1, 2000, [wanted]))  # sent before it could arrive
    world.poll(0.03)
    assert [p.payload for p in receiver.packets()] == [b"1", b"2", b"4", b"3"]
    assert receiver.sinks[2000].resent == 0


def test_a_flood_of_requests_is_bounded(world: World) -> None:
    for number in range(300):
        world.sender.send(rtp(World.VIDEO, number, b"x"))
        world.poll(0.0001)
    receiver = world.receivers[0]
    receiver.received()
    sink = receiver.sinks[2000]
    world.now += 0.5
    sink.resend([(65_500 + n) & 0xFFFF for n in range(300)], world.now, 0.0)
    world.path.flush()
    assert len(receiver.received()) == RESENDS_PER_INTERVAL == sink.resent


def test_a_sender_that_numbers_anew_is_followed(world: World) -> None:
    for number in range(5):
        world.sender.send(rtp(World.VIDEO, 30_000 + number, b"old"))
    world.poll()
    for number in range(RESTART_AFTER + 10):  # under the same SSRC; handed in, for SRTP would not allow it
        world.sender.link.inject(rtp(World.VIDEO, 5 + number, b"new"), world.now)
    world.poll()
    assert ("video", "restarted", None) in world.heard
    got = world.receivers[0].packets()
    assert numbers(got, 65_500) == list(range(5 + 11))
    assert [p.payload for p in got[5:]] == [b"new"] * 11


def test_muted_paused_and_inactive_send_nothing_and_go_on_seamlessly(world: World) -> None:
    one, other = world.receivers

    def send(*which: int) -> tuple[list[bytes], list[bytes]]:
        for number in which:
            world.sender.send(rtp(World.VIDEO, number, b"%d" % number))
        world.poll()
        return [p.payload for p in one.packets()], [p.payload for p in other.packets()]

    assert send(1, 2) == ([b"1", b"2"], [b"1", b"2"])
    world.video.source.muted = True
    assert send(3) == ([], [])
    world.video.source.muted = False
    world.video.source.resync()
    one.sinks[2000].paused = True
    assert send(4) == ([], [b"4"])
    one.sinks[2000].paused = False
    one.sinks[2000].resync()
    other.sinks[2001].active = False
    assert send(5) == ([b"5"], [])
    assert (one.sinks[2000].packets, other.sinks[2001].packets) == (3, 3)
    world.sender.send(rtp(World.VIDEO_RTX, 1, rtx.wrap(0, b"0"), kind=RTX_TYPE))
    world.poll()
    assert one.packets() == [], "from before it was switched on"
    one.sinks[2000].close()
    assert send(6) == ([], [])
    assert one.sinks[2000].packets == 3


def test_key_frames_and_probes_are_counted(world: World) -> None:
    for number, payload in enumerate((KEYFRAME, INTER, b"", KEYFRAME)):
        elements = [(TWCC_ID, (500 + number).to_bytes(2, "big"))]
        world.sender.send(rtp(World.VIDEO, number, payload, elements=elements, padding=3 if number == 1 else 0))
    world.sender.send(rtp(777, 1, b"probe", elements=[(TWCC_ID, b"\x01\xf8")]))
    world.poll()
    assert world.video.source.keyframes == 2
    assert ("sender", "unknown", 777) in world.heard
    world.sender.link.feedback(World.VIDEO)
    world.path.flush()
    (report,) = world.sender.reports()
    parts = rtcp.parse(report)
    assert any(isinstance(part, rtcp.TwccFeedback) and part.body[:4] == b"\x01\xf4\x00\x05" for part in parts)


def test_an_unknown_source_is_learned_and_loses_nothing(world: World) -> None:
    world.sender.learn[55] = (world.audio.source, False)
    for number in range(10):
        world.sender.send(rtp(55, number, b"%d" % number, kind=AUDIO_TYPE))
    world.poll()
    for number in range(10, 20):
        world.sender.send(rtp(55, number, b"%d" % number, kind=AUDIO_TYPE))
    world.poll()
    assert [p.payload for p in world.receivers[0].packets()] == [b"%d" % n for n in range(20)]
    assert sum(what == "unknown" for _, what, _ in world.heard) == 10


def test_taps_get_plaintext_and_only_while_they_are_there(world: World) -> None:
    seen: list[tuple[int, int, bool, bytes, float]] = []

    def tap(sequence: int, timestamp: int, marker: bool, payload: bytes, now: float) -> None:
        seen.append((sequence & 0xFFFF, timestamp, marker, payload, now))

    world.video.source.add_tap(tap)
    world.sender.send(rtp(World.VIDEO, 1, b"one", timestamp=90, marker=True, padding=4))
    world.sender.send(rtp(World.VIDEO_RTX, 1, rtx.wrap(2, b"two"), kind=RTX_TYPE, timestamp=91))
    world.sender.send(rtp(World.VIDEO_RTX, 2, rtx.wrap(2, b"two"), kind=RTX_TYPE, timestamp=91))
    world.poll()
    world.video.source.muted = True
    world.sender.send(rtp(World.VIDEO, 3, b"three"))
    world.poll()
    world.video.source.remove_tap(tap)
    world.sender.send(rtp(World.VIDEO, 4, b"four"))
    world.poll()
    now = world.now
    assert seen == [(1, 90, True, b"one", now), (2, 91, False, b"two", now), (3, 0, False, b"three", now)]


def test_red_is_unpacked_or_wrapped(world: World) -> None:
    source = world.audio.source
    source.convert(RED_TYPE, None)
    two = bytes((0x80 | AUDIO_TYPE, 0, 0, 3, AUDIO_TYPE)) + b"oldnew"
    world.sender.send(rtp(World.AUDIO, 1, two, kind=RED_TYPE, padding=2))
    world.sender.send(rtp(World.AUDIO, 2, b"\xef\x00\x03\xff\x6f", kind=RED_TYPE))  # lies about its length
    world.sender.send(rtp(World.AUDIO, 3, b"plain", kind=AUDIO_TYPE))
    world.poll()
    assert [p.payload for p in world.receivers[0].packets()] == [b"new", b"plain"]
    source.set_types(RED_TYPE, None)
    source.convert(AUDIO_TYPE, AUDIO_TYPE)
    world.sender.send(rtp(World.AUDIO, 4, b"plain", kind=AUDIO_TYPE, padding=2, elements=[(LEVEL_ID, b"\x05")]))
    world.sender.send(rtp(World.AUDIO, 5, two, kind=RED_TYPE))
    world.poll()
    assert [p.payload for p in world.receivers[0].packets()] == [bytes((AUDIO_TYPE,)) + b"plain", two]
    assert world.path.drops == {"rtp_malformed": 1}


def test_what_is_not_media_is_handed_up_with_its_address(world: World) -> None:
    stun, dtls = b"\x00\x01" + bytes(18), b"\x16\xfe\xfd" + bytes(20)
    world.sender.raw(stun)
    world.sender.raw(dtls)
    world.sender.raw(b"\x47 neither")
    world.sender.raw(b"\xff neither")
    world.poll()
    address = world.sender.socket.getsockname()
    assert world.datagrams == [(stun, address), (dtls, address)]
    world.sender.link.move(None)
    world.sender.raw(stun)
    world.sender.raw(dtls)
    world.sender.send(rtp(World.VIDEO, 1, b"x"))
    world.poll()
    assert world.datagrams[2:] == [(stun, address)]
    assert world.path.drops == {"unknown": 3, "stranger": 1}


def test_a_moved_address_belongs_to_the_last_who_proved_it(world: World) -> None:
    one, other = world.receivers
    other.link.move(one.socket.getsockname())
    assert one.link.address is None
    assert not one.link.ready
    world.sender.send(rtp(World.VIDEO, 1, b"x"))
    world.poll()
    assert len(one.received()) == 1, "what is meant for the other goes to its new address"
    assert other.received() == []


def test_keys_and_addresses_that_are_not_there_yet(world: World) -> None:
    one, other = world.receivers
    one.link.use(None)
    other.link.move(None)
    world.sender.send(rtp(World.VIDEO, 1, b"x"))
    world.poll()
    assert one.received() == other.received() == []
    one.raw(b"\x80" * 40)
    world.poll()
    assert world.path.drops == {"before_dtls": 1}
    assert one.sinks[2000].packets == 0


def test_what_goes_out_is_numbered_and_told(world: World) -> None:
    receiver = world.receivers[0]
    for number in range(40):
        world.sender.send(rtp(World.VIDEO, number, bytes(200)))
        world.sender.send(rtp(World.AUDIO, number, b"s", kind=AUDIO_TYPE))
        world.poll(0.02)
    receiver.sinks[2000].resend([(65_500 + 30) & 0xFFFF], world.now, 0.0)
    assert receiver.sinks[2000].pad(1500, world.now) >= 1500
    world.path.flush()
    got = receiver.packets()
    counted = [int.from_bytes(p.extensions[TWCC_ID], "big") for p in got]
    assert counted == list(range(len(got))), "whatever leaves is counted, retransmission and padding too"
    assert TWCC_ID not in next(p for p in world.receivers[1].packets() if p.type == AUDIO_TYPE).extensions
    told = TwccReceiver()
    for number in counted:
        if number % 10 != 9:
            told.arrived(number, 7.0 + number * 0.011)
    for part in rtcp.parse(b"".join(told.feedback(1, 1))):
        assert isinstance(part, rtcp.TwccFeedback)
        assert receiver.link.acknowledge(part.body)
    answer = receiver.link.told()
    lost = len([n for n in counted if n % 10 == 9 and n != counted[-1]])
    assert (answer.received, answer.lost) == (len([n for n in counted if n % 10 != 9]), lost)
    assert len(answer.groups) > 30
    assert not receiver.link.acknowledge(b"nonsense")
    assert receiver.sinks[4000].pad(500, world.now) == 0, "sound has no way to send padding"


def test_what_is_closed_stays_closed_in_any_order(media_path: str) -> None:
    for order in range(4):
        world = World(media_path)
        world.sender.send(rtp(World.VIDEO, 1, b"x"))
        world.poll()
        closing = [world.sender.link.close, world.video.source.close, world.receivers[0].link.close]
        random.Random(order).shuffle(closing)
        for close in closing:
            close()
            world.poll()
        world.receivers[1].sinks[2001].close()
        assert not world.video.source.waiting
        assert world.sender.link.packets_in == 1
        world.sender.send(rtp(World.VIDEO, 2, b"x"))
        world.poll()
        assert world.path.drops == {"stranger": 1}
        world.close()
        assert world.path.drops == {"stranger": 1}
