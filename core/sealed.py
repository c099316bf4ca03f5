"""Frames of an authenticated channel after its handshake: encrypted, in order, once (AES-256-GCM, a key a direction).

Both keys come from the shared secret and both sides' nonces (HKDF, RFC 5869), so no two connections share one; the
GCM nonce is the frame's number, so a frame that was changed, repeated, left out or put elsewhere does not open.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

OVERHEAD = 16  # bytes a sealed frame is longer


class NotOpened(Exception):
    """A frame that is not the next one of this connection and direction."""


def _key(secret: bytes, salt: bytes, direction: str) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt, f"bedside control {direction}".encode()).derive(secret)
    return AESGCM(derived)


class Seals:
    """One side's two directions."""

    def __init__(self, secret: bytes, server_nonce: str, client_nonce: str, *, server: bool) -> None:
        salt = f"{server_nonce}:{client_nonce}".encode()
        down, up = _key(secret, salt, "down"), _key(secret, salt, "up")
        self._out, self._in = (down, up) if server else (up, down)
        self._sent = self._opened = 0

    def seal(self, body: bytes) -> bytes:
        """The next frame's body."""
        number, self._sent = self._sent, self._sent + 1
        return self._out.encrypt(number.to_bytes(12, "big"), body, None)

    def open(self, body: bytes) -> bytes:
        """What the peer sealed as its next frame. Raises NotOpened."""
        try:
            opened = self._in.decrypt(self._opened.to_bytes(12, "big"), body, None)
        except InvalidTag:
            raise NotOpened from None
        self._opened += 1
        return opened
