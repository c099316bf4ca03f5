"""Problem documents (RFC 9457): one shape for every failure that leaves the HTTP edge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from core.errors import BedsideError, BodyTooLarge, NotFound

CONTENT_TYPE = "application/problem+json"


class MethodNotAllowed(BedsideError):
    status = 405
    code = "method_not_allowed"
    title = "This address does not take that method"


class RequestTimeout(BedsideError):
    status = 408
    code = "request_timeout"
    title = "The request took too long to arrive"


class UnsupportedMediaType(BedsideError):
    status = 415
    code = "unsupported_media_type"
    title = "Send the body as application/json"


class Internal(BedsideError):
    status = 500
    code = "internal"
    title = "Something went wrong on our side"


def problem(error: BedsideError, request_id: str) -> web.Response:
    """The answer for an expected failure. ``type`` leads to the code's entry on the documentation page."""
    document: dict[str, Any] = {
        "type": f"/api/docs#{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id,
    }
    document.update((name, value) for name, value in error.extra.items() if name not in document)
    headers: dict[str, str] = dict(error.headers)
    if error.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    if error.status == 503:
        headers.setdefault("Retry-After", "2")
    return web.Response(
        text=json.dumps(document, default=str, ensure_ascii=False),
        status=error.status,
        headers=headers,
        content_type=CONTENT_TYPE,
    )


def of_http_exception(error: web.HTTPException) -> BedsideError | None:
    """The expected failure that one of aiohttp's own answers stands for; None for redirects and the like."""
    if error.status < 400:
        return None
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(headers={"Allow": ", ".join(sorted(error.allowed_methods))})
    known: Mapping[int, type[BedsideError]] = {404: NotFound, 413: BodyTooLarge, 415: UnsupportedMediaType}
    return known.get(error.status, BedsideError if error.status < 500 else Internal)()
