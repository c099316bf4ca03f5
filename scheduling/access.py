"""Who may do what with appointments and schedules: the rows this module adds to the one policy table."""

from __future__ import annotations

from core.security.policy import Policy, Relation
from core.security.principal import Principal
from scheduling.lifecycle import Status
from scheduling.models import Appointment

ACTION_OF_STATUS: dict[Status, str] = {
    "arrived": "appointment.arrive",
    "checked-in": "appointment.arrive",
    "cancelled": "appointment.cancel",
    "noshow": "appointment.no_show",
    "fulfilled": "appointment.complete",
    "entered-in-error": "appointment.withdraw",
}


def relations(principal: Principal, appointment: Appointment) -> list[Relation]:
    """How the principal stands to an appointment, in the role acted in."""
    if principal.role == "patient" and principal.person_id == appointment.patient_id:
        return ["self"]
    if principal.role == "practitioner" and principal.person_id == appointment.practitioner_id:
        return ["own"]
    return []


def allow(policy: Policy) -> None:
    """Add this module's rules."""
    for action in ("read", "cancel", "reschedule", "arrive", "edit_reason"):
        policy.allow(f"appointment.{action}", "patient", relation="self")
        policy.allow(f"appointment.{action}", "practitioner", relation="own")
        policy.allow(f"appointment.{action}", "desk", "admin")
    # The reason is health data: the desk may write it down for somebody, and not read it afterwards.
    policy.allow("appointment.read_reason", "patient", relation="self")
    policy.allow("appointment.read_reason", "practitioner", relation="own")
    policy.allow("appointment.book", "patient", relation="self")
    policy.allow("appointment.book", "desk", "admin", "system")
    policy.allow("appointment.arrange", "system")
    policy.allow("appointment.list", "desk", "admin")
    policy.allow("appointment.no_show", "practitioner", relation="own")
    policy.allow("appointment.no_show", "desk", "admin")
    policy.allow("appointment.withdraw", "desk", "admin")
    policy.allow("appointment.complete", "practitioner", relation="own")
    for action in ("schedule.read", "schedule.write"):
        policy.allow(action, "practitioner", relation="own")
        policy.allow(action, "desk", "admin", "system")
