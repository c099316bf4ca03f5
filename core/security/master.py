"""The master key: it encrypts nothing but other keys, and every derived key has one purpose."""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.security.vault import InvalidCiphertext
from core.settings import SettingsError

KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D: 96-bit nonces; drawn at random, safe far below 2^32 messages a key
TAG_BYTES = 16
VERSION = 1  # first byte of every ciphertext, so that the format or the master key can change later


def seal_with(cipher: AESGCM, plaintext: bytes, associated: bytes) -> bytes:
    """``version || nonce || ciphertext || tag``."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return bytes([VERSION]) + nonce + cipher.encrypt(nonce, plaintext, bytes([VERSION]) + associated)


def open_with(cipher: AESGCM, sealed: bytes, associated: bytes) -> bytes:
    """Undo ``seal_with``. Raises InvalidCiphertext when anything differs."""
    if len(sealed) < 1 + NONCE_BYTES + TAG_BYTES or sealed[0] != VERSION:
        raise InvalidCiphertext()
    nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, body, sealed[:1] + associated)
    except InvalidTag:
        raise InvalidCiphertext() from None


class MasterKey:
    """32 secret bytes from the settings. Sub-keys are derived with HKDF-SHA-256 (RFC 5869), one for each purpose."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise SettingsError(f"setting security.master_key: {KEY_BYTES} bytes in base64 are needed")
        self._secret = secret

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """From base64. Raises SettingsError, which never repeats the text."""
        try:
            secret = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        return cls(secret)

    @staticmethod
    def generate() -> str:
        """A new master key in base64, for a first start."""
        return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()

    def derive(self, purpose: str) -> bytes:
        """32 bytes that are the same at every start and tell nothing about those of another purpose."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"bedside {purpose}".encode()).derive(self._secret)

    def cipher(self, purpose: str) -> AESGCM:
        return AESGCM(self.derive(purpose))

    def __repr__(self) -> str:
        return "MasterKey(…)"
