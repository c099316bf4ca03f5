"""Notifications: live notices, emails, reminders."""

from __future__ import annotations

from core.context import Context
from core.security.policy import ACCOUNTS
from notifications.mail import Mailer
from notifications.namespace import REFRESH, LiveNotices
from notifications.ports import Actors, Appointments, Nobody, People, Sessions, Verifications
from notifications.repository import Repository
from notifications.routes import build_routes
from notifications.service import Notifications
from notifications.subscribers import subscribe

MAIL_EVERY_S = 1.0
REMINDERS_EVERY_S = 5.0


def setup(
    context: Context,
    *,
    people: People,
    appointments: Appointments,
    verifications: Verifications,
    sessions: Sessions,
    actors: Actors | None = None,
) -> Notifications:
    """Build the module over the context: rules, routes, the live namespace, subscribers and jobs.

    ``actors``: who is told for a patient; nobody else, where it is not given.
    """
    context.policy.allow("notice.read", "patient", "practitioner", "desk", "admin", "auditor")
    context.policy.allow("delivery.list", "desk", "admin")
    live = LiveNotices(
        context.realtime, sessions, context.tokens, context.policy, context.redis, context.vault, context.clock
    )
    context.policy.allow(REFRESH, *ACCOUNTS, relation="self")
    context.realtime.register_namespace(live)
    service = Notifications(
        context.database("notifications"),
        Repository(),
        context.clock,
        context.policy,
        context.vault,
        Mailer(context.settings.mail, context.clock),
        context.settings.public_url,
        live.send,
        people=people,
        appointments=appointments,
        verifications=verifications,
        actors=actors or Nobody(),
    )
    context.routes.append(build_routes(service))
    subscribe(context.subscriptions, service)

    async def send_mail() -> None:
        await service.send_mail()

    async def remind() -> None:
        await service.send_due_reminders()

    context.jobs.every(MAIL_EVERY_S, "notifications.send_mail", send_mail)
    context.jobs.every(REMINDERS_EVERY_S, "notifications.remind", remind)
    context.starting.append(live.start)
    context.stopping.append(live.stop)
    return service
