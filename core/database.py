"""PostgreSQL: one pool per module, signed in as that module's own role; one transaction per use case.

A module reaches its own schema and nothing else. Two functions in schema ``core`` are open to all:
``core.publish`` (outbox) and ``core.audit`` (audit trail) write in the caller's transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from core.audit_rows import Content, marked_id, row_key
from core.events import Fact, encode_fact
from core.ids import uuid7
from core.waking import Waker

Row = asyncpg.Record


class Transaction:
    """One open transaction. Values are PostgreSQL's: UUID, datetime (aware), dict for jsonb."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[Row], role: str, audit_key: bytes) -> None:
        self._connection = connection
        self._role = role
        self._audit_key = audit_key
        self._after_commit: list[Callable[[], Awaitable[None]]] = []
        self._facts: list[tuple[UUID, str, UUID, dict[str, Any]]] = []
        self._audits: list[tuple[Any, ...]] = []
        self.published = False

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        return await self._connection.fetch(sql, *values)

    async def fetchrow(self, sql: str, *values: Any) -> Row | None:
        return await self._connection.fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        return await self._connection.fetchval(sql, *values)

    async def execute(self, sql: str, *values: Any) -> str:
        return await self._connection.execute(sql, *values)

    async def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        await self._connection.executemany(sql, rows)

    async def publish(self, fact: Fact) -> UUID:
        """Write a fact to the outbox; it reaches the bus if, and only if, this transaction commits.

        Facts with the same order key are handled in the order of their publication. Rows are written together, just
        before the commit.
        """
        fact_id = uuid7()
        self.published = True
        self._facts.append((fact_id, fact.name, fact.order_key, encode_fact(fact)))
        return fact_id

    async def audit(
        self,
        action: str,
        *,
        actor_id: UUID | None,
        actor_role: str,
        resource: str,
        resource_id: str | UUID | None = None,
        patient_id: UUID | None = None,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Append an audit row in this transaction. ``details`` holds ids and codes only, never health data."""
        named, said = None if resource_id is None else str(resource_id), dict(details or {})
        row_id = self.audit_id(
            action,
            actor_id=actor_id,
            actor_role=actor_role,
            resource=resource,
            resource_id=named,
            patient_id=patient_id,
            reason=reason,
            details=said,
        )
        self._audits.append((row_id, action, actor_id, actor_role, resource, named, patient_id, reason, said))

    def audit_id(
        self,
        action: str,
        *,
        actor_id: UUID | None,
        actor_role: str,
        resource: str,
        resource_id: str | None,
        patient_id: UUID | None,
        reason: str | None,
        details: Mapping[str, Any],
    ) -> UUID:
        """The id that an audit row of this content has to have; for statements that write their own."""
        content = Content(self._role, action, actor_id, actor_role, resource, resource_id, patient_id, reason, details)
        return marked_id(self._audit_key, content)

    async def flush(self) -> None:
        """Write the facts and audit rows that are due: one round trip each, however many."""
        facts, self._facts = self._facts, []
        audits, self._audits = self._audits, []
        if facts:
            # Every transaction takes the locks of its order keys in the same order, so none waits in a circle.
            facts.sort(key=lambda fact: fact[2])
            await self.execute(
                "SELECT core.publish(id, name, key, payload) FROM unnest($1::uuid[], $2::text[], $3::uuid[], "
                "$4::jsonb[]) WITH ORDINALITY AS given(id, name, key, payload, position) ORDER BY position",
                *(list(column) for column in zip(*facts, strict=True)),
            )
        if audits:
            await self.execute(
                "SELECT core.audit(id, action, actor, role, resource, resource_id, patient, reason, details) "
                "FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], "
                "$8::text[], $9::jsonb[]) WITH ORDINALITY AS given(id, action, actor, role, resource, resource_id, "
                "patient, reason, details, position) ORDER BY position",
                *(list(column) for column in zip(*audits, strict=True)),
            )

    def after_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run ``action`` once the transaction has committed (live notices, cache invalidation): best effort."""
        self._after_commit.append(action)

    async def run_after_commit(self) -> None:
        for action in self._after_commit:
            await action()


class Database:
    """A module's pool. ``transaction()`` and ``at_once()`` are the only ways to change anything."""

    def __init__(self, pool: asyncpg.Pool[Row], role: str, audit_key: bytes = b"") -> None:
        self._pool = pool
        self._audit_key = audit_key
        self._waker = Waker(pool)
        self.role = role

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """BEGIN … COMMIT; ROLLBACK on any exception. After-commit actions run once the connection is back."""
        async with self._pool.acquire() as connection, connection.transaction():
            tx = Transaction(connection, self.role, self._audit_key)
            yield tx
            await tx.flush()
        if tx.published:
            self._waker.facts_written()
        await tx.run_after_commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A connection without an explicit transaction, for single-statement reads."""
        async with self._pool.acquire() as connection:
            yield Transaction(connection, self.role, self._audit_key)

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[Transaction]:
        """For one statement that is a whole use case by itself, its facts too: PostgreSQL commits it."""
        async with self._pool.acquire() as connection:
            tx = Transaction(connection, self.role, self._audit_key)
            yield tx
        self._waker.facts_written()
        await tx.run_after_commit()

    async def close(self) -> None:
        await self._waker.close()
        await self._pool.close()


def role_of(module: str) -> str:
    """The PostgreSQL role of a module."""
    return f"bedside_{module}"


def role_password(role_secret: str, module: str) -> str:
    """The role's password, derived so that one secret serves every module."""
    return hmac.new(role_secret.encode(), role_of(module).encode(), hashlib.sha256).hexdigest()


async def open_database(url: str, module: str, *, role_secret: str, pool_size: int) -> Database:
    """Connect as the module's role; its search path is its own schema, then ``core``."""
    pool = await asyncpg.create_pool(
        url,
        user=role_of(module),
        password=role_password(role_secret, module),
        min_size=1,
        max_size=pool_size,
        init=_set_codecs,
        reset=_as_it_is,
        server_settings={"search_path": f"{module},core", "application_name": f"bedside {module}"},
        command_timeout=30,
    )
    return Database(pool, role_of(module), row_key(role_secret))


async def connect(url: str, module: str, *, role_secret: str) -> asyncpg.Connection[Row]:
    """One connection outside the pool, for what lives as long as its session: LISTEN, advisory locks."""
    connection = await asyncpg.connect(
        url,
        user=role_of(module),
        password=role_password(role_secret, module),
        timeout=10,
        server_settings={"search_path": f"{module},core", "application_name": f"bedside {module} session"},
        command_timeout=30,
    )
    await _set_codecs(connection)
    return connection


async def _as_it_is(connection: asyncpg.Connection[Row]) -> None:
    """Nothing here leaves anything in a session (settings, listeners, cursors, session locks), so giving a connection
    back costs no round trip. An open transaction is rolled back before this is called."""


async def _set_codecs(connection: asyncpg.Connection[Row]) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
