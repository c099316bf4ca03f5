"""Session descriptions: what browsers write is answered; hostile ones are refused with one code."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import codecs, sdp
from media.errors import InvalidSdp

FINGERPRINT = ":".join(["AB"] * 32)
OFFER = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n"
    "a=ice-pwd:0123456789012345678901\r\n"
    f"a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:actpass\r\na=mid:0\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\na=rtpmap:63 red/48000/2\r\na=ssrc:1111 cname:x\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 45\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n"
    "a=ice-pwd:0123456789012345678901\r\n"
    f"a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:actpass\r\na=mid:1\r\n"
    "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=extmap:5 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    "a=sendonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 nack\r\n"
    "a=rtcp-fb:96 transport-cc\r\n"
    "a=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:45 AV1/90000\r\n"
    "a=simulcast:send l;h\r\na=rid:l send\r\na=ssrc-group:FID 2222 3333\r\na=ssrc:2222 cname:x\r\n"
    "a=ssrc:3333 cname:x\r\n"
)
LOCAL = sdp.Local(1, 1, "ufrag", "p" * 24, FINGERPRINT, sdp.candidates([("127.0.0.1", 8189)]))


def answer(text: str) -> str:
    offer = sdp.parse(text)
    sections = [
        sdp.Section(m.kind, m.protocol, m.mid, "recvonly", codecs.choose(m), m.formats, start_bitrate=True)
        for m in offer.media
    ]
    return sdp.write(LOCAL, "passive", sections)


def test_an_offer_is_read() -> None:
    offer = sdp.parse(OFFER)
    assert (offer.ufrag, offer.setup, offer.fingerprints) == ("abcd", "actpass", [("sha-256", FINGERPRINT)])
    audio, video = offer.media
    assert (audio.mid, audio.kind, audio.ssrcs) == ("0", "audio", [1111])
    assert video.retransmission == {3333: 2222}
    assert audio.codecs[111].parameters == "minptime=10;useinbandfec=1;usedtx=1"


def test_the_answer_has_only_what_each_section_offered_and_candidates_everywhere() -> None:
    written = answer(OFFER)
    session, audio, video = written.split("m=")
    assert "a=ice-lite" in session
    for section in (audio, video):
        assert "a=setup:passive" in section
        assert "a=candidate:1 1 udp" in section
        assert "a=end-of-candidates" in section
        assert "rid" not in section
        assert "simulcast" not in section
    assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1" in audio
    assert "a=rtcp-fb:111 nack" in audio
    assert "transport-wide-cc" not in audio, "audio did not offer it"
    assert "transport-wide-cc" in video
    assert "abs-send-time" not in video
    assert "a=fmtp:97 apt=96" in video
    assert "x-google-start-bitrate" in video
    feedback = [[line.partition(" ")[2] for line in s.split("\r\n") if "rtcp-fb" in line] for s in (audio, video)]
    assert "transport-cc" not in feedback[0], "feedback about numbers nobody stamps"
    assert "transport-cc" in feedback[1]


def test_our_own_offer_reads_back() -> None:
    video = codecs.choose(sdp.parse(OFFER).media[1])
    section = sdp.Section(
        "video", "UDP/TLS/RTP/SAVPF", "s0", "sendonly", video, ssrc=5, rtx_ssrc=6, stream="p", track="t"
    )
    offer = sdp.parse(sdp.write(LOCAL, "actpass", [section]).replace("ice-ufrag:ufrag", "ice-ufrag:ufragg"))
    assert offer.setup == "actpass"
    assert offer.media[0].ssrcs == [5, 6]
    assert offer.media[0].retransmission == {6: 5}


def test_a_stopped_section_is_refused_and_a_bundle_only_one_is_not() -> None:
    stopped = OFFER.replace("m=video 9", "m=video 0")
    assert "m=video 0" in answer(stopped)
    assert "m=video 9" in answer(stopped.replace("a=mid:1", "a=mid:1\r\na=bundle-only"))


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        7,
        "",
        "nonsense",
        "v=0\r\n",
        OFFER.replace("m=audio 9", "m=audio x"),
        OFFER.replace("a=mid:1", "a=mid:0"),
        OFFER.replace("a=mid:1", "a=mid:" + "y" * 40),
        OFFER.replace("a=ice-ufrag", "a=other"),
        OFFER.replace("a=fingerprint", "a=other"),
        OFFER.replace(FINGERPRINT, "zz"),
        OFFER.replace("ice-pwd:0123456789012345678901", "ice-pwd:short"),
        OFFER.replace("111 opus/48000/2", "999 opus/48000/2"),
        OFFER.replace("111 opus/48000/2", "111 opus/99999999999/2"),
        OFFER + "a=x:" + "y" * 5000 + "\r\n",
        OFFER + "a=x\r\n" * 20_000,
        OFFER + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 100,
        OFFER + "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n" * 1000,
        OFFER + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(100)),
        OFFER + "".join(f"a=extmap:{n} x:{n}\r\n" for n in range(1, 200)),
    ],
)
def test_hostile_descriptions_are_refused(hostile: object) -> None:
    with pytest.raises(InvalidSdp):
        sdp.parse(hostile)


@given(st.text(max_size=400), st.integers(0, len(OFFER)))
def test_noise_inside_an_offer_never_breaks_the_parser(noise: str, position: int) -> None:
    for text in (OFFER[:position] + noise + OFFER[position:], OFFER[:position], "v=0\n" + noise):
        with contextlib.suppress(InvalidSdp):
            answer(text)
