"""Sets every module up over one context and gives each port its adapter.

Modules know nothing of each other. An adapter reaches its neighbour when it is called, so the order needs no cycles.
"""

from __future__ import annotations

import analytics
import billing
import compliance
import consultations
import identity
import notifications
import records
import scheduling
import signaling
from core.context import Context
from server.adapters import compliance as for_compliance
from server.adapters import consultations as for_consultations
from server.adapters import identity as for_identity
from server.adapters import notifications as for_notifications
from server.adapters import records as for_records
from server.adapters import scheduling as for_scheduling
from server.adapters.lines import DropInLines
from server.adapters.live_visit import DurableChat, DurableVisits
from server.adapters.people import Authority, Names
from server.adapters.person_data import parts_of
from server.adapters.visit_help import VisitHelp
from server.services import Modules


def compose(context: Context, roles: frozenset[str]) -> Modules:
    """Set up all modules. Nothing is started and nothing asked of a database yet."""
    modules = Modules()
    names, authority = Names(modules), Authority(modules)
    modules.identity = identity.setup(context, for_identity.Emergencies(modules))
    modules.scheduling = scheduling.setup(
        context,
        practitioners=for_scheduling.Practitioners(modules),
        people=names,
        consultations=for_scheduling.Consultations(modules),
        authority=authority,
    )
    modules.consultations = consultations.setup(
        context,
        appointments=for_consultations.Appointments(modules),
        people=for_consultations.People(modules),
        prescriptions=for_consultations.Prescriptions(modules),
        invoices=for_consultations.Invoices(modules),
        visits=for_consultations.Visits(modules),
        consents=for_consultations.Consents(modules),
        authority=authority,
    )
    modules.records = records.setup(
        context,
        care=for_records.Care(modules),
        people=names,
        appointments=for_records.Appointments(modules),
        consultations=for_records.Consultations(modules),
    )
    modules.billing = billing.setup(context, people=names, authority=authority)
    modules.notifications = notifications.setup(
        context,
        people=for_notifications.People(modules),
        appointments=for_notifications.Appointments(modules),
        verifications=for_notifications.Verifications(modules),
        sessions=for_notifications.Sessions(modules),
        actors=for_notifications.Actors(modules),
    )
    analytics.setup(context)
    modules.compliance = compliance.setup(
        context,
        people=for_compliance.People(modules),
        parts=parts_of(modules, context),
        visits=for_compliance.ResearchVisits(modules),
        authority=authority,
    )
    modules.signaling = signaling.setup(
        context,
        visits=DurableVisits(modules.consultations),
        chat=DurableChat(modules.consultations),
        help=VisitHelp(modules),
        lines=DropInLines(modules),
        serves="signaling" in roles,
    )
    return modules
