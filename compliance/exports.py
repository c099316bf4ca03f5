"""Everything about a person, in one ZIP: asked for, made in the background, downloaded once, gone after some days."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from compliance.ports import PersonData
from core.clock import Clock, rfc3339
from core.database import Database, Row
from core.errors import Conflict, NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import Principal
from core.security.vault import EncryptedFiles, KeyDestroyed

log = structlog.get_logger()

MAKE_EVERY_S = 2.0
ATTEMPTS = 5
README = """This is everything that Bedside knows about you, as of {at}.

One JSON file for each part of the program, and the files you sent or were sent in visits.
Times are in UTC (RFC 3339). Amounts are in minor units of their currency.
"""


class ExportRunning(Conflict):
    code = "export_running"
    title = "A copy is being made, or waits to be downloaded"


@dataclass(frozen=True, slots=True)
class Export:
    id: UUID
    person_id: UUID
    state: str
    requested_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    stored_id: UUID | None
    size: int | None
    attempts: int


class Exports:
    def __init__(
        self,
        database: Database,
        policy: Policy,
        files: EncryptedFiles,
        clock: Clock,
        parts: Sequence[PersonData],
        lives_s: int,
    ) -> None:
        self._database = database
        self._policy = policy
        self._files = files
        self._clock = clock
        self._parts = parts
        self._lives = timedelta(seconds=lives_s)

    async def ask(self, principal: Principal) -> Export:
        """Raises ExportRunning."""
        self._policy.require(principal, "export.own", ["self"])
        made = Export(uuid7(), principal.id, "waiting", self._clock.now(), None, None, None, None, 0)
        async with self._database.transaction() as tx:
            done = await tx.execute(
                "INSERT INTO exports (id, person_id, state, requested_at) VALUES ($1, $2, 'waiting', $3)"
                " ON CONFLICT (person_id) WHERE state IN ('waiting', 'ready') DO NOTHING",
                made.id,
                made.person_id,
                made.requested_at,
            )
            if done != "INSERT 0 1":
                raise ExportRunning()
            await tx.audit(
                "export.requested",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="export",
                resource_id=made.id,
                patient_id=principal.id,
            )
        return made

    async def of(self, principal: Principal) -> list[Export]:
        """One's own, newest first."""
        self._policy.require(principal, "export.own", ["self"])
        async with self._database.reading() as tx:
            rows = await tx.fetch(f"{_SELECT} WHERE person_id = $1 ORDER BY id DESC LIMIT 20", principal.id)
        return [_export(row) for row in rows]

    async def download(self, principal: Principal, export_id: UUID) -> bytes:
        """The ZIP, once: it is gone afterwards. Raises NotFound, for another person's too."""
        self._policy.require(principal, "export.own", ["self"])
        async with self._database.transaction() as tx:
            # The row is locked before the state is judged: two downloads at once get one file.
            row = await tx.fetchrow(f"{_SELECT} WHERE id = $1 AND person_id = $2 FOR UPDATE", export_id, principal.id)
            found = None if row is None else _export(row)
            if found is None or found.stored_id is None or found.expires_at is None:
                raise NotFound()
            if found.expires_at <= self._clock.now():
                raise NotFound()
            content = await self._files.get(principal.id, found.stored_id)
            await tx.execute("UPDATE exports SET state = 'downloaded', stored_id = NULL WHERE id = $1", export_id)
            await tx.audit(
                "export.downloaded",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="export",
                resource_id=export_id,
                patient_id=principal.id,
            )
        await self._files.delete(found.stored_id)
        return content

    async def make(self) -> int:
        """A periodic job: make what waits, remove what has run out; how many were made."""
        await self._expire()
        made = 0
        while True:
            async with self._database.transaction() as tx:
                row = await tx.fetchrow(
                    "UPDATE exports SET attempts = attempts + 1 WHERE id = (SELECT id FROM exports"
                    " WHERE state = 'waiting' AND attempts < $1 ORDER BY requested_at LIMIT 1"
                    " FOR UPDATE SKIP LOCKED) RETURNING *",
                    ATTEMPTS,
                )
            if row is None:
                return made
            export = _export(row)
            try:
                await self._make(export)
                made += 1
            except KeyDestroyed:
                await self._fail(export)
            except Exception as error:
                log.error("export failed", error=type(error).__name__, attempt=export.attempts)
                if export.attempts >= ATTEMPTS:
                    await self._fail(export)
                return made

    async def collect(self, person_id: UUID) -> bytes:
        """The ZIP in clear."""
        documents: dict[str, Any] = {part.name: await part.collect(person_id) for part in self._parts}
        files: list[tuple[str, bytes]] = []
        for part in self._parts:
            async for name, content in part.files(person_id):
                files.append((f"files/{part.name}/{name}", content))
        return await asyncio.to_thread(_zip, documents, files, self._clock.now())

    async def _make(self, export: Export) -> None:
        content = await self.collect(export.person_id)
        stored_id = await self._files.put(export.person_id, content)
        now = self._clock.now()
        async with self._database.transaction() as tx:
            await tx.execute(
                "UPDATE exports SET state = 'ready', stored_id = $2, size = $3, ready_at = $4, expires_at = $5"
                " WHERE id = $1",
                export.id,
                stored_id,
                len(content),
                now,
                now + self._lives,
            )

    async def _fail(self, export: Export) -> None:
        async with self._database.transaction() as tx:
            await tx.execute("UPDATE exports SET state = 'failed' WHERE id = $1", export.id)

    async def _expire(self) -> None:
        async with self._database.transaction() as tx:
            rows = await tx.fetch(
                "SELECT id, stored_id FROM exports WHERE state = 'ready' AND expires_at <= $1 FOR UPDATE",
                self._clock.now(),
            )
            for row in rows:
                await self._files.delete(row["stored_id"])
                await tx.execute("UPDATE exports SET state = 'expired', stored_id = NULL WHERE id = $1", row["id"])


_SELECT = "SELECT * FROM exports"


def _export(row: Row) -> Export:
    names = ("id", "person_id", "state", "requested_at", "ready_at", "expires_at", "stored_id", "size", "attempts")
    return Export(*(row[name] for name in names))


def _zip(documents: dict[str, Any], files: Sequence[tuple[str, bytes]], at: datetime) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README.format(at=rfc3339(at)))
        for name, document in documents.items():
            archive.writestr(f"{name}.json", json.dumps(document, ensure_ascii=False, indent=2, default=_plain))
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date | UUID):
        return str(value)
    raise TypeError(type(value).__name__)
