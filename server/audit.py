"""``bedside audit verify``: proves the audit trail without a running server."""

from __future__ import annotations

import asyncpg

from compliance import audit_key
from compliance.service import Verification, verify
from core.database import open_database, role_of
from core.settings import Settings
from server.processes import ProcessError


async def verify_trail(settings: Settings) -> tuple[list[str], bool]:
    """What to print, and whether the trail is intact."""
    url = settings.database.url.get_secret_value()
    secret = settings.database.role_secret.get_secret_value()
    try:
        database = await open_database(url, "compliance", role_secret=secret, pool_size=2)
    except (OSError, asyncpg.PostgresError) as error:
        raise ProcessError(f"PostgreSQL can't be used as {role_of('compliance')}: {error}") from None
    try:
        found = await verify(database, audit_key(settings))
    finally:
        await database.close()
    return report(found), found.intact


def report(found: Verification) -> list[str]:
    """In lines for a person."""
    lines = [f"sealed rows that fit: {found.sealed}", f"head: {found.head}"]
    if found.unsealed:
        lines.append(f"not sealed yet: {found.unsealed}, from row {found.first_unsealed}")
    if found.broken is None:
        lines.append("the trail is intact")
    else:
        lines.append(f"BROKEN at row {found.broken.audit_seq} (link {found.broken.position}): {found.broken.what}")
    return lines
