"""One-time links: ``<id>.<code>``, the code derived from the id under a server key, so that nothing stored lets in."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from identity.errors import LinkGone


class Links:
    """One kind of link; each has a key of its own, so that none passes for another."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def secret(self, link_id: UUID) -> str:
        """What follows the ``#`` of the address."""
        digest = hmac.new(self._key, link_id.bytes, hashlib.sha256).digest()
        return f"{link_id.hex}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    def read(self, secret: str) -> UUID:
        """The link's id. Raises LinkGone for what we did not make."""
        try:
            link_id = UUID(secret.partition(".")[0])
        except ValueError:
            raise LinkGone() from None
        if not hmac.compare_digest(self.secret(link_id).encode(), secret.encode()):
            raise LinkGone()
        return link_id
