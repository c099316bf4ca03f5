"""Strict reading of bodies and queries into pydantic models. Values are never repeated in the errors."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeVar, get_origin

from aiohttp import web
from pydantic import BaseModel, ValidationError

from core.errors import BodyTooLarge, InvalidInput, MalformedJson
from core.http.problems import RequestTimeout, UnsupportedMediaType

# A megabyte at 400 kbit/s; a body that dribbles in for longer only holds a connection.
BODY_TIMEOUT_S = 20.0

M = TypeVar("M", bound=BaseModel)


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes after decompression. Raises BodyTooLarge, RequestTimeout."""
    if request.content_length is not None and request.content_length > limit:
        raise BodyTooLarge(f"At most {limit} bytes are taken here")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.content.iter_any():
                size += len(part)
                if size > limit:
                    raise BodyTooLarge(f"At most {limit} bytes are taken here")
                parts.append(part)
    except TimeoutError:
        raise RequestTimeout() from None
    except web.RequestPayloadError:
        raise MalformedJson("The body could not be read") from None
    return b"".join(parts)


def require_json(request: web.Request) -> None:
    """Raises UnsupportedMediaType unless the body is declared as JSON in UTF-8."""
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType()


def parse_body(model: type[M], raw: bytes) -> M:
    """JSON to model, strictly: no text for numbers, no unknown fields. Raises MalformedJson, InvalidInput."""
    if b"\\u0000" in raw:
        _refuse_nul(_loads(raw), "")
    try:
        return model.model_validate_json(raw or b"{}", strict=True)
    except ValidationError as error:
        if any(each["type"] == "json_invalid" for each in error.errors(include_input=False, include_url=False)):
            raise MalformedJson() from None
        raise invalid_input(error) from None


def refuse_body(raw: bytes) -> None:
    """For routes without a body: nothing and ``{}`` are fine, fields are not."""
    if not raw.strip():
        return
    value = _loads(raw)
    if value != {}:
        names = list(value) if isinstance(value, dict) else [""]
        raise InvalidInput([{"field": name, "message": "Nothing is taken here"} for name in names[:20]])


def parse_query(model: type[M] | None, request: web.Request) -> M | None:
    """Query parameters to model; a list field takes a repeated parameter, any other is given once."""
    query = request.query
    if model is None:
        if query:
            raise InvalidInput([{"field": name, "message": "Unknown parameter"} for name in list(query)[:20]])
        return None
    lists = {
        field.alias or name
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) in (list, tuple, set, frozenset)
    }
    values: dict[str, Any] = {}
    for name in query:
        given = query.getall(name)
        if any("\0" in each for each in given):
            raise InvalidInput.of(name, "A NUL character is not allowed")
        if name in lists:
            values[name] = given
        elif len(given) > 1:
            raise InvalidInput.of(name, "Give this once")
        else:
            values[name] = given[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid_input(error) from None


def invalid_input(error: ValidationError) -> InvalidInput:
    """Field names and messages of a failed validation, without the values."""
    return InvalidInput(
        [
            {"field": ".".join(str(part) for part in each["loc"]), "message": each["msg"]}
            for each in error.errors(include_input=False, include_url=False, include_context=False)[:20]
        ]
    )


def _loads(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise MalformedJson() from None


def _refuse_nul(value: Any, where: str) -> None:
    """PostgreSQL's text holds no NUL; saying so here keeps it from failing deeper."""
    if isinstance(value, str) and "\0" in value:
        raise InvalidInput.of(where, "A NUL character is not allowed")
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_nul(name, where)
            _refuse_nul(item, f"{where}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{where}.{index}".lstrip("."))
