"""The base of every shape that crosses the HTTP edge."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, GetCoreSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from core.clock import rfc3339

_DAY = r"\d{4}-\d{2}-\d{2}"
_WRITTEN = {
    "date": re.compile(_DAY),
    "datetime": re.compile(_DAY + r"([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?)?"),
}


def _in_reach(value: datetime) -> datetime:
    """To UTC; years far from ours can't be shown in every zone."""
    if not 1900 <= value.year <= 2200:
        raise ValueError("not a time of this age")
    return value.astimezone(UTC)


# In an answer: RFC 3339, in UTC.
Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
# In a request: RFC 3339 with an offset; a time without one is refused, not guessed.
AwareTime = Annotated[AwareDatetime, AfterValidator(_in_reach)]


def _reader_of(kind: str) -> Callable[[Any], Any]:
    pattern = _WRITTEN[kind]

    def read(value: Any) -> Any:
        if isinstance(value, date):  # made here, not sent
            return value
        try:
            if isinstance(value, str) and pattern.fullmatch(value):
                return date.fromisoformat(value) if kind == "date" else datetime.fromisoformat(value.upper())
        except ValueError:
            pass  # the 31st of February
        raise PydanticCustomError("written_time", "A date or time is written as 2026-11-21 or 2026-11-21T08:00:00Z")

    return read


def _written(schema: Any) -> Any:
    """The schema, with every date and moment in it read from its ISO 8601 words alone: pydantic by itself takes
    numbers, also as text, for seconds since 1970."""
    if isinstance(schema, dict):
        found = {name: _written(part) for name, part in schema.items() if name != "metadata"}
        if "metadata" in schema:
            found["metadata"] = schema["metadata"]
        kind = schema.get("type")
        if kind in _WRITTEN:
            return core_schema.no_info_before_validator_function(_reader_of(kind), found)
        return found
    if isinstance(schema, list):
        return [_written(part) for part in schema]
    if isinstance(schema, tuple):
        return tuple(_written(part) for part in schema)
    return schema


class Wire(BaseModel):
    """Base of every shape that crosses the HTTP edge: snake_case, unknown fields refused, dates in ISO 8601."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = _written(handler(source))
        return schema
