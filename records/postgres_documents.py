"""The document store in the module's own PostgreSQL schema: the default."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from core.database import Database, Transaction
from records.documents import Blob, BlobExists


class PostgresDocuments:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, blob: Blob, tx: Transaction | None = None) -> None:
        if tx is not None:
            await self._insert(tx, blob)
            return
        async with self._database.transaction() as own:
            await self._insert(own, blob)

    async def get(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        async with self._database.reading() as tx:
            rows = await tx.fetch("SELECT id, content FROM blobs WHERE id = ANY($1)", list(ids))
        return {row["id"]: row["content"] for row in rows}

    async def list(self, after: UUID, before: UUID, limit: int) -> list[UUID]:
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT id FROM blobs WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3", after, before, limit
            )
        return [row["id"] for row in rows]

    async def delete(self, ids: Sequence[UUID]) -> None:
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM blobs WHERE id = ANY($1)", list(ids))

    @staticmethod
    async def _insert(tx: Transaction, blob: Blob) -> None:
        try:
            await tx.execute(
                "INSERT INTO blobs (id, patient_id, content) VALUES ($1, $2, $3)",
                blob.id,
                blob.patient_id,
                blob.content,
            )
        except asyncpg.UniqueViolationError:
            raise BlobExists(str(blob.id)) from None
