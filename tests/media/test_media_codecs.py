"""What real browsers offer and answer, and what is made of it. Captured from Chromium 156 and Firefox 153."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rpc import Params
from media import codecs, sdp
from media.codecs import Preferences
from media.connection import Connection
from media.control import Control
from media.dtls import Certificate
from media.layer import Layer
from media.outgoing import Outgoing
from media.producer import RED_MOST, Producer
from media.rtp import red
from media.transport import UdpTransport

CAPTURED = Path(__file__).with_name("sdp")
FINGERPRINT = ":".join(["AB"] * 32)
LOCAL = sdp.Local(1, 1, "ufrag", "p" * 24, FINGERPRINT, [])
OFFERED = [
    # browser, codec, payload type, its RTX, parameters
    ("chromium", "vp8", 96, 97, ""),
    ("chromium", "h264", 108, 109, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    ("chromium", "vp9", 98, 99, "profile-id=0"),
    ("chromium", "av1", 45, 46, "level-idx=5;profile=0;tier=0"),
    ("firefox", "vp8", 120, 124, "max-fs=12288;max-fr=60"),
    ("firefox", "vp9", 121, 125, "max-fs=12288;max-fr=60"),
    ("firefox", "av1", 99, 100, ""),
]


def captured(name: str) -> sdp.Description:
    return sdp.parse((CAPTURED / name).read_text())


def written(media: sdp.Media, chosen: sdp.Chosen | None) -> list[str]:
    section = sdp.Section(media.kind, media.protocol, media.mid, "recvonly", chosen, media.formats)
    return sdp.write(LOCAL, "passive", [section]).split("\r\n")


@pytest.mark.parametrize(("browser", "codec", "number", "rtx", "parameters"), OFFERED)
def test_each_picture_codec_is_answered_as_offered(
    browser: str, codec: str, number: int, rtx: int, parameters: str
) -> None:
    media = captured(f"{browser}.offer").media[1]
    chosen = codecs.choose(media, Preferences((codec,)))
    assert chosen is not None
    assert (chosen.codec.payload_type, chosen.rtx, chosen.codec.parameters) == (number, rtx, parameters)
    assert set(chosen.feedback) == {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}
    assert set(chosen.extensions) == {sdp.MID, sdp.ABS_SEND_TIME, sdp.TRANSPORT_CC}
    lines = written(media, chosen)
    assert f"m=video 9 UDP/TLS/RTP/SAVPF {number} {rtx}" in lines
    formats = [line for line in lines if line.startswith(f"a=fmtp:{number} ")]
    assert formats == ([f"a=fmtp:{number} {parameters}"] if parameters else [])
    assert f"a=fmtp:{rtx} apt={number}" in lines


def test_the_order_is_the_browsers_unless_the_operator_has_one() -> None:
    for browser in ("chromium", "firefox"):
        media = captured(f"{browser}.offer").media[1]
        first, wanted = codecs.choose(media), codecs.choose(media, Preferences(("h264", "av1", "vp8")))
        assert first is not None
        assert first.codec.name == "vp8"
        assert wanted is not None
        assert wanted.codec.name == ("h264" if browser == "chromium" else "av1")
    firefox = captured("firefox.offer").media[1]
    assert codecs.choose(firefox, Preferences(("h264",))) is None, "what is not listed is not used"
    assert any(line.startswith("m=video 0 ") for line in written(firefox, None))


def test_sound_keeps_its_parameters_and_asks_for_forward_correction() -> None:
    chromium, firefox = (captured(f"{b}.offer").media[0] for b in ("chromium", "firefox"))
    chosen = codecs.choose(chromium)
    assert chosen is not None
    assert chosen.red is not None
    lines = written(chromium, chosen)
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 63 111" in lines, "first is preferred"
    assert "a=fmtp:63 111/111" in lines
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in lines
    plain = codecs.choose(chromium, Preferences(red=False))
    assert plain is not None
    assert plain.red is None
    other = codecs.choose(firefox)
    assert other is not None
    assert other.red is None
    assert "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1" in written(firefox, other)
    assert set(other.extensions) == {sdp.MID, sdp.AUDIO_LEVEL, sdp.TRANSPORT_CC}


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("minptime=10", "minptime=10;useinbandfec=1"),
        ("", "useinbandfec=1"),
        ("useinbandfec=0;usedtx=1", "usedtx=1;useinbandfec=1"),
        ("minptime=10;useinbandfec=1;usedtx=1", "minptime=10;useinbandfec=1;usedtx=1"),
    ],
)
def test_silence_is_skipped_only_where_offered(offered: str, answered: str) -> None:
    assert codecs.with_fec(sdp.Codec(111, "opus", 48000, 2, offered)).parameters == answered


@pytest.mark.parametrize(
    ("offered", "answered", "same"),
    [
        ("packetization-mode=1;profile-level-id=42e01f", "packetization-mode=1;profile-level-id=42e034", True),
        ("packetization-mode=1;profile-level-id=42e01f", "packetization-mode=0;profile-level-id=42e01f", False),
        ("packetization-mode=1;profile-level-id=42e01f", "packetization-mode=1;profile-level-id=640c1f", False),
        ("packetization-mode=1;profile-level-id=42e01f", "packetization-mode=1;profile-level-id=zz", False),
        ("profile-level-id=42e01f", "packetization-mode=0;profile-level-id=42E01F", True),
    ],
)
def test_another_profile_is_another_codec(offered: str, answered: str, same: bool) -> None:
    codec = [sdp.Codec(96, "h264", 90000, 1, text) for text in (offered, answered)]
    assert codecs.compatible(codec[0], codec[1]) is same


def test_profiles_of_vp9_and_av1_are_kept_apart() -> None:
    for name, parameter in (("vp9", "profile-id"), ("av1", "profile")):
        plain, first, second = (
            sdp.Codec(96, name, 90000, 1, text) for text in ("", f"{parameter}=0", f"{parameter}=2")
        )
        assert codecs.compatible(plain, first)
        assert not codecs.compatible(first, second)


# Receivers


class Ear:
    """Stands where signaling's end of the channel would."""

    closed = False

    def __init__(self) -> None:
        self.events: list[tuple[str, Params]] = []

    def event(self, name: str, params: Params) -> bool:
        self.events.append((name, params))
        return True

    def last(self, name: str) -> Params:
        return next(params for event, params in reversed(self.events) if event == name)


@pytest.fixture
async def transport() -> AsyncIterator[UdpTransport]:
    opened = UdpTransport(Certificate(), time.monotonic)
    opened.open("127.0.0.1", 0)
    yield opened
    await opened.close()


async def ask(control: Control, ear: Ear, method: str, who: str, **params: object) -> Params:
    return await control.handle(method, {"room": "r", "participant": who, **params}, ear)  # type: ignore[arg-type]  # enough of a peer


async def publish(control: Control, ear: Ear, browser: str) -> None:
    tracks = [{"mid": "0", "source": "microphone"}, {"mid": "1", "source": "camera"}]
    await ask(control, ear, "publish", "publisher", sdp=(CAPTURED / f"{browser}.offer").read_text(), tracks=tracks)


@pytest.mark.parametrize(
    ("answer", "publisher", "codec", "taken", "with_red"),
    [
        ("chromium_of_chromium_vp8", "chromium", "vp8", True, True),
        ("chromium_of_chromium_h264", "chromium", "h264", True, True),
        ("chromium_of_chromium_vp9", "chromium", "vp9", True, True),
        ("chromium_of_chromium_av1", "chromium", "av1", True, True),
        ("firefox_of_chromium_vp8", "chromium", "vp8", True, False),
        ("firefox_of_chromium_vp9", "chromium", "vp9", True, False),
        ("firefox_of_chromium_av1", "chromium", "av1", True, False),
        ("firefox_of_chromium_h264", "chromium", "h264", False, False),  # without its H.264 plugin
        ("chromium_of_firefox_vp9", "firefox", "vp9", True, False),
        ("firefox_of_firefox_av1", "firefox", "av1", True, False),
    ],
)
async def test_what_receivers_answer(
    transport: UdpTransport, answer: str, publisher: str, codec: str, taken: bool, with_red: bool
) -> None:
    names = iter(range(100))
    control = Control(transport, [], time.monotonic, lambda: f"t{next(names)}", Preferences((codec,)))
    ear = Ear()
    for who in ("publisher", "receiver"):
        await ask(control, ear, "join", who)
    await publish(control, ear, publisher)
    offer = ear.last("offer")
    assert [media.codecs[96].name for media in sdp.parse(offer["sdp"]).media if media.kind == "video"] == [codec]
    text = (CAPTURED / f"{answer}.answer").read_text()
    await ask(control, ear, "answer", "receiver", negotiation=offer["negotiation"], sdp=text)
    outgoing = control.rooms["r"].participants["receiver"].outgoing
    assert outgoing is not None
    sound, pictures = outgoing.consumers
    assert sound.active
    assert sound.takes_red is with_red
    assert pictures.active is taken
    tracks = {
        t["source"]: t for t in (await ask(control, ear, "stats", "receiver"))["rooms"]["r"]["publisher"]["tracks"]
    }
    assert tracks["camera"]["refused"] == (0 if taken else 1)
    refusals = [params for name, params in ear.events if name == "refused"]
    if taken:
        assert refusals == []
    else:
        assert refusals == [
            {
                "room": "r",
                "participant": "receiver",
                "tracks": [{"track_id": tracks["camera"]["track_id"], "codec": codec}],
            }
        ]
    control.close()
    await asyncio.sleep(0)


# Redundant sound


def redundant(block: bytes, copies: list[bytes], payload_type: int = 111) -> bytes:
    head = b"".join(
        struct.pack("!I", 1 << 31 | payload_type << 24 | (960 * (len(copies) - i)) << 10 | len(copy))
        for i, copy in enumerate(copies)
    )
    return head + bytes((payload_type,)) + b"".join(copies) + block


@given(st.binary(max_size=200), st.lists(st.binary(max_size=1023), max_size=4))
def test_the_packets_own_block_is_found(block: bytes, copies: list[bytes]) -> None:
    assert red.primary(redundant(block, copies)) == block
    assert red.primary(red.wrap(111, block)) == block


@given(st.binary(max_size=60))
def test_hostile_redundancy_is_refused_quietly(payload: bytes) -> None:
    found = red.primary(payload)
    assert found is None or payload.endswith(found)


async def test_copies_go_to_all_receivers_or_to_none(transport: UdpTransport) -> None:
    names = iter(range(100))
    control = Control(transport, [], time.monotonic, lambda: f"t{next(names)}", Preferences(("vp8",)))
    ear = Ear()
    for who in ("publisher", "chromium", "firefox"):
        await ask(control, ear, "join", who)
    await publish(control, ear, "chromium")
    room = control.rooms["r"]
    incoming = room.participants["publisher"].incoming
    assert incoming is not None
    sound = next(producer for producer in incoming.producers.values() if producer.source == "microphone")

    heard: list[bytes] = []
    sound.add_tap(lambda sequence, timestamp, marker, payload, arrival: heard.append(payload))

    def arrives(payload_type: int, payload: bytes, number: int) -> bytes | None:
        """What goes on of a packet of this type."""
        heard.clear()
        head = struct.pack("!BBHII", 0x80, payload_type, number, 960 * number, sound.described[0])
        incoming.connection.link.inject(head + payload, 1.0)
        transport.path.poll(1.0)  # hands up what was not forwarded at once
        return heard[0] if heard else None

    async def answers(who: str) -> None:
        offer = next(p for name, p in ear.events if name == "offer" and p["participant"] == who)
        text = (CAPTURED / f"{who}_of_chromium_vp8.answer").read_text()
        await ask(control, ear, "answer", who, negotiation=offer["negotiation"], sdp=text)

    both = redundant(b"now", [b"before"])
    assert arrives(63, both, 1) == b"now", "nobody has taken RED yet"
    await answers("chromium")
    assert arrives(63, both, 2) == both
    assert arrives(111, b"alone", 3) == b"\x6falone", "a packet without copies is wrapped for receivers of RED"
    await answers("firefox")
    assert arrives(63, both, 4) == b"now"
    assert arrives(111, b"alone", 5) == b"alone"
    await ask(control, ear, "leave", "firefox")
    assert arrives(63, both, 6) == both
    await ask(control, ear, "leave", "chromium")
    assert arrives(63, b"\xef\x00\x03\xff\x6f", 8) is None, "a length that lies"
    assert transport.path.drops["rtp_malformed"] == 1
    assert arrives(96, both, 9) is None, "a payload type of another track"
    control.close()


async def test_copies_are_for_few_receivers(transport: UdpTransport) -> None:
    names = iter(range(100))
    control = Control(transport, [], time.monotonic, lambda: f"t{next(names)}", Preferences(("vp8",)))
    ear = Ear()
    receivers = [f"r{number}" for number in range(RED_MOST + 1)]
    for who in ("publisher", *receivers):
        await ask(control, ear, "join", who)
    await publish(control, ear, "chromium")
    incoming = control.rooms["r"].participants["publisher"].incoming
    assert incoming is not None
    sound = next(producer for producer in incoming.producers.values() if producer.source == "microphone")
    text = (CAPTURED / "chromium_of_chromium_vp8.answer").read_text()
    states = []
    for who in receivers:
        offer = next(p for name, p in ear.events if name == "offer" and p["participant"] == who)
        await ask(control, ear, "answer", who, negotiation=offer["negotiation"], sdp=text)
        states.append(sound.red)
    assert states == [True] * RED_MOST + [False]
    await ask(control, ear, "leave", receivers[0])
    assert sound.red
    control.close()
    await asyncio.sleep(0)


def test_payload_types_run_out_without_harm(transport: UdpTransport) -> None:
    """A section more than there are numbers for is simply not offered."""
    outgoing = Outgoing(Connection(transport, 0.0))

    class Back:
        def send_feedback(self, packet: bytes) -> None:
            raise AssertionError("nothing to ask for")

        def watch(self, layer: Layer) -> None:
            raise AssertionError("nothing to wait for")

    added = 0
    for index in range(40):
        codec = sdp.Codec(96, "vp8", 90000, 1, f"max-fr={index}")
        chosen = sdp.Chosen(codec, 97, {}, ["nack"])
        producer = Producer(f"t{index}", str(index), "camera", "video", chosen, Back(), outgoing.connection.link)
        added += outgoing.add(producer, "x") is not None
    assert added == 14
    outgoing.close()
