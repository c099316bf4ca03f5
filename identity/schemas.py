"""Wire shapes of identity."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from core.http.routes import Moment, Page, Wire
from core.security.principal import Role
from identity.passwords import LONGEST
from identity.people import Contact, Person, is_email, is_language, is_phone, is_time_zone
from identity.sessions import Session
from identity.signin import SignedIn


def _checked(test: Any, message: str) -> AfterValidator:
    def check(value: str) -> str:
        if not test(value):
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _printable(value: str) -> bool:
    return value.isprintable()


PersonRole = Literal["patient", "practitioner", "desk", "admin", "auditor"]
Email = Annotated[str, StringConstraints(strip_whitespace=True), _checked(is_email, "is not an email address")]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    _checked(_printable, "has characters that can't be shown"),
]
Language = Annotated[str, _checked(is_language, "is not a language tag such as fr or pt-BR")]
TimeZone = Annotated[str, _checked(is_time_zone, "is not a time zone such as Africa/Abidjan")]
Phone = Annotated[str, _checked(is_phone, "write it with the country, such as +2250700000000")]
Search = Annotated[str, StringConstraints(max_length=100), _checked(_printable, "has characters that can't be shown")]


class Empty(Wire):
    pass


class Register(Wire):
    email: Email
    password: str = Field(max_length=1000)
    name: Name
    language: Language = "en"
    time_zone: TimeZone = "UTC"


class Login(Wire):
    email: Email
    password: str = Field(max_length=LONGEST * 5)
    code: str | None = Field(None, max_length=20)
    role: PersonRole | None = None
    client: Literal["browser", "native"] = "browser"


class Refresh(Wire):
    refresh_token: str | None = Field(None, max_length=200)


class VerifyEmail(Wire):
    secret: str = Field(max_length=200)


class AskReset(Wire):
    email: Email


class FinishReset(Wire):
    secret: str = Field(max_length=200)
    password: str = Field(max_length=1000)


class NewPassword(Wire):
    password: str = Field(max_length=1000)


class EndSessions(Wire):
    others: bool = False


class User(Wire):
    id: UUID
    roles: list[Role]
    role: Role
    name: str
    email: str
    language: str
    time_zone: str
    email_verified: bool

    @classmethod
    def of(cls, person: Person, role: Role) -> User:
        return cls(
            id=person.id,
            roles=list(person.roles),
            role=role,
            name=person.name,
            email=person.email,
            language=person.language,
            time_zone=person.time_zone,
            email_verified=person.email_verified,
        )


class Registered(Wire):
    user: User


class Tokens(Wire):
    """``refresh_token`` only for native clients; browsers have the cookie."""

    access_token: str
    expires_in: int
    user: User
    refresh_token: str | None = None

    @classmethod
    def of(cls, signed_in: SignedIn, *, native: bool) -> Tokens:
        return cls(
            access_token=signed_in.access_token,
            expires_in=signed_in.expires_in,
            user=User.of(signed_in.person, signed_in.role),
            refresh_token=signed_in.refresh_token if native else None,
        )


class JwkSet(Wire):
    keys: list[dict[str, Any]]


class Me(User):
    phone: str | None
    birth_date: date | None

    @classmethod
    def profile(cls, person: Person, contact: Contact, role: Role) -> Me:
        return cls(
            **User.of(person, role).model_dump(),
            phone=contact.phone,
            birth_date=contact.birth_date,
        )


class ChangeMe(Wire):
    name: Name | None = None
    language: Language | None = None
    time_zone: TimeZone | None = None
    phone: Phone | None = None
    birth_date: date | None = Field(None, ge=date(1880, 1, 1))


class Patient(Wire):
    id: UUID
    name: str
    birth_date: date | None
    phone: str | None
    email: str
    language: str
    time_zone: str

    @classmethod
    def of(cls, person: Person, contact: Contact) -> Patient:
        return cls(
            id=person.id,
            name=person.name,
            birth_date=contact.birth_date,
            phone=contact.phone,
            email=person.email,
            language=person.language,
            time_zone=person.time_zone,
        )


class FindPeople(Wire):
    role: PersonRole | None = None
    q: Search | None = None
    cursor: str | None = Field(None, max_length=100)
    limit: int = Field(50, ge=1, le=100)


class SessionRow(Wire):
    id: UUID
    current: bool
    client: str
    agent: str
    created_at: Moment
    refreshed_at: Moment

    @classmethod
    def of(cls, session: Session, current: UUID | None) -> SessionRow:
        return cls(
            id=session.id,
            current=session.id == current,
            client=session.client,
            agent=session.agent,
            created_at=session.created_at,
            refreshed_at=session.refreshed_at,
        )


class SessionPage(Page):
    items: list[SessionRow]
