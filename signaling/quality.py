"""How good each person's connection is, from the media server's counters. Pure."""

from __future__ import annotations

from typing import Any, Literal

Quality = Literal["good", "fair", "poor"]
Reason = Literal["loss", "delay", "bandwidth"]

# Shares lost and round trips at which speech begins to suffer, and at which it fails (ITU-T G.114 for delay).
FAIR_LOSS, POOR_LOSS = 0.03, 0.10
FAIR_ROUND_TRIP_MS, POOR_ROUND_TRIP_MS = 300.0, 600.0


def judge(stats: dict[str, Any]) -> tuple[Quality, Reason | None]:
    """The worse of loss (either way) and round trip. Missing or odd numbers count as fine."""
    loss = max(_number(stats.get("loss_in")), _number(stats.get("loss_out")))
    round_trip = _number(stats.get("round_trip_ms"))
    if loss >= POOR_LOSS:
        return "poor", "loss"
    if round_trip >= POOR_ROUND_TRIP_MS:
        return "poor", "delay"
    if loss >= FAIR_LOSS:
        return "fair", "loss"
    if round_trip >= FAIR_ROUND_TRIP_MS:
        return "fair", "delay"
    return "good", None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value else 0.0
