"""Scheduling: schedules, slots and appointments."""

from __future__ import annotations

from dataclasses import dataclass

from core.context import Context
from scheduling import access
from scheduling.booking import Booking
from scheduling.offers import Offers
from scheduling.ports import Consultations, People, Practitioners
from scheduling.reader import Reader
from scheduling.repository import Repository
from scheduling.routes import build_routes
from scheduling.service import Appointments
from scheduling.subscribers import subscribe

# The clean-up of outdated appointments. Named daily in the rules; hourly, so that a missed run is soon made up for.
CLEANUP_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Scheduling:
    booking: Booking
    appointments: Appointments
    offers: Offers


def setup(
    context: Context, *, practitioners: Practitioners, people: People, consultations: Consultations
) -> Scheduling:
    """Build the module over the context: rules, routes, subscribers and jobs."""
    access.allow(context.policy)
    database, repository = context.database("scheduling"), Repository()
    reader = Reader(
        database,
        repository,
        context.clock,
        context.policy,
        context.vault,
        context.settings.visit,
        people,
    )
    appointments = Appointments(
        database,
        repository,
        context.clock,
        context.policy,
        context.settings.visit,
        reader,
        consultations,
    )
    booking = Booking(database, repository, context.clock, context.policy, reader, practitioners)
    offers = Offers(database, repository, context.clock, context.policy, practitioners)
    context.routes.append(build_routes(booking, appointments, offers))
    subscribe(context.subscriptions, appointments)

    async def close_outdated() -> None:
        await appointments.close_outdated()

    context.jobs.every(CLEANUP_EVERY_S, "scheduling.close_outdated", close_outdated)
    return Scheduling(booking, appointments, offers)
