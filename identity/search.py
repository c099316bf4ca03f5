"""What practitioners can be found by, and the statement that finds them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Search:
    """None leaves it open. Fees are in minor units; ``near`` is (latitude, longitude), results are nearest first."""

    specialty: str | None = None
    language: str | None = None
    name: str | None = None
    fee_min: int | None = None
    fee_max: int | None = None
    currency: str | None = None
    insurer: str | None = None
    near: tuple[float, float] | None = None
    within_m: int | None = None


# Where a page ended: by name, or by distance in metres; then by id.
Place = tuple[str | float, UUID]


def statement(search: Search, after: Place | None, limit: int) -> tuple[str, list[Any]]:
    """SQL over ``practitioner_profiles`` and its parameters. Only what is asked for is in it, so indexes serve it."""
    values: list[Any] = []

    def given(value: Any) -> str:
        values.append(value)
        return f"${len(values)}"

    where = ["published"]
    if search.specialty is not None:
        where.append(f"specialties @> ARRAY[{given(search.specialty)}::text]")
    if search.language is not None:
        where.append(f"languages @> ARRAY[{given(search.language)}::text]")
    if search.insurer is not None:
        where.append(f"insurers @> ARRAY[{given(search.insurer)}::text]")
    if search.name is not None:
        where.append(f"name ILIKE {given(_pattern(search.name))}")
    if search.currency is not None:
        where.append(f"currency = {given(search.currency)}")
    if search.fee_min is not None:
        where.append(f"fee_minor >= {given(search.fee_min)}")
    if search.fee_max is not None:
        where.append(f"fee_minor <= {given(search.fee_max)}")
    order, distance = "name", "NULL::float8"
    if search.near is not None:
        here = f"ll_to_earth({given(search.near[0])}::float8, {given(search.near[1])}::float8)"
        order = distance = f"earth_distance(ll_to_earth(lat, lon), {here})"
        where.append("lat IS NOT NULL")
        if search.within_m is not None:
            reach = given(float(search.within_m))
            where.append(f"earth_box({here}, {reach}::float8) @> ll_to_earth(lat, lon) AND {distance} <= {reach}")
    if after is not None:
        kind = "text" if search.near is None else "float8"
        where.append(f"({order}, id) > ({given(after[0])}::{kind}, {given(after[1])}::uuid)")
    sql = (
        f"SELECT *, {distance} AS distance FROM practitioner_profiles WHERE {' AND '.join(where)} "  # noqa: S608 - values go as parameters
        f"ORDER BY {order}, id LIMIT {given(limit)}"
    )
    return sql, values


def cursor(search: Search, name: str, distance: float | None, person_id: UUID) -> str:
    place = name if search.near is None else distance
    return base64.urlsafe_b64encode(json.dumps([place, str(person_id)]).encode()).decode()


def read_cursor(search: Search, text: str | None) -> Place | None:
    """Raises InvalidInput for what is not one of this search's."""
    if text is None:
        return None
    try:
        place, person_id = json.loads(base64.urlsafe_b64decode(text))
        if not isinstance(place, str if search.near is None else int | float):
            raise ValueError
        return place if isinstance(place, str) else float(place), UUID(person_id)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput.of("cursor", "is not one of ours") from None


def _pattern(text: str) -> str:
    """For ILIKE: contains, with the text's own wildcards taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
