"""The table: one line a condition, what it does to the patient's network or to the server, and what must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Change = Literal["", "rate", "move", "away", "kill", "drain"]
AWAY_S = 20.0
FALL, BACK = "300kbit", "2mbit"
DOWN_S, UP_S = 3.0, 15.0  # a change of the rate: until it fits, until it is used again
UP_SHARE = 2 / 3  # of what came in before the rate fell; how large a picture is for that is its encoder's affair
UNBROKEN = 5.0  # % of sound made up: words stay whole


@dataclass(frozen=True, slots=True)
class Condition:
    """Seconds and percentages are limits; None: no limit."""

    name: str
    told: str
    connects_s: float | None = 3.0
    freezes: float | None = 8.0
    """% of the time, of either side's picture."""
    silence_s: float | None = 1.0
    """The longest time without a packet of sound, either side, but for a change's own ``gap_s``."""
    concealed: float | None = None
    """% of the sound that a browser may have to make up, either side; of a falling rate from the fall on."""
    gap_s: float | None = None
    """The longest time without sound or picture around the change; after ``away`` from its end on."""
    way: Literal["udp", "tcp", "relay", ""] = ""
    """How the patient must be connected."""
    blocked: str = ""
    """What of the patient's packets the router drops, in nft's words; ``PAGE`` stands for the page's port."""
    loss: float = 0.0
    delay_ms: float = 0.0
    """Of the round trip; half of it each way."""
    jitter_ms: float = 0.0
    down: str = ""
    """The patient's rate down, in tc's words."""
    nat: bool = False
    """Before both people."""
    relay_only: bool = False
    change: Change = ""
    quick: bool = False
    """Part of the ordinary tests."""


UDP = "meta l4proto udp"
CONDITIONS = (
    Condition("open", "open UDP", way="udp"),
    # Chromium looks for ways over TCP last, and no further once a relay near by has answered.
    Condition("udp-blocked", "UDP blocked", blocked=UDP),
    Condition("ice-tcp", "UDP blocked, and no relay (ICE-TCP)", way="tcp", blocked=f"{UDP} and relay", quick=True),
    Condition("tcp-443", "only TCP 443 out (TURN/TLS)", 5.0, way="relay", blocked="not 443", quick=True),
    Condition("relay-only", "relay only", way="relay", relay_only=True),
    Condition("nat", "NAT on both sides", way="udp", nat=True),
    Condition("loss", "10 % loss", 4.0, loss=10.0),
    Condition("delay", "300 ms round trip with 50 ms jitter", 4.0, delay_ms=300.0, jitter_ms=50.0),
    Condition("slow", "200 kbit/s down", 4.0, None, concealed=UNBROKEN, down="200kbit"),
    Condition("rate", "2 Mbit/s → 300 kbit/s → 2 Mbit/s", 4.0, concealed=UNBROKEN, down=BACK, change="rate"),
    Condition("move", "the client's address changes", None, None, None, gap_s=2.0, change="move", quick=True),
    Condition("away", f"network away for {AWAY_S:.0f} s", None, None, None, gap_s=2.0, change="away"),
    Condition("kill", "worker SIGKILLed", None, None, None, gap_s=5.0, change="kill"),
    Condition("drain", "worker drained", None, None, None, gap_s=2.0, change="drain"),
)
