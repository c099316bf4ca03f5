"""Several encodings of a camera: described, told apart by their RIDs, each with its clock and its key frames."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator

import pytest

from media import codecs, sdp
from media.demand import Wanted
from media.dtls import Certificate
from media.errors import InvalidSdp
from media.incoming import Incoming
from media.outgoing import Outgoing
from media.producer import Producer
from media.rtp import rtcp
from media.transport import Connection, UdpTransport
from tests.media.camera import Overheard, camera_offer
from tests.media.paths import RTX_TYPE, rtp
from tests.media.test_media_path_twins import vp8

MID_ID, RID_ID, REPAIRED_ID = 4, 10, 11
OFFER = camera_offer(
    "VP8",
    {MID_ID: sdp.MID, RID_ID: sdp.RID, REPAIRED_ID: sdp.REPAIRED_RID},
    ("a=rid:q send", "a=rid:h send", "a=rid:f send", "a=simulcast:send q;h;f"),
)
RIDS = {"q": 11, "h": 12, "f": 13}


class Call:
    """A camera that comes in, and a receiver, without a network."""

    def __init__(self, transport: UdpTransport, offer: str = OFFER) -> None:
        self.transport = transport
        self.connection = Overheard(transport)
        self.incoming = Incoming(self.connection)
        self.answer = self._negotiate(offer)
        self.outgoing = Outgoing(Connection(transport, 0.0))
        consumer = self.outgoing.add(self.camera, "somebody")
        assert consumer is not None
        self.consumer = consumer
        self.numbers = dict.fromkeys(RIDS, 0)

    def _negotiate(self, offer: str) -> str:
        names = iter(("track", "other"))
        sources = {"0": "camera"} if "a=sendonly" in offer else {}
        answer, _, _ = self.incoming.negotiate(sdp.parse(offer), sources, [], lambda source: next(names))
        return answer

    @property
    def camera(self) -> Producer:
        return self.incoming.producers["0"]

    def send(
        self, rid: str, now: float, *, key: bool = False, named: bool = True, lines: int = 0, timestamp: int = 0
    ) -> None:
        """A packet of an encoding, handed in as if unknown, as the path does."""
        self.numbers[rid] += 1
        elements = [(MID_ID, b"0"), (RID_ID, rid.encode())] if named else []
        packet = rtp(
            RIDS[rid], self.numbers[rid], vp8(self.numbers[rid], 0, key, lines), timestamp=timestamp, elements=elements
        )
        self.incoming.unknown(packet, now)

    def live(self) -> list[str]:
        return [layer.rid for layer in self.camera.layers if layer.live]

    @property
    def sends(self) -> str | None:
        layer = self.consumer.sends
        return layer.rid if layer is not None else None


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    transport = UdpTransport(Certificate(), time.monotonic)
    transport.open("127.0.0.1", 0)
    made = Call(transport)
    yield made
    made.incoming.close()
    made.outgoing.close()
    await transport.close()


def test_the_answer_takes_every_encoding_in_the_order_of_the_offer(call: Call) -> None:
    lines = call.answer.split("\r\n")
    for line in ("a=rid:q recv", "a=rid:h recv", "a=rid:f recv", "a=simulcast:recv q;h;f"):
        assert line in lines
    assert f"a=extmap:{RID_ID} {sdp.RID}" in lines
    assert f"a=extmap:{REPAIRED_ID} {sdp.REPAIRED_RID}" in lines
    assert [layer.rid for layer in call.camera.layers] == ["q", "h", "f"]
    before = call.camera
    call._negotiate(OFFER)
    assert call.camera is before, "offered again it is the same track"
    call._negotiate(OFFER.replace("a=simulcast:send q;h;f\n", ""))
    assert call.camera is not before
    assert not call.camera.layered


@pytest.mark.parametrize(
    ("line", "rids"),
    [
        ("a=simulcast:send ~q;h;f", ["q", "h", "f"]),
        ("a=simulcast:send q,h;f", ["q", "f"]),
        ("a=simulcast:recv x send q;h", ["q", "h"]),
        ("a=simulcast:send q", []),
        ("a=simulcast:recv q;h;f", []),
        ("a=simulcast:send x;y;z", []),
        ("a=simulcast:send", []),
    ],
)
def test_other_ways_to_write_it(line: str, rids: list[str]) -> None:
    media = sdp.parse(OFFER.replace("a=simulcast:send q;h;f", line)).media[0]
    assert codecs.rids(media) == rids


TOO_MANY = "\n".join(f"a=rid:{number} send" for number in range(9))


@pytest.mark.parametrize("bad", ["a=rid:q send\na=rid:q send", "a=rid:" + "x" * 17 + " send", "a=rid:é send", TOO_MANY])
def test_rids_that_lie_are_refused(bad: str) -> None:
    with pytest.raises(InvalidSdp):
        sdp.parse(OFFER.replace("a=rid:q send", bad))


def test_each_encoding_finds_its_source_by_its_rid(call: Call) -> None:
    for rid in RIDS:
        call.send(rid, 0.0, key=True)
    assert [layer.ssrc for layer in call.camera.layers] == list(RIDS.values())
    assert [layer.track.received for layer in call.camera.layers] == [1, 1, 1]
    call.incoming.unknown(rtp(99, 1, b"x", elements=[(MID_ID, b"0")]), 0.0)
    call.incoming.unknown(rtp(98, 1, b"x", elements=[(MID_ID, b"0"), (RID_ID, b"nobody")]), 0.0)
    assert [layer.track.received for layer in call.camera.layers] == [1, 1, 1], "without a RID it is nobody's"
    repaired = [(MID_ID, b"0"), (REPAIRED_ID, b"h")]
    call.incoming.unknown(rtp(22, 1, b"\x00\x05" + vp8(5, 0, False), kind=RTX_TYPE, elements=repaired), 0.0)
    middle = call.camera.layers[1].track
    assert (middle.recovered, middle.received) == (1, 2)


def test_a_camera_that_comes_back_is_known_by_what_it_told_before(call: Call) -> None:
    for rid in RIDS:
        call.send(rid, 0.0, key=True)
    before = call.camera
    call._negotiate(OFFER.replace("a=sendonly", "a=inactive"))
    assert "0" not in call.incoming.producers
    call._negotiate(OFFER)
    assert call.camera is not before
    for rid in RIDS:
        call.send(rid, 1.0, key=True, named=False)
    assert [layer.ssrc for layer in call.camera.layers] == list(RIDS.values())
    assert [layer.track.received for layer in call.camera.layers] == [1, 1, 1]


def test_the_best_that_comes_is_sent_and_one_that_stops_is_left_at_once(call: Call) -> None:
    now = 0.0
    call.consumer.track.active = True

    def tell(*rids: str) -> None:
        nonlocal now
        now += 0.1
        for rid in rids:
            call.send(rid, now, named=call.numbers[rid] == 0)
        call.incoming.look_at_layers(now)
        call.outgoing.allocate(now, [])
        call.incoming.mend(now, 0.05)

    tell()
    assert call.sends == "q", "nothing comes yet"
    tell("q", "h")
    assert call.live() == ["q", "h"]
    assert call.sends == "h", "never wait for one that does not come"
    asked = call.connection.heard(rtcp.KeyframeRequest)
    assert RIDS["h"] in {part.media_ssrc for part in asked if isinstance(part, rtcp.KeyframeRequest)}
    tell("q", "h", "f")
    assert call.sends == "f"
    for _ in range(6):
        tell("q", "h")
    assert call.live() == ["q", "h"]
    assert call.sends == "h"
    call.consumer.max_height = 180
    tell("q", "h")
    assert call.sends == "q"
    call.consumer.set_paused(True, now)
    tell("q", "h")
    assert call.sends is None


def test_a_slow_camera_does_not_go_from_one_encoding_to_another(call: Call) -> None:
    """One picture in two seconds, the encodings of it a moment apart."""
    call.consumer.track.active = True
    chosen = []
    for step in range(100):
        now = step / 10
        for rid, moment in (("h", 1), ("f", 3)):
            if step % 20 == moment:
                call.send(rid, now, key=True, named=call.numbers[rid] == 0)
        call.incoming.look_at_layers(now)
        call.outgoing.allocate(now, [])
        chosen.append(call.sends)
    assert set(chosen[4:]) == {"f"}


def test_clocks_of_encodings_are_made_one_by_their_reports(call: Call) -> None:
    for rid in RIDS:
        call.send(rid, 0.0, key=True)
    second = 1 << 32
    for ssrc, ntp, timestamp in ((11, 5 * second, 1000), (12, 6 * second, 4_000_000_000), (13, 4 * second, 77)):
        call.incoming.parts([rtcp.SenderReport(ssrc, ntp, timestamp, 1, 1)], 0.0)
    shifts = [layer.track.shift for layer in call.camera.layers]
    assert shifts == [0, (1000 + 90_000 - 4_000_000_000) & 0xFFFFFFFF, (1000 - 90_000 - 77) & 0xFFFFFFFF]


def test_every_encoding_is_reported_and_no_receiver_limits_the_camera(call: Call) -> None:
    for rid in RIDS:
        call.send(rid, 0.0, key=True)
    call.incoming.report(1.0)
    blocks = call.connection.heard(rtcp.ReportBlock)
    assert {block.ssrc for block in blocks if isinstance(block, rtcp.ReportBlock)} == set(RIDS.values())
    assert call.camera.ceiling(1.0) is None


def test_the_sender_hears_what_is_of_use(call: Call) -> None:
    assert call.camera.wanted() == Wanted(True, ("f",)), "one receiver, one encoding"
    call.consumer.max_height = 180
    assert call.camera.wanted() == Wanted(True, ("q",))
    call.consumer.set_paused(True, 0.0)
    assert call.camera.wanted() == Wanted(False)
    call.camera.add_tap(lambda *packet: None)
    assert call.camera.wanted() == Wanted(True, ("q", "h", "f")), "a recording wants the best"


def test_a_tap_follows_the_best_encoding_without_a_seam(call: Call) -> None:
    got: list[tuple[int, int]] = []
    now = 0.0
    call.camera.add_tap(lambda sequence, timestamp, marker, payload, at: got.append((sequence, timestamp)))

    def tell(*rids: str, key: bool = False) -> None:
        nonlocal now
        now += 0.1
        for rid in rids:
            call.send(rid, now, key=key, named=call.numbers[rid] == 0, timestamp=int(now * 90_000) + RIDS[rid] * 777)
        call.incoming.look_at_layers(now)
        call.transport.path.poll(now)  # taps hear after the batch

    tell(*RIDS, key=True)
    for rid in RIDS:  # each encoding's clock begins elsewhere
        report = rtcp.SenderReport(RIDS[rid], 1 << 32, 9000 + RIDS[rid] * 777, 1, 1)
        call.incoming.parts([report], now)
    for rids, key in [("qhf", True)] * 3 + [("qhf", False)] * 3 + [("qh", True)] * 9 + [("q", False)] * 9:
        tell(*rids, key=key)
    told = len(got)
    tell("q", key=True)
    tell("q")
    assert len(got) == told + 2
    sequences = [sequence for sequence, _ in got]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    steps = [(after[1] - before[1]) & 0xFFFFFFFF for before, after in itertools.pairwise(got)]
    assert all(0 < step < 180_000 for step in steps), steps
