"""What notifications need of other modules; the composition root gives the adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from core.security.policy import Relation
from core.security.principal import Principal


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to write to. ``language`` is a BCP 47 tag, ``time_zone`` an IANA name."""

    id: UUID
    name: str
    email: str
    language: str
    time_zone: str
    has_account: bool = True  # without one nobody reads what is told them


@dataclass(frozen=True, slots=True)
class Appointment:
    """``status``: booked, arrived, checked-in, fulfilled, cancelled, noshow, entered-in-error.

    ``version`` grows with every change.
    """

    id: UUID
    patient_id: UUID
    practitioner_id: UUID
    start: datetime
    end: datetime
    status: str
    version: int


class People(Protocol):
    async def get(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        """By id; unknown ids are left out."""
        ...


class Appointments(Protocol):
    async def get(self, appointment_id: UUID) -> Appointment | None: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts for a patient now, and how: some of proxy_book, proxy_attend, proxy_read."""

    person_id: UUID
    relations: frozenset[Relation]


class Actors(Protocol):
    async def acting(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Actor]]:
        """Who acts for each of the patients; those for whom nobody does are left out."""
        ...


class Nobody:
    """Where nobody acts for anybody."""

    async def acting(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Actor]]:
        return {}


@dataclass(frozen=True, slots=True)
class AccountLetter:
    """``link`` may carry a one-time secret in its fragment. What is None is the person's own."""

    link: str
    email: str | None = None
    name: str | None = None
    language: str | None = None


class Verifications(Protocol):
    async def letter(self, kind: str, letter_id: UUID) -> AccountLetter | None:
        """What a letter about an account links to, and where it goes. None when the link is used or over."""
        ...


class Sessions(Protocol):
    async def authenticate(self, token: str) -> Principal:
        """The person an access token stands for. Raises InvalidToken, also when its session was revoked."""
        ...
