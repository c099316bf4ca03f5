"""Builds the aiohttp application from the modules' routes.

One request: request id and log → security headers → problem documents → limit per address → authentication →
limit per person → may this role do this at all →
body and query → idempotency → handler → rendering. The order is this file and ``middleware.py``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from core.clock import Clock
from core.http.authentication import Sessions, authenticate
from core.http.idempotency import Idempotency
from core.http.middleware import RATE, REQUEST_ID, client_address, middlewares
from core.http.parsing import parse_body, parse_query, read_body, refuse_body, require_json
from core.http.problems import UnsupportedMediaType
from core.http.ratelimit import RateLimiter
from core.http.routes import Answer, Call, Route, Routes
from core.security.policy import Policy
from core.security.stepup import require_recent
from core.security.tokens import Tokens
from core.settings import Settings
from core.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Edge:
    """What the HTTP edge needs of the rest."""

    settings: Settings
    clock: Clock
    tokens: Tokens
    sessions: Sessions
    policy: Policy
    limiter: RateLimiter
    idempotency: Idempotency
    telemetry: Telemetry


def build_application(tables: Iterable[Routes], edge: Edge) -> web.Application:
    """An application that serves these tables; pages, documentation, health and Socket.IO are added by the caller."""
    routes = in_matching_order([route for table in tables for route in table.all])
    largest = max([edge.settings.http.max_body_bytes, *(route.max_body_bytes or 0 for route in routes)])
    application = web.Application(
        middlewares=middlewares(edge.settings, edge.limiter, edge.telemetry), client_max_size=largest
    )
    for route in routes:
        application.router.add_route(route.method, route.path, _endpoint(route, edge))
    return application


def in_matching_order(routes: list[Route]) -> list[Route]:
    """Literal paths before patterns, so that ``/appointments/available`` is never taken for an id."""

    def key(route: Route) -> tuple[tuple[int, str], ...]:
        return tuple(
            (0 if "{" not in part else 2 if part.startswith("{") and part.endswith("}") else 1, part)
            for part in route.path.split("/")
        )

    return sorted(routes, key=key)


def _endpoint(route: Route, edge: Edge) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    limit = route.max_body_bytes or edge.settings.http.max_body_bytes
    unsafe = route.method not in ("GET", "HEAD")

    async def endpoint(request: web.Request) -> web.StreamResponse:
        principal = await authenticate(request, route.auth, edge.sessions, edge.tokens)
        if principal.person_id is not None:
            request[RATE] = edge.limiter.require("person", str(principal.person_id))
        edge.policy.admit(principal.role, route.action)
        if route.recent:
            require_recent(principal, edge.clock.now())
        raw = b""
        if route.upload:
            if request.content_type != "multipart/form-data":
                raise UnsupportedMediaType("Send the body as multipart/form-data")
            if request.content_length is not None and request.content_length > limit:
                await read_body(request, limit)
        elif unsafe:
            raw = await read_body(request, limit)
            if raw:
                require_json(request)
        query = parse_query(route.query, request)
        body: BaseModel | None = None
        if route.body is not None:
            body = parse_body(route.body, raw)
        elif unsafe and not route.upload:
            refuse_body(raw)
        if route.limit == "login":
            edge.limiter.require("login_address", client_address(request, edge.settings.http.trusted_proxies))
            account = getattr(body, "email", None)
            if isinstance(account, str):
                edge.limiter.require("login_account", account.strip().lower())
        if route.limit == "token":
            edge.limiter.require("token", request.match_info["token"])
        call: Call[Any, Any] = Call(
            request=request,
            principal=principal,
            body=body,
            query=query,
            now=edge.clock.now(),
            request_id=request[REQUEST_ID],
        )

        async def answer() -> web.StreamResponse:
            return render(route, await route.handler(call))

        return await edge.idempotency.run(request, route, principal, raw, answer)

    return endpoint


def render(route: Route, result: Any) -> web.StreamResponse:
    """A handler's result as a response: a model, an Answer, plain JSON values, or None for an empty one."""
    if isinstance(result, web.StreamResponse):
        return result
    answer = result if isinstance(result, Answer) else Answer(body=result, status=route.status)
    payload: bytes | None
    content_type: str | None = answer.content_type or route.content_type
    body: Any = answer.body
    match body:
        case None:
            payload, content_type = None, None
        case BaseModel():
            payload = body.model_dump_json(by_alias=True).encode()
        case bytes():
            payload = body
        case str():
            payload = body.encode()
        case Mapping() | list():
            payload = json.dumps(body, default=str, ensure_ascii=False).encode()
        case _:
            raise TypeError(f"{route.method} {route.path} answered with {type(body).__name__}")
    status = 204 if payload is None and answer.status == 200 else answer.status
    headers = dict(answer.headers)
    if content_type is not None:
        charset = "; charset=utf-8" if content_type.startswith(("text/", "application/json")) else ""
        headers.setdefault("Content-Type", content_type + charset)
    response = web.Response(body=payload, status=status, headers=headers)
    for cookie in answer.set_cookies:
        response.set_cookie(**cookie)
    for cookie in answer.delete_cookies:
        response.del_cookie(**cookie)
    return response
