"""Whatever happens, both paths do the same: the same datagrams out, byte for byte, the same figures, the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from media.path.build import CannotBuild, build
from media.rtp import rtcp, rtx
from media.rtp.twcc import TwccReceiver
from tests.media.layers import INDICATIONS, L1T3, L2T2_KEY
from tests.media.paths import AUDIO_TYPE, DEPENDENCY_ID, LEVEL_ID, RED_TYPE, RTX_TYPE, TWCC_ID, VIDEO_TYPE, World, rtp

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # steps are opaque: a smaller script would say no more
Step = Callable[[World, dict[Any, Any]], object]


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    try:
        build()
    except CannotBuild as error:
        pytest.skip(str(error))


steps = st.integers(-6, 12) | st.integers(-1200, 1200)
payloads = st.binary(max_size=40) | st.binary(min_size=800, max_size=1000) | st.just(b"\x10\x50\x00\x00\x9d\x01\x2a")
types = st.sampled_from((VIDEO_TYPE, VIDEO_TYPE, AUDIO_TYPE, RTX_TYPE, RED_TYPE))


@st.composite
def media(draw: st.DrawFn) -> Step:
    """One packet of a sender, mostly honest; over the network, or handed in decrypted."""
    video, step, payload = draw(st.booleans()), draw(steps), draw(payloads)
    kind = draw(types) if draw(st.integers(0, 9)) == 0 else VIDEO_TYPE if video else AUDIO_TYPE
    timestamp, marker, padding = draw(st.integers(0, 2**32 - 1)), draw(st.booleans()), draw(st.sampled_from((0, 0, 3)))
    level, transport = draw(st.none() | st.integers(0, 255)), draw(st.none() | steps)
    inject, ssrc = draw(st.integers(0, 7)) == 0, World.VIDEO if video else World.AUDIO

    def run(world: World, state: dict[Any, Any]) -> None:
        state[ssrc] = state.get(ssrc, 65_000) + step
        elements: list[tuple[int, bytes]] = []
        if level is not None:
            elements.append((LEVEL_ID, bytes((level,))))
        if transport is not None:
            state["transport"] = state.get("transport", 65_000) + transport
            elements.append((TWCC_ID, (state["transport"] & 0xFFFF).to_bytes(2, "big")))
        packet = rtp(
            ssrc,
            state[ssrc],
            payload,
            kind=kind,
            timestamp=timestamp,
            marker=marker,
            elements=elements,
            padding=padding,
        )
        if inject:
            world.sender.link.inject(packet, world.now)
        else:
            state.setdefault("sent", []).append(world.sender.send(packet))

    return run


@st.composite
def again(draw: st.DrawFn) -> Step:
    """A retransmission, or a probe."""
    back, payload, padding = draw(st.integers(-3, 40)), draw(payloads), draw(st.sampled_from((0, 0, 2, 255)))
    bare = draw(st.integers(0, 5)) == 0

    def run(world: World, state: dict[Any, Any]) -> None:
        state["rtx"] = state.get("rtx", 0) + 1
        original = state.get(World.VIDEO, 65_000) - back
        content = payload[:2] if bare else rtx.wrap(original, payload)
        world.sender.send(rtp(World.VIDEO_RTX, state["rtx"], content, kind=RTX_TYPE, padding=padding))

    return run


@st.composite
def request(draw: st.DrawFn) -> Step:
    """A receiver asks for something again."""
    who, sound = draw(st.integers(0, 1)), draw(st.booleans())
    backs = draw(st.lists(st.integers(-5, 60), min_size=1, max_size=30))

    def run(world: World, state: dict[Any, Any]) -> None:
        ssrc = (4000 if sound else 2000) + who
        last = (7 if sound else 65_500) + who + world.receivers[who].sinks[ssrc].packets
        numbers = sorted({(last - back) & 0xFFFF for back in backs})
        world.receivers[who].send_rtcp(rtcp.receiver_report(1, []) + rtcp.nack(1, ssrc, numbers))

    return run


def vp8(picture: int, base: int, key: bool, lines: int = 0, wide: bool = True) -> bytes:
    """The first packet of a picture with a picture id and TL0PICIDX."""
    number = (0x8000 | picture & 0x7FFF).to_bytes(2, "big") if wide else bytes((picture & 0x7F,))
    tag = b"\x00\x00\x00\x9d\x01\x2a" + bytes(2) + lines.to_bytes(2, "little") if key else b"\x01\x00\x00"
    return b"\x90\xc0" + number + bytes((base & 0xFF,)) + tag


@st.composite
def picture(draw: st.DrawFn) -> Step:
    """A numbered picture of either encoding, a key frame more often than in life; each has a clock of its own."""
    ssrc, key, wide = draw(st.sampled_from((World.VIDEO, World.LOW))), draw(st.booleans()), draw(st.integers(0, 7)) > 0
    step, more, lines = draw(st.sampled_from((1, 1, 1, 1, 0, -1, 2, 40))), draw(payloads), draw(st.integers(0, 16383))
    late = draw(st.integers(-9000, 9000))

    def run(world: World, state: dict[Any, Any]) -> None:
        number = state[ssrc] = state.get(ssrc, 65_000) + step
        timestamp = int(world.now * 90_000) + 77 * ssrc * ssrc + late
        world.sender.send(
            rtp(ssrc, number, vp8(number + ssrc, number // 2, key, lines, wide) + more, timestamp=timestamp)
        )

    return run


@st.composite
def layers(draw: st.DrawFn) -> Step:
    """A frame of a sender of layers, mostly as its encoder means it; or a receiver aims at others."""
    scheme = draw(st.sampled_from((L1T3, L2T2_KEY, L2T2_KEY)))
    template, step, skip = draw(st.integers(0, 6)), draw(st.sampled_from((1, 1, 1, 2, 0, -1, -3))), draw(steps)
    frame_step = draw(st.sampled_from((1, 1, 1, 1, 0, -1, 2, 70, -2000)))
    tell, active = draw(st.booleans()), draw(st.none() | st.integers(0, 7))
    indications = draw(st.just("") | st.text(INDICATIONS, min_size=scheme.targets, max_size=scheme.targets))
    needs = draw(st.none() | st.lists(st.integers(1, 80), max_size=3).map(tuple))
    noise, aim, again = draw(st.binary(max_size=20)), draw(st.tuples(st.integers(0, 2), st.integers(0, 3))), skip > 9
    what, ssrc, end = (
        draw(st.integers(0, 9)),
        draw(st.sampled_from((World.VIDEO,) * 3 + (World.LOW,))),
        draw(st.booleans()),
    )

    def run(world: World, state: dict[Any, Any]) -> None:
        if what == 0:
            for who, peer in enumerate(world.receivers):
                peer.sinks[2000 + who].aim(aim[0] if who else 0, aim[1])
                if who and skip > 9:
                    peer.sinks[2000 + who].wait_for_key(world.now)
            return
        number = state[ssrc] = state.get(ssrc, 65_000) + step
        frame = state[f"frame {ssrc}"] = state.get(f"frame {ssrc}", 65_500) + frame_step
        told = scheme.describe(
            template, frame, end=end, tell=tell, active=active, indications=indications if what > 6 else "", needs=needs
        )
        elements = [(DEPENDENCY_ID, noise if what == 1 else told)]
        payload = vp8(frame, frame // 2, tell, 180)
        if again:
            packet = rtp(World.VIDEO_RTX, number, rtx.wrap(number - 2, payload), kind=RTX_TYPE, elements=elements)
        else:
            packet = rtp(ssrc, number, payload, timestamp=frame * 3000, elements=elements)
        world.sender.send(packet)

    return run


@st.composite
def switch(draw: st.DrawFn) -> Step:
    """A receiver goes over to the other encoding, or a sender report tells how their clocks stand."""
    who, low, known = draw(st.integers(0, 1)), draw(st.booleans()), draw(st.integers(0, 4))
    apart = draw(st.integers(-90_000, 90_000) | st.integers(0, 2**32 - 1))

    def run(world: World, state: dict[Any, Any]) -> object:
        track = world.low if low else world.video
        if known == 0:
            track.source.shift = None if who else apart & 0xFFFFFFFF
        elif known == 1:
            track.source.shift = -77 * (World.LOW if low else World.VIDEO) ** 2 & 0xFFFFFFFF
        else:
            world.receivers[who].sinks[2000 + who].switch(track.source)
        return None

    return run


@st.composite
def feedback(draw: st.DrawFn) -> Step:
    """A receiver tells what arrived: honestly, oddly, or nonsense."""
    who, kind, noise = draw(st.integers(0, 1)), draw(st.integers(0, 3)), draw(st.binary(max_size=40))
    missing = draw(st.sets(st.integers(0, 60), max_size=20))
    delays = draw(st.lists(st.sampled_from((0.0, 0.0005, 0.004, 0.03, 0.2, -0.01)), min_size=1, max_size=8))

    def run(world: World, state: dict[Any, Any]) -> None:
        told = state.setdefault(f"told {who}", TwccReceiver())
        at = state.get(f"told to {who}", 0) - (20 if kind == 1 else 0)
        end = state[f"told to {who}"] = at + 60
        for number in range(at, end):
            if number - at not in missing:
                state["clock"] = max(0.0, state.get("clock", 50.0) + delays[number % len(delays)])
                told.arrived(number & 0xFFFF, state["clock"])
        packets = told.feedback(1, 1)
        if kind == 2 and packets:
            cut = bytearray(packets[0][:20] + noise[: len(noise) // 4 * 4])
            cut[2:4] = (len(cut) // 4 - 1).to_bytes(2, "big")
            cut[0] &= ~0x20
            packets = [bytes(cut)]
        for packet in packets:
            world.receivers[who].send_rtcp(packet)

    return run


@st.composite
def pacing(draw: st.DrawFn) -> Step:
    """The rate towards a receiver, or packets for nothing but to see whether they fit."""
    who, what = draw(st.integers(0, 1)), draw(st.integers(0, 3))
    rate, size = draw(st.sampled_from((0.0, 300.0, 2_000.0, 50_000.0, 1e6))), draw(st.integers(0, 3_000))

    def run(world: World, state: dict[Any, Any]) -> object:
        peer = world.receivers[who]
        if what:
            peer.link.pace(rate)
            return None
        return peer.sinks[2000 + who].pad(size, world.now), peer.sinks[4000 + who].pad(size, world.now)

    return run


@st.composite
def noise(draw: st.DrawFn) -> Step:
    """Anything, from a client or handed in as if it had been decrypted; or a datagram once more."""
    data, kind = draw(st.binary(max_size=80)), draw(st.integers(0, 3))

    def run(world: World, state: dict[Any, Any]) -> None:
        if kind == 0:
            world.sender.raw(data)
        elif kind == 1:
            world.sender.raw(b"\x80" + data)
        elif kind == 2 and state.get("sent"):
            world.sender.raw(state["sent"][len(data) % len(state["sent"])])
        else:
            packet = bytes((0x90 | len(data) % 16, 96)) + data[:6] + World.VIDEO.to_bytes(4, "big") + data[6:]
            world.sender.link.inject(packet, world.now)

    return run


@st.composite
def control(draw: st.DrawFn) -> Step:
    """What controllers do."""
    what, who, flag = draw(st.integers(0, 9)), draw(st.integers(0, 1)), draw(st.booleans())

    def run(world: World, state: dict[Any, Any]) -> object:
        track = world.video if flag else world.audio
        sink = world.receivers[who].sinks[(2000 if flag else 4000) + who]
        if what == 0:
            track.source.muted = not track.source.muted
        elif what == 1:
            sink.paused = not sink.paused
            sink.resync()
        elif what == 2:
            track.source.resync()
        elif what == 3:
            track.source.restart()
        elif what == 4:
            return track.source.report()
        elif what == 5:
            world.sender.link.feedback(World.VIDEO)
        elif what == 6 and not flag:
            track.source.convert(RED_TYPE if who else AUDIO_TYPE, None if who else 99)
            track.source.set_types(AUDIO_TYPE if who else RED_TYPE, None)
        elif what == 7:
            peer = world.receivers[who]
            peer.link.move(None if peer.link.ready else peer.socket.getsockname())
        else:
            return track.source.due(world.now, 0.05 if flag else 0.0)
        return None

    return run


@st.composite
def wait(draw: st.DrawFn) -> Step:
    """Let time pass and handle what came."""
    seconds = draw(st.sampled_from((0.0, 0.001, 0.02, 0.1, 0.7, 2.5)))
    return lambda world, state: world.poll(seconds)


sent = [*[media()] * 3, *[picture()] * 2, *[layers()] * 3, switch(), again()]
script = st.lists(st.one_of(*sent, request(), feedback(), pacing(), noise(), control(), wait()), max_size=80)


def play(kind: str, steps: list[Step]) -> tuple[list[object], list[list[bytes]], dict[str, Any], list[object]]:
    world = World(kind)
    taps: list[object] = []
    world.video.source.add_tap(lambda *packet: taps.append(packet))
    world.audio.source.add_tap(lambda *packet: taps.append(packet))
    state: dict[Any, Any] = {}
    try:
        answers: list[object] = [step(world, state) for step in steps]
        world.poll(0.05)
        answers.append(world.path.pacing)
        world.path.pace(world.now + 0.5)
        world.sender.link.feedback(World.AUDIO)
        world.path.flush()
        received = [peer.received() for peer in (world.sender, *world.receivers)]
        return answers, received, world.figures(), [world.heard, taps]
    finally:
        world.close()


@settings(
    max_examples=150,
    phases=PHASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(script)
def test_both_paths_do_the_same(steps: list[Step]) -> None:
    assert play("native", steps) == play("python", steps)


@settings(
    max_examples=60,
    phases=PHASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(st.one_of(*[layers()] * 6, switch(), request(), pacing(), wait()), max_size=120))
def test_both_paths_leave_out_the_same_layers(steps: list[Step]) -> None:
    assert play("native", steps) == play("python", steps)


@settings(max_examples=10, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 20), min_size=300, max_size=900), st.lists(wait(), min_size=20, max_size=20))
def test_both_paths_do_the_same_over_long_runs(chances: list[int], waits: list[Step]) -> None:
    """Enough packets to wrap every ring and number, with loss, reordering and repetition."""

    def packet(index: int, chance: int) -> Step:
        def run(world: World, state: dict[Any, Any]) -> None:
            if chance == 0:
                return  # lost
            number = 64_900 + index - (chance if chance > 16 else 0)
            elements = [(TWCC_ID, (number & 0xFFFF).to_bytes(2, "big"))]
            world.sender.send(rtp(World.VIDEO, number, bytes((index & 0xFF,)) * (50 * chance), elements=elements))
            world.sender.send(rtp(World.AUDIO, number, b"s", kind=AUDIO_TYPE, elements=elements))

        return run

    steps: list[Step] = []
    for index, chance in enumerate(chances):
        steps.append(packet(index, chance))
        if index % 12 == 11:
            steps.append(waits[index % 20])
            steps.append(
                lambda world, state: world.receivers[0].link.pace(3_000.0 * (world.sender.link.packets_in % 7))
            )
            steps.append(lambda world, state: world.video.source.due(world.now, 0.01))
            steps.append(
                lambda world, state: world.receivers[0].sinks[2000].resend(list(range(65_500, 65_530)), world.now, 0.0)
            )
    assert play("native", steps) == play("python", steps)
