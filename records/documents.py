"""The document store: immutable encrypted blobs behind one small port.

A blob is written before the PostgreSQL transaction that points to it, and means nothing until that commits. What
never got a pointer is an orphan, removed by the sweeper. Ids are UUIDv7, so that "older than" is a range of ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from core.database import Transaction


class BlobExists(Exception):
    """A blob is written once: its id is taken. A broken invariant."""


@dataclass(frozen=True, slots=True)
class Blob:
    """``content`` is a ciphertext already: the store never sees anything in clear."""

    id: UUID
    patient_id: UUID
    content: bytes


class DocumentStore(Protocol):
    """Each method raises Unavailable while the store is away."""

    async def put(self, blob: Blob, tx: Transaction | None = None) -> None:
        """Durable when it returns (with ``tx`` in the same database: when that commits). Raises BlobExists."""
        ...

    async def get(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Contents by id; what is not there is left out."""
        ...

    async def list(self, after: UUID, before: UUID, limit: int) -> list[UUID]:
        """Ids between the two, both excluded, in order."""
        ...

    async def delete(self, ids: Sequence[UUID]) -> None:
        """Missing ones are fine."""
        ...
