"""One contract, run on both document stores against real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from core.context import Context
from core.errors import Unavailable
from core.ids import uuid7
from records.documents import Blob, BlobExists, DocumentStore
from records.mongo_documents import MongoDocuments
from records.postgres_documents import PostgresDocuments

pytestmark = pytest.mark.integration
pytest_plugins = ["records_mongo"]


@pytest.fixture(params=["postgres", "mongo"])
async def store(request: pytest.FixtureRequest, context: Context, mongo: str) -> AsyncIterator[DocumentStore]:
    if request.param == "postgres":
        yield PostgresDocuments(context.database("records"))
        return
    documents = MongoDocuments(mongo, "bedside_test")
    yield documents
    await documents.close()


def blob(content: bytes = b"\x00sealed\xff") -> Blob:
    return Blob(uuid7(), uuid7(), content)


async def test_a_blob_comes_back_byte_for_byte(store: DocumentStore) -> None:
    small, large = blob(), blob(bytes(range(256)) * 4096)
    await store.put(small)
    await store.put(large)
    assert await store.get([small.id, large.id, uuid7()]) == {small.id: small.content, large.id: large.content}
    assert await store.get([]) == {}


async def test_a_blob_is_written_once(store: DocumentStore) -> None:
    first = blob(b"first")
    await store.put(first)
    with pytest.raises(BlobExists):
        await store.put(Blob(first.id, first.patient_id, b"second"))
    assert await store.get([first.id]) == {first.id: b"first"}


async def test_blobs_are_listed_by_age_between_two_ids(store: DocumentStore) -> None:
    hour = 3_600_000
    base = 1_000_000_000_000 + uuid7().int % 1_000_000_000_000
    made = [Blob(uuid7(base + index * hour), uuid7(), b"x") for index in range(5)]
    for each in reversed(made):
        await store.put(each)
    ids = [each.id for each in made]
    assert await store.list(ids[0], ids[4], 10) == ids[1:4]
    assert await store.list(ids[0], ids[4], 2) == ids[1:3]
    assert await store.list(UUID(int=ids[4].int - 1), UUID(int=ids[4].int + 1), 2) == ids[4:]


async def test_deleting_is_repeatable(store: DocumentStore) -> None:
    one, other = blob(), blob()
    await store.put(one)
    await store.put(other)
    for _ in range(2):
        await store.delete([one.id, uuid7()])
    assert await store.get([one.id, other.id]) == {other.id: other.content}


async def test_within_a_transaction_nothing_points_to_a_blob_that_is_not_there(
    store: DocumentStore, context: Context
) -> None:
    kept = blob()
    async with context.database("records").transaction() as tx:
        await store.put(kept, tx)
    assert await store.get([kept.id]) == {kept.id: kept.content}


async def test_a_store_that_is_away_is_told_as_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.mongo_documents.PATIENCE_MS", 200)
    # Port 9 is discard: nobody answers there.
    documents = MongoDocuments("mongodb://127.0.0.1:9", "x")
    with pytest.raises(Unavailable):
        await documents.put(blob())
    with pytest.raises(Unavailable):
        await documents.get([uuid7()])
    await documents.close()
