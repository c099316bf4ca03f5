"""Authority over another person: what it is, and whether it is in force at a moment. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from core.security.policy import Relation

# By what right: a child's parent, a helper whom the patient chose, somebody whom a court or the law appointed.
Kind = Literal["parent", "carer", "legal"]
Scope = Literal["book", "attend", "read"]
SCOPES: tuple[Scope, ...] = ("book", "attend", "read")
# How it came to be: a parent added a child, the invited person accepted, staff wrote it down.
How = Literal["added", "invited", "recorded"]
# Who ended it, or what did: its date, the child's age, the erasure of either.
End = Literal["patient", "proxy", "granter", "staff", "until", "of_age", "erased"]
State = Literal["to_come", "in_force", "ended"]

_RELATION: Mapping[Scope, Relation] = {"book": "proxy_book", "attend": "proxy_attend", "read": "proxy_read"}


@dataclass(frozen=True, slots=True)
class Authority:
    """``patient_id`` is acted for by ``proxy_id``, from ``since`` on, before ``until`` if there is one."""

    id: UUID
    patient_id: UUID
    proxy_id: UUID
    kind: Kind
    scopes: tuple[Scope, ...]
    country: str
    since: datetime
    until: datetime | None
    granted_by: UUID
    granted_as: str
    how: How
    created_at: datetime
    verified_by: UUID | None = None
    verified_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: UUID | None = None
    end_reason: End | None = None
    end_note: bytes | None = None


@dataclass(frozen=True, slots=True)
class Majority:
    """The age at which a parent's authority ends."""

    usual: int
    by_country: Mapping[str, int]

    def of(self, country: str) -> int:
        return self.by_country.get(country, self.usual)


def birthday(born: date, years: int) -> date:
    """The day on which somebody is so old; born on 29 February, it is 1 March in years without one."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def of_age_at(born: date, country: str, zone: str, majority: Majority) -> datetime:
    """The midnight, where the patient lives, at which they are of age."""
    return datetime.combine(birthday(born, majority.of(country)), time(), ZoneInfo(zone))


def ends_by_itself(each: Authority, of_age: datetime | None) -> tuple[datetime, End] | None:
    """When authority runs out without anybody's doing, and why. ``of_age`` counts for a parent's alone."""
    ends: list[tuple[datetime, End]] = []
    if each.until is not None:
        ends.append((each.until, "until"))
    if each.kind == "parent" and of_age is not None:
        ends.append((of_age, "of_age"))
    return min(ends, default=None)


def state(each: Authority, of_age: datetime | None, at: datetime) -> State:
    """Whether it is in force at ``at``. What was ended stays ended, at moments before it, too, for who asks now."""
    alone = ends_by_itself(each, of_age)
    if each.ended_at is not None or (alone is not None and at >= alone[0]):
        return "ended"
    return "to_come" if at < each.since else "in_force"


def relations(scopes: Sequence[Scope]) -> frozenset[Relation]:
    """How somebody with this authority stands to the patient, in the policy's words."""
    return frozenset(_RELATION[scope] for scope in scopes)
