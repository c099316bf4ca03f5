"""Compliance: the audit trail, emergency access, and what people may ask about their data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from compliance import break_glass as breaking
from compliance.break_glass import BreakGlass
from compliance.checkpoints import Signer
from compliance.consents import Consents
from compliance.erasures import CARRY_OUT_EVERY_S, Erasures
from compliance.exports import MAKE_EVERY_S, Exports
from compliance.ports import People, PersonData
from compliance.research import Research, Visits
from compliance.retention import EVERY_S as ARCHIVE_EVERY_S
from compliance.retention import AuditRetention
from compliance.rights_routes import build_rights_routes
from compliance.routes import build_routes
from compliance.service import Audit, Keys
from core.audit_rows import row_key
from core.context import Context
from core.database import Database
from core.security.master import MasterKey
from core.security.policy import ACCOUNTS
from core.security.proxies import Authority, Nobody
from core.settings import Settings

SEAL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Compliance:
    audit: Audit
    retention: AuditRetention
    break_glass: BreakGlass
    consents: Consents
    exports: Exports
    erasures: Erasures
    research: Research


def audit_keys(settings: Settings) -> Keys:
    """The chain's and the signer's are derived from the master key, the rows' from the modules' secret."""
    master = MasterKey.parse(settings.security.master_key.get_secret_value())
    return Keys(
        chain=master.derive("audit chain"),
        rows=row_key(settings.database.role_secret.get_secret_value()),
        signer=Signer(master.derive("audit checkpoints")),
    )


class NoVisits:
    """Where compliance runs alone."""

    async def facts(self, patients: list[UUID], after: UUID | None, limit: int) -> list[dict[str, Any]]:
        return []


def setup(
    context: Context,
    people: People,
    parts: Sequence[PersonData] = (),
    visits: Visits | None = None,
    authority: Authority | None = None,
) -> Compliance:
    """Rules, routes and jobs; nothing is asked of the database yet."""
    database: Database = context.database("compliance")
    policy, settings = context.policy, context.settings
    emergency = BreakGlass(database, policy, people, context.vault, context.clock, settings.privacy.break_glass_s)
    audit = Audit(database, policy, people, emergency, context.clock, audit_keys(settings))
    policy.allow("audit.search", "auditor", "admin")
    breaking.allow(policy)
    context.routes.append(build_routes(audit))
    consents = Consents(database, policy, context.clock, settings.presumed_consents, authority or Nobody())
    policy.allow("consent.for", "patient", relation=("self", "proxy_read"))
    privacy, keys = settings.privacy, audit_keys(settings)
    exports = Exports(database, policy, context.files, context.clock, parts, privacy.export_s)
    erasures = Erasures(
        database,
        policy,
        context.vault,
        context.clock,
        parts,
        years=privacy.retention_years,
        grace_s=privacy.erasure_grace_s,
        signer=keys.signer,
    )
    master = MasterKey.parse(settings.security.master_key.get_secret_value())
    research = Research(database, policy, consents, visits or NoVisits(), master.derive("research pseudonyms"))
    for action in ("consent.own", "export.own", "erasure.own"):
        policy.allow(action, *ACCOUNTS, relation="self")
    policy.allow("erasure.read", "auditor", "admin")
    policy.allow("research.export", "admin")
    context.routes.append(build_rights_routes(emergency, consents, exports, erasures, research))

    async def seal() -> None:
        await audit.seal()

    context.jobs.every(SEAL_EVERY_S, "compliance: seal the audit trail", seal)

    folder = privacy.audit_archive or settings.data_dir / "audit-archive"
    retention = AuditRetention(database, context.clock, keys, privacy.audit_years, folder)

    async def archive() -> None:
        await retention.archive()

    if privacy.audit_years:
        context.jobs.every(ARCHIVE_EVERY_S, "compliance: archive old audit rows", archive)

    async def make_exports() -> None:
        await exports.make()

    async def carry_out() -> None:
        await erasures.carry_out()

    context.jobs.every(MAKE_EVERY_S, "compliance: make copies for people", make_exports)
    context.jobs.every(CARRY_OUT_EVERY_S, "compliance: forget people", carry_out)
    return Compliance(audit, retention, emergency, consents, exports, erasures, research)
