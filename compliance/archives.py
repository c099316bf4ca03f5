"""Archives of old audit rows, and the signed cuts where they left the trail. Pure but for the file itself.

An archive is gzipped lines of JSON: a header (the digest before its first link, the positions), then each row with its
link's digest. Whoever has the keys can follow its chain by itself; the cut in the trail names it by SHA-256.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from compliance import chain
from compliance.chain import AuditRow, Broken, Link
from compliance.checkpoints import Signer

LABEL = b"bedside audit cut 1\0"


@dataclass(frozen=True, slots=True)
class Cut:
    """The rows of links ``first_position`` to ``position`` are in ``archive``; ``digest`` is the last one's."""

    position: int
    first_position: int
    digest: bytes
    before: datetime
    archive: str
    archive_digest: bytes
    made_at: datetime
    signature: bytes = b""

    def message(self) -> bytes:
        """What is signed."""
        values = [
            self.position,
            self.first_position,
            self.digest.hex(),
            _moment(self.before),
            self.archive,
            self.archive_digest.hex(),
            _moment(self.made_at),
        ]
        return LABEL + json.dumps(values, separators=(",", ":")).encode()


def sign(signer: Signer, cut: Cut) -> bytes:
    return signer.sign_bytes(cut.message())


def is_signed(public: bytes, cut: Cut) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(cut.signature, cut.message())
    except (InvalidSignature, ValueError):
        return False
    return True


def name_of(first_position: int, position: int) -> str:
    return f"audit-{first_position:012d}-{position:012d}.jsonl.gz"


def write(folder: Path, before_digest: bytes, links: Sequence[Link]) -> tuple[str, bytes]:
    """Write the archive of these links, all of which have rows; its name and SHA-256. It is on the disk afterwards."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    first, last = links[0].position, links[-1].position
    header = {"archive": "bedside audit 1", "first": first, "last": last, "before": before_digest.hex()}
    lines = [json.dumps(header), *(json.dumps(_line(each), ensure_ascii=False) for each in links)]
    content = gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)
    name = name_of(first, last)
    part = folder / f"{name}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / name)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return name, hashlib.sha256(content).digest()


def read(path: Path) -> tuple[bytes, bytes, list[Link]]:
    """SHA-256 of the file, the digest before its first link, and the links. Raises ValueError, OSError."""
    content = path.read_bytes()
    try:
        header, *lines = gzip.decompress(content).decode().splitlines()
        said = json.loads(header)
        before = bytes.fromhex(said["before"])
        links = [_link(json.loads(each)) for each in lines]
    except (EOFError, gzip.BadGzipFile, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError("this is no archive of the audit trail") from error
    return hashlib.sha256(content).digest(), before, links


def check(chain_key: bytes, row_key: bytes, before: bytes, links: Sequence[Link]) -> tuple[bytes, Broken | None]:
    """Follow an archive's own chain: its last good digest, and the first break if there is one."""
    if not links:
        return before, Broken(0, 0, "deleted")
    digest, _, broken = chain.check(chain_key, row_key, before, links[0].position, links)
    return digest, broken


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _line(link: Link) -> dict[str, Any]:
    row = link.row
    assert row is not None, "what is archived is there"
    return {
        "position": link.position,
        "digest": link.digest.hex(),
        "seq": row.seq,
        "id": str(row.id),
        "at": _moment(row.at),
        "module": row.module,
        "action": row.action,
        "actor_id": None if row.actor_id is None else str(row.actor_id),
        "actor_role": row.actor_role,
        "resource": row.resource,
        "resource_id": row.resource_id,
        "patient_id": None if row.patient_id is None else str(row.patient_id),
        "reason": row.reason,
        "details": row.details,
    }


def _link(said: dict[str, Any]) -> Link:
    row = AuditRow(
        seq=said["seq"],
        id=UUID(said["id"]),
        at=datetime.fromisoformat(said["at"]),
        module=said["module"],
        action=said["action"],
        actor_id=None if said["actor_id"] is None else UUID(said["actor_id"]),
        actor_role=said["actor_role"],
        resource=said["resource"],
        resource_id=said["resource_id"],
        patient_id=None if said["patient_id"] is None else UUID(said["patient_id"]),
        reason=said["reason"],
        details=said["details"],
    )
    return Link(said["position"], row.seq, bytes.fromhex(said["digest"]), row)
