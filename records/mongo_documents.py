"""The document store in MongoDB, acknowledged by a majority and journalled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern

from core.database import Transaction
from core.errors import Unavailable
from records.documents import Blob, BlobExists

COLLECTION = "blobs"
PATIENCE_MS = 5000  # for a server to be found and to answer: a person is waiting


class MongoDocuments:
    def __init__(self, url: str, database: str) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            uuidRepresentation="standard",
            serverSelectionTimeoutMS=PATIENCE_MS,
            timeoutMS=PATIENCE_MS,
            appname="bedside",
        )
        self._blobs = self._client[database].get_collection(
            COLLECTION,
            write_concern=WriteConcern(w="majority", j=True),
            # A blob is read right after it was written, by its id: only the primary surely has it.
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )

    async def put(self, blob: Blob, tx: Transaction | None = None) -> None:
        async with _errors():
            try:
                await self._blobs.insert_one({"_id": blob.id, "patient_id": blob.patient_id, "content": blob.content})
            except DuplicateKeyError:
                raise BlobExists(str(blob.id)) from None

    async def get(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        async with _errors():
            found = self._blobs.find({"_id": {"$in": list(ids)}}, {"content": 1})
            return {each["_id"]: bytes(each["content"]) async for each in found}

    async def list(self, after: UUID, before: UUID, limit: int) -> list[UUID]:
        async with _errors():
            found = self._blobs.find({"_id": {"$gt": after, "$lt": before}}, {"_id": 1}).sort("_id", 1).limit(limit)
            return [each["_id"] async for each in found]

    async def delete(self, ids: Sequence[UUID]) -> None:
        async with _errors():
            await self._blobs.delete_many({"_id": {"$in": list(ids)}})

    async def close(self) -> None:
        await self._client.close()


@asynccontextmanager
async def _errors() -> AsyncIterator[None]:
    try:
        yield
    except PyMongoError:
        raise Unavailable("The store of medical documents is away: try again in a moment") from None
