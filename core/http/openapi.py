"""OpenAPI 3.1 from the route tables: what a route declares is what is published."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from core.errors import (
    BedsideError,
    BodyTooLarge,
    Forbidden,
    InvalidInput,
    InvalidToken,
    MalformedJson,
    NotFound,
    NotSignedIn,
    StepUpRequired,
    TooManyRequests,
    Unavailable,
)
from core.http.idempotency import IdempotencyInFlight, IdempotencyKeyRequired, IdempotencyKeyReused
from core.http.problems import CONTENT_TYPE, Internal, UnsupportedMediaType
from core.http.routes import Route, Routes

VERSION = "1.0.0"
REFERENCE = "#/components/schemas/{model}"
PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document (RFC 9457). `code` is stable; `detail` is for people.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
ANYWHERE: tuple[type[BedsideError], ...] = (InvalidInput, TooManyRequests, Internal, Unavailable)

Mode = Literal["validation", "serialization"]


def describe(tables: Iterable[Routes], server: str = "/") -> dict[str, Any]:
    """The whole document as JSON values."""
    routes = [route for table in tables for route in table.all]
    wanted: dict[tuple[type[BaseModel], Mode], None] = {}
    for route in routes:
        for model, mode in _models(route):
            wanted[(model, mode)] = None
    references, definitions = models_json_schema(list(wanted), ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references, definitions)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bedside",
            "version": VERSION,
            "description": (
                "Telemedicine: booking, waiting room, video visit, records and billing. "
                "Live traffic is Socket.IO, described in docs/protocol.md."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "tags": [{"name": name} for name in dict.fromkeys(route.module for route in routes)],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Problem": PROBLEM, **definitions.get("$defs", {})},
            "securitySchemes": {
                "access": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "guest": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The guest token of a redeemed invitation.",
                },
            },
        },
    }


def codes(tables: Iterable[Routes]) -> list[tuple[int, str, str]]:
    """Every error that any route declares, as (status, code, title)."""
    found = {
        (error.status, error.code, error.title) for table in tables for route in table.all for error in _errors(route)
    }
    return sorted(found)


def _models(route: Route) -> list[tuple[type[BaseModel], Mode]]:
    pairs: list[tuple[type[BaseModel], Mode]] = []
    if route.body is not None:
        pairs.append((route.body, "validation"))
    if route.query is not None:
        pairs.append((route.query, "validation"))
    if route.returns is not None:
        pairs.append((route.returns, "serialization"))
    return pairs


def _errors(route: Route) -> list[type[BedsideError]]:
    errors: list[type[BedsideError]] = [*ANYWHERE]
    if route.auth != "none":
        errors += [NotSignedIn, InvalidToken, Forbidden]
    if route.recent:
        errors.append(StepUpRequired)
    if "{" in route.path:
        errors.append(NotFound)
    if route.body is not None:
        errors += [MalformedJson, BodyTooLarge, UnsupportedMediaType]
    if route.idempotency != "none":
        errors += [IdempotencyInFlight, IdempotencyKeyReused]
    if route.idempotency == "required":
        errors.append(IdempotencyKeyRequired)
    return list(dict.fromkeys([*errors, *route.errors]))


def _operation(route: Route, references: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [route.module],
        "summary": route.summary,
        "parameters": _parameters(route, references, definitions),
        "responses": _responses(route, references),
        "security": [] if route.auth == "none" else [{"guest" if route.auth == "guest" else "access": []}],
    }
    if route.description:
        operation["description"] = route.description
    if route.body is not None:
        schema = references[(route.body, "validation")]
        wanted = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": wanted, "content": {"application/json": {"schema": schema}}}
    elif route.upload:
        file = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": file}}}
    return operation


def _operation_id(route: Route) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", route.path.removeprefix("/api/v1")).strip("_")
    return f"{route.method.lower()}_{words}"


def _parameters(route: Route, references: Any, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name in re.findall(r"{(\w+)[^}]*}", route.path):
        schema: dict[str, Any] = {"type": "string"}
        if name == "id" or name.endswith("_id"):
            schema["format"] = "uuid"
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if route.query is not None:
        model = definitions["$defs"][references[(route.query, "validation")]["$ref"].rsplit("/", 1)[1]]
        required = model.get("required", [])
        for name, schema in model.get("properties", {}).items():
            parameters.append({"name": name, "in": "query", "required": name in required, "schema": schema})
    if route.idempotency != "none":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": route.idempotency == "required",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    return parameters


def _responses(route: Route, references: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if route.returns is not None:
        good["content"] = {route.content_type: {"schema": references[(route.returns, "serialization")]}}
    elif route.status != 204 and route.content_type != "application/json":
        good["content"] = {route.content_type: {"schema": {"type": "string", "format": "binary"}}}
    responses: dict[str, Any] = {str(route.status): good}
    by_status: dict[int, list[str]] = {}
    for error in _errors(route):
        by_status.setdefault(error.status, []).append(f"`{error.code}`")
    for status, found in sorted(by_status.items()):
        responses[str(status)] = {
            "description": ", ".join(sorted(set(found))),
            "content": {CONTENT_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}},
        }
    return responses
