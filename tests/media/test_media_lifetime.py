"""People who leave are gone: no cycle keeps their connections, and the collector is not needed for it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import pytest

from core.rpc import Params
from media import sdp
from media.connection import Connection
from media.consumer import Consumer
from media.control import MAX_PROBES, Control
from media.dtls import Certificate, Dtls
from media.errors import Full
from media.incoming import Incoming
from media.outgoing import Outgoing
from media.participant import Participant
from media.probe import LIFETIME_S
from media.producer import Producer
from media.router import FEEDBACK_EVERY
from media.rtp.history import History
from media.transport import UdpTransport

KINDS = (Participant, Connection, Producer, Consumer, Dtls, Incoming, Outgoing, History)


class Ear:
    """Stands where signaling's end of the channel would."""

    closed = False

    def __init__(self) -> None:
        self.offers: list[Params] = []

    def event(self, name: str, params: Params) -> bool:
        if name == "offer":
            self.offers.append(params)
        return True


def description(setup: str, mids: list[tuple[str, str, str]], number: int) -> str:
    """A client's offer (sendonly) or answer (recvonly), with credentials of its own."""
    fingerprint = ":".join([f"{number % 256:02X}"] * 32)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    for mid, kind, direction in mids:
        codec = "111 opus/48000/2" if kind == "audio" else "96 VP8/90000"
        lines += [
            f"m={kind} 9 UDP/TLS/RTP/SAVPF {codec.split()[0]}",
            "a=ice-ufrag:client",
            "a=ice-pwd:" + "p" * 24,
            f"a=fingerprint:sha-256 {fingerprint}",
            f"a=setup:{setup}",
            f"a=mid:{mid}",
            f"a={direction}",
            "a=rtcp-mux",
            f"a=rtpmap:{codec}",
        ]
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture
async def control(media_path: str) -> AsyncIterator[Control]:
    transport = UdpTransport(Certificate(), time.monotonic, media_path)
    transport.open("127.0.0.1", 0)
    names = iter(range(1_000_000))
    candidates = sdp.candidates([("127.0.0.1", transport.port)])
    yield Control(transport, candidates, time.monotonic, lambda: f"t{next(names)}")
    await transport.close()


def alive() -> list[object]:
    return [thing for thing in gc.get_objects() if isinstance(thing, KINDS)]


async def settle(control: Control) -> None:
    while control._transport._tasks:
        await asyncio.wait(set(control._transport._tasks))


async def test_nothing_of_people_who_left_stays(control: Control) -> None:
    gc.collect()
    before = len(alive())
    gc.disable()
    try:
        for number in range(20):
            ears = {"a": Ear(), "b": Ear()}
            for name, ear in ears.items():
                who = {"room": "r", "participant": name}
                await control.handle("join", who, ear)  # type: ignore[arg-type]  # an ear is enough of a peer
                offer = description("actpass", [("0", "audio", "sendonly"), ("1", "video", "sendonly")], number)
                tracks = [{"mid": "0", "source": "microphone"}, {"mid": "1", "source": "camera"}]
                await control.handle("publish", {**who, "sdp": offer, "tracks": tracks}, ear)  # type: ignore[arg-type]
            assert len(ears["b"].offers[-1]["tracks"]) == 2
            for name, ear in ears.items():
                who = {"room": "r", "participant": name}
                offered = ear.offers[-1]
                kinds = [("audio" if t["source"] == "microphone" else "video") for t in offered["tracks"]]
                mids = [(t["mid"], k, "recvonly") for t, k in zip(offered["tracks"], kinds, strict=True)]
                answer = {"negotiation": offered["negotiation"], "sdp": description("active", mids, number)}
                await control.handle("answer", {**who, **answer}, ear)  # type: ignore[arg-type]
            assert len(alive()) > before
            for name in ears:
                await control.handle("leave", {"room": "r", "participant": name}, ears[name])  # type: ignore[arg-type]
            await settle(control)
            await asyncio.sleep(0)
        left = alive()[before:]
        assert len(left) == 0, [type(thing).__name__ for thing in left]
        assert not control.rooms
        assert not control._transport.connections()
    finally:
        gc.enable()


async def test_one_offer_is_outstanding_and_changes_wait_for_the_next(control: Control) -> None:
    ear = Ear()
    for name in ("listener", "speaker"):
        await control.handle("join", {"room": "r", "participant": name}, ear)  # type: ignore[arg-type]
    speaker = {"room": "r", "participant": "speaker"}

    async def publish(*sources: str) -> None:
        mids = [(str(i), "audio" if s == "microphone" else "video", "sendonly") for i, s in enumerate(sources)]
        tracks = [{"mid": str(i), "source": s} for i, s in enumerate(sources)]
        params = {**speaker, "sdp": description("actpass", mids, 1), "tracks": tracks}
        await control.handle("publish", params, ear)  # type: ignore[arg-type]

    async def answer(offer: Params) -> None:
        mids = []
        for section in sdp.parse(offer["sdp"]).media:
            mids.append((section.mid, section.kind, "recvonly" if section.direction == "sendonly" else "inactive"))
        params = {"room": "r", "participant": "listener", "negotiation": offer["negotiation"]}
        await control.handle("answer", {**params, "sdp": description("active", mids, 2)}, ear)  # type: ignore[arg-type]

    await publish("microphone")
    await publish("microphone", "camera")
    await publish("microphone", "camera", "screen")
    assert len(ear.offers) == 1
    await answer(ear.offers[0])
    assert [len(o["tracks"]) for o in ear.offers] == [1, 3]
    await publish("microphone", "camera")
    await answer(ear.offers[1])
    assert [t["source"] for t in ear.offers[2]["tracks"]] == ["microphone", "camera"]
    assert sdp.parse(ear.offers[2]["sdp"]).media[2].direction == "inactive"
    await answer(ear.offers[2])
    await publish("microphone", "camera", "screen")
    assert len(sdp.parse(ear.offers[3]["sdp"]).media) == 3, "the section of the ended screen is used again"
    # A restart replaces the outstanding offer; the old number is stale.
    await control.handle("restart", {"room": "r", "participant": "listener"}, ear)  # type: ignore[arg-type]
    assert ear.offers[4]["negotiation"] > ear.offers[3]["negotiation"]
    first, second = (sdp.parse(o["sdp"]) for o in ear.offers[3:5])
    assert first.ufrag != second.ufrag
    await control.handle("leave", {"room": "r", "participant": "speaker"}, ear)  # type: ignore[arg-type]
    await answer(ear.offers[4])
    assert ear.offers[5]["tracks"] == []
    await control.handle("leave", {"room": "r", "participant": "listener"}, ear)  # type: ignore[arg-type]


async def probe(control: Control, name: str) -> None:
    sdp_of_it = description("actpass", [("0", "audio", "sendrecv")], 1)
    await control.handle("probe", {"probe": name, "sdp": sdp_of_it}, Ear())  # type: ignore[arg-type]  # as above


async def test_a_probe_that_nobody_ends_ends(control: Control) -> None:
    now = time.monotonic()
    await probe(control, "endless")
    control.step(FEEDBACK_EVERY, now + LIFETIME_S - 1)
    assert len(control._transport.connections()) == 1
    control.step(FEEDBACK_EVERY, now + LIFETIME_S + 1)
    assert not control._transport.connections()
    figures = await control.handle("probe_close", {"probe": "endless"}, Ear())  # type: ignore[arg-type]
    assert figures == {"packets": 0, "bytes": 0}
    assert not control.probes


async def test_there_are_only_so_many_probes(control: Control) -> None:
    for number in range(MAX_PROBES):
        await probe(control, str(number))
    with pytest.raises(Full):
        await probe(control, "one more")
    await probe(control, "0")  # the same one begins anew in its own place
    assert len(control._transport.connections()) == MAX_PROBES
    await control.handle("probe_close", {"probe": "0"}, Ear())  # type: ignore[arg-type]
    await probe(control, "one more")
    control.close()
