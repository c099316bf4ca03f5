"""Compliance: reading, sealing and verifying the audit trail."""

from __future__ import annotations

from compliance.ports import People
from compliance.routes import build_routes
from compliance.service import Audit
from core.context import Context
from core.database import Database
from core.security.master import MasterKey
from core.settings import Settings

SEAL_EVERY_S = 1.0


def audit_key(settings: Settings) -> bytes:
    """The chain's key, derived from the master key."""
    return MasterKey.parse(settings.security.master_key.get_secret_value()).derive("audit chain")


def setup(context: Context, people: People) -> Audit:
    database: Database = context.database("compliance")
    audit = Audit(database, context.policy, people, context.clock, audit_key(context.settings))
    context.policy.allow("audit.search", "auditor", "admin")
    context.routes.append(build_routes(audit))

    async def seal() -> None:
        await audit.seal()

    context.jobs.every(SEAL_EVERY_S, "compliance: seal the audit trail", seal)
    return audit
