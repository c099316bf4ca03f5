"""``bedside audit``: proves the audit trail without a running server, and gives checkpoints to keep elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from compliance import archives, audit_keys, repository
from compliance.checkpoints import Checkpoint, from_json, to_json
from compliance.service import Verification, verify
from core.database import Database, open_database, role_of
from core.settings import Settings
from server.processes import ProcessError


async def verify_trail(settings: Settings, checkpoint: Path | None = None) -> tuple[list[str], bool]:
    """What to print, and whether the trail is intact. ``checkpoint`` is a file that was kept elsewhere."""
    kept = None if checkpoint is None else read_checkpoint(checkpoint)
    async with _opened(settings) as database:
        found = await verify(database, audit_keys(settings), kept)
    return report(found), found.intact


async def verify_archive(settings: Settings, path: Path) -> tuple[list[str], bool]:
    """An archive's own chain, and whether it is the one that the trail's signed cut names."""
    keys = audit_keys(settings)
    try:
        file_digest, before, links = archives.read(path)
    except (OSError, ValueError) as error:
        raise ProcessError(f"{path}: {error}") from None
    digest, broken = archives.check(keys.chain, keys.rows, before, links)
    if broken is not None:
        return [f"BROKEN at row {broken.audit_seq} (link {broken.position}): {broken.what}"], False
    async with _opened(settings) as database, database.reading() as tx:
        cut = next((each for each in await repository.cuts(tx) if each.position == links[-1].position), None)
    named = (
        cut is not None
        and archives.is_signed(keys.signer.public, cut)
        and (cut.first_position, cut.digest, cut.archive_digest) == (links[0].position, digest, file_digest)
    )
    rows = f"rows that fit: {len(links)}, links {links[0].position} to {links[-1].position}"
    return [
        rows,
        "the archive is the one that left the trail" if named else "NOT the archive that the trail names",
    ], named


async def newest_checkpoint(settings: Settings) -> str:
    """As one line of JSON, or empty before the first sealing."""
    async with _opened(settings) as database, database.reading() as tx:
        found = await repository.newest_checkpoint(tx)
    return "" if found is None else json.dumps(to_json(found, audit_keys(settings).signer.public))


def read_checkpoint(path: Path) -> Checkpoint:
    """Raises ProcessError with a line for a person."""
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise ProcessError(f"{path} holds no checkpoint") from None


def report(found: Verification) -> list[str]:
    """In lines for a person."""
    lines = [f"sealed rows that fit: {found.sealed - found.archived}", f"head: {found.head}"]
    if found.archived:
        lines.append(f"in archives: {found.archived}, up to a signed cut")
    if found.unsealed:
        lines.append(f"not sealed yet: {found.unsealed}, from row {found.first_unsealed}")
    if found.broken is None:
        lines.append("the trail is intact")
    else:
        lines.append(f"BROKEN at row {found.broken.audit_seq} (link {found.broken.position}): {found.broken.what}")
    return lines


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    url = settings.database.url.get_secret_value()
    secret = settings.database.role_secret.get_secret_value()
    try:
        database = await open_database(url, "compliance", role_secret=secret, pool_size=2)
    except (OSError, asyncpg.PostgresError) as error:
        raise ProcessError(f"PostgreSQL can't be used as {role_of('compliance')}: {error}") from None
    try:
        yield database
    finally:
        await database.close()
