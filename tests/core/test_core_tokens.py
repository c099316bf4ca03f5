"""Tokens: each kind passes for nothing else, and nothing altered passes at all."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from core.errors import InvalidToken
from core.ids import uuid7
from core.security.keys import PUBLISHED_BEFORE_SIGNING, JwtTokens, SigningKey, signing_key
from core.security.tokens import Kind

KINDS: list[Kind] = ["access", "visit", "probe", "guest", "practice", "pending", "link"]
MINUTE = timedelta(minutes=1)


class HandClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 8, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class KeyList:
    def __init__(self, *keys: SigningKey) -> None:
        self.keys = list(keys)

    async def load(self) -> list[SigningKey]:
        return list(self.keys)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(clock: HandClock) -> KeyList:
    return KeyList(SigningKey.generate(clock.now()))


@pytest.fixture
async def tokens(store: KeyList, clock: HandClock) -> JwtTokens:
    tokens = JwtTokens(store, clock)
    await tokens.load()
    return tokens


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, payload, signature = token.split(".")

    def read(text: str) -> Any:
        return json.loads(base64.urlsafe_b64decode(text + "=="))

    return read(header), read(payload), signature


@pytest.mark.parametrize("rubbish", ["", ".", "..", "a.b.c", "é.é.é", "eyJhbGciOiJub25lIn0..", "x" * 10_000])
async def test_rubbish_is_refused(tokens: JwtTokens, rubbish: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(rubbish, "access")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_token_of_one_kind_passes_for_no_other(tokens: JwtTokens, kind: Kind) -> None:
    token = tokens.issue(kind, uuid7(), MINUTE)
    for other in KINDS:
        if other != kind:
            with pytest.raises(InvalidToken):
                tokens.verify(token, other)


async def test_a_token_with_the_right_type_but_another_audience_is_refused(
    tokens: JwtTokens, store: KeyList, clock: HandClock
) -> None:
    header, payload, _ = parts(tokens.issue("visit", uuid7(), MINUTE))
    header["typ"] = "bedside-access+jwt"
    token = jwt.encode(payload, store.keys[0].private, "EdDSA", headers=header)
    with pytest.raises(InvalidToken):
        tokens.verify(token, "access")


async def test_claims_come_back(tokens: JwtTokens, clock: HandClock) -> None:
    subject, visit = uuid7(), uuid7()
    token = tokens.issue("visit", subject, MINUTE, appointment_id=visit, roles=frozenset({"b", "a"}))
    claims = tokens.verify(token, "visit")
    assert claims.subject == subject
    assert claims.expires_at == clock.now() + MINUTE
    assert claims.extra == {"appointment_id": str(visit), "roles": ["a", "b"]}
    assert parts(token)[0]["typ"] == "bedside-visit+jwt"


async def test_an_expired_token_is_refused_at_the_second_it_expires(tokens: JwtTokens, clock: HandClock) -> None:
    token = tokens.issue("access", uuid7(), MINUTE)
    clock.at += MINUTE - timedelta(seconds=1)
    tokens.verify(token, "access")
    clock.at += timedelta(seconds=1)
    with pytest.raises(InvalidToken):
        tokens.verify(token, "access")


async def test_altered_claims_are_refused(tokens: JwtTokens) -> None:
    header, payload, signature = parts(tokens.issue("access", uuid7(), MINUTE))
    payload["sub"] = str(uuid7())
    with pytest.raises(InvalidToken):
        tokens.verify(f"{part(header)}.{part(payload)}.{signature}", "access")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256", "RS256"])
async def test_another_algorithm_is_refused(tokens: JwtTokens, store: KeyList, algorithm: str) -> None:
    header, payload, signature = parts(tokens.issue("access", uuid7(), MINUTE))
    header["alg"] = algorithm
    forged = f"{part(header)}.{part(payload)}.{'' if algorithm == 'none' else signature}"
    with pytest.raises(InvalidToken):
        tokens.verify(forged, "access")


async def test_the_public_key_used_as_a_shared_secret_is_refused(tokens: JwtTokens, store: KeyList) -> None:
    header, payload, _ = parts(tokens.issue("access", uuid7(), MINUTE))
    secret = store.keys[0].public.public_bytes_raw()
    forged = jwt.encode(payload, secret, "HS256", headers={"kid": header["kid"], "typ": header["typ"]})
    with pytest.raises(InvalidToken):
        tokens.verify(forged, "access")


async def test_a_key_of_somebody_else_under_a_known_kid_is_refused(tokens: JwtTokens, clock: HandClock) -> None:
    header, payload, _ = parts(tokens.issue("access", uuid7(), MINUTE))
    forged = jwt.encode(payload, SigningKey.generate(clock.now()).private, "EdDSA", headers=header)
    with pytest.raises(InvalidToken):
        tokens.verify(forged, "access")


@pytest.mark.parametrize("missing", ["iss", "sub", "aud", "jti", "iat", "exp"])
async def test_every_claim_is_needed(tokens: JwtTokens, store: KeyList, missing: str) -> None:
    header, payload, _ = parts(tokens.issue("access", uuid7(), MINUTE))
    del payload[missing]
    with pytest.raises(InvalidToken):
        tokens.verify(jwt.encode(payload, store.keys[0].private, "EdDSA", headers=header), "access")


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("exp", 1e400),
        ("exp", "soon"),
        ("exp", True),
        ("exp", 10**30),
        ("sub", "me"),
        ("sub", 7),
        ("aud", ["bedside:access"]),
        ("iss", "x"),
    ],
)
async def test_odd_claims_are_refused(tokens: JwtTokens, store: KeyList, claim: str, value: Any) -> None:
    header, payload, _ = parts(tokens.issue("access", uuid7(), MINUTE))
    payload[claim] = value
    with pytest.raises(InvalidToken):
        tokens.verify(jwt.encode(payload, store.keys[0].private, "EdDSA", headers=header), "access")


async def test_rotation_signs_nobody_out(tokens: JwtTokens, store: KeyList, clock: HandClock) -> None:
    old = store.keys[0]
    clock.at += timedelta(days=30)
    before = tokens.issue("access", uuid7(), timedelta(hours=1))
    store.keys.append(SigningKey.generate(clock.now()))
    await tokens.load()
    assert {key["kid"] for key in tokens.jwks()["keys"]} == {key.kid for key in store.keys}
    assert parts(tokens.issue("access", uuid7(), MINUTE))[0]["kid"] == old.kid  # published first, signs later
    clock.at += PUBLISHED_BEFORE_SIGNING
    assert parts(tokens.issue("access", uuid7(), MINUTE))[0]["kid"] == store.keys[1].kid
    tokens.verify(before, "access")


async def test_an_unknown_key_is_loaded_in_the_background(tokens: JwtTokens, store: KeyList, clock: HandClock) -> None:
    other = KeyList(SigningKey.generate(clock.now()))
    elsewhere = JwtTokens(other, clock)
    await elsewhere.load()
    token = elsewhere.issue("access", uuid7(), timedelta(hours=1))
    store.keys.extend(other.keys)
    clock.at += MINUTE
    with pytest.raises(InvalidToken):
        tokens.verify(token, "access")
    reloading = tokens.reloading
    assert reloading is not None
    await asyncio.wait_for(reloading, 5)
    tokens.verify(token, "access")


async def test_old_keys_are_read_again_by_use(tokens: JwtTokens, store: KeyList, clock: HandClock) -> None:
    token = tokens.issue("access", uuid7(), timedelta(hours=1))
    store.keys.append(SigningKey.generate(clock.now()))
    clock.at += 6 * MINUTE
    tokens.verify(token, "access")
    assert tokens.reloading is not None
    await asyncio.wait_for(tokens.reloading, 5)
    assert len(tokens.jwks()["keys"]) == 2


async def test_a_flood_of_unknown_keys_loads_once(tokens: JwtTokens, store: KeyList, clock: HandClock) -> None:
    loads = 0
    load = store.load

    async def counting() -> list[SigningKey]:
        nonlocal loads
        loads += 1
        return await load()

    store.load = counting  # type: ignore[method-assign]  # counts the real one's calls
    elsewhere = JwtTokens(KeyList(SigningKey.generate(clock.now())), clock)
    await elsewhere.load()
    token = elsewhere.issue("access", uuid7(), timedelta(hours=1))
    clock.at += MINUTE
    for _ in range(100):
        with pytest.raises(InvalidToken):
            tokens.verify(token, "access")
        await asyncio.sleep(0)
    assert loads == 1


def test_the_jwk_is_public_only(clock: HandClock) -> None:
    key = SigningKey.generate(clock.now())
    jwk = key.public_jwk()
    assert jwk["kty"] == "OKP"
    assert "d" not in jwk
    assert jwt.PyJWK(jwk).key.public_bytes_raw() == key.public.public_bytes_raw()


def test_the_first_key_signs_at_once(clock: HandClock) -> None:
    key = SigningKey.generate(clock.now())
    assert signing_key([key], clock.now()) is key


async def test_verifying_is_fast(tokens: JwtTokens) -> None:
    token = tokens.issue("access", uuid7(), MINUTE, roles=["patient"], role="patient")
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(50):
            tokens.verify(token, "access")
        best = min(best, (time.perf_counter() - started) / 50)
    print(f"verify {best * 1e6:.0f} us")
    assert best < 150e-6
