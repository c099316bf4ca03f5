"""A network test: a connection whose packets return to their sender alone, bounded in rate and time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from media import sdp
from media.connection import Connection, Owner
from media.consumer import Consumer
from media.incoming import Incoming
from media.path.limits import INTERVAL_S
from media.rtp.rtcp import Part
from media.transport import UdpTransport

LIFETIME_S = 30.0
MAX_BITS_PER_SECOND = 3_000_000
MAX_BYTES_PER_INTERVAL = int(MAX_BITS_PER_SECOND / 8 * INTERVAL_S)


class Probe:
    """Echoes what one client sends. Raises InvalidSdp from the constructor."""

    def __init__(
        self,
        identifier: str,
        text: Any,
        transport: UdpTransport,
        candidates: list[str],
        clock: Callable[[], float],
    ) -> None:
        offer = sdp.parse(text)
        now = clock()
        self.id = identifier
        self.ends_at = now + LIFETIME_S
        self.closed = False
        self.connection = Connection(transport, now)
        self.connection.link.limit(MAX_BYTES_PER_INTERVAL)
        self._incoming = Incoming(self.connection)
        self._consumers: dict[int, Consumer] = {}
        self.connection.owner = Owner(self._incoming.unknown, self._parts, self._state)
        wanted = {m.mid: "camera" for m in offer.media if m.kind in ("audio", "video") and not m.rejected}
        echo = {mid: (secrets.randbits(31) + 2, secrets.randbits(31) + 2) for mid in wanted}
        try:
            self.answer, added, _ = self._incoming.negotiate(
                offer, wanted, candidates, lambda source: f"probe-{source}", echo=echo
            )
        except Exception:
            self.connection.close()
            raise
        for producer in added:
            ssrc, rtx_ssrc = echo[producer.mid]
            consumer = Consumer(producer, self, producer.mid, ssrc, rtx_ssrc, secrets.randbelow(32768))
            consumer.accept(producer.chosen)
            producer.consumers.append(consumer)
            self._consumers[ssrc] = consumer
        self.connection.set_remote(offer.fingerprints, now)

    @property
    def packets(self) -> int:
        """Received, and sent back."""
        return self.connection.link.packets_in

    @property
    def bytes(self) -> int:
        return self.connection.link.bytes_in

    def _parts(self, parts: list[Part], now: float) -> None:
        self._incoming.parts(parts, now)
        for part in parts:
            ssrc = getattr(part, "media_ssrc", None)
            consumer = self._consumers.get(ssrc) if ssrc is not None else None
            if consumer is None or consumer.producer is None:
                continue
            sequences = getattr(part, "sequences", None)
            if sequences is not None:
                consumer.resend(sequences, now)
            else:
                consumer.producer.request_keyframe(now)

    def _state(self, state: str) -> None:
        if state != "connected":
            self.close()

    def share(self, now: float) -> int | None:
        """No limit but the probe's own."""
        return None

    def remove(self, consumer: Consumer) -> None:
        """A consumer that closes."""
        self._consumers.pop(consumer.ssrc, None)

    def mend(self, now: float) -> None:
        if self._incoming.attention:
            self._incoming.mend(now, 0.0)

    def feedback(self, now: float) -> None:
        """Ten times a second: feedback, and the end of its time."""
        self._incoming.feedback()
        if now > self.ends_at:
            self.close()

    def report(self, now: float) -> None:
        self._incoming.report(now)
        for consumer in self._consumers.values():
            consumer.send_report(now)

    def close(self) -> None:
        """End the echo."""
        if not self.closed:
            self.closed = True
            self.connection.owner = None
            self._incoming.close()
