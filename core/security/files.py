"""``FolderFiles``: encrypted files in the data folder.

Layout of a file: magic, 2 bytes length of the wrapped key, the file's own random key encrypted under the person's
key, then chunks. Each chunk is AES-256-GCM with a counting nonce whose last byte marks the final chunk (the STREAM
construction), so that chunks can't be reordered, dropped or cut off at the end.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import NotFound
from core.security.master import KEY_BYTES, TAG_BYTES
from core.security.vault import InvalidCiphertext, Vault

MAGIC = b"BSF1"
CHUNK_BYTES = 64 * 1024


class FolderFiles:
    """Written to a temporary name, fsynced, renamed, folder fsynced: a file is there whole or not at all."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder = folder
        self._vault = vault

    async def put(self, person_id: UUID, content: bytes) -> UUID:
        file_id = uuid4()  # random, not by time: a name tells nothing
        key = secrets.token_bytes(KEY_BYTES)
        wrapped = await self._vault.encrypt(person_id, f"file/{file_id}", key)
        await asyncio.to_thread(self._write, file_id, wrapped, key, content)
        return file_id

    async def get(self, person_id: UUID, file_id: UUID) -> bytes:
        try:
            wrapped, body = await asyncio.to_thread(self._read, file_id)
        except FileNotFoundError:
            raise NotFound() from None
        key = await self._vault.decrypt(person_id, f"file/{file_id}", wrapped)
        return await asyncio.to_thread(_open_chunks, key, body)

    async def delete(self, file_id: UUID) -> None:
        await asyncio.to_thread(self._path(file_id).unlink, True)

    def _path(self, file_id: UUID) -> Path:
        return self._folder / file_id.hex[:2] / file_id.hex

    def _write(self, file_id: UUID, wrapped: bytes, key: bytes, content: bytes) -> None:
        path = self._path(file_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.part")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(MAGIC + len(wrapped).to_bytes(2) + wrapped)
                file.write(_seal_chunks(key, content))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        for folder in (path.parent, self._folder):
            _fsync_folder(folder)

    def _read(self, file_id: UUID) -> tuple[bytes, bytes]:
        data = self._path(file_id).read_bytes()
        head = len(MAGIC) + 2
        length = int.from_bytes(data[len(MAGIC) : head])
        if data[: len(MAGIC)] != MAGIC or len(data) < head + length + TAG_BYTES:
            raise InvalidCiphertext()
        return data[head : head + length], data[head + length :]


def _nonce(index: int, last: bool) -> bytes:
    return index.to_bytes(11) + bytes([last])


def _seal_chunks(key: bytes, content: bytes) -> bytes:
    cipher = AESGCM(key)
    starts = range(0, max(len(content), 1), CHUNK_BYTES)
    return b"".join(
        cipher.encrypt(_nonce(index, index == len(starts) - 1), content[start : start + CHUNK_BYTES], MAGIC)
        for index, start in enumerate(starts)
    )


def _open_chunks(key: bytes, body: bytes) -> bytes:
    cipher = AESGCM(key)
    starts = range(0, len(body), CHUNK_BYTES + TAG_BYTES)
    try:
        return b"".join(
            cipher.decrypt(
                _nonce(index, index == len(starts) - 1), body[start : start + CHUNK_BYTES + TAG_BYTES], MAGIC
            )
            for index, start in enumerate(starts)
        )
    except InvalidTag:
        raise InvalidCiphertext() from None


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
