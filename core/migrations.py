"""Roles, schemas and numbered SQL, applied in order. Safe against two migrators and against repetition.

Every module has a role ``bedside_<module>`` and a schema that it owns; it is refused on all others. Schema ``core``
belongs to ``bedside_owner``, which nobody signs in as: the running program's ``bedside_core`` has only grants there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import asyncpg

from core.database import Row, role_of, role_password

ROOT = Path(__file__).resolve().parent.parent
EXTENSIONS = ("btree_gist", "pg_trgm", "cube", "earthdistance")
OWNER = "bedside_owner"
# The modules that read the audit trail itself.
AUDIT_READERS = frozenset({"compliance"})

_FILE_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_MODULE_NAME = re.compile(r"^[a-z][a-z_]{0,40}$")
# One number for every Bedside migrator on a database.
_LOCK = 7_310_418_220_115

_FUNCTIONS = (
    "core.publish(uuid, text, uuid, jsonb)",
    "core.audit(uuid, text, uuid, text, text, text, uuid, text, jsonb)",
)


class MigrationError(Exception):
    """A migration can't be applied; the message is one line a person can act on."""


@dataclass(frozen=True, slots=True)
class Migration:
    module: str
    number: int
    name: str  # file name
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(module: str, root: Path = ROOT) -> list[Migration]:
    """A module's migrations in order. Gaps in the numbers are fine: two people may take theirs ahead.

    Raises MigrationError on a bad name or a number used twice.
    """
    folder = root / module / ("sql" if module == "core" else "migrations")
    found: list[Migration] = []
    for file in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.match(file.name)
        if match is None:
            raise MigrationError(f"{file}: a migration is named NNNN_what_it_does.sql")
        found.append(Migration(module, int(match[1]), file.name, file.read_text(encoding="utf-8")))
    for one, two in pairwise(found):
        if one.number == two.number:
            raise MigrationError(f"{module}: {one.name} and {two.name} have one number")
    return found


async def migrate(admin_url: str, modules: Iterable[str], role_secret: str, *, root: Path = ROOT) -> list[str]:
    """Bring the database up to date; returns the applied ones as ``module/file``.

    ``admin_url`` signs in as a superuser, or as an owner of the database with CREATEROLE.
    """
    names = ["core", *sorted(set(modules) - {"core"})]
    for name in names:
        if not _MODULE_NAME.match(name):
            raise MigrationError(f"{name!r} is not a module's name")
    plans = {name: migrations_of(name, root) for name in names}
    connection = await asyncpg.connect(admin_url, timeout=30)
    try:
        # Held by the session, so it ends with it, whatever happens.
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _prepare(connection, names, role_secret)
        applied: list[str] = []
        for name in names:
            applied += await _apply(connection, name, plans[name])
            await _grant(connection, name)
        return applied
    finally:
        await connection.close()


async def pending(admin_url: str, modules: Iterable[str], *, root: Path = ROOT) -> list[str]:
    """What ``migrate`` would apply, as ``module/file``; changes nothing."""
    connection = await asyncpg.connect(admin_url, timeout=30)
    try:
        done: set[tuple[str, int]] = set()
        if await connection.fetchval("SELECT to_regclass('core.migrations') IS NOT NULL"):
            rows = await connection.fetch("SELECT module, number FROM core.migrations")
            done = {(row["module"], row["number"]) for row in rows}
    finally:
        await connection.close()
    names = ["core", *sorted(set(modules) - {"core"})]
    return [f"{m.module}/{m.name}" for name in names for m in migrations_of(name, root) if (name, m.number) not in done]


async def _prepare(connection: asyncpg.Connection[Row], modules: Sequence[str], role_secret: str) -> None:
    """Roles, schemas, extensions and rights: stated anew each time, so that they are what they should be."""
    async with connection.transaction():
        await connection.execute("SET LOCAL client_min_messages = warning")
        await _role(connection, OWNER, None)
        for module in modules:
            await _role(connection, role_of(module), role_password(role_secret, module))
        database = await connection.fetchval("SELECT quote_ident(current_database())")
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for module in modules:
            owner = OWNER if module == "core" else role_of(module)
            await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {role_of(module)}")
            await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{module}" AUTHORIZATION {owner}')
            await connection.execute(f'REVOKE ALL ON SCHEMA "{module}" FROM PUBLIC')
            await connection.execute(f"GRANT USAGE ON SCHEMA core TO {role_of(module)}")
        for extension in EXTENSIONS:
            await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA core")
        await connection.execute(f"SET LOCAL ROLE {OWNER}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS core.migrations (module text, number integer, name text NOT NULL, "
            "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (module, number))"
        )


async def _role(connection: asyncpg.Connection[Row], role: str, password: str | None) -> None:
    if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role} NOINHERIT")
    if password is not None:
        # The password is hexadecimal by its making, so it needs no quoting.
        await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{password}'")
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await connection.execute(f"GRANT {role} TO CURRENT_USER")


async def _apply(connection: asyncpg.Connection[Row], module: str, plan: Sequence[Migration]) -> list[str]:
    rows = await connection.fetch("SELECT number, name, checksum FROM core.migrations WHERE module = $1", module)
    done = {row["number"]: row for row in rows}
    known = {migration.number for migration in plan}
    for number in sorted(done):
        if number not in known:
            raise MigrationError(
                f"the database has {module}/{done[number]['name']}, which this version does not know: "
                "it was migrated by a newer one"
            )
    applied: list[str] = []
    for migration in plan:
        earlier = done.get(migration.number)
        if earlier is not None:
            if earlier["checksum"] != migration.checksum:
                raise MigrationError(f"{module}/{migration.name} was changed after it was applied: add another instead")
            continue
        await _run(connection, migration)
        applied.append(f"{module}/{migration.name}")
    return applied


async def _run(connection: asyncpg.Connection[Row], migration: Migration) -> None:
    role = OWNER if migration.module == "core" else role_of(migration.module)
    path = "core" if migration.module == "core" else f'"{migration.module}", core'
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {role}")
            await connection.execute(f"SET LOCAL search_path = {path}")
            await connection.execute(migration.sql)
            await connection.execute("RESET ROLE")
            await connection.execute(
                "INSERT INTO core.migrations (module, number, name, checksum) VALUES ($1, $2, $3, $4)",
                migration.module,
                migration.number,
                migration.name,
                migration.checksum,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.module}/{migration.name}: {error}") from error


async def _grant(connection: asyncpg.Connection[Row], module: str) -> None:
    """What every module needs besides its own tables: publish, audit, and the memory of handled facts."""
    async with connection.transaction():
        await connection.execute("SET LOCAL client_min_messages = warning")
        await connection.execute(f"SET LOCAL ROLE {OWNER}")
        for function in _FUNCTIONS:
            await connection.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role_of(module)}")
        if module in AUDIT_READERS:
            await connection.execute(f"GRANT SELECT ON core.audit_log TO {role_of(module)}")
            await connection.execute(
                f"GRANT EXECUTE ON FUNCTION core.cut_audit(bigint[], timestamptz) TO {role_of(module)}"
            )
        if module != "core":
            await connection.execute(f"SET LOCAL ROLE {role_of(module)}")
            await connection.execute(
                f'CREATE TABLE IF NOT EXISTS "{module}".handled_facts '
                "(fact_id uuid PRIMARY KEY, handled_at timestamptz NOT NULL DEFAULT now())"
            )
