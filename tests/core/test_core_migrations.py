"""Roles, schemas and numbered SQL against the real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import asyncpg
import pytest

from core.database import Database, open_database
from core.events import Fact
from core.ids import uuid7
from core.migrations import ROOT, MigrationError, migrate, migrations_of, pending

pytestmark = pytest.mark.integration
# Roles belong to the whole server, so the secret is the one of tests/conftest.py.
SECRET = "role-secret-of-the-tests"


class Rang(Fact):
    name: ClassVar[str] = "bell.rang"
    order_by: ClassVar[str] = "bell_id"

    bell_id: UUID


@pytest.fixture
async def empty(postgres: str) -> AsyncIterator[str]:
    """The administrator's address of an empty database."""
    name = f"t{uuid7().hex}"
    admin = await asyncpg.connect(postgres)
    await admin.execute(f"CREATE DATABASE {name}")
    yield postgres.replace("/bedside?", f"/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A source tree with two small modules beside the real core."""
    (tmp_path / "core" / "sql").mkdir(parents=True)
    for file in (ROOT / "core" / "sql").glob("*.sql"):
        (tmp_path / "core" / "sql" / file.name).write_text(file.read_text())
    for module in ("bells", "whistles"):
        folder = tmp_path / module / "migrations"
        folder.mkdir(parents=True)
        (folder / "0001_first.sql").write_text("CREATE TABLE things (n int PRIMARY KEY);")
    return tmp_path


async def _open(url: str, module: str) -> Database:
    return await open_database(url, module, role_secret=SECRET, pool_size=3)


async def test_applies_once_and_in_order(empty: str, house: Path) -> None:
    (house / "bells" / "migrations" / "0002_second.sql").write_text("ALTER TABLE things ADD m int;")
    assert "bells/0002_second.sql" in await pending(empty, ["bells"], root=house)
    applied = await migrate(empty, ["bells", "whistles"], SECRET, root=house)
    assert [each for each in applied if each.startswith("bells/")] == ["bells/0001_first.sql", "bells/0002_second.sql"]
    assert await migrate(empty, ["bells", "whistles"], SECRET, root=house) == []
    assert await pending(empty, ["bells", "whistles"], root=house) == []


async def test_two_migrators_at_once(empty: str, house: Path) -> None:
    runs = await asyncio.gather(*(migrate(empty, ["bells", "whistles"], SECRET, root=house) for _ in range(3)))
    assert sorted(len(run) for run in runs)[:2] == [0, 0]


async def test_changed_checksum_is_a_clear_error(empty: str, house: Path) -> None:
    await migrate(empty, ["bells"], SECRET, root=house)
    (house / "bells" / "migrations" / "0001_first.sql").write_text("CREATE TABLE other (n int);")
    with pytest.raises(MigrationError, match=r"bells/0001_first.sql was changed after it was applied"):
        await migrate(empty, ["bells"], SECRET, root=house)


async def test_failing_migration_leaves_nothing(empty: str, house: Path) -> None:
    file = house / "bells" / "migrations" / "0002_second.sql"
    file.write_text("CREATE TABLE half (n int); SELECT 1/0;")
    with pytest.raises(MigrationError, match="division by zero"):
        await migrate(empty, ["bells"], SECRET, root=house)
    file.write_text("CREATE TABLE half (n int);")
    assert await migrate(empty, ["bells"], SECRET, root=house) == ["bells/0002_second.sql"]


async def test_newer_database_is_refused(empty: str, house: Path) -> None:
    await migrate(empty, ["bells"], SECRET, root=house)
    (house / "bells" / "migrations" / "0001_first.sql").unlink()
    with pytest.raises(MigrationError, match="migrated by a newer one"):
        await migrate(empty, ["bells"], SECRET, root=house)


async def test_a_number_that_comes_late_is_applied_still(empty: str, house: Path) -> None:
    folder = house / "bells" / "migrations"
    (folder / "0010_tenth.sql").write_text("CREATE TABLE tenth (n int);")
    assert (await migrate(empty, ["bells"], SECRET, root=house))[-1] == "bells/0010_tenth.sql"
    (folder / "0003_third.sql").write_text("CREATE TABLE third (n int);")
    assert await migrate(empty, ["bells"], SECRET, root=house) == ["bells/0003_third.sql"]


def test_a_number_used_twice_is_refused(house: Path) -> None:
    (house / "bells" / "migrations" / "0001_another.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="have one number"):
        migrations_of("bells", house)


async def test_a_module_is_refused_on_other_schemas(empty: str, house: Path) -> None:
    await migrate(empty, ["bells", "whistles"], SECRET, root=house)
    bells = await _open(empty, "bells")
    try:
        for statement in (
            "SELECT * FROM whistles.things",
            "INSERT INTO whistles.handled_facts (fact_id) VALUES (gen_random_uuid())",
            "SELECT * FROM core.outbox",
            "SELECT * FROM core.person_keys",
            "SELECT * FROM core.audit_log",
            "INSERT INTO core.audit_log (id, action, actor_role, resource) VALUES (gen_random_uuid(), 'a', 'b', 'c')",
            "CREATE TABLE core.mine (n int)",
            "CREATE TABLE public.mine (n int)",
            "SET ROLE bedside_whistles",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with bells.transaction() as tx:
                    await tx.execute(statement)
        async with bells.transaction() as tx:
            await tx.execute("INSERT INTO things VALUES (1)")
            assert await tx.fetchval("SELECT core.similarity('bedside', 'bedsides') > 0.5")
    finally:
        await bells.close()


async def test_audit_is_append_only_even_for_core(empty: str, house: Path) -> None:
    await migrate(empty, ["bells", "compliance"], SECRET, root=house)
    bells, core, compliance = [await _open(empty, name) for name in ("bells", "core", "compliance")]
    try:
        async with bells.transaction() as tx:
            await tx.audit("bell.ring", actor_id=uuid7(), actor_role="desk", resource="bell", details={"n": 1})
        async with compliance.reading() as tx:
            row = await tx.fetchrow("SELECT module, action, details FROM core.audit_log")
        assert row is not None
        assert dict(row) == {"module": "bedside_bells", "action": "bell.ring", "details": {"n": 1}}
        for database in (core, compliance):
            for statement in (
                "UPDATE core.audit_log SET action = 'other'",
                "DELETE FROM core.audit_log",
                "TRUNCATE core.audit_log",
                "ALTER TABLE core.audit_log DISABLE TRIGGER ALL",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with database.transaction() as tx:
                        await tx.execute(statement)
        admin = await asyncpg.connect(empty)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await admin.execute("DELETE FROM core.audit_log")
        await admin.close()
    finally:
        for database in (bells, core, compliance):
            await database.close()


async def test_facts_of_one_key_are_numbered_in_commit_order(empty: str, house: Path) -> None:
    await migrate(empty, ["bells"], SECRET, root=house)
    bells, core = await _open(empty, "bells"), await _open(empty, "core")
    key = uuid7()
    first_wrote, committed = asyncio.Event(), []

    async def first() -> None:
        async with bells.transaction() as tx:
            await tx.publish(Rang(bell_id=key))
            await tx.flush()  # as before a commit
            first_wrote.set()
            async with core.reading() as other:  # the second one now waits for this one's lock
                while not await other.fetchval(
                    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
                ):
                    await asyncio.sleep(0.01)
            committed.append(1)

    async def second() -> None:
        await first_wrote.wait()
        async with bells.transaction() as tx:
            await tx.publish(Rang(bell_id=key))
            await tx.flush()
            committed.append(2)

    try:
        async with asyncio.timeout(10):
            await asyncio.gather(first(), second())
        assert committed == [1, 2]
        with pytest.raises(ZeroDivisionError):
            async with bells.transaction() as tx:
                await tx.publish(Rang(bell_id=key))
                raise ZeroDivisionError
        async with core.reading() as tx:
            rows = await tx.fetch("SELECT name, order_key, published_at FROM core.outbox ORDER BY seq")
        assert [(row["name"], row["order_key"], row["published_at"]) for row in rows] == [("bell.rang", key, None)] * 2
    finally:
        await bells.close()
        await core.close()
