"""The waitlist: a time that frees is kept for the first who wants it, for a while, then for the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput, InvalidTransition, NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import Principal
from core.settings import Scheduling
from scheduling.access import Standing
from scheduling.availability import Schedule, Slot, grid_on, local_day, offered
from scheduling.booking import Booking, Request, licensed
from scheduling.errors import OfferGone, SlotTaken
from scheduling.events import WaitlistOffered
from scheduling.free_times import FreeTimes
from scheduling.models import AppointmentView, Hold, WaitlistEntry
from scheduling.ports import Practitioner, Practitioners
from scheduling.queue_repository import QueueRepository
from scheduling.reader import Reader
from scheduling.time_repository import TimeRepository

# The furthest a wish may reach.
REACH = timedelta(days=366)
BATCH = 50


@dataclass(frozen=True, slots=True)
class EntryView:
    entry: WaitlistEntry
    offer: Hold | None
    practitioner_name: str  # of the offer


class Waitlist:
    def __init__(
        self,
        database: Database,
        queues: QueueRepository,
        times: TimeRepository,
        free_times: FreeTimes,
        clock: Clock,
        policy: Policy,
        settings: Scheduling,
        reader: Reader,
        standing: Standing,
        practitioners: Practitioners,
        booking: Booking,
    ) -> None:
        self._database = database
        self._queues = queues
        self._times = times
        self._free_times = free_times
        self._clock = clock
        self._policy = policy
        self._settings = settings
        self._reader = reader
        self._standing = standing
        self._practitioners = practitioners
        self._booking = booking

    # Patients

    async def join(
        self,
        principal: Principal,
        patient_id: UUID,
        *,
        practitioner_id: UUID | None,
        specialty: str | None,
        first_day: date,
        last_day: date,
    ) -> EntryView:
        """Wait for a practitioner or a specialty. Raises Forbidden, InvalidInput, AlreadyWaiting."""
        await self._may(principal, patient_id)
        now = self._clock.now()
        if last_day < now.date() - timedelta(days=1):
            raise InvalidInput.of("last_day", "This day is over")
        if last_day > (now + REACH).date():
            raise InvalidInput.of("last_day", "At most a year ahead")
        if practitioner_id is not None:
            profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
            if profile is None or not profile.published or practitioner_id == patient_id:
                raise InvalidInput.of("practitioner_id", "There is no such practitioner")
        if not await self._reader.names([patient_id]):
            raise InvalidInput.of("patient_id", "There is no such person")
        entry = WaitlistEntry(
            uuid7(), patient_id, practitioner_id, specialty, first_day, last_day, "waiting", None, now
        )
        async with self._database.transaction() as tx:
            await self._queues.add_entry(tx, entry, principal.person_id)
            await self._audit(tx, principal, "waitlist.joined", entry)
        return EntryView(entry, None, "")

    async def entries(
        self,
        principal: Principal,
        practitioner_id: UUID | None,
        patient_id: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> tuple[list[EntryView], UUID | None]:
        """One's own, or those of one the principal acts for; a practitioner's, or everybody's, for those who may.

        Raises Forbidden.
        """
        if principal.role == "patient":
            patient_id = patient_id or principal.id
            self._policy.require(principal, "queue.see", await self._standing.to_patient(principal, patient_id))
        elif principal.role == "practitioner":
            practitioner_id = practitioner_id or principal.id
            self._policy.require(principal, "queue.read", ["own"] if practitioner_id == principal.id else [])
        else:
            self._policy.require(principal, "queue.read")
        async with self._database.reading() as tx:
            found = await self._queues.entries(
                tx, patient_id=patient_id, practitioner_id=practitioner_id, after=after, limit=limit + 1
            )
            views = [await self._view(tx, each) for each in found[:limit]]
        named = await self._named(views)
        return named, found[limit - 1].id if len(found) > limit else None

    async def accept(self, principal: Principal, entry_id: UUID, reason: str | None) -> AppointmentView:
        """Book what is offered. Raises NotFound, Forbidden, OfferGone."""
        entry = await self._own(principal, entry_id)
        async with self._database.reading() as tx:
            offer = (await self._view(tx, entry)).offer
        if offer is None:
            raise OfferGone()
        wanted = Request(offer.practitioner_id, entry.patient_id, offer.start, reason)
        view = await self._booking.book(principal, wanted)
        async with self._database.transaction() as tx:
            if (present := await self._queues.entry(tx, entry_id, lock=True)) and present.status == "offered":
                await self._queues.set_entry(tx, entry_id, "booked", self._clock.now())
        return view

    async def decline(self, principal: Principal, entry_id: UUID) -> EntryView:
        """Let this time go to the next and wait on. Raises NotFound, Forbidden, OfferGone."""
        return await self._give_up(principal, entry_id, leave=False)

    async def leave(self, principal: Principal, entry_id: UUID) -> EntryView:
        """Raises NotFound, Forbidden, InvalidTransition."""
        return await self._give_up(principal, entry_id, leave=True)

    # Reactions and jobs

    async def freed(self, tx: Transaction, practitioner_id: UUID, start: datetime, end: datetime) -> None:
        """A practitioner's time has become free: offer each slot that lies in it. Safe to say twice."""
        profile = (await self._practitioners.get([practitioner_id])).get(practitioner_id)
        stored = await self._times.schedule(tx, practitioner_id)
        if profile is None or stored is None or not profile.published or not profile.licence_verified:
            return
        schedule, now = stored.schedule, self._clock.now()
        span = schedule.blocked(Slot(start, end))
        days = sorted({local_day(schedule.time_zone, span.start), local_day(schedule.time_zone, span.end)})
        for slot in (each for day in days for each in grid_on(schedule, day)):
            if (
                schedule.blocked(slot).overlaps(span)
                and licensed(schedule, profile, slot.start)
                and offered(schedule, slot.start, now) is not None
            ):
                await self._offer(tx, profile, schedule, slot, now)

    async def pass_on(self) -> int:
        """Offers that have run out go to the next in line. Safe to run twice and at once."""
        passed = 0
        while True:
            async with self._database.transaction() as tx:
                now = self._clock.now()
                lapsed = await self._queues.lapsed_offers(tx, now, BATCH)
                for entry, offer in lapsed:
                    booked = await self._queues.booked_meanwhile(tx, entry)
                    await self._queues.set_entry(tx, entry.id, "booked" if booked else "waiting", now)
                    if offer is not None:
                        await self._take_back(tx, offer)
            passed += len(lapsed)
            if len(lapsed) < BATCH:
                return passed

    # Parts

    async def _offer(
        self, tx: Transaction, profile: Practitioner, schedule: Schedule, slot: Slot, now: datetime
    ) -> None:
        day = local_day(schedule.time_zone, slot.start)
        entry = await self._queues.first_match(tx, profile.id, profile.specialties, day, slot.start)
        if entry is None:
            return
        expires_at = min(now + timedelta(seconds=self._settings.offer_s), slot.start)
        offer = Hold(uuid7(), profile.id, entry.patient_id, slot.start, slot.end, expires_at, "offer")
        await self._free_times.doubt(profile.id)
        tx.after_commit(partial(self._free_times.changed, profile.id))
        try:
            await self._times.keep(tx, offer, schedule.blocked(slot), now)
        except SlotTaken:
            return
        await self._queues.offer(tx, entry.id, offer, now)
        await tx.publish(
            WaitlistOffered(
                entry_id=entry.id,
                patient_id=entry.patient_id,
                practitioner_id=profile.id,
                start=slot.start,
                end=slot.end,
                expires_at=expires_at,
            )
        )

    async def _take_back(self, tx: Transaction, offer: Hold) -> None:
        """The time goes to the next in line, or is free again."""
        await self._free_times.doubt(offer.practitioner_id)
        tx.after_commit(partial(self._free_times.changed, offer.practitioner_id))
        await self._times.release(tx, offer.id)
        await self.freed(tx, offer.practitioner_id, offer.start, offer.end)

    async def _give_up(self, principal: Principal, entry_id: UUID, *, leave: bool) -> EntryView:
        await self._own(principal, entry_id)
        async with self._database.transaction() as tx:
            entry = await self._queues.entry(tx, entry_id, lock=True)
            assert entry is not None, "entries are kept"
            offer = (await self._view(tx, entry)).offer
            if leave and entry.status not in ("waiting", "offered"):
                raise InvalidTransition("You do not wait any more")
            if not leave and offer is None:
                raise OfferGone()
            changed = await self._queues.set_entry(tx, entry_id, "left" if leave else "waiting", self._clock.now())
            await self._audit(tx, principal, "waitlist.left" if leave else "waitlist.declined", entry)
            if offer is not None:
                await self._take_back(tx, offer)
        return EntryView(changed, None, "")

    async def _own(self, principal: Principal, entry_id: UUID) -> WaitlistEntry:
        async with self._database.reading() as tx:
            entry = await self._queues.entry(tx, entry_id)
        if entry is None:
            raise NotFound()
        await self._may(principal, entry.patient_id)
        return entry

    async def _may(self, principal: Principal, patient_id: UUID) -> None:
        self._policy.require(principal, "appointment.book", await self._standing.to_patient(principal, patient_id))

    async def _view(self, tx: Transaction, entry: WaitlistEntry) -> EntryView:
        offer = None
        if entry.offer_id is not None:
            offer = await self._times.hold(tx, entry.offer_id, self._clock.now())
        return EntryView(entry, offer, "")

    async def _named(self, views: Sequence[EntryView]) -> list[EntryView]:
        names = await self._reader.names(sorted({each.offer.practitioner_id for each in views if each.offer}))
        return [
            EntryView(each.entry, each.offer, names.get(each.offer.practitioner_id, "") if each.offer else "")
            for each in views
        ]

    async def _audit(self, tx: Transaction, principal: Principal, action: str, entry: WaitlistEntry) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="waitlist",
            resource_id=entry.id,
            patient_id=entry.patient_id,
        )
