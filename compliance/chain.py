"""The hash chain over audit rows. Pure: rows and digests in, digests out.

A digest is HMAC-SHA-256, not a bare hash: whoever can write to the database but has no master key can't make a
chain that fits an altered trail.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from core.audit_rows import Content, is_genuine

START = bytes(32)  # what comes before the first row


@dataclass(frozen=True, slots=True)
class AuditRow:
    seq: int
    id: UUID
    at: datetime
    module: str
    action: str
    actor_id: UUID | None
    actor_role: str
    resource: str
    resource_id: str | None
    patient_id: UUID | None
    reason: str | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A sealed row as it is now. ``row`` is None when it is no longer in the trail."""

    position: int
    audit_seq: int
    digest: bytes
    row: AuditRow | None


@dataclass(frozen=True, slots=True)
class Broken:
    """``what``: altered, deleted, unsealed (a link of the chain itself is missing), inserted (the program did not
    write that row), checkpoint (a signed one is missing or does not fit), or cut (the end is missing).
    """

    audit_seq: int
    position: int
    what: str


def content(row: AuditRow) -> Content:
    """What the row's id vouches for."""
    return Content(
        row.module,
        row.action,
        row.actor_id,
        row.actor_role,
        row.resource,
        row.resource_id,
        row.patient_id,
        row.reason,
        row.details,
    )


def canonical(row: AuditRow) -> bytes:
    """One byte string for one content: JSON with sorted keys, times in UTC with microseconds."""
    values = [
        row.seq,
        str(row.id),
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.module,
        row.action,
        None if row.actor_id is None else str(row.actor_id),
        row.actor_role,
        row.resource,
        row.resource_id,
        None if row.patient_id is None else str(row.patient_id),
        row.reason,
        row.details,
    ]
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def link(key: bytes, before: bytes, position: int, row: AuditRow) -> bytes:
    return hmac.new(key, before + position.to_bytes(8) + canonical(row), hashlib.sha256).digest()


def seal(key: bytes, before: bytes, position: int, rows: Iterable[AuditRow]) -> list[tuple[int, int, bytes]]:
    """(position, seq, digest) of each row, the first at ``position``."""
    sealed: list[tuple[int, int, bytes]] = []
    for offset, row in enumerate(rows):
        before = link(key, before, position + offset, row)
        sealed.append((position + offset, row.seq, before))
    return sealed


def check(
    key: bytes, row_key: bytes, before: bytes, position: int, links: Iterable[Link]
) -> tuple[bytes, int, Broken | None]:
    """Follow the chain: the last good digest, the next position, and the first break if there is one."""
    for each in links:
        if each.position != position:
            return before, position, Broken(each.audit_seq, position, "unsealed")
        if each.row is None:
            return before, position, Broken(each.audit_seq, position, "deleted")
        expected = link(key, before, position, each.row)
        if not hmac.compare_digest(expected, each.digest):
            return before, position, Broken(each.audit_seq, position, "altered")
        if not is_genuine(row_key, each.row.id, content(each.row)):
            return before, position, Broken(each.audit_seq, position, "inserted")
        before, position = expected, position + 1
    return before, position, None
