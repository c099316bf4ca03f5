"""Passkeys (Web Authentication Level 3): ceremonies with a challenge used once, checked by py_webauthn."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    options_to_json_dict,
    parse_authentication_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from core.errors import Unavailable
from identity.errors import PasskeyRefused, PasskeysUnavailable
from identity.factor_repository import Passkey
from identity.relying_party import RelyingParty, relying_party

CEREMONY_S = 300
# What the library raises for what a client sends: its own errors, and those of parsing.
WRONG = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class Offered:
    """Options for the browser (PublicKeyCredentialCreationOptionsJSON or …RequestOptionsJSON)."""

    ceremony: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    credential_id: bytes
    public_key: bytes
    sign_count: int
    synced: bool


@dataclass(frozen=True, slots=True)
class Ceremony:
    challenge: bytes
    party: RelyingParty
    person_id: UUID | None


class Ceremonies:
    """Every method raises Unavailable while Redis is away."""

    def __init__(self, redis: Redis, public_url: str) -> None:
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command
        self._public_url = public_url

    async def register(
        self, person_id: UUID, email: str, name: str, known: Sequence[Passkey], origin: str | None
    ) -> Offered:
        """Raises PasskeysUnavailable."""
        party = self._party(origin)
        options = generate_registration_options(
            rp_id=party.id,
            rp_name="Bedside",
            user_id=person_id.bytes,
            user_name=email,
            user_display_name=name,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in known],
            timeout=CEREMONY_S * 1000,
        )
        return await self._begin("register", options_to_json_dict(options), options.challenge, party, person_id)

    async def registered(self, ceremony: str, credential: str, person_id: UUID) -> Made:
        """Raises PasskeyRefused."""
        begun = await self._end("register", ceremony)
        if begun.person_id != person_id:
            raise PasskeyRefused()
        try:
            made = verify_registration_response(
                credential=credential,
                expected_challenge=begun.challenge,
                expected_rp_id=begun.party.id,
                expected_origin=begun.party.origin,
                require_user_verification=True,
            )
        except WRONG:
            raise PasskeyRefused() from None
        synced = made.credential_device_type == CredentialDeviceType.MULTI_DEVICE
        return Made(made.credential_id, made.credential_public_key, made.sign_count, synced)

    async def sign_in(self, origin: str | None, known: Sequence[Passkey] = ()) -> Offered:
        """For whoever the passkey says, or one of ``known``. Raises PasskeysUnavailable."""
        party = self._party(origin)
        options = generate_authentication_options(
            rp_id=party.id,
            user_verification=UserVerificationRequirement.REQUIRED,
            allow_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in known] or None,
            timeout=CEREMONY_S * 1000,
        )
        return await self._begin("sign-in", options_to_json_dict(options), options.challenge, party, None)

    async def begun(self, ceremony: str) -> Ceremony:
        """A sign-in's challenge, once. Raises PasskeyRefused."""
        return await self._end("sign-in", ceremony)

    @staticmethod
    def credential_id(credential: str) -> bytes:
        """Which passkey it says it is. Raises PasskeyRefused."""
        try:
            return parse_authentication_credential_json(credential).raw_id
        except WRONG:
            raise PasskeyRefused() from None

    @staticmethod
    def check(begun: Ceremony, credential: str, passkey: Passkey) -> tuple[int, bool]:
        """The passkey's new count of signatures, and whether it is synced. Raises PasskeyRefused."""
        try:
            parsed = parse_authentication_credential_json(credential)
            handle = parsed.response.user_handle
            checked = verify_authentication_response(
                credential=parsed,
                expected_challenge=begun.challenge,
                expected_rp_id=begun.party.id,
                expected_origin=begun.party.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except WRONG:
            raise PasskeyRefused() from None
        if handle is not None and handle != passkey.person_id.bytes:
            raise PasskeyRefused()
        return checked.new_sign_count, checked.credential_device_type == CredentialDeviceType.MULTI_DEVICE

    def _party(self, origin: str | None) -> RelyingParty:
        party = relying_party(self._public_url, origin)
        if party is None:
            raise PasskeysUnavailable()
        return party

    async def _begin(
        self, kind: str, options: dict[str, Any], challenge: bytes, party: RelyingParty, person_id: UUID | None
    ) -> Offered:
        ceremony = secrets.token_urlsafe(24)
        kept = json.dumps([bytes_to_base64url(challenge), party.id, party.origin, person_id and str(person_id)])
        await self._do("SET", _key(kind, ceremony), kept, "EX", CEREMONY_S)
        return Offered(ceremony, options)

    async def _end(self, kind: str, ceremony: str) -> Ceremony:
        kept = await self._do("GETDEL", _key(kind, ceremony))
        if kept is None:
            raise PasskeyRefused()
        challenge, party_id, origin, person_id = json.loads(kept)
        return Ceremony(base64url_to_bytes(challenge), RelyingParty(party_id, origin), person_id and UUID(person_id))

    async def _do(self, *command: Any) -> Any:
        try:
            return await self._command(*command)
        except (RedisError, OSError):
            raise Unavailable() from None


def _key(kind: str, ceremony: str) -> str:
    return f"identity:passkey:{kind}:{ceremony}"
