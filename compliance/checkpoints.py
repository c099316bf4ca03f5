"""Signed checkpoints of the chain (Ed25519, RFC 8032). Pure.

The chain's digests need the server's key to be made and to be checked. A checkpoint needs the public key alone: whoever
keeps one can show later that the trail up to that moment is the one there was, or that it was cut off or replaced.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LABEL = b"bedside audit checkpoint 1\0"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain's head at a moment: ``digest`` is that of the link at ``position``."""

    position: int
    digest: bytes
    made_at: datetime
    signature: bytes = b""

    def message(self) -> bytes:
        """What is signed."""
        moment = self.made_at.astimezone(UTC).isoformat(timespec="microseconds")
        return LABEL + self.position.to_bytes(8) + self.digest + moment.encode()


class Signer:
    """``seed`` is 32 secret bytes, derived from the master key."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def sign_bytes(self, message: bytes) -> bytes:
        """For messages that begin with a label of their own."""
        return self._private.sign(message)

    def sign(self, position: int, digest: bytes, made_at: datetime) -> Checkpoint:
        unsigned = Checkpoint(position, digest, made_at)
        return Checkpoint(position, digest, made_at, self._private.sign(unsigned.message()))


def is_signed(public: bytes, checkpoint: Checkpoint) -> bool:
    """Whether the holder of the private key signed it."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(checkpoint.signature, checkpoint.message())
    except (InvalidSignature, ValueError):
        return False
    return True


def to_json(checkpoint: Checkpoint, public: bytes) -> dict[str, Any]:
    """To be kept elsewhere."""
    return {
        "position": checkpoint.position,
        "digest": checkpoint.digest.hex(),
        "made_at": checkpoint.made_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "signature": base64.b64encode(checkpoint.signature).decode(),
        "public_key": base64.b64encode(public).decode(),
    }


def from_json(document: Any) -> Checkpoint:
    """Undo ``to_json``; the public key in it is not believed. Raises ValueError."""
    try:
        return Checkpoint(
            int(document["position"]),
            bytes.fromhex(document["digest"]),
            datetime.fromisoformat(document["made_at"]),
            base64.b64decode(document["signature"], validate=True),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("this is no checkpoint") from error
