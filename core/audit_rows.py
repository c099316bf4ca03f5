"""An audit row's id vouches for its content: 48 of its bits are an HMAC that the database can't make.

A row that somebody inserts in SQL, past the program, is therefore found by ``bedside audit verify``: its id does not
fit. The id stays a UUIDv7 (its time and 26 random bits are as usual). A blind forgery succeeds once in 2^48 tries, and
every failed try stays in the trail.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.ids import uuid7

MARK_BYTES = 6  # the last ones of the id


@dataclass(frozen=True, slots=True)
class Content:
    """What the id vouches for. Number and moment are the database's, and vouched for by the seal."""

    module: str  # the role that wrote it
    action: str
    actor_id: UUID | None
    actor_role: str
    resource: str
    resource_id: str | None
    patient_id: UUID | None
    reason: str | None
    details: Mapping[str, Any]


def row_key(role_secret: str) -> bytes:
    """The key, from the secret that the modules' passwords come from; the database has neither."""
    return hmac.new(role_secret.encode(), b"bedside audit rows", hashlib.sha256).digest()


def marked_id(key: bytes, content: Content) -> UUID:
    """A new id for a row of this content."""
    start = uuid7().bytes[:-MARK_BYTES]
    return UUID(bytes=start + _mark(key, start, content))


def is_genuine(key: bytes, row_id: UUID, content: Content) -> bool:
    """Whether the program wrote this content under this id."""
    start = row_id.bytes[:-MARK_BYTES]
    return hmac.compare_digest(_mark(key, start, content), row_id.bytes[-MARK_BYTES:])


def _mark(key: bytes, start: bytes, content: Content) -> bytes:
    values = [
        content.module,
        content.action,
        None if content.actor_id is None else str(content.actor_id),
        content.actor_role,
        content.resource,
        content.resource_id,
        None if content.patient_id is None else str(content.patient_id),
        content.reason,
        dict(content.details),
    ]
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, start + text.encode(), hashlib.sha256).digest()[:MARK_BYTES]
