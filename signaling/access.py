"""Who may send which event: the rows this module adds to the one policy table. An event's name is its action."""

from __future__ import annotations

from core.security.policy import Policy

# What everybody who sits in a visit may send. What stands between (admission, the seat) is a matter of state.
OF_EVERY_SEAT = (
    "waiting.enter",
    "waiting.leave",
    "call.join",
    "call.hand",
    "call.leave",
    "media.publish",
    "media.answer",
    "media.restart",
    "media.prefer",
    "media.mute",
    "media.report",
    "chat.send",
    "chat.edit",
    "chat.read",
    "chat.delivered",
    "chat.history",
    "seat.take_over",
    "recording.request",
    "recording.consent",
    "recording.withdraw",
    "probe.start",
    "probe.result",
)


def allow(policy: Policy) -> None:
    """Add this module's rules."""
    for event in OF_EVERY_SEAT:
        policy.allow(event, "patient", "practitioner", "interpreter", "guest", relation="member")
    for event in ("call.mode", "interpreter.request", "interpreter.cancel"):
        policy.allow(event, "patient", "practitioner", relation="member")
    for event in ("call.pin", "call.end"):
        policy.allow(event, "practitioner", relation="member")
    policy.allow("waiting.admit", "practitioner", relation="own")
    policy.allow("practice.late", "practitioner", relation="own")
    for event in ("waiting.hold", "waiting.remove", "waiting.transfer", "waiting.recall", "practice.chat"):
        policy.allow(event, "practitioner", relation="own")
        policy.allow(event, "desk")
