"""Which files may be sent in a visit: decided by what they hold, never by what they are called."""

from __future__ import annotations

import unicodedata
from typing import Final

from consultations.errors import UnsupportedFile

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
MAX_NAME: Final = 120

_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)


def content_type_of(content: bytes) -> str:
    """By the leading bytes; raises ``UnsupportedFile``."""
    for signature, content_type in _SIGNATURES:
        if content.startswith(signature):
            return content_type
    raise UnsupportedFile()


def safe_name(name: str | None) -> str:
    """A name fit to show and to offer for download: no path, no control characters, not too long."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(char for char in last if unicodedata.category(char)[0] != "C").strip(" .")
    return kept[:MAX_NAME] or "file"
