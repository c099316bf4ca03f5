"""Envelope encryption (AES-256-GCM): master key → key per person → field.

Every piece of health data is encrypted under the key of the person it is about. The associated data binds a
ciphertext to its place (table, row, field), so that it can't be moved to another. Destroying a person's key
destroys the content.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from core.errors import BedsideError


class KeyDestroyed(BedsideError):
    """The person's key is gone, and with it all that was encrypted under it."""

    status = 410
    code = "erased"
    title = "This person's data has been erased"


class InvalidCiphertext(Exception):
    """A ciphertext was altered, moved, or belongs to another key: a broken invariant, never the caller's fault."""

    def __init__(self) -> None:
        super().__init__("a stored ciphertext does not open in its place")


class Vault(Protocol):
    async def encrypt(self, person_id: UUID, place: str, plaintext: bytes) -> bytes:
        """Encrypt under the person's key (made when first needed). ``place`` is e.g. ``appointment/<id>/reason``."""
        ...

    async def decrypt(self, person_id: UUID, place: str, ciphertext: bytes) -> bytes:
        """Raises ``KeyDestroyed`` after erasure, ``InvalidCiphertext`` when anything was altered or moved."""
        ...

    async def encrypt_text(self, person_id: UUID, place: str, text: str) -> bytes: ...

    async def decrypt_text(self, person_id: UUID, place: str, ciphertext: bytes) -> str: ...

    async def prepare(self, person_ids: Iterable[UUID]) -> None:
        """Fetch, or make, many people's keys at once, ahead of as many ``encrypt``. Those erased are left out."""
        ...

    def seal(self, place: str, plaintext: bytes) -> bytes:
        """Encrypt what belongs to no single person (stored answers, replies to retries) under a system key."""
        ...

    def unseal(self, place: str, ciphertext: bytes) -> bytes:
        """Undo ``seal``. Raises ``InvalidCiphertext``."""
        ...

    async def destroy(self, person_id: UUID) -> None:
        """Erase the person's key for good; other processes follow within ``envelope.CACHE_S`` seconds."""
        ...


class EncryptedFiles(Protocol):
    """Files encrypted under a person's key, in the data folder; names are random, content is chunked."""

    async def put(self, person_id: UUID, content: bytes) -> UUID: ...

    async def get(self, person_id: UUID, file_id: UUID) -> bytes:
        """Raises ``NotFound``, ``KeyDestroyed`` or ``InvalidCiphertext`` (also for another person's file)."""
        ...

    async def delete(self, file_id: UUID) -> None: ...
