"""Wire shapes of second factors and passkeys."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from core.http.routes import Moment, Wire
from identity.factor_repository import Passkey
from identity.schemas import Name, PersonRole, Tokens


class Answered(Wire):
    """What the browser made of a ceremony's options (AuthenticationResponseJSON)."""

    ceremony: str = Field(max_length=100)
    credential: dict[str, Any]


class SecondFactor(Wire):
    """A code (authenticator or recovery code), or a passkey's answer."""

    pending_token: str = Field(max_length=4096)
    code: str | None = Field(None, max_length=40)
    passkey: Answered | None = None


class PasskeyLogin(Answered):
    role: PersonRole | None = None
    client: Literal["browser", "native"] = "browser"


class StepUp(Wire):
    """A passkey's answer, or the password, with a code where a second factor is on."""

    password: str | None = Field(None, max_length=1000)
    code: str | None = Field(None, max_length=40)
    passkey: Answered | None = None


class ActAs(Wire):
    role: PersonRole


class Ceremony(Wire):
    """``options`` is for ``PublicKeyCredential.parseCreationOptionsFromJSON`` or ``…RequestOptionsFromJSON``."""

    ceremony: str
    options: dict[str, Any]


class TotpOffered(Wire):
    """``secret`` to be typed, ``uri`` to be opened, ``qr`` to be scanned (SVG)."""

    secret: str
    uri: str
    qr: str


class TotpCode(Wire):
    code: str = Field(max_length=20)


class NewPasskey(Answered):
    name: Name


class Rename(Wire):
    name: Name


class PasskeyRow(Wire):
    id: UUID
    name: str
    synced: bool
    created_at: Moment
    last_used_at: Moment | None

    @classmethod
    def of(cls, passkey: Passkey) -> PasskeyRow:
        return cls(
            id=passkey.id,
            name=passkey.name,
            synced=passkey.synced,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
        )


class FactorAdded(Tokens):
    """A new access token, in which the factor counts; ``recovery_codes`` are shown this once, if there are new ones."""

    recovery_codes: list[str]


class RecoveryCodes(Wire):
    recovery_codes: list[str]


class Security(Wire):
    """``required``: the acting role needs a second factor. ``recovery_codes`` counts the unused ones."""

    required: bool
    totp: bool
    recovery_codes: int
    passkeys: list[PasskeyRow]
    passkeys_available: bool
