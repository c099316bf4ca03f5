"""Descriptions nobody honest writes: refused with one code or ignored, in little time, and never passed on."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import codecs, sdp
from media.errors import InvalidSdp

CAPTURED = Path(__file__).with_name("sdp")
OFFERS = [(CAPTURED / f"{browser}.offer").read_text().splitlines() for browser in ("chromium", "firefox")]
FINGERPRINT = ":".join(["AB"] * 32)
LOCAL = sdp.Local(1, 1, "ufragufrag", "p" * 24, FINGERPRINT, sdp.candidates([("127.0.0.1", 8189)]))
LONGEST_S = 1.0  # for a description at the limits, on a busy machine
BENIGN = re.compile(r"[\x20-\x7e]*")


def answer(text: str) -> str:
    """As a worker answers; raises InvalidSdp alone."""
    offer = sdp.parse(text)
    sections = [
        sdp.Section(m.kind, m.protocol, m.mid, "recvonly", codecs.choose(m), m.formats, start_bitrate=True)
        for m in offer.media
    ]
    return sdp.write(LOCAL, "passive", sections)


def refused(text: str) -> bool:
    started = time.perf_counter()
    try:
        answer(text)
    except InvalidSdp:
        return True
    finally:
        assert time.perf_counter() - started < LONGEST_S
    return False


BASE = "\r\n".join(OFFERS[0]) + "\r\n"


@pytest.mark.parametrize(
    ("hostile", "expected"),
    [
        (BASE + "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n" * 5000, True),
        (BASE + "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n" * 100, False),
        (BASE + "a=candidate:\u2603 " + "x" * 1500 + "\r\n", False),
        (BASE + "".join(f"a=x-{n}:{n}\r\n" for n in range(5000)), False),
        (BASE + "a=rtcp-fb:* nack\r\n" * 11_000, False),
        (BASE + "a=fmtp:96 x=1\r\n" * 11_000, False),
        (BASE + "a=x\r\n" * 20_000, True),
        (BASE + "a=rtpmap:96 VP8/90000\r\n", True),  # a payload type twice
        (BASE + "a=extmap:4 urn:x\r\n", True),  # an extension number twice
        (BASE.replace("a=mid:1", "a=mid:0"), True),
        (BASE.replace("a=mid:1", "a=mid:é"), True),
        (BASE.replace("a=mid:1", "a=mid:"), True),
        (BASE.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 zz"), True),
        (BASE.replace("a=fingerprint:sha-256", "a=fingerprint:md5"), True),
        (BASE.replace("a=fingerprint:sha-256", "a=fingerprint:"), True),
        (re.sub("a=fingerprint.*", "a=fingerprint:sha-256 " + "AB:" * 19 + "A", BASE), True),
        (re.sub("a=fingerprint.*", "a=fingerprint:sha-256 " + "AB:" * 400 + "AB", BASE), True),
        (BASE.replace("111 opus/48000/2", "111 opus/٤٨٠٠٠/2"), True),  # digits, but not ASCII ones
        (BASE.replace("m=video 38660", "m=video 99999"), True),
        (BASE.replace("m=video 38660", "m=video -1"), True),
        (BASE.replace("a=extmap:4 ", "a=extmap:0 "), True),
        (BASE.replace("a=extmap:4 ", "a=extmap:99999999999 "), True),
        (BASE + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\n" * 70, True),
        (BASE + "m=audio 9 UDP/TLS/RTP/SAVPF " + " ".join(["0"] * 200) + "\r\na=mid:x\r\n", True),
        (BASE + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(40)), True),
        (BASE + "a=ssrc:99999999999 cname:x\r\n", True),
        (BASE + "a=ssrc-group:FID 1 2 3\r\n", False),
        (BASE + "\x00\r\n", True),
        (BASE.replace("v=0", "\ufeffv=0"), True),
        (BASE.replace("\r\n", "\n"), False),
        (BASE + "=\r\n", True),
        (BASE + "a=" + "y" * 5000 + "\r\n", True),
        ("v=0\r\n" + "\r\n" * 11_000, True),
        ("v=0" + "x" * 300_000, True),
    ],
)
def test_each_kind_of_hostility_has_its_answer(hostile: str, expected: bool) -> None:
    assert refused(hostile) is expected


lines_of_offers = st.sampled_from([line for offer in OFFERS for line in offer])
noise = st.one_of(
    st.text(max_size=80),
    st.sampled_from(["a=", "m=", "a=rtpmap:", "a=fmtp:", "a=extmap:", "a=ssrc:", "a=mid:", "a=fingerprint:"]).flatmap(
        lambda start: st.text(max_size=60).map(lambda rest: start + rest)
    ),
    st.builds(lambda a, b: a + b, lines_of_offers, st.text(max_size=20)),
    lines_of_offers,
)
edits = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["insert", "replace", "delete", "swap"]), noise))


@given(st.sampled_from(OFFERS), edits)
@settings(max_examples=300, deadline=None)
def test_edited_offers_are_refused_or_answered_with_what_can_be_read(offer: list[str], changes: list) -> None:  # type: ignore[type-arg]  # as the strategy says
    lines = list(offer)
    for place, how, text in changes:
        at = place % max(1, len(lines))
        if how == "insert" or not lines:
            lines.insert(at, text)
        elif how == "replace":
            lines[at] = text
        elif how == "delete":
            del lines[at]
        else:
            lines[at], lines[-1] = lines[-1], lines[at]
    text = "\r\n".join(lines) + "\r\n"
    try:
        written = answer(text)
    except InvalidSdp:
        return
    assert all(BENIGN.fullmatch(line) for line in written.split("\r\n")), "nothing of theirs can form a line of ours"


@given(st.text(max_size=300))
def test_parameters_of_others_pass_only_if_they_are_known(parameters: str) -> None:
    codec = sdp.Codec(111, "opus", 48000, 2, parameters)
    media = sdp.Media("audio", "UDP/TLS/RTP/SAVPF", ["111"], False, "0", codecs={111: codec}, rtcp_mux=True)
    chosen = codecs.choose(media)
    assert chosen is not None
    assert set(codecs.parameters(chosen.codec)) <= codecs.PARAMETERS["opus"]
    assert BENIGN.fullmatch(chosen.codec.parameters)


@given(st.one_of(st.none(), st.integers(), st.binary(max_size=100), st.lists(st.text(), max_size=3)))
def test_what_is_no_text_is_refused(thing: object) -> None:
    with pytest.raises(InvalidSdp):
        sdp.parse(thing)
