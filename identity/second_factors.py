"""Second factors: setting up, using and removing authenticators, recovery codes and passkeys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidToken, NotFound
from core.ids import uuid7
from core.security.principal import Principal
from core.security.stepup import require_recent
from core.security.vault import KeyDestroyed, Vault
from identity import factor_repository, repository
from identity.errors import FactorExists, PasskeyRefused, WrongCode
from identity.events import Change, SecurityChanged
from identity.factor_repository import Kinds, Passkey
from identity.factors import (
    RECOVERY_BYTES,
    RECOVERY_CODES,
    SECRET_BYTES,
    normal_code,
    recovery_code,
    recovery_digest,
    spelled,
    totp_step,
    totp_uri,
)
from identity.guard import ADDRESS, FACTOR, Guard
from identity.passkeys import Ceremonies, Offered
from identity.people import Person

ISSUER = "Bedside"


@dataclass(frozen=True, slots=True)
class TotpOffer:
    secret: str  # base32
    uri: str


class SecondFactors:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        guard: Guard,
        ceremonies: Ceremonies,
        recovery_key: bytes,
        clock: Clock,
    ) -> None:
        self._database = database
        self._vault = vault
        self._guard = guard
        self._ceremonies = ceremonies
        self._recovery_key = recovery_key
        self._clock = clock

    async def kinds(self, person_id: UUID) -> Kinds:
        async with self._database.reading() as tx:
            return await factor_repository.kinds(tx, person_id)

    async def passkeys(self, principal: Principal) -> list[Passkey]:
        async with self._database.reading() as tx:
            return await factor_repository.passkeys(tx, principal.id)

    # -- using

    async def use_code(self, person_id: UUID, code: str, address: str) -> None:
        """An authenticator's code or a recovery code, each once. Raises WrongCode, TooManyRequests."""
        await self._guard.check(ADDRESS, address)
        await self._guard.check(FACTOR, str(person_id))
        async with self._database.transaction() as tx:
            digits = code.replace(" ", "")
            if len(digits) == 6 and digits.isascii() and digits.isdigit():
                good = await self._use_totp(tx, person_id, digits, confirmed=True)
            else:
                good = await self._use_recovery_code(tx, person_id, code)
        if not good:
            await self._guard.failed(FACTOR, str(person_id))
            await self._guard.failed(ADDRESS, address)
            raise WrongCode()
        await self._guard.forget(FACTOR, str(person_id))

    async def _use_totp(self, tx: Transaction, person_id: UUID, digits: str, *, confirmed: bool) -> bool:
        totp = await factor_repository.totp(tx, person_id, lock=True)
        if totp is None or (totp.confirmed_at is not None) != confirmed:
            return False
        try:
            secret = await self._vault.decrypt(person_id, _place(person_id), totp.secret)
        except KeyDestroyed:
            return False
        step = totp_step(secret, digits, self._clock.now(), totp.last_step)
        return step is not None and await factor_repository.use_step(tx, person_id, step)

    async def _use_recovery_code(self, tx: Transaction, person_id: UUID, code: str) -> bool:
        if len(normal_code(code)) != RECOVERY_BYTES * 8 // 5:
            return False
        digest = recovery_digest(self._recovery_key, person_id, code)
        if not await factor_repository.use_recovery_code(tx, person_id, digest, self._clock.now()):
            return False
        await self._changed(tx, person_id, "anonymous", "recovery_code_used", "recovery_code.used")
        return True

    async def use_passkey(
        self, ceremony: str, credential: str, origin: str, *, address: str, person_id: UUID | None = None
    ) -> UUID:
        """Whose passkey answered the challenge; ``person_id`` when it must be theirs. Raises PasskeyRefused."""
        await self._guard.check(ADDRESS, address)
        begun = await self._ceremonies.begun(ceremony)
        try:
            if begun.party.origin != origin:
                raise PasskeyRefused()
            wanted = self._ceremonies.credential_id(credential)
            async with self._database.transaction() as tx:
                passkey = await factor_repository.passkey_by_credential(tx, wanted)
                if passkey is None or person_id not in (None, passkey.person_id):
                    raise PasskeyRefused()
                count, synced = self._ceremonies.check(begun, credential, passkey)
                await factor_repository.passkey_used(tx, passkey.id, count, synced, self._clock.now())
        except PasskeyRefused:
            await self._guard.failed(ADDRESS, address)
            raise
        return passkey.person_id

    # -- authenticators

    async def offer_totp(self, principal: Principal) -> TotpOffer:
        """A fresh secret, shown now and asked of nobody until it is proved. Raises StepUpRequired, FactorExists."""
        now = self._clock.now()
        require_recent(principal, now)
        secret = secrets.token_bytes(SECRET_BYTES)
        sealed = await self._vault.encrypt(principal.id, _place(principal.id), secret)
        async with self._database.transaction() as tx:
            person = await self._person(tx, principal)
            if not await factor_repository.offer_totp(tx, person.id, sealed, now):
                raise FactorExists()
        return TotpOffer(spelled(secret), totp_uri(secret, person.email, ISSUER))

    async def confirm_totp(self, principal: Principal, code: str, address: str) -> list[str]:
        """Prove the secret with a code: from now on it is asked for. New recovery codes where there were none.

        Raises StepUpRequired, WrongCode, TooManyRequests.
        """
        now = self._clock.now()
        require_recent(principal, now)
        await self._guard.check(FACTOR, str(principal.id))
        async with self._database.transaction() as tx:
            if await self._use_totp(tx, principal.id, code.replace(" ", ""), confirmed=False):
                before = await factor_repository.kinds(tx, principal.id)
                await factor_repository.confirm_totp(tx, principal.id, now)
                await self._changed(tx, principal.id, principal.role, "factor_added", "totp.added")
                return [] if before.recovery_codes else await self._new_codes(tx, principal.id)
        await self._guard.failed(FACTOR, str(principal.id))
        await self._guard.failed(ADDRESS, address)
        raise WrongCode()

    async def remove_totp(self, principal: Principal) -> None:
        """Raises StepUpRequired, NotFound."""
        require_recent(principal, self._clock.now())
        async with self._database.transaction() as tx:
            if not await factor_repository.remove_totp(tx, principal.id):
                raise NotFound()
            await self._removed(tx, principal, "totp.removed")

    async def new_recovery_codes(self, principal: Principal) -> list[str]:
        """In place of the earlier ones; shown now and never again. Raises StepUpRequired, NotFound without a factor."""
        require_recent(principal, self._clock.now())
        async with self._database.transaction() as tx:
            if not (await factor_repository.kinds(tx, principal.id)).any:
                raise NotFound()
            await self._audit(tx, principal.id, principal.role, "recovery_codes.made")
            return await self._new_codes(tx, principal.id)

    # -- passkeys

    async def offer_passkey(self, principal: Principal, origin: str | None) -> Offered:
        """Raises StepUpRequired, PasskeysUnavailable."""
        require_recent(principal, self._clock.now())
        async with self._database.reading() as tx:
            person = await self._person(tx, principal)
            known = await factor_repository.passkeys(tx, principal.id)
        return await self._ceremonies.register(person.id, person.email, person.name, known, origin)

    async def add_passkey(self, principal: Principal, ceremony: str, credential: str, name: str) -> list[str]:
        """Keeps it; new recovery codes where there were none. Raises StepUpRequired, PasskeyRefused."""
        now = self._clock.now()
        require_recent(principal, now)
        made = await self._ceremonies.registered(ceremony, credential, principal.id)
        passkey = Passkey(
            id=uuid7(),
            person_id=principal.id,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            name=name,
            synced=made.synced,
            created_at=now,
            last_used_at=None,
        )
        async with self._database.transaction() as tx:
            before = await factor_repository.kinds(tx, principal.id)
            if not await factor_repository.insert_passkey(tx, passkey):
                raise PasskeyRefused()
            await self._changed(tx, principal.id, principal.role, "factor_added", "passkey.added")
            return [] if before.recovery_codes else await self._new_codes(tx, principal.id)

    async def offer_sign_in(self, origin: str | None, person_id: UUID | None = None) -> Offered:
        """A challenge for whoever comes, or for one person's passkeys. Raises PasskeysUnavailable."""
        known: list[Passkey] = []
        if person_id is not None:
            async with self._database.reading() as tx:
                known = await factor_repository.passkeys(tx, person_id)
        return await self._ceremonies.sign_in(origin, known)

    async def rename_passkey(self, principal: Principal, passkey_id: UUID, name: str) -> None:
        """Raises NotFound, also for somebody else's."""
        async with self._database.transaction() as tx:
            if not await factor_repository.rename_passkey(tx, principal.id, passkey_id, name):
                raise NotFound()

    async def remove_passkey(self, principal: Principal, passkey_id: UUID) -> None:
        """Raises StepUpRequired; NotFound, also for somebody else's."""
        require_recent(principal, self._clock.now())
        async with self._database.transaction() as tx:
            if not await factor_repository.remove_passkey(tx, principal.id, passkey_id):
                raise NotFound()
            await self._removed(tx, principal, "passkey.removed")

    # -- parts

    async def _new_codes(self, tx: Transaction, person_id: UUID) -> list[str]:
        codes = [recovery_code(secrets.token_bytes(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]
        digests = [recovery_digest(self._recovery_key, person_id, code) for code in codes]
        await factor_repository.put_recovery_codes(tx, person_id, digests)
        return codes

    async def _removed(self, tx: Transaction, principal: Principal, action: str) -> None:
        if not (await factor_repository.kinds(tx, principal.id)).any:
            await factor_repository.put_recovery_codes(tx, principal.id, [])
        await self._changed(tx, principal.id, principal.role, "factor_removed", action)

    async def _changed(self, tx: Transaction, person_id: UUID, role: str, what: Change, action: str) -> None:
        await tx.publish(SecurityChanged(person_id=person_id, change_id=uuid7(), what=what))
        await self._audit(tx, person_id, role, action)

    async def _audit(self, tx: Transaction, person_id: UUID, role: str, action: str) -> None:
        await tx.audit(action, actor_id=person_id, actor_role=role, resource="person", resource_id=person_id)

    async def _person(self, tx: Transaction, principal: Principal) -> Person:
        person = await repository.person(tx, principal.id)
        if person is None:
            raise InvalidToken()
        return person


def _place(person_id: UUID) -> str:
    return f"totp/{person_id}"
