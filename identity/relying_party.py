"""Which site passkeys belong to (Web Authentication, 5.1.3: a name, never a bare address). Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """``id`` is the host's name, ``origin`` what the browser calls the page's site."""

    id: str
    origin: str


def relying_party(public_url: str, asked: str | None) -> RelyingParty | None:
    """The site of a page with the origin ``asked``; None where passkeys can't be.

    On this machine alone (``http://127.0.0.1``), ``localhost`` is the same server under a name.
    """
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    origin = f"{parts.scheme}://{parts.netloc}"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return RelyingParty(host, origin) if asked in (None, origin) else None
    local = f"http://localhost:{parts.port or 80}"
    return RelyingParty("localhost", local) if address.is_loopback and asked == local else None
