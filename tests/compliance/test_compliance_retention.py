"""Old audit rows move into archives, and the trail stays provable. In a database of its own."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from harness import ROLE_SECRET, MakeContext
from pydantic import SecretStr
from test_compliance_audit import Names

import compliance
from compliance import audit_keys
from compliance.retention import AuditRetention
from compliance.service import Audit
from core.context import Context
from core.database import Database, open_database
from core.ids import uuid7
from core.migrations import migrate
from core.settings import Privacy, Settings
from server.audit import newest_checkpoint, verify_archive, verify_trail

pytestmark = pytest.mark.integration


@dataclass
class Trail:
    context: Context
    settings: Settings
    audit: Audit
    retention: AuditRetention
    database: Database
    owner: Any
    folder: Path

    async def write(self, rows: int, age: timedelta = timedelta(0)) -> None:
        """Rows of that age, sealed: the database's own clock makes them, a superuser past its triggers ages them."""
        async with self.database.transaction() as tx:
            for _ in range(rows):
                await tx.audit("record.read", actor_id=uuid7(), actor_role="practitioner", resource="record")
        await self.owner.execute("ALTER TABLE core.audit_log DISABLE TRIGGER USER")
        await self.owner.execute(
            "UPDATE core.audit_log SET at = at - $1::interval WHERE seq NOT IN (SELECT audit_seq FROM"
            " compliance.sealed_rows)",
            age,
        )
        await self.owner.execute("ALTER TABLE core.audit_log ENABLE TRIGGER USER")
        await self.seal()

    async def seal(self) -> None:
        self.audit._looked_back_at = None  # as after a start: rows of any age are looked at
        await self.audit.seal()

    async def rows(self) -> int:
        return int(await self.owner.fetchval("SELECT count(*) FROM core.audit_log"))


@pytest.fixture
async def trail(make_context: MakeContext, postgres: str, tmp_path: Path) -> AsyncIterator[Trail]:
    name = f"t{uuid7().hex}"
    admin = await asyncpg.connect(postgres)
    await admin.execute(f"CREATE DATABASE {name}")
    url = postgres.replace("/bedside?", f"/{name}?")
    await migrate(url, ["compliance"], ROLE_SECRET)
    database = await open_database(url, "compliance", role_secret=ROLE_SECRET, pool_size=3)
    owner = await asyncpg.connect(url)
    base = await make_context()
    folder = tmp_path / "archive"
    settings = base.settings.model_copy(
        update={
            "privacy": Privacy(audit_years=3, audit_archive=folder),
            "database": base.settings.database.model_copy(update={"url": SecretStr(url)}),
        }
    )
    context = replace(await make_context(settings=settings), database=lambda module: database)
    made = compliance.setup(context, people=Names())
    yield Trail(context, settings, made.audit, made.retention, database, owner, folder)
    await owner.close()
    await database.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


OLD, YOUNG = timedelta(days=4 * 366), timedelta(days=400)


async def test_old_rows_move_and_the_chain_goes_on(trail: Trail, tmp_path: Path) -> None:
    await trail.write(5, OLD)
    path = tmp_path / "kept.json"
    path.write_text(await newest_checkpoint(trail.settings))
    await trail.write(4, OLD)
    await trail.write(3, YOUNG)
    assert await trail.retention.archive() == 9
    assert await trail.retention.archive() == 0
    await trail.seal()
    lines, intact = await verify_trail(trail.settings)
    assert intact, lines
    assert "in archives: 9, up to a signed cut" in lines
    assert await trail.rows() == 3 + 1, "the young ones, and that of archiving"

    [archive] = trail.folder.iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    lines, good = await verify_archive(trail.settings, archive)
    assert good, lines
    assert lines[0] == "rows that fit: 9, links 1 to 9"
    # A checkpoint kept from before the cut still tells.
    assert (await verify_trail(trail.settings, path))[1]
    await trail.owner.execute("ALTER TABLE compliance.sealed_rows DISABLE TRIGGER USER")
    await trail.owner.execute("UPDATE compliance.sealed_rows SET digest = '\\x00' WHERE position = 9")
    assert not (await verify_trail(trail.settings))[1], "the cut's digest is signed"


async def test_a_second_archive_follows_the_first(trail: Trail) -> None:
    for rows in (2, 3):
        await trail.write(rows, OLD)
        assert await trail.retention.archive() >= rows, "with the row that the first archive left"
    await trail.seal()
    lines, intact = await verify_trail(trail.settings)
    assert intact, lines
    for archive in sorted(trail.folder.iterdir()):
        assert (await verify_archive(trail.settings, archive))[1], archive


async def test_a_changed_archive_and_a_forged_cut_are_named(trail: Trail) -> None:
    await trail.write(4, OLD)
    await trail.write(1)
    await trail.retention.archive()
    [archive] = trail.folder.iterdir()
    text = gzip.decompress(archive.read_bytes()).decode()
    for change in (text.replace("record.read", "record.seen", 1), "\n".join(text.splitlines()[:-1]) + "\n"):
        assert change != text
        archive.write_bytes(gzip.compress(change.encode()))
        lines, good = await verify_archive(trail.settings, archive)
        assert not good, lines
    archive.write_bytes(b"nonsense")
    with pytest.raises(Exception, match="no archive"):
        await verify_archive(trail.settings, archive)
    await trail.seal()
    await trail.owner.execute("ALTER TABLE compliance.audit_cuts DISABLE TRIGGER USER")
    await trail.owner.execute("UPDATE compliance.audit_cuts SET archive_digest = '\\x00'")
    lines, intact = await verify_trail(trail.settings)
    assert not intact
    assert lines[-1].endswith("cut")


async def test_whoever_deletes_rows_without_a_signed_cut_is_found(trail: Trail) -> None:
    await trail.write(4, OLD)
    async with trail.database.transaction() as tx:
        await tx.execute("SELECT core.cut_audit('{1,2}', now())")
    lines, intact = await verify_trail(trail.settings)
    assert not intact
    assert "deleted" in lines[-1]
    assert await trail.retention.archive() == 0, "what is broken stays as evidence"
    assert await trail.rows() == 2


async def test_young_rows_leave_by_nobody(trail: Trail) -> None:
    await trail.write(2, timedelta(days=360))
    for statement in ("SELECT core.cut_audit('{1}', now())", "SELECT core.cut_audit('{1,99}', now())"):
        with pytest.raises(asyncpg.PostgresError):
            async with trail.database.transaction() as tx:
                await tx.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await trail.owner.execute("DELETE FROM core.audit_log WHERE seq = 1")
    assert await trail.rows() == 2


async def test_without_the_setting_nothing_moves(trail: Trail) -> None:
    await trail.write(2, OLD)
    keys = audit_keys(trail.settings)
    assert await AuditRetention(trail.database, trail.context.clock, keys, 0, trail.folder).archive() == 0
    assert await trail.rows() == 2
