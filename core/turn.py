"""Time-limited TURN credentials as coturn's ``use-auth-secret`` checks them (draft-uberti-behave-turn-rest-00)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

# Longer than the longest visit: a relay allocation is refreshed with the same credential.
LIFETIME = timedelta(hours=6)


def ice_servers(urls: list[str], secret: str, person_id: UUID, now: datetime) -> list[dict[str, Any]]:
    """One entry for all ``urls``, or none, in the shape of RTCIceServer.

    Username is ``<expiry, Unix seconds>:<person>``, credential its HMAC-SHA-1.

    SHA-1 is what the TURN server computes; as a keyed MAC it is sound.
    """
    if not urls or not secret:
        return []
    username = f"{int((now + LIFETIME).timestamp())}:{person_id.hex}"
    mac = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return [{"urls": list(urls), "username": username, "credential": base64.b64encode(mac).decode()}]
