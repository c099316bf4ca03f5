"""Repeated and too many calls: idempotency keys and rate limits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from harness import TokenSessions
from shop import Client, Refused, Shop, problem_of

from core.context import Context
from core.errors import TooManyRequests
from core.http.middleware import client_address
from core.http.ratelimit import RateLimiter, judge
from core.ids import uuid7
from core.settings import Limits

pytestmark = pytest.mark.integration


# --- idempotency --------------------------------------------------------------------------------------------------


async def test_a_key_is_required_for_payments(client: Client, headers: dict[str, str], shop: Shop) -> None:
    response = await client.post("/api/v1/payments", json={"amount": 1}, headers=headers)
    await problem_of(response, 400, "idempotency_key_required")
    assert shop.sold == 0


async def test_the_same_key_gets_the_same_answer(client: Client, headers: dict[str, str], shop: Shop) -> None:
    keyed = {**headers, "Idempotency-Key": uuid7().hex}
    first = await client.post("/api/v1/orders", json={"amount": 1}, headers=keyed)
    again = await client.post("/api/v1/orders", json={"amount": 1}, headers=keyed)
    assert (first.status, again.status, shop.sold) == (201, 201, 1)
    assert await first.json() == await again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await client.post("/api/v1/orders", json={"amount": 2}, headers=keyed)
    await problem_of(other, 422, "idempotency_key_reused")


async def test_a_key_belongs_to_one_person_and_one_route(
    client: Client, context: Context, headers: dict[str, str], shop: Shop
) -> None:
    key = {"Idempotency-Key": uuid7().hex}
    await client.post("/api/v1/orders", json={"amount": 1}, headers=headers | key)
    somebody = TokenSessions(context).sign_in(uuid7())
    assert (await client.post("/api/v1/orders", json={"amount": 2}, headers=somebody | key)).status == 201
    assert (await client.post("/api/v1/payments", json={"amount": 2}, headers=headers | key)).status == 201
    assert shop.sold == 3


async def test_a_second_one_at_once_is_in_flight(client: Client, headers: dict[str, str], shop: Shop) -> None:
    keyed = {**headers, "Idempotency-Key": uuid7().hex}
    shop.hold = asyncio.Event()
    first = asyncio.ensure_future(client.post("/api/v1/orders", json={"amount": 1}, headers=keyed))
    await shop.entered.wait()
    await problem_of(
        await client.post("/api/v1/orders", json={"amount": 1}, headers=keyed), 409, "idempotency_in_flight"
    )
    shop.hold.set()
    assert (await first).status == 201
    assert shop.sold == 1


async def test_a_refused_call_can_be_tried_again(client: Client, headers: dict[str, str], shop: Shop) -> None:
    keyed = {**headers, "Idempotency-Key": uuid7().hex}
    shop.fail = Refused()
    await problem_of(await client.post("/api/v1/orders", json={"amount": 1}, headers=keyed), 409, "refused")
    shop.fail = None
    assert (await client.post("/api/v1/orders", json={"amount": 1}, headers=keyed)).status == 201


async def test_a_crashed_call_blocks_its_key_for_a_minute_only(
    client: Client, context: Context, headers: dict[str, str], shop: Shop
) -> None:
    keyed = {**headers, "Idempotency-Key": uuid7().hex}
    shop.hold = asyncio.Event()
    first = asyncio.ensure_future(client.post("/api/v1/orders", json={"amount": 1}, headers=keyed))
    await shop.entered.wait()
    async with context.database("core").transaction() as tx:
        await tx.execute(
            "UPDATE core.idempotency_keys SET created_at = now() - interval '61 seconds' WHERE key = $1",
            keyed["Idempotency-Key"],
        )
    shop.hold.set()
    hold, shop.hold = shop.hold, None
    response = await client.post("/api/v1/orders", json={"amount": 1}, headers=keyed)
    assert response.status == 201
    hold.set()
    await first


async def test_stored_answers_are_sealed(client: Client, context: Context, headers: dict[str, str]) -> None:
    keyed = {**headers, "Idempotency-Key": uuid7().hex}
    answer = await (await client.post("/api/v1/orders", json={"amount": 7}, headers=keyed)).json()
    async with context.database("core").reading() as tx:
        stored = await tx.fetchval("SELECT answer FROM core.idempotency_keys WHERE key = $1", keyed["Idempotency-Key"])
    assert answer["id"].encode() not in stored


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ"])
async def test_senseless_keys(client: Client, headers: dict[str, str], key: str) -> None:
    keyed = {**headers, "Idempotency-Key": key}
    await problem_of(await client.post("/api/v1/orders", json={"amount": 1}, headers=keyed), 400, "invalid_input")


# --- limits -------------------------------------------------------------------------------------------------------


def test_the_window_slides() -> None:
    assert judge("x", 10, previous=10, current=0, elapsed_s=0).allowed is False
    assert judge("x", 10, previous=10, current=0, elapsed_s=6).allowed is True
    refused = judge("x", 10, previous=10, current=10, elapsed_s=30)
    assert (refused.allowed, refused.remaining, refused.reset_s) == (False, 0, 30)
    assert judge("x", 10, previous=0, current=9, elapsed_s=59).remaining == 0


async def test_a_flood_is_refused_and_forgiven(context: Context) -> None:
    now = [1_000_020.0]
    limiter = RateLimiter(Limits(per_address_per_minute=5), None, wall=lambda: now[0])
    for _ in range(5):
        limiter.require("address", "192.0.2.1")
    with pytest.raises(TooManyRequests) as refused:
        limiter.require("address", "192.0.2.1")
    assert int(refused.value.headers["Retry-After"]) >= 1
    limiter.require("address", "192.0.2.2")
    now[0] += 120
    limiter.require("address", "192.0.2.1")


async def test_one_ipv6_household_is_one_address() -> None:
    limiter = RateLimiter(Limits(per_address_per_minute=1), None)
    limiter.require("address", "2001:db8::1")
    with pytest.raises(TooManyRequests):
        limiter.require("address", "2001:db8::2")
    limiter.require("address", "2001:db8:0:1::1")


async def test_processes_share_their_counts(context: Context) -> None:
    who = uuid7().hex
    limits = Limits(per_person_per_minute=10)
    one, other = (RateLimiter(limits, context.redis, wall=lambda: 2_000_000.0) for _ in range(2))
    for _ in range(10):
        one.require("person", who)
    assert other.take("person", who).allowed
    await one.synchronise()
    await other.synchronise()
    assert not other.take("person", who).allowed


async def test_a_flood_over_http(client: Client, context: Context) -> None:
    statuses = [
        (await client.post("/api/v1/login", json={"amount": 1})).status
        for _ in range(context.settings.limits.login_per_address_per_minute + 3)
    ]
    assert statuses.count(200) == context.settings.limits.login_per_address_per_minute
    assert statuses[-1] == 429


async def test_forwarded_addresses_count_only_from_trusted_proxies() -> None:
    class Request:
        remote = "10.0.0.1"
        headers: Any = None

    from multidict import CIMultiDict

    request: Any = Request()
    request.headers = CIMultiDict({"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
    assert client_address(request, []) == "10.0.0.1"
    assert client_address(request, ["10.0.0.0/8"]) == "198.51.100.7"
    assert client_address(request, ["192.0.2.0/24"]) == "10.0.0.1"
