"""Idempotency keys: a repeated unsafe call gets the first one's answer instead of a second effect.

A key belongs to one person and one route. The stored answer is sealed, since it may hold health data. A call that
died with its process blocks its key for ``STALE_S`` seconds; what must never happen twice (payments) is also guarded
by a constraint of its module.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from aiohttp import web

from core.database import Database
from core.errors import BedsideError, Conflict, InvalidInput
from core.http.routes import Route
from core.security.principal import Principal

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
STALE_S = 60
KEPT_H = 24  # as long as payment gateways keep theirs
LONGEST_KEY = 255

Produce = Callable[[], Awaitable[web.StreamResponse]]


class IdempotencyKeyRequired(BedsideError):
    status = 400
    code = "idempotency_key_required"
    title = "Send an Idempotency-Key with this call"


class IdempotencyKeyReused(BedsideError):
    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for another request"


class IdempotencyInFlight(Conflict):
    code = "idempotency_in_flight"
    title = "The first request with this Idempotency-Key is still running"


class Seal(Protocol):
    """The part of the vault that is used here."""

    def seal(self, place: str, plaintext: bytes) -> bytes: ...

    def unseal(self, place: str, ciphertext: bytes) -> bytes: ...


class Idempotency:
    def __init__(self, database: Database, vault: Seal) -> None:
        self._database = database
        self._vault = vault

    async def run(
        self, request: web.Request, route: Route, principal: Principal, raw: bytes, produce: Produce
    ) -> web.StreamResponse:
        """Produce the answer once per key; without a key (where it is optional) just produce it."""
        key = request.headers.get(HEADER)
        if route.idempotency == "none" or principal.person_id is None:
            return await produce()
        if key is None:
            if route.idempotency == "required":
                raise IdempotencyKeyRequired()
            return await produce()
        if not 1 <= len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
            raise InvalidInput.of(HEADER, f"1 to {LONGEST_KEY} printable ASCII characters")
        entry = _Entry(principal.person_id, f"{route.method} {route.path}", key)
        body_hash = _hash(request, raw)
        stored = await self._begin(entry, body_hash)
        if stored is not None:
            return self._replay(entry, stored)
        try:
            response = await produce()
        except BaseException:
            # A refusal changed nothing (its transaction was rolled back), and may be lifted by the time of a retry.
            await self._forget(entry, body_hash)
            raise
        await self._finish(entry, body_hash, response)
        return response

    async def purge(self) -> None:
        """Drop keys nobody can ask for any more; a periodic job."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "DELETE FROM core.idempotency_keys WHERE created_at < now() - make_interval(hours => $1)", KEPT_H
            )

    async def _begin(self, entry: _Entry, body_hash: bytes) -> bytes | None:
        """Take the key (None), or the sealed answer of the call that had it. Raises on reuse and while in flight."""
        async with self._database.transaction() as tx:
            taken = await tx.fetchval(
                """INSERT INTO core.idempotency_keys AS k (person_id, route, key, body_hash, status)
                   VALUES ($1, $2, $3, $4, 'running')
                   ON CONFLICT (person_id, route, key) DO UPDATE
                       SET body_hash = excluded.body_hash, status = 'running', answer = NULL, created_at = now()
                       WHERE (k.status = 'running' AND k.body_hash = excluded.body_hash
                              AND k.created_at < now() - make_interval(secs => $5))
                          OR k.created_at < now() - make_interval(hours => $6)
                   RETURNING true""",
                *(entry.person_id, entry.route, entry.key, body_hash, STALE_S, KEPT_H),
            )
            if taken:
                return None
            row = await tx.fetchrow(
                """SELECT body_hash, status, answer FROM core.idempotency_keys
                   WHERE person_id = $1 AND route = $2 AND key = $3""",
                *(entry.person_id, entry.route, entry.key),
            )
        if row is None:  # given up between the two statements: the other call failed a moment ago
            raise IdempotencyInFlight(headers={"Retry-After": "1"})
        if row["body_hash"] != body_hash:
            raise IdempotencyKeyReused()
        if row["status"] != "done":
            raise IdempotencyInFlight(headers={"Retry-After": "1"})
        answer = row["answer"]
        assert isinstance(answer, bytes)
        return answer

    async def _finish(self, entry: _Entry, body_hash: bytes, response: web.StreamResponse) -> None:
        if not isinstance(response, web.Response) or response.status >= 500:
            await self._forget(entry, body_hash)
            return
        body = response.body if isinstance(response.body, bytes | bytearray) else b""
        document = {
            "status": response.status,
            "content_type": response.headers.get("Content-Type"),
            "location": response.headers.get("Location"),
            "body": base64.b64encode(bytes(body)).decode(),
        }
        sealed = self._vault.seal(entry.place, json.dumps(document).encode())
        async with self._database.transaction() as tx:
            await tx.execute(
                """UPDATE core.idempotency_keys SET status = 'done', answer = $5
                   WHERE person_id = $1 AND route = $2 AND key = $3 AND body_hash = $4""",
                *(entry.person_id, entry.route, entry.key, body_hash, sealed),
            )

    async def _forget(self, entry: _Entry, body_hash: bytes) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(
                """DELETE FROM core.idempotency_keys
                   WHERE person_id = $1 AND route = $2 AND key = $3 AND body_hash = $4 AND status = 'running'""",
                *(entry.person_id, entry.route, entry.key, body_hash),
            )

    def _replay(self, entry: _Entry, sealed: bytes) -> web.Response:
        document = json.loads(self._vault.unseal(entry.place, sealed))
        headers = {REPLAYED: "true"}
        if document["content_type"]:
            headers["Content-Type"] = document["content_type"]
        if document["location"]:
            headers["Location"] = document["location"]
        body = base64.b64decode(document["body"])
        return web.Response(body=body or None, status=document["status"], headers=headers)


@dataclass(frozen=True, slots=True)
class _Entry:
    person_id: UUID
    route: str
    key: str

    @property
    def place(self) -> str:
        return f"idempotency/{self.person_id}/{self.route}/{self.key}"


def _hash(request: web.Request, raw: bytes) -> bytes:
    """What must be the same at a repetition: address and body (of an upload, which is streamed, its length)."""
    digest = hashlib.sha256(request.path_qs.encode())
    digest.update(b"\0" + (raw or str(request.content_length or 0).encode()))
    return digest.digest()
