"""The ladder of a visit's mode: high, low, audio, phone, chat. Pure: measurements and ``now`` in, a state out.

Down after a few bad seconds in a row, up after a longer good while, one step at a time. Each step down that comes soon
after a step up doubles the while that is asked for next time, so that a line at the edge does not flicker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

Mode = Literal["high", "low", "audio", "phone", "chat"]
Reason = Literal["loss", "delay", "bandwidth", "media", "chosen"]
Choice = Literal["auto", "phone", "chat"]

STEPS: tuple[Mode, ...] = ("high", "low", "audio", "phone")

DOWN_AFTER_S = 5.0
UP_AFTER_S = 15.0
LONGEST_UP_S = 240.0
RELAPSE_S = 60.0  # a step down within this after a step up was a step up too early
STALE_S = 10.0  # a measurement older than this says nothing


@dataclass(frozen=True, slots=True)
class Measure:
    """One person's line, the worse of both directions. None: not known. Rates in bit/s, shares from 0 to 1."""

    loss: float | None = None
    round_trip_ms: float | None = None
    available: float | None = None  # what the narrower direction carries, where it limits what is sent
    concealed: float | None = None  # share of sound the receiver had to make up
    silent_s: float = 0.0  # nothing has come from this person's connection for so long


@dataclass(frozen=True, slots=True)
class _Limit:
    """The line a step needs. Above it by ``BETTER`` for a step up to it."""

    loss: float
    round_trip_ms: float
    available: float
    concealed: float


BETTER = 0.7  # a step up asks for 70 % of the loss and delay that a step down allows, and the rate divided by it
# Pictures of 720 lines; of 180 lines; sound (Opus with redundancy bears 25 % loss; ITU-T G.114 for delay).
_NEEDS: dict[Mode, _Limit] = {
    "high": _Limit(0.05, 400.0, 500_000.0, 0.05),
    "low": _Limit(0.12, 700.0, 150_000.0, 0.10),
    "audio": _Limit(0.30, 1500.0, 24_000.0, 0.35),
}
SILENT_S = 8.0  # without a packet for so long the sound has failed


@dataclass(frozen=True, slots=True)
class State:
    """``since``: since when the wish to go ``wanted`` (down, up or stay) has stood. Times in Unix seconds."""

    mode: Mode = "high"
    reason: Reason | None = None
    wanted: Literal["down", "up", "stay"] = "stay"
    since: float = 0.0
    stepped_up_at: float = 0.0
    up_after_s: float = UP_AFTER_S
    choice: Choice = "auto"

    def text(self) -> dict[str, str]:
        """For a hash in Redis."""
        return {name: "" if value is None else str(value) for name, value in asdict(self).items()}

    @staticmethod
    def read(raw: dict[str, str]) -> State:
        """What ``text`` wrote; anything else is the beginning."""
        try:
            return State(
                cast(Mode, raw["mode"]),
                cast("Reason | None", raw["reason"] or None),
                cast(Any, raw["wanted"]),
                float(raw["since"]),
                float(raw["stepped_up_at"]),
                float(raw["up_after_s"]),
                cast(Choice, raw["choice"]),
            )
        except (KeyError, ValueError):
            return State()


def fails(measure: Measure, mode: Mode, *, strict: bool = False) -> Reason | None:
    """Why this line does not carry this mode; None if it does. ``strict``: with the reserve a step up asks for."""
    limit = _NEEDS.get(mode)
    if limit is None:
        return None  # phone and chat need no media
    ease = BETTER if strict else 1.0
    if measure.silent_s >= SILENT_S:
        return "media"
    if measure.loss is not None and measure.loss > limit.loss * ease:
        return "loss"  # before the rate, which is thought to be lower where packets get lost
    if measure.available is not None and measure.available < limit.available / ease:
        return "bandwidth"
    if measure.concealed is not None and measure.concealed > limit.concealed * ease:
        return "loss"
    if measure.round_trip_ms is not None and measure.round_trip_ms > limit.round_trip_ms * ease:
        return "delay"
    return None


def worst(measures: Iterable[Measure], mode: Mode, *, strict: bool = False) -> Reason | None:
    """The first reason for which anybody's line does not carry the mode."""
    return next((why for each in measures if (why := fails(each, mode, strict=strict)) is not None), None)


def step(state: State, measures: list[Measure], now: float) -> State:
    """The ladder after these measurements. Without any it stays where it is; so does what a person chose."""
    if state.choice != "auto" or not measures:
        return _waiting(state, "stay", now)
    here = STEPS.index(state.mode) if state.mode in STEPS else len(STEPS) - 1
    why = worst(measures, state.mode)
    if why is not None and here + 1 < len(STEPS):
        waited = _waiting(state, "down", now)
        if now - waited.since < DOWN_AFTER_S:
            return waited
        relapse = bool(state.stepped_up_at) and now - state.stepped_up_at < RELAPSE_S
        patience = min(state.up_after_s * 2, LONGEST_UP_S) if relapse else state.up_after_s
        return State(STEPS[here + 1], why, "stay", now, state.stepped_up_at, patience)
    if here > 0 and worst(measures, STEPS[here - 1], strict=True) is None:
        waited = _waiting(state, "up", now)
        if now - waited.since < state.up_after_s:
            return waited
        reason = state.reason if here > 1 else None
        return State(STEPS[here - 1], reason, "stay", now, now, state.up_after_s)
    settled = state.mode == "high" and bool(state.stepped_up_at) and now - state.stepped_up_at > 5 * RELAPSE_S
    calm = _waiting(state, "stay", now)
    if not settled:
        return calm
    return State(calm.mode, calm.reason, calm.wanted, calm.since, 0.0, UP_AFTER_S, calm.choice)


def choose(state: State, choice: Choice, now: float) -> State:
    """What a person decides: the call-back, writing, or that quality decides again, from the sound upwards."""
    if choice == "auto":
        mode: Mode = "audio" if state.mode in ("phone", "chat") else state.mode
        reason = None if state.reason == "chosen" else state.reason
        return State(mode, reason if mode != "high" else None, "stay", now, 0.0, UP_AFTER_S, "auto")
    return State(choice, "chosen", "stay", now, 0.0, UP_AFTER_S, choice)


def _waiting(state: State, wanted: Literal["down", "up", "stay"], now: float) -> State:
    since = state.since if state.wanted == wanted else now
    return State(state.mode, state.reason, wanted, since, state.stepped_up_at, state.up_after_s, state.choice)
