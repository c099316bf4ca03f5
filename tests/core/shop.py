"""A small module to knock at from outside."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from aiohttp import web
from aiohttp.test_utils import TestClient
from pydantic import Field

from core.errors import Conflict
from core.http.routes import Answer, Call, Routes, Wire
from core.ids import uuid7

Client = TestClient[web.Request, web.Application]


class Order(Wire):
    amount: int = Field(ge=0, le=1000)
    note: str = ""


class Receipt(Wire):
    id: UUID
    amount: int


class Search(Wire):
    limit: int = 10
    tags: list[str] = []


class Refused(Conflict):
    code = "refused"
    title = "Refused for the test"


class Shop:
    """Routes to knock at, and a count of what really happened."""

    def __init__(self) -> None:
        self.sold = 0
        self.hold: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.fail: BaseException | None = None

    def routes(self) -> Routes:
        routes = Routes("shop")

        @routes.post("/orders", action="account.own", body=Order, returns=Receipt, status=201, errors=(Refused,))
        async def order(call: Call[Order, None]) -> Receipt:
            """Order something."""
            self.entered.set()
            if self.hold is not None:
                await self.hold.wait()
            if self.fail is not None:
                raise self.fail
            self.sold += 1
            return Receipt(id=uuid7(), amount=call.body.amount)

        @routes.post("/payments", action="account.own", body=Order, returns=Receipt, status=201, idempotency="required")
        async def pay(call: Call[Order, None]) -> Receipt:
            self.sold += 1
            return Receipt(id=uuid7(), amount=call.body.amount)

        @routes.get("/orders/{id}", action="account.own", returns=Receipt)
        async def read(call: Call[None, None]) -> Receipt:
            return Receipt(id=call.id(), amount=1)

        @routes.get("/orders/latest", action="public", auth="none")
        async def latest(call: Call[None, None]) -> Answer:
            return Answer(b"%PDF", content_type="application/pdf")

        @routes.get("/search", action="public", query=Search, auth="none")
        async def search(call: Call[None, Search]) -> dict[str, Any]:
            return {"limit": call.query.limit, "tags": call.query.tags}

        @routes.get("/guest", action="public", auth="guest")
        async def guest(call: Call[None, None]) -> dict[str, Any]:
            return {"role": call.principal.role}

        @routes.post("/login", action="public", body=Order, auth="none", limit="login")
        async def login(call: Call[Order, None]) -> dict[str, Any]:
            return {}

        @routes.post("/touch", action="account.own")
        async def touch(call: Call[None, None]) -> None:
            """Answer with nothing."""

        return routes


async def problem_of(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = await response.json(content_type=None)
    assert (document["code"], document["status"]) == (code, status)
    assert document["request_id"] == response.headers["X-Request-Id"]
    return document
