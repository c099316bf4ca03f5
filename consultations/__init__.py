"""The durable visit: tokens, lifecycle, chat, notes, invitations, attendance evidence."""

from __future__ import annotations

from consultations import file_routes, people_routes, routes
from consultations.conversation import Conversation
from consultations.invitations import Invitations
from consultations.ports import Appointments, Consents, Invoices, People, Prescriptions, Visits
from consultations.service import Consultations
from consultations.subscribers import subscribe
from core.context import Context
from core.security.proxies import Authority, Nobody


def setup(
    context: Context,
    *,
    appointments: Appointments,
    people: People,
    prescriptions: Prescriptions,
    invoices: Invoices,
    visits: Visits,
    consents: Consents,
    authority: Authority | None = None,
) -> Consultations:
    """``authority``: who may act for a patient; nobody, where it is not given."""
    service = Consultations(
        context,
        appointments=appointments,
        people=people,
        prescriptions=prescriptions,
        invoices=invoices,
        visits=visits,
        consents=consents,
        conversation=Conversation(context),
        invitations=Invitations(context),
        authority=authority or Nobody(),
    )
    policy = context.policy
    for action in ("consultation.join", "consultation.read", "consultation.invite", "consultation.files"):
        policy.allow(action, "patient", relation=("self", "proxy_attend"))
        policy.allow(action, "practitioner", relation="own")
    policy.allow("consultation.read", "patient", relation="proxy_read")
    policy.allow("consultation.complete", "practitioner", relation="own")
    policy.allow("consultation.notes", "practitioner", relation="own")
    policy.allow("visit.guest", "guest", "interpreter", relation="member")
    policy.allow("practice.open", "practitioner", "desk")
    policy.allow("consultation.check_in", "patient", relation=("self", "proxy_attend"))
    policy.allow("consultation.check_in.read", "patient", relation=("self", "proxy_attend"))
    policy.allow("consultation.check_in.read", "practitioner", relation="own")
    policy.allow("licence_places.write", "admin")
    policy.allow("interpreters.keep", "desk", "admin")
    policy.allow("interpreting", "patient", "practitioner", "desk", "admin")  # whoever the desk has put on its list
    context.jobs.every(1.0, "consultations.interpreters", service.interpreters.turn)
    context.routes.append(people_routes.build(service, policy))
    context.routes.append(routes.build(service, context.settings.public_url))
    context.routes.append(file_routes.build(service))
    subscribe(context.subscriptions, service)
    return service
