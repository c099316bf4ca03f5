"""``EnvelopeVault``: a random key per person, wrapped under the master key in ``core.person_keys``."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.clock import Clock
from core.database import Database
from core.gathering import Gathering
from core.security.master import KEY_BYTES, MasterKey, open_with, seal_with
from core.security.vault import InvalidCiphertext, KeyDestroyed

CACHE_KEYS = 10_000  # unwrapped keys kept in memory, about 3 MB
CACHE_S = 30.0  # how long a destroyed key may live on in another process
OFF_LOOP_BYTES = 256 * 1024  # AES-GCM does some 2 GB/s: beyond this a call would hold the event loop over 0.1 ms


class EnvelopeVault:
    """The Vault on PostgreSQL. Key creation is race-safe: the first insert wins and everybody reads it back."""

    def __init__(self, database: Database, master: MasterKey, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._wrapping = master.cipher("wrapping of person keys")
        self._system = master.cipher("system data")
        self._cache: OrderedDict[UUID, tuple[float, AESGCM]] = OrderedDict()
        self._loading = Gathering(self._load, every_s=0, at_once=2)

    async def encrypt(self, person_id: UUID, place: str, plaintext: bytes) -> bytes:
        cipher = await self._cipher(person_id, create=True)
        if len(plaintext) > OFF_LOOP_BYTES:
            return await asyncio.to_thread(seal_with, cipher, plaintext, _associated(person_id, place))
        return seal_with(cipher, plaintext, _associated(person_id, place))

    async def decrypt(self, person_id: UUID, place: str, ciphertext: bytes) -> bytes:
        cipher = await self._cipher(person_id, create=False)
        if len(ciphertext) > OFF_LOOP_BYTES:
            return await asyncio.to_thread(open_with, cipher, ciphertext, _associated(person_id, place))
        return open_with(cipher, ciphertext, _associated(person_id, place))

    async def encrypt_text(self, person_id: UUID, place: str, text: str) -> bytes:
        return await self.encrypt(person_id, place, text.encode())

    async def decrypt_text(self, person_id: UUID, place: str, ciphertext: bytes) -> str:
        return (await self.decrypt(person_id, place, ciphertext)).decode()

    async def prepare(self, person_ids: Iterable[UUID]) -> None:
        now = self._clock.monotonic()
        wanted = [each for each in set(person_ids) if each not in self._cache or self._cache[each][0] <= now]
        if not wanted:
            return
        for person_id, wrapped in (await self._wrapped(wanted, wanted)).items():
            if wrapped is not None:
                self._remember(person_id, self._unwrap(person_id, wrapped), now)

    def seal(self, place: str, plaintext: bytes) -> bytes:
        return seal_with(self._system, plaintext, place.encode())

    def unseal(self, place: str, ciphertext: bytes) -> bytes:
        return open_with(self._system, ciphertext, place.encode())

    async def destroy(self, person_id: UUID) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO core.person_keys (person_id, wrapped, created_at, destroyed_at)"
                " VALUES ($1, NULL, $2, $2)"
                " ON CONFLICT (person_id) DO UPDATE SET wrapped = NULL, destroyed_at = excluded.destroyed_at",
                person_id,
                self._clock.now(),
            )
        self._cache.pop(person_id, None)

    async def _cipher(self, person_id: UUID, *, create: bool) -> AESGCM:
        now = self._clock.monotonic()
        cached = self._cache.get(person_id)
        if cached is not None and cached[0] > now:
            self._cache.move_to_end(person_id)
            return cached[1]
        cipher = await self._loading.ask((person_id, create))
        self._remember(person_id, cipher, now)
        return cipher

    def _remember(self, person_id: UUID, cipher: AESGCM, now: float) -> None:
        self._cache[person_id] = (now + CACHE_S, cipher)
        self._cache.move_to_end(person_id)
        while len(self._cache) > CACHE_KEYS:
            self._cache.popitem(last=False)

    def _fresh_key(self, person_id: UUID) -> bytes:
        return seal_with(self._wrapping, secrets.token_bytes(KEY_BYTES), person_id.bytes)

    def _unwrap(self, person_id: UUID, wrapped: bytes) -> AESGCM:
        return AESGCM(open_with(self._wrapping, wrapped, person_id.bytes))

    async def _load(self, wanted: Sequence[tuple[UUID, bool]]) -> list[AESGCM | Exception]:
        """The keys of (person, whether to make one), in one go."""
        wrapped = await self._wrapped({each for each, _ in wanted}, {each for each, create in wanted if create})
        return [self._opened(person_id, wrapped.get(person_id)) for person_id, _ in wanted]

    def _opened(self, person_id: UUID, wrapped: bytes | None) -> AESGCM | Exception:
        """One person's broken key is no other's failure."""
        if wrapped is None:
            # A ciphertext without any key row can only be left over from an erasure that removed the row.
            return KeyDestroyed()
        try:
            return self._unwrap(person_id, wrapped)
        except InvalidCiphertext as error:
            return error

    async def _wrapped(self, wanted: Iterable[UUID], create: Iterable[UUID]) -> dict[UUID, bytes | None]:
        """Wrapped keys by person, None for those destroyed; those of ``create`` are made where there is none."""
        query = "SELECT person_id, wrapped FROM core.person_keys WHERE person_id = ANY($1::uuid[])"
        async with self._database.reading() as tx:
            rows = await tx.fetch(query, list(wanted))
            missing = sorted(set(create) - {row["person_id"] for row in rows})
            if missing:
                await tx.execute(
                    "INSERT INTO core.person_keys (person_id, wrapped, created_at)"
                    " SELECT person_id, wrapped, $3 FROM unnest($1::uuid[], $2::bytea[]) AS made(person_id, wrapped)"
                    " ON CONFLICT (person_id) DO NOTHING",
                    missing,
                    [self._fresh_key(each) for each in missing],
                    self._clock.now(),
                )
                rows += await tx.fetch(query, missing)
        return {row["person_id"]: row["wrapped"] for row in rows}


def _associated(person_id: UUID, place: str) -> bytes:
    return person_id.bytes + place.encode()
