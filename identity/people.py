"""The nouns of identity: people and practitioners, and what their fields may hold. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import available_timezones

from core.security.principal import Role

# What RFC 5321 lets through and mail servers really take; whether the mailbox exists, only a letter can tell.
_EMAIL = re.compile(
    r"^[^\s@\"(),:;<>\[\\\]\x00-\x1f]+@(?:[^\s@.\"(),:;<>\[\\\]\x00-\x1f]+\.)+[^\s@.\"(),:;<>\[\\\]]{2,}$"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # BCP 47, the part in use
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
_ZONES = frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class Person:
    """Without what is encrypted."""

    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    language: str
    time_zone: str
    email_verified: bool
    created_at: datetime
    has_account: bool = True  # without one there is no address: a child whom a parent added


@dataclass(frozen=True, slots=True)
class Contact:
    """What is encrypted under the person's key."""

    phone: str | None
    birth_date: date | None


@dataclass(frozen=True, slots=True)
class PractitionerProfile:
    """What a practitioner shows. The fee is in minor units of ``currency``."""

    title: str
    specialties: tuple[str, ...]
    languages: tuple[str, ...]
    licence_number: str
    fee_minor: int
    currency: str
    location: str
    about: str = ""
    licence_expires_on: date | None = None
    licence_verified: bool = False
    published: bool = False
    place: tuple[float, float] | None = None  # latitude and longitude, for searches by distance
    insurers: tuple[str, ...] = ()  # whose patients are taken


@dataclass(frozen=True, slots=True)
class Practitioner:
    person: Person
    profile: PractitionerProfile
    distance_m: int | None = None  # from where a search asked

    @property
    def id(self) -> UUID:
        return self.person.id


def email_key(email: str) -> str:
    """The spelling under which an address is unique: NFKC, lower case."""
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def is_email(text: str) -> bool:
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def is_language(text: str) -> bool:
    return _LANGUAGE.fullmatch(text) is not None


def is_time_zone(text: str) -> bool:
    return text in _ZONES


def is_phone(text: str) -> bool:
    return _PHONE.fullmatch(text) is not None
