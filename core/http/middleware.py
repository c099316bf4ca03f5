"""What every request passes: id, log line, security headers, problem documents, the limit per address."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import asyncpg
import structlog
from aiohttp import web
from redis.exceptions import RedisError

from core.errors import BedsideError, NotFound, Unavailable
from core.http.problems import Internal, of_http_exception, problem
from core.http.ratelimit import RateLimiter, Verdict
from core.ids import uuid7
from core.settings import Settings
from core.telemetry import Telemetry

REQUEST_ID = web.RequestKey("request_id", str)
RATE = web.RequestKey("rate", Verdict)
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Middleware = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

# Pages load scripts, styles and fonts from this server alone; nothing inline, nobody may frame them.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",  # the blur's model is WebAssembly; no text becomes code
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob: mediastream:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
API_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"
PERMISSIONS_POLICY = (
    "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), picture-in-picture=(self), "
    "autoplay=(self), speaker-selection=(self), geolocation=(self), payment=(), usb=(), serial=()"
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"

API_PATHS = ("/api/", "/fhir/")

# A dependency that is away, or that ended our connection: trying again later is sensible.
AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that dies between two of its messages
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    RedisError,
    OSError,  # refused, reset, a socket file that is gone; TimeoutError is one too
)

log = structlog.get_logger("http")


def middlewares(settings: Settings, limiter: RateLimiter, telemetry: Telemetry) -> list[Any]:
    """Outermost first."""
    return [_observe(telemetry), _headers(settings), _problems, _limit(settings, limiter)]


def is_api(request: web.Request) -> bool:
    return request.path.startswith(API_PATHS)


def route_of(request: web.Request) -> str:
    """The route's template (``/api/v1/appointments/{id}``), which holds no ids."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def client_address(request: web.Request, trusted_proxies: Sequence[str]) -> str:
    """The caller's address: the last one in X-Forwarded-For that is no trusted proxy of ours, else the peer's."""
    address = request.remote or "unknown"
    if not trusted_proxies:
        return address
    chain = [part.strip() for line in request.headers.getall("X-Forwarded-For", []) for part in line.split(",")]
    while chain and _within(address, trusted_proxies):
        address = chain.pop()
    return address


def _within(address: str, networks: Sequence[str]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
        return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)
    except ValueError:
        return False


def _observe(telemetry: Telemetry) -> Middleware:
    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if SANE_REQUEST_ID.fullmatch(given) else uuid7().hex
        request[REQUEST_ID] = request_id
        started = time.perf_counter()
        status = 500
        scope: AbstractContextManager[Any] = structlog.contextvars.bound_contextvars(request_id=request_id)
        with scope:
            try:
                response = await handler(request)
                status = response.status
                if not response.prepared:
                    response.headers["X-Request-Id"] = request_id
                return response
            finally:
                seconds = time.perf_counter() - started
                route = route_of(request)
                telemetry.request(request.method, route, status, seconds)
                if is_api(request):
                    log.info("request", method=request.method, route=route, status=status, ms=round(seconds * 1000, 1))

    return observe


def _headers(settings: Settings) -> Middleware:
    over_tls = settings.mode == "production" and settings.public_url.startswith("https://")

    @web.middleware
    async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if response.prepared:
            return response
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        page = (response.headers.get("Content-Type") or "").startswith("text/html") or not is_api(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY if page else API_SECURITY_POLICY)
        if is_api(request):
            response.headers.setdefault("Cache-Control", "no-store")
        if over_tls:
            response.headers.setdefault("Strict-Transport-Security", HSTS)
        verdict = request.get(RATE)
        if verdict is not None:
            for name, value in verdict.headers().items():
                response.headers.setdefault(name, value)
        return response

    return headers


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    request_id = request[REQUEST_ID]
    try:
        return await handler(request)
    except BedsideError as error:
        if error.status >= 500:
            log.warning("refused", code=error.code, route=route_of(request), exc_info=True)
        return problem(error, request_id)
    except web.HTTPException as error:
        failure = of_http_exception(error)
        if failure is None:
            raise
        return problem(failure, request_id)
    except AWAY:
        log.warning("a part is away", route=route_of(request), exc_info=True)
        return problem(Unavailable(), request_id)
    except Exception:
        log.error("unexpected failure", route=route_of(request), exc_info=True)
        return problem(Internal(), request_id)


def _limit(settings: Settings, limiter: RateLimiter) -> Middleware:
    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "\0" in request.path:
            raise NotFound()
        if is_api(request):
            request[RATE] = limiter.require("address", client_address(request, settings.http.trusted_proxies))
        return await handler(request)

    return limit
