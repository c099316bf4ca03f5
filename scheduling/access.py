"""Who may do what with appointments and schedules: the rows this module adds to the one policy table."""

from __future__ import annotations

from uuid import UUID

from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.proxies import Authority, to_patient
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
    """How the principal stands to an appointment by their own name, in the role acted in."""
    if principal.role == "patient" and principal.person_id == appointment.patient_id:
        return ["self"]
    if principal.role == "practitioner" and principal.person_id == appointment.practitioner_id:
        return ["own"]
    return []


class Standing:
    """How people stand to patients and their appointments, authority over another person included."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def to_patient(self, principal: Principal, patient_id: UUID) -> list[Relation]:
        """``self`` for oneself, what authority there is for somebody one acts for."""
        return await to_patient(principal, patient_id, self._authority)

    async def to(self, principal: Principal, appointment: Appointment) -> list[Relation]:
        return relations(principal, appointment) or await self.to_patient(principal, appointment.patient_id)


def allow(policy: Policy) -> None:
    """Add this module's rules."""
    policy.allow("appointment.read", "patient", relation=("self", "proxy_book", "proxy_attend"))
    for action in ("cancel", "reschedule"):
        policy.allow(f"appointment.{action}", "patient", relation=("self", "proxy_book"))
    for action in ("read", "cancel", "reschedule"):
        policy.allow(f"appointment.{action}", "practitioner", relation="own")
        policy.allow(f"appointment.{action}", "desk", "admin")
    for action in ("arrive", "edit_reason"):
        policy.allow(f"appointment.{action}", "practitioner", relation="own")
        policy.allow(f"appointment.{action}", "desk", "admin")
    policy.allow("appointment.arrive", "patient", relation=("self", "proxy_attend"))
    policy.allow("appointment.edit_reason", "patient", relation=("self", "proxy_book"))
    # The reason is health data: the desk may write it down for somebody, and not read it afterwards.
    policy.allow("appointment.read_reason", "patient", relation=("self", "proxy_attend", "proxy_read"))
    policy.allow("appointment.read_reason", "practitioner", relation="own")
    # Holds, series, the waitlist and drop-ins go with the right to book.
    policy.allow("appointment.book", "patient", relation=("self", "proxy_book"))
    policy.allow("appointment.book", "desk", "admin", "system")
    policy.allow("appointment.overlap", "desk", "admin")
    policy.allow("appointment.hand_over", "practitioner", relation="own")
    policy.allow("appointment.hand_over", "desk", "admin")
    policy.allow("appointment.arrange", "system")
    policy.allow("appointment.list", "desk", "admin")
    policy.allow("appointment.no_show", "practitioner", relation="own")
    policy.allow("appointment.no_show", "desk", "admin")
    policy.allow("appointment.withdraw", "desk", "admin")
    policy.allow("appointment.complete", "practitioner", relation="own")
    # Which change it is, the service asks.
    policy.allow("appointment.change", "patient", relation=("self", "proxy_book", "proxy_attend"))
    policy.allow("appointment.change", "practitioner", relation="own")
    policy.allow("appointment.change", "desk", "admin")
    policy.allow("queue.see", "patient", relation=("self", "proxy_book"))  # one's own place
    policy.allow("queue.see", "practitioner", "desk", "admin")
    policy.allow("queue.read", "practitioner", relation="own")
    policy.allow("queue.read", "desk", "admin")
    policy.allow("drop_in.take", "practitioner")
    for action in ("schedule.read", "schedule.write"):
        policy.allow(action, "practitioner", relation="own")
        policy.allow(action, "desk", "admin", "system")
    policy.allow("calendar.feed", "patient", "practitioner")  # one's own: there is no other to name
    policy.allow("calendar.outside", "practitioner", relation="own")  # the desk too has no business with the address
