"""All SQL of compliance. The audit trail itself is core's; this role may read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from compliance.archives import Cut
from compliance.chain import START, AuditRow, Link
from compliance.checkpoints import Checkpoint
from core.database import Row, Transaction


def _audit_row(row: Row) -> AuditRow:
    return AuditRow(
        seq=row["seq"],
        id=row["id"],
        at=row["at"],
        module=row["module"],
        action=row["action"],
        actor_id=row["actor_id"],
        actor_role=row["actor_role"],
        resource=row["resource"],
        resource_id=row["resource_id"],
        patient_id=row["patient_id"],
        reason=row["reason"],
        details=row["details"],
    )


async def search(
    tx: Transaction,
    *,
    patient_id: UUID | None,
    actor_id: UUID | None,
    action: str | None,
    not_actor_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
    before: int | None,
    limit: int,
) -> list[AuditRow]:
    """Newest first."""
    rows = await tx.fetch(
        "SELECT * FROM core.audit_log WHERE ($1::uuid IS NULL OR patient_id = $1)"
        " AND ($2::uuid IS NULL OR actor_id = $2) AND ($3::uuid IS NULL OR actor_id IS DISTINCT FROM $3)"
        " AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)"
        " AND ($6::bigint IS NULL OR seq < $6) AND ($8::text IS NULL OR starts_with(action, $8))"
        " ORDER BY seq DESC LIMIT $7",
        patient_id,
        actor_id,
        not_actor_id,
        since,
        until,
        before,
        limit,
        action,
    )
    return [_audit_row(row) for row in rows]


async def lock_chain(tx: Transaction) -> None:
    """One sealer at a time."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('bedside audit chain', 0))")


async def head(tx: Transaction) -> tuple[int, bytes]:
    """The next position and the digest before it."""
    row = await tx.fetchrow("SELECT position, digest FROM sealed_rows ORDER BY position DESC LIMIT 1")
    return (1, START) if row is None else (row["position"] + 1, row["digest"])


async def unsealed(tx: Transaction, back: timedelta | None, limit: int) -> list[AuditRow]:
    """Rows without a seal, oldest first; looking ``back`` so far by the database's clock keeps the search short."""
    # A plan made once would suit neither all rows nor a few seconds, nor a chain that was empty when it was made.
    await tx.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    rows = await tx.fetch(
        "SELECT a.* FROM core.audit_log a LEFT JOIN sealed_rows s ON s.audit_seq = a.seq"
        " WHERE s.audit_seq IS NULL AND ($1::interval IS NULL OR a.at >= now() - $1)"
        " ORDER BY a.seq LIMIT $2",
        back,
        limit,
    )
    return [_audit_row(row) for row in rows]


async def unsealed_tail(tx: Transaction, back: timedelta) -> tuple[int, float]:
    """Rows of the last ``back`` without a seal, and the oldest one's age in seconds, by the database's clock."""
    row = await tx.fetchrow(
        "SELECT count(*) AS number, coalesce(extract(epoch FROM now() - min(a.at)), 0)::float8 AS age"
        " FROM core.audit_log a LEFT JOIN sealed_rows s ON s.audit_seq = a.seq"
        " WHERE s.audit_seq IS NULL AND a.at >= now() - $1::interval",
        back,
    )
    assert row is not None
    return row["number"], row["age"]


async def append(tx: Transaction, sealed: Sequence[tuple[int, int, bytes]], now: datetime) -> None:
    positions, numbers, digests = (list(column) for column in zip(*sealed, strict=True))
    await tx.execute(
        "INSERT INTO sealed_rows (position, audit_seq, digest, sealed_at)"
        " SELECT *, $4::timestamptz FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])",
        positions,
        numbers,
        digests,
        now,
    )


async def add_checkpoint(tx: Transaction, checkpoint: Checkpoint) -> None:
    await tx.execute(
        "INSERT INTO checkpoints (position, digest, made_at, signature) VALUES ($1, $2, $3, $4)",
        checkpoint.position,
        checkpoint.digest,
        checkpoint.made_at,
        checkpoint.signature,
    )


async def checkpoints(tx: Transaction, after: int, until: int) -> dict[int, Checkpoint]:
    """Those at positions in (after, until], by position."""
    rows = await tx.fetch(
        "SELECT position, digest, made_at, signature FROM checkpoints WHERE position > $1 AND position <= $2",
        after,
        until,
    )
    return {row["position"]: Checkpoint(*row.values()) for row in rows}


async def newest_checkpoint(tx: Transaction) -> Checkpoint | None:
    row = await tx.fetchrow(
        "SELECT position, digest, made_at, signature FROM checkpoints ORDER BY position DESC LIMIT 1"
    )
    return None if row is None else Checkpoint(*row.values())


async def links(tx: Transaction, after: int, limit: int) -> list[Link]:
    rows = await tx.fetch(
        "SELECT s.position, s.audit_seq, s.digest, a.* FROM sealed_rows s LEFT JOIN core.audit_log a"
        " ON a.seq = s.audit_seq WHERE s.position > $1 ORDER BY s.position LIMIT $2",
        after,
        limit,
    )
    return [
        Link(row["position"], row["audit_seq"], row["digest"], None if row["seq"] is None else _audit_row(row))
        for row in rows
    ]


async def unsealed_after(tx: Transaction, seq: int, limit: int) -> list[AuditRow]:
    """Rows without a seal, in order, beyond ``seq``."""
    await tx.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    rows = await tx.fetch(
        "SELECT a.* FROM core.audit_log a LEFT JOIN sealed_rows s ON s.audit_seq = a.seq"
        " WHERE s.audit_seq IS NULL AND a.seq > $1 ORDER BY a.seq LIMIT $2",
        seq,
        limit,
    )
    return [_audit_row(row) for row in rows]


async def count_unsealed(tx: Transaction) -> tuple[int, int | None]:
    """How many rows have no seal, and the first of them."""
    row = await tx.fetchrow(
        "SELECT count(*) AS number, min(a.seq) AS first FROM core.audit_log a"
        " LEFT JOIN sealed_rows s ON s.audit_seq = a.seq WHERE s.audit_seq IS NULL"
    )
    assert row is not None
    return row["number"], row["first"]


# -- archives


async def cuts(tx: Transaction) -> list[Cut]:
    """All, in their order."""
    rows = await tx.fetch(
        "SELECT position, first_position, digest, before, archive, archive_digest, made_at, signature FROM audit_cuts"
        " ORDER BY position"
    )
    return [Cut(*row.values()) for row in rows]


async def newest_cut(tx: Transaction) -> Cut | None:
    row = await tx.fetchrow(
        "SELECT position, first_position, digest, before, archive, archive_digest, made_at, signature FROM audit_cuts"
        " ORDER BY position DESC LIMIT 1"
    )
    return None if row is None else Cut(*row.values())


async def digest_at(tx: Transaction, position: int) -> bytes | None:
    digest: bytes | None = await tx.fetchval("SELECT digest FROM sealed_rows WHERE position = $1", position)
    return digest


async def archivable(tx: Transaction, after: int, before: datetime, most: int) -> int | None:
    """The last checkpoint beyond ``after`` up to which every row is older than ``before``, some ``most`` rows on."""
    found: int | None = await tx.fetchval(
        "SELECT max(c.position) FROM checkpoints c WHERE c.position > $1 AND c.position <= $1 + $3 AND c.position <"
        " coalesce((SELECT min(s.position) FROM sealed_rows s LEFT JOIN core.audit_log a ON a.seq = s.audit_seq"
        " WHERE s.position > $1 AND s.position <= $1 + $3 AND (a.at >= $2 OR a.seq IS NULL)), $1 + $3 + 1)",
        after,
        before,
        most,
    )
    return found


async def add_cut(tx: Transaction, cut: Cut) -> None:
    await tx.execute(
        "INSERT INTO audit_cuts (position, first_position, digest, before, archive, archive_digest, made_at, signature)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        cut.position,
        cut.first_position,
        cut.digest,
        cut.before,
        cut.archive,
        cut.archive_digest,
        cut.made_at,
        cut.signature,
    )


async def remove_archived(tx: Transaction, seqs: Sequence[int], before: datetime) -> None:
    """All of them, or the transaction fails."""
    await tx.execute("SELECT core.cut_audit($1, $2)", list(seqs), before)
