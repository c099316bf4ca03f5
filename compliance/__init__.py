"""Compliance: the audit trail, emergency access, and what people may ask about their data."""

from __future__ import annotations

from dataclasses import dataclass

from compliance import break_glass as breaking
from compliance.break_glass import BreakGlass
from compliance.checkpoints import Signer
from compliance.ports import People
from compliance.rights_routes import build_rights_routes
from compliance.routes import build_routes
from compliance.service import Audit, Keys
from core.audit_rows import row_key
from core.context import Context
from core.database import Database
from core.security.master import MasterKey
from core.settings import Settings

SEAL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Compliance:
    audit: Audit
    break_glass: BreakGlass


def audit_keys(settings: Settings) -> Keys:
    """The chain's and the signer's are derived from the master key, the rows' from the modules' secret."""
    master = MasterKey.parse(settings.security.master_key.get_secret_value())
    return Keys(
        chain=master.derive("audit chain"),
        rows=row_key(settings.database.role_secret.get_secret_value()),
        signer=Signer(master.derive("audit checkpoints")),
    )


def setup(context: Context, people: People) -> Compliance:
    """Rules, routes and jobs; nothing is asked of the database yet."""
    database: Database = context.database("compliance")
    policy, settings = context.policy, context.settings
    emergency = BreakGlass(database, policy, people, context.vault, context.clock, settings.privacy.break_glass_s)
    audit = Audit(database, policy, people, emergency, context.clock, audit_keys(settings))
    policy.allow("audit.search", "auditor", "admin")
    breaking.allow(policy)
    context.routes.append(build_routes(audit))
    context.routes.append(build_rights_routes(emergency))

    async def seal() -> None:
        await audit.seal()

    context.jobs.every(SEAL_EVERY_S, "compliance: seal the audit trail", seal)
    return Compliance(audit, emergency)
