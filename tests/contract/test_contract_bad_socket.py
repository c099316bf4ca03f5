"""Hostile input over Socket.IO: nonsense, floods, tokens of another kind, other people's visits."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import aiohttp
import pytest
import socketio
from contract_clinic import SOCKET_EVENTS_PER_SECOND, Clinic

from core.ids import uuid7

pytestmark = pytest.mark.integration

CONSULTATION = (
    *("waiting.enter", "waiting.leave", "call.join", "call.hand", "call.leave", "call.end", "seat.take_over"),
    *("media.publish", "media.answer", "media.restart", "media.prefer", "media.mute", "media.report"),
    *("chat.send", "chat.edit", "chat.read", "chat.history"),
    *("recording.request", "recording.consent", "recording.withdraw", "interpreter.request"),
)
PRACTICE = ("waiting.admit", "waiting.hold", "waiting.remove", "waiting.transfer", "practice.late", "practice.chat")
PROBE = ("probe.start", "probe.result")
# Those that take {}: nonsense fields are refused, but nothing at all is a fine payload.
NO_FIELDS = frozenset(
    {
        *("waiting.enter", "waiting.leave", "call.join", "call.leave", "call.end", "seat.take_over", "media.restart"),
        *("chat.history", "media.report"),
    }
)
ANY_PAYLOAD = frozenset({"recording.request", "recording.consent", "recording.withdraw", "interpreter.request"})
# Whoever may not send an event at all is refused before what they sent is looked at.
NOT_THEIRS = frozenset({("patient", "call.end"), ("desk", "waiting.admit"), ("desk", "practice.late")})
DEEP: Any = {}
for _ in range(200):
    DEEP = {"a": DEEP}
NONSENSE: list[Any] = [
    *(5, "text", True, [], [1], [None], {"no_such_field": 1}, {"": None}, DEEP, b"\x00\xff", {"text": b"\x00"}),
    *({"sdp": 5}, {"sdp": "x" * 150_000}, {"appointment_id": "x"}, {"text": "\u0000"}, {"generation": 10**30}),
]


async def test_nonsense_in_every_event(clinic: Clinic) -> None:
    for who, namespace, kind, events in (
        ("patient", "/consultation", "visit", CONSULTATION),
        ("doctor", "/practice", "practice", PRACTICE),
        ("desk", "/practice", "practice", PRACTICE),
        ("patient", "/probe", "probe", PROBE),
    ):
        async with clinic.connected(namespace, await clinic.token(who, kind)) as line:
            for event in events:
                refusal = "forbidden" if (who, event) in NOT_THEIRS else "invalid_input"
                for payload in NONSENSE:
                    if event in ANY_PAYLOAD:
                        continue
                    answer = await line.call(event, payload)
                    assert not answer["ok"], (event, payload, answer)
                    assert answer["error"]["code"] == refusal, (event, str(payload)[:60], answer)
                    assert refusal == "forbidden" or answer["error"]["errors"], answer
                two = await line.call(event, ({}, {}))
                assert two["error"]["code"] == refusal, (event, two)
                if event not in NO_FIELDS | ANY_PAYLOAD:
                    assert await line.code(event, {}) == refusal, event
            for event in ("no.such", "", "connect", "disconnect", "__class__", "message", "a" * 5000, "waiting.admitt"):
                assert await line.code(event, {}) == "unknown_event", event
    await clinic.is_well()


async def test_other_kinds_of_tokens_open_no_namespace(clinic: Clinic) -> None:
    access = clinic.headers["patient"]["Authorization"].removeprefix("Bearer ")
    tokens = {
        "/notifications": access,
        "/consultation": await clinic.token("patient", "visit"),
        "/practice": await clinic.token("doctor", "practice"),
        "/probe": await clinic.token("patient", "probe"),
    }
    for namespace, own in tokens.items():
        for other, token in tokens.items():
            if other != namespace:
                assert await clinic.refused(namespace, {"token": token}) == "invalid_token", (namespace, other)
        tampered = own[:-6] + ("AAAAAA" if not own.endswith("AAAAAA") else "BBBBBB")
        for auth in (
            {"token": tampered},
            {"token": ""},
            {"token": 5},
            {"token": None},
            {},
            [],
            "x",
            {"token": "x" * 9000},
        ):
            assert await clinic.refused(namespace, auth) == "invalid_token", (namespace, str(auth)[:40])
    for resume in ("", "x", "x" * 200, own):
        code = await clinic.refused("/consultation", {"resume_token": resume, "last_seq": 0})
        assert code in ("resume_expired", "invalid_input"), (resume, code)
    code = await clinic.refused("/consultation", {"resume_token": 5, "last_seq": -1})
    assert code in ("resume_expired", "invalid_input", "invalid_token")
    assert (await clinic.ask("POST", "/practice/token", "patient")).status == 403
    await clinic.is_well()


async def test_nobody_acts_on_somebody_elses_visit(clinic: Clinic) -> None:
    target = {"appointment_id": clinic.visit, "participant_id": clinic.ids["patient"]}
    headers = await clinic.demo.sign_in(clinic.session, "claire.martin@demo.bedside")
    reply = await clinic.ask("POST", "/practice/token", headers=headers)
    async with (
        clinic.connected("/consultation", await clinic.token("patient", "visit")) as patient,
        clinic.connected("/practice", reply.json["token"]) as stranger,
        clinic.connected("/practice", await clinic.token("desk", "practice")) as desk,
    ):
        await patient.ok("waiting.enter", {})
        for event, more in (
            *(("waiting.admit", {}), ("waiting.hold", {}), ("waiting.remove", {"reason": "x"})),
            ("waiting.transfer", {"practitioner_id": str(uuid7())}),
        ):
            assert await stranger.code(event, {**target, **more}) == "forbidden", event
            nowhere = {"appointment_id": str(uuid7()), "participant_id": clinic.ids["patient"], **more}
            assert await stranger.code(event, nowhere) == "not_found", event
        chat = {"appointment_id": clinic.visit, "text": "Hello", "client_id": "1"}
        assert await stranger.code("practice.chat", chat) == "forbidden"
        assert await desk.code("waiting.admit", target) == "forbidden", "the desk lets nobody in"
        assert await desk.code("practice.late", {"late_s": 60}) == "forbidden"
        await patient.ok("waiting.leave", {})
    await clinic.is_well()


async def test_before_admission_there_is_no_call_and_no_media(clinic: Clinic) -> None:
    async with clinic.connected("/consultation", await clinic.token("patient", "visit")) as line:
        sdp = "v=0\r\n"
        for _ in ("outside", "waiting"):
            for event, payload in (
                *(("call.join", {}), ("media.restart", {}), ("call.hand", {"raised": True})),
                ("media.publish", {"generation": 0, "sdp": sdp, "tracks": []}),
                ("media.publish", {"generation": 1, "sdp": sdp, "tracks": [{"mid": "0", "source": "camera"}]}),
                ("media.answer", {"generation": 1, "negotiation": 1, "sdp": sdp}),
                *(("media.mute", {"source": "camera", "muted": True}), ("media.prefer", {"track_id": "x"})),
            ):
                assert await line.code(event, payload) == "not_admitted", event
            assert await line.code("call.end", {}) in ("forbidden", "not_admitted")
            assert await line.code("chat.edit", {"message_id": str(uuid7()), "text": "x"}) in (
                "not_found",
                "not_admitted",
            )
            await line.ok("waiting.enter", {})
        await line.ok("waiting.leave", {})
    await clinic.is_well()


SESSION = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
SDPS = {
    "empty line": "\r\n",
    "words": "nonsense",
    "version alone": "v=0\r\n",
    "no media": SESSION,
    "no ice": SESSION + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n",
    "bad numbers": "v=0\r\no=- x x IN IP4 x\r\nt=a b\r\nm=video x UDP/TLS/RTP/SAVPF y\r\na=rtpmap:q VP8/z\r\n",
    "many media": SESSION + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n" * 900,
    "long line": "v=0\r\ns=" + "x" * 90_000 + "\r\n",
    "odd characters": "v=0\r\n\u0000\ufffe\u202e\r\na=\r\nm=\r\na=mid\r\na=fingerprint:sha-256\r\n",
}


async def test_sdp_that_makes_no_sense(clinic: Clinic) -> None:
    noise = random.Random(7)
    async with clinic.connected("/consultation", await clinic.token("doctor", "visit")) as line:
        joined = await line.ok("call.join", {})
        assert joined["generation"] > 0, "a media worker runs"
        generation = joined["generation"]
        tracks = [{"mid": "0", "source": "camera"}]
        for name, sdp in SDPS.items():
            payload = {"generation": generation, "sdp": sdp, "tracks": tracks}
            assert await line.code("media.publish", payload) == "invalid_sdp", name
        for _ in range(40):
            characters = noise.choices([10, 13, 61, *range(32, 127)], k=noise.randrange(1, 3000))
            text = "".join(map(chr, characters))
            payload = {"generation": generation, "sdp": "v=0\r\n" + text, "tracks": tracks}
            assert await line.code("media.publish", payload) == "invalid_sdp", text[:80]
        stale = {"generation": generation + 7, "sdp": "v=0\r\n", "tracks": tracks}
        assert await line.code("media.publish", stale) == "stale_generation"
        answer = {"generation": generation, "negotiation": 10_000, "sdp": "v=0\r\n"}
        assert await line.code("media.answer", answer) == "stale_negotiation"
        await line.ok("call.leave", {})
    async with clinic.connected("/probe", await clinic.token("patient", "probe")) as line:
        for name, sdp in SDPS.items():
            code = await line.code("probe.start", {"transport": "udp", "sdp": sdp})
            assert code in ("invalid_sdp", "forbidden"), name  # forbidden after six on a connection
    found = (await clinic.ask("GET", "/admin/health", "admin")).json
    assert len(found["workers"]) == 1, "the media worker lives"
    await clinic.is_well()


async def test_a_flood_is_refused_then_cut_off_and_others_go_on(clinic: Clinic) -> None:
    for namespace, who, kind in (("/consultation", "doctor", "visit"), ("/practice", "doctor", "practice")):
        async with (
            clinic.connected(namespace, await clinic.token(who, kind)) as flood,
            clinic.connected("/practice", await clinic.token("desk", "practice")) as other,
        ):
            codes: list[str] = []

            def note(answer: Any, codes: list[str] = codes) -> None:
                codes.append("ok" if answer["ok"] else answer["error"]["code"])

            with contextlib.suppress(socketio.exceptions.SocketIOError):
                for _ in range(SOCKET_EVENTS_PER_SECOND * 12):
                    await flood.client.emit("no.such", {}, namespace=namespace, callback=note)
            async with asyncio.timeout(20):
                while namespace in flood.client.namespaces:
                    await asyncio.sleep(0.05)
            assert "too_many_requests" in codes
            assert set(codes) <= {"unknown_event", "too_many_requests"}
            assert await other.code("no.such", {}) == "unknown_event"
    await clinic.is_well()


async def test_frames_that_are_no_socket_io(clinic: Clinic) -> None:
    token = await clinic.token("patient", "visit")
    frames: list[str | bytes] = [
        *("", "9", "zzz", "4", "42", "42[", "42[]", '42["x"', "42[5]", "42[null]", '42{"a":1}', "43", "44", "45-"),
        *('451-["x",{"_placeholder":true,"num":9}]', '459999999-["x"]', "40/no-such,{}", "40/consultation,[", "41"),
        *("4" * 1000, "2probe", "5", "6", b"", b"\x00" * 1000, '42/consultation,999999999999["waiting.enter",{}]'),
    ]
    for frame in frames:
        async with clinic.session.ws_connect("/socket.io/?EIO=4&transport=websocket") as ws:
            assert (await ws.receive()).type is aiohttp.WSMsgType.TEXT
            await ws.send_str('40/consultation,{"token":"' + token + '"}')
            with contextlib.suppress(ConnectionError):
                await (ws.send_bytes(frame) if isinstance(frame, bytes) else ws.send_str(frame))
    async with clinic.session.ws_connect("/socket.io/?EIO=4&transport=websocket", max_msg_size=0) as ws:
        await ws.receive()
        await ws.send_str('40/consultation,{"token":"' + token + '"}')
        await ws.send_str('42/consultation,["chat.send",{"text":"' + "x" * 300_000 + '"}]')
        closing = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        async with asyncio.timeout(20):
            while (await ws.receive()).type not in closing:
                pass
    for path in ("/socket.io/", "/socket.io/?EIO=3&transport=polling", "/socket.io/?EIO=4&transport=x&sid=../../x"):
        async with clinic.session.get(path) as answer:
            assert 400 <= answer.status < 500, path
    evil = {"Origin": "https://evil.example"}
    async with clinic.session.get("/socket.io/?EIO=4&transport=polling", headers=evil) as answer:
        assert answer.status == 400, "pages of other origins are refused"
    # The person's seat is as usable as before.
    async with clinic.connected("/consultation", await clinic.token("patient", "visit")) as line:
        assert await line.code("no.such", {}) == "unknown_event"
    await clinic.is_well()
