"""Logs, metrics and health. Nothing here ever holds health data, names, addresses of people or secrets."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import asyncpg
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from redis.exceptions import RedisError

from core.settings import Settings

# A field whose name holds one of these words, between underscores, is never written.
SECRET_WORDS = frozenset(
    {
        *("token", "password", "passphrase", "secret", "authorization", "cookie", "email", "phone", "birth"),
        *("text", "reason", "summary", "notes", "note", "body", "sdp", "content", "dosage", "medication", "query"),
    }
)
REDACTED = "[redacted]"
# Exceptions whose message names the program's own state, never what somebody sent.
PLAIN_MESSAGES = (OSError, RuntimeError, AssertionError, AttributeError, NameError, ImportError, RedisError)

CHECK_TIMEOUT_S = 3.0

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
_REQUESTS = Counter("bedside_http_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY)
_SECONDS = Histogram(
    "bedside_http_request_seconds",
    "Time to the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
_HEALTHY = Gauge("bedside_check_ok", "1 when the named check passed last time.", ["check"], registry=REGISTRY)
_TASKS = Gauge("bedside_tasks", "Tasks on the event loop; more and more of them is a leak.", registry=REGISTRY)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Telemetry:
    """The request metrics; one object so that tests can look at what was counted."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"
        _REQUESTS.labels(known, route, str(status)).inc()
        _SECONDS.labels(known, route).observe(seconds)


# --- logs ---------------------------------------------------------------------------------------------------------


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor: empty every field that could hold a secret or health data, in nested values too."""
    for name in list(event):
        if name != "event":
            event[name] = _redacted(name, event[name])
    return event


def _redacted(name: str, value: Any) -> Any:
    if not SECRET_WORDS.isdisjoint(name.lower().replace("-", "_").split("_")):
        return REDACTED
    if isinstance(value, dict):
        return {key: _redacted(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(name, item) for item in value]
    return value


def describe(error: BaseException) -> str:
    """Type and, where it can tell nothing of a person, message. Of PostgreSQL's errors: state and constraint."""
    kind = type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        parts = [str(getattr(error, each, "") or "") for each in ("sqlstate", "table_name", "constraint_name")]
        return f"{kind} {' '.join(part for part in parts if part)}".strip()
    if isinstance(error, PLAIN_MESSAGES):
        return f"{kind}: {error}"
    return kind


def _format_exception(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, tuple):
        info = info[1]
    if isinstance(info, BaseException):
        event["error"] = describe(info)
        event["trace"] = _trace(info, info.__traceback__)
    return event


def _trace(error: BaseException, where: TracebackType | None) -> list[str]:
    lines = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(where)[-25:]]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines += [f"after {describe(cause)}", *_trace(cause, cause.__traceback__)]
    return lines[:60]


def _stdlib_message(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Libraries put values into their messages: of theirs, only warnings and worse are kept, by their template."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["event"] = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        event.pop("positional_args", None)
    return event


def configure_logging(settings: Settings, process: str) -> None:
    """JSON (or, for people, plain lines) on standard error; libraries' logging goes the same way."""
    console = settings.log_format == "console"
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(default=str)
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_process(process),
    ]
    finishing: list[Any] = [_format_exception, redact]
    level = getattr(logging, settings.log_level.upper())
    structlog.configure(
        processors=[*shared, *finishing, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _stdlib_message],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finishing, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))


def _name_process(process: str) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    def processor(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return processor


# --- health -------------------------------------------------------------------------------------------------------

Check = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    name: str
    status: Literal["ok", "failed"]
    detail: str | None
    hard: bool
    ms: float


class Health:
    """Named checks. A check returns a short detail, or raises; only a hard one makes the process not ready."""

    def __init__(self) -> None:
        self._checks: list[tuple[str, Check, bool]] = []
        self.draining = False

    def add(self, name: str, check: Check, *, hard: bool) -> None:
        self._checks.append((name, check, hard))

    async def results(self) -> list[CheckResult]:
        """All checks at once, each bounded by ``CHECK_TIMEOUT_S``."""
        return list(await asyncio.gather(*(_run(*each) for each in self._checks)))

    async def ready(self) -> tuple[bool, list[CheckResult]]:
        results = await self.results()
        return not self.draining and all(each.status == "ok" for each in results if each.hard), results


async def _run(name: str, check: Check, hard: bool) -> CheckResult:
    started = time.perf_counter()
    status: Literal["ok", "failed"] = "ok"
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            detail = await check()
    except Exception as error:
        # The type alone: addresses and messages of the inside are nobody's business.
        status, detail = "failed", type(error).__name__
    _HEALTHY.labels(name).set(status == "ok")
    return CheckResult(name, status, detail, hard, round((time.perf_counter() - started) * 1000, 1))


def add_health_routes(application: web.Application, health: Health) -> None:
    """``/health/live`` (this process runs), ``/health/ready`` (it can serve) and ``/metrics``."""

    async def live(request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def ready(request: web.Request) -> web.Response:
        is_ready, results = await health.ready()
        checks = [{"name": each.name, "status": each.status, "detail": each.detail} for each in results]
        status = "draining" if health.draining else "ok" if is_ready else "failed"
        return web.json_response(
            {"status": status, "checks": checks},
            status=200 if is_ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    async def metrics(request: web.Request) -> web.Response:
        _TASKS.set(len(asyncio.all_tasks()))
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application.router.add_get("/health/live", live)
    application.router.add_get("/health/ready", ready)
    application.router.add_get("/metrics", metrics)
