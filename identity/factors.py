"""One-time codes: TOTP (RFC 6238) and recovery codes. Pure: time and randomness are passed in."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote, urlencode
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20  # RFC 4226, section 4: 160 bits
# A clock a step ahead or behind still fits (RFC 6238, section 5.2).
DRIFT = (0, -1, 1)
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 bits: sixteen letters of base32


def step_of(now: datetime) -> int:
    return int(now.timestamp()) // STEP_S


def totp_code(secret: bytes, step: int) -> str:
    # SHA-1, six digits, thirty seconds: what every authenticator does, whatever the address says.
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303


def totp_step(secret: bytes, code: str, now: datetime, last_step: int) -> int | None:
    """The step that a code belongs to, if it fits and lies after ``last_step``."""
    fitting = None
    for drift in DRIFT:
        step = max(0, step_of(now) + drift)
        # Every candidate is compared, and in constant time.
        if hmac.compare_digest(totp_code(secret, step).encode(), code.encode()) and step > last_step:
            fitting = step if fitting is None else max(fitting, step)
    return fitting


def totp_uri(secret: bytes, account: str, issuer: str) -> str:
    """What the QR code says (the ``otpauth`` key URI that authenticators read)."""
    label = quote(f"{issuer}:{account}", safe="")
    query = {"secret": spelled(secret), "issuer": issuer, "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"


def spelled(secret: bytes) -> str:
    """Base32 without padding, to be typed."""
    return base64.b32encode(secret).decode().rstrip("=")


def recovery_code(secret: bytes) -> str:
    """``abcd-efgh-ijkl-mnop`` of RECOVERY_BYTES random bytes."""
    text = spelled(secret).lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def normal_code(text: str) -> str:
    """As codes are compared: without spaces and dashes, small letters; digits that look like letters are letters."""
    return text.replace(" ", "").replace("-", "").lower().replace("0", "o").replace("1", "l")


def recovery_digest(key: bytes, person_id: UUID, code: str) -> bytes:
    return hmac.new(key, person_id.bytes + normal_code(code).encode(), hashlib.sha256).digest()
