"""Scheduling: schedules, slots, holds, appointments, the waitlist and drop-ins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.context import Context
from core.outside import Outside, Reach
from core.security.proxies import Authority
from scheduling import access
from scheduling.arranging import Arranging
from scheduling.booking import Booking
from scheduling.calendar_repository import CalendarRepository
from scheduling.calendar_routes import add_calendar_routes
from scheduling.calendars import Calendars
from scheduling.drop_ins import DropIns
from scheduling.free_times import FreeTimes
from scheduling.handing_over import HandingOver
from scheduling.offers import Offers
from scheduling.outside_reading import OutsideReading
from scheduling.personal import Personal
from scheduling.ports import Consultations, People, Practitioners
from scheduling.queue_repository import QueueRepository
from scheduling.reader import Reader
from scheduling.repository import Repository
from scheduling.routes import build_routes
from scheduling.service import Appointments
from scheduling.subscribers import subscribe
from scheduling.time_repository import TimeRepository
from scheduling.upkeep import Upkeep
from scheduling.waitlist import Waitlist

# How soon the end of a visit is decided after its window has closed.
DECIDE_EVERY_S = 60.0
# How soon an offer that has run out goes to the next in line.
PASS_ON_EVERY_S = 5.0
# Named daily in the rules; hourly, so that a missed run is soon made up for.
CLEAN_UP_EVERY_S = 3600.0
# How often is asked which outside calendars are due.
READ_CALENDARS_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Scheduling:
    booking: Booking
    arranging: Arranging
    appointments: Appointments
    offers: Offers
    waitlist: Waitlist
    drop_ins: DropIns
    handing_over: HandingOver
    upkeep: Upkeep
    free_times: FreeTimes
    calendars: Calendars
    personal: Personal


def setup(
    context: Context,
    *,
    practitioners: Practitioners,
    people: People,
    consultations: Consultations,
    authority: Authority,
) -> Scheduling:
    """Build the module over the context: rules, routes, subscribers and jobs."""
    access.allow(context.policy)
    database, clock, policy, settings = context.database("scheduling"), context.clock, context.policy, context.settings
    repository, times, queues = Repository(), TimeRepository(), QueueRepository()
    standing = access.Standing(authority)
    free_times = FreeTimes(database, times, clock, context.redis)
    reader = Reader(database, repository, times, clock, policy, context.vault, settings, people, standing)
    booking = Booking(
        database, repository, times, free_times, clock, policy, settings.scheduling, reader, standing, practitioners
    )
    appointments = Appointments(
        database, repository, times, clock, policy, settings, reader, standing, free_times, practitioners, consultations
    )
    waitlist = Waitlist(
        database,
        queues,
        times,
        free_times,
        clock,
        policy,
        settings.scheduling,
        reader,
        standing,
        practitioners,
        booking,
    )
    reach = Reach(http=settings.calendars.allow_http, private=settings.calendars.allow_private)
    module = Scheduling(
        booking=booking,
        arranging=Arranging(database, repository, times, free_times, clock, policy, reader, practitioners),
        appointments=appointments,
        offers=Offers(database, times, free_times, clock, policy, practitioners),
        waitlist=waitlist,
        handing_over=HandingOver(database, repository, free_times, clock, policy, standing, practitioners),
        drop_ins=DropIns(
            database,
            repository,
            queues,
            times,
            free_times,
            clock,
            policy,
            context.vault,
            reader,
            standing,
            practitioners,
        ),
        upkeep=Upkeep(
            database,
            repository,
            times,
            queues,
            free_times,
            clock,
            settings,
            appointments,
            practitioners,
            consultations,
        ),
        free_times=free_times,
        calendars=Calendars(
            database,
            CalendarRepository(),
            times,
            free_times,
            clock,
            policy,
            context.vault,
            OutsideReading(Outside(reach)),
            reach,
            settings.public_url,
        ),
        personal=Personal(database),
    )
    routes = build_routes(module.booking, appointments, module.offers, waitlist, module.drop_ins)
    add_calendar_routes(routes, module.calendars, settings.public_url)
    context.routes.append(routes)
    subscribe(context.subscriptions, appointments, waitlist)
    context.stopping.append(free_times.stop)
    _jobs(context, module)
    return module


def _jobs(context: Context, module: Scheduling) -> None:
    upkeep = module.upkeep
    work: tuple[tuple[float, str, Callable[[], Awaitable[object]]], ...] = (
        (DECIDE_EVERY_S, "scheduling.decide_ended", upkeep.decide_ended),
        (PASS_ON_EVERY_S, "scheduling.pass_on_offers", module.waitlist.pass_on),
        (READ_CALENDARS_EVERY_S, "scheduling.read_calendars", module.calendars.read_due),
        (CLEAN_UP_EVERY_S, "scheduling.clean_up", upkeep.clean_up),
        (CLEAN_UP_EVERY_S, "scheduling.tell_licences", upkeep.tell_licences),
    )
    for every_s, name, run in work:

        async def turn(run: Callable[[], Awaitable[object]] = run) -> None:
            await run()

        context.jobs.every(every_s, name, turn)
