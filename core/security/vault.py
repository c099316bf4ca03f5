"""Envelope encryption (AES-256-GCM): master key → key per person → field.

Every piece of health data is encrypted under the key of the person it is about. The associated data binds a
ciphertext to its place (table, row, field), so that it can't be moved to another. Destroying a person's key
destroys the content.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


class Vault(Protocol):
    async def encrypt(self, person_id: UUID, place: str, plaintext: bytes) -> bytes:
        """Encrypt under the person's key (made when first needed). ``place`` is e.g. ``appointment/<id>/reason``."""
        ...

    async def decrypt(self, person_id: UUID, place: str, ciphertext: bytes) -> bytes:
        """Raises ``KeyDestroyed`` after erasure, ``InvalidCiphertext`` when anything was altered or moved."""
        ...

    async def encrypt_text(self, person_id: UUID, place: str, text: str) -> bytes: ...

    async def decrypt_text(self, person_id: UUID, place: str, ciphertext: bytes) -> str: ...


class EncryptedFiles(Protocol):
    """Files encrypted under a person's key, in the data folder; names are random, content is chunked."""

    async def put(self, person_id: UUID, content: bytes) -> UUID: ...

    async def get(self, person_id: UUID, file_id: UUID) -> bytes: ...

    async def delete(self, file_id: UUID) -> None: ...
