"""The vault, the encrypted files and the signing keys on the real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.context import Context
from core.errors import NotFound
from core.ids import uuid7
from core.security.envelope import EnvelopeVault
from core.security.files import CHUNK_BYTES, FolderFiles
from core.security.keys import SigningKeys
from core.security.master import MasterKey
from core.security.vault import InvalidCiphertext, KeyDestroyed

pytestmark = pytest.mark.integration


def another_vault(context: Context) -> EnvelopeVault:
    master = MasterKey.parse(context.settings.security.master_key.get_secret_value())
    return EnvelopeVault(context.database("core"), master, SystemClock())


async def test_another_person_or_place_does_not_open(context: Context) -> None:
    one, two = uuid7(), uuid7()
    sealed = await context.vault.encrypt_text(one, "note/1/text", "pain in the left knee")
    swapped = await context.vault.encrypt_text(two, "note/1/text", "nothing")
    for person, place, ciphertext in ((two, "note/1/text", sealed), (one, "note/2/text", sealed)):
        with pytest.raises(InvalidCiphertext):
            await context.vault.decrypt(person, place, ciphertext)
    with pytest.raises(InvalidCiphertext):
        await context.vault.decrypt(one, "note/1/text", swapped)
    assert b"knee" not in sealed
    assert await context.vault.decrypt_text(one, "note/1/text", sealed) == "pain in the left knee"


async def test_processes_that_race_for_a_new_key_agree(context: Context) -> None:
    person = uuid7()
    vaults = [another_vault(context) for _ in range(8)]
    sealed = await asyncio.gather(*(vault.encrypt_text(person, "p", "same") for vault in vaults))
    fresh = another_vault(context)
    assert [await fresh.decrypt_text(person, "p", each) for each in sealed] == ["same"] * 8


async def test_a_destroyed_key_destroys_the_content(context: Context) -> None:
    person = uuid7()
    sealed = await context.vault.encrypt_text(person, "p", "gone soon")
    await context.vault.destroy(person)
    for vault in (context.vault, another_vault(context)):
        with pytest.raises(KeyDestroyed):
            await vault.decrypt(person, "p", sealed)
        with pytest.raises(KeyDestroyed):
            await vault.encrypt(person, "p", b"again")


async def test_system_data_is_sealed_in_its_place(context: Context) -> None:
    sealed = context.vault.seal("answer/1", b"body")
    assert another_vault(context).unseal("answer/1", sealed) == b"body"
    with pytest.raises(InvalidCiphertext):
        context.vault.unseal("answer/2", sealed)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
async def test_files_come_back(context: Context, size: int) -> None:
    person, content = uuid7(), bytes(index % 251 for index in range(size))
    file_id = await context.files.put(person, content)
    assert await context.files.get(person, file_id) == content
    await context.files.delete(file_id)
    await context.files.delete(file_id)
    with pytest.raises(NotFound):
        await context.files.get(person, file_id)


async def test_altered_files_are_refused(context: Context, tmp_path: Path) -> None:
    folder, person = tmp_path / "own", uuid7()
    files = FolderFiles(folder, context.vault)
    content = b"x-ray " * CHUNK_BYTES
    file_id = await files.put(person, content)
    (path,) = (each for each in folder.rglob("*") if each.is_file())
    whole = path.read_bytes()
    assert b"x-ray" not in whole
    sealed_chunk = CHUNK_BYTES + 16
    body = len(whole) - (len(content) + 6 * 16)
    swapped = whole[:body] + whole[body + sealed_chunk : body + 2 * sealed_chunk] + whole[body : body + sealed_chunk]
    swapped += whole[body + 2 * sealed_chunk :]
    for wrong in (whole[:-sealed_chunk], whole[:-1], whole + b"x", whole[:body], b"", whole[:5], swapped):
        path.write_bytes(wrong)
        with pytest.raises(InvalidCiphertext):
            await files.get(person, file_id)
    path.write_bytes(whole)
    with pytest.raises(InvalidCiphertext):
        other = uuid7()
        await context.vault.encrypt(other, "p", b"")
        await files.get(other, file_id)
    assert await files.get(person, file_id) == content


async def test_two_starts_at_once_share_one_signing_key(
    make_context: Callable[..., Awaitable[Context]],
) -> None:
    contexts = await asyncio.gather(*(make_context() for _ in range(4)))
    assert len({str(each.tokens.jwks()) for each in contexts}) == 1
    token = contexts[0].tokens.issue("visit", uuid7(), timedelta(minutes=1))
    contexts[3].tokens.verify(token, "visit")
    store = SigningKeys(
        contexts[0].database("core"),
        MasterKey.parse(contexts[0].settings.security.master_key.get_secret_value()),
        SystemClock(),
    )
    assert len({key.kid for key in await store.load()}) == 1


async def test_a_key_that_is_due_gets_a_successor_and_retires_later(context: Context) -> None:
    class Later(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(days=31)

    database = context.database("core")
    master = MasterKey.parse(context.settings.security.master_key.get_secret_value())
    before = await SigningKeys(database, master, SystemClock()).load()
    after = await SigningKeys(database, master, Later()).load()
    try:
        (fresh,) = {key.kid for key in after} - {key.kid for key in before}
        assert await SigningKeys(database, master, Later()).load() != []
        async with database.reading() as tx:
            rows = await tx.fetch("SELECT kid, retires_at, wrapped_private, public_jwk FROM core.signing_keys")
        retiring = {row["kid"]: row["retires_at"] for row in rows}
        assert retiring[fresh] is None
        assert all(retiring[key.kid] > Later().now() + timedelta(days=1) for key in before)
        assert all("d" not in row["public_jwk"] for row in rows)
        for row in rows:
            key = next(key for key in after if key.kid == row["kid"])
            assert key.private.private_bytes_raw() not in row["wrapped_private"]
    finally:  # the database is shared: leave the keys as they were
        async with database.transaction() as tx:
            await tx.execute("DELETE FROM core.signing_keys WHERE created_at > now() + interval '1 day'")
            await tx.execute("UPDATE core.signing_keys SET retires_at = NULL")
