"""Use cases of booking and holding. Policy: see ``allow`` in ``scheduling/access.py``.

What is offered is a pure question over the schedule; who gets it is decided by the exclusion constraint alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from core.clock import Clock, rfc3339
from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound
from core.gathering import Gathering
from core.ids import uuid7
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.settings import Scheduling
from scheduling.access import Standing
from scheduling.availability import Schedule, Slot, local_day, offered
from scheduling.errors import SeriesConflict, SlotNotOffered, SlotTaken, TooManyHolds
from scheduling.events import AppointmentBooked
from scheduling.free_times import FreeTimes
from scheduling.models import Appointment, AppointmentView, Hold, StoredSchedule
from scheduling.ports import Practitioner, Practitioners
from scheduling.reader import Reader
from scheduling.recurrence import Every, repeated, slot_at
from scheduling.repository import Answer, Placing, Repository
from scheduling.time_repository import TimeRepository
from scheduling.trail import about

# Errors of one row, for which PostgreSQL has undone all of them.
SPOILT = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.DeadlockDetectedError)


@dataclass(frozen=True, slots=True)
class Request:
    """A wish for a time. ``overlap_reason``: staff take it whoever has it."""

    practitioner_id: UUID
    patient_id: UUID
    start: datetime
    reason: str | None = None
    overlap_reason: str | None = None


class Booking:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        times: TimeRepository,
        free_times: FreeTimes,
        clock: Clock,
        policy: Policy,
        settings: Scheduling,
        reader: Reader,
        standing: Standing,
        practitioners: Practitioners,
    ) -> None:
        self._database = database
        self._repository = repository
        self._times = times
        self._free_times = free_times
        self._clock = clock
        self._policy = policy
        self._settings = settings
        self._reader = reader
        self._standing = standing
        self._practitioners = practitioners
        self._profiles = Gathering(self._profiles_of)
        self._placings = Gathering(self._place_all)

    async def book(self, principal: Principal, wanted: Request) -> AppointmentView:
        """Book an offered slot; the patient's own hold or offer of it is used up.

        Raises Forbidden, SlotNotOffered, SlotTaken, InvalidInput.
        """
        standing = await self._may_book(principal, wanted.patient_id)
        if wanted.overlap_reason is not None:
            self._policy.require(principal, "appointment.overlap")
        profile = await self._bookable(wanted.practitioner_id)
        names = await self._people_of(principal, profile, wanted.patient_id)
        made_id = uuid7()
        secret = await self._reader.seal(wanted.patient_id, made_id, wanted.reason)
        for fresh in (False, True):
            now = self._clock.now()
            stored, slot = await self._offered(profile, wanted, now, fresh=fresh)
            made = self.draft(principal, profile, wanted.patient_id, made_id, slot, stored.schedule, secret, now)
            if await self._place(replace(made, overlap=wanted.overlap_reason is not None), stored.version, wanted):
                return self._reader.present(principal, made, names, wanted.reason, standing)
        raise SlotNotOffered("The hours have just been changed: choose again")

    async def book_series(
        self, principal: Principal, wanted: Request, every: Every, count: int
    ) -> tuple[UUID, list[AppointmentView]]:
        """Book the slot and its repetitions at the same wall time: all of them, or none.

        Raises Forbidden, InvalidInput, SeriesConflict, SlotNotOffered.
        """
        standing = await self._may_book(principal, wanted.patient_id)
        profile = await self._bookable(wanted.practitioner_id)
        names = await self._people_of(principal, profile, wanted.patient_id)
        stored = await self._free_times.schedule(wanted.practitioner_id, fresh=True)
        if stored is None:
            raise SlotNotOffered()
        now, series_id = self._clock.now(), uuid7()
        zone = ZoneInfo(stored.schedule.time_zone)
        wall = wanted.start.astimezone(zone)
        slots, conflicts = _series(stored.schedule, wall, every, count, now, profile.licence_expires_on)
        made: list[Appointment] = []
        for slot in slots:
            made_id = uuid7()
            secret = await self._reader.seal(wanted.patient_id, made_id, wanted.reason)
            draft = self.draft(principal, profile, wanted.patient_id, made_id, slot, stored.schedule, secret, now)
            made.append(replace(draft, series_id=series_id))
        async with self._free_times.changing(wanted.practitioner_id), self._database.transaction() as tx:
            for each in made:
                try:
                    if not await self._repository.place(tx, Placing(each, stored.version, booked(each))):
                        raise SlotNotOffered("The hours have just been changed: choose again")
                except SlotTaken:
                    conflicts.append(_conflict(each.local_date, each.start, SlotTaken.code))
            if conflicts:
                raise SeriesConflict(conflicts=sorted(conflicts, key=lambda each: str(each["date"])))
        return series_id, [self._reader.present(principal, each, names, wanted.reason, standing) for each in made]

    # Holds

    async def hold(self, principal: Principal, practitioner_id: UUID, patient_id: UUID, start: datetime) -> Hold:
        """Keep an offered slot for a few minutes. Holding it again begins the time anew.

        Raises Forbidden, SlotNotOffered, SlotTaken, TooManyHolds, InvalidInput.
        """
        await self._may_book(principal, patient_id)
        profile = await self._bookable(practitioner_id)
        await self._people_of(principal, profile, patient_id)
        now = self._clock.now()
        stored, slot = await self._offered(profile, Request(practitioner_id, patient_id, start), now, fresh=True)
        expires_at = now + timedelta(seconds=self._settings.hold_s)
        hold = Hold(uuid7(), practitioner_id, patient_id, slot.start, slot.end, expires_at)
        async with self._free_times.changing(practitioner_id), self._database.transaction() as tx:
            others = [
                each
                for each in await self._times.holds_of(tx, patient_id, now)
                if each.practitioner_id != practitioner_id or not each.start < hold.end or not hold.start < each.end
            ]
            if len(others) >= self._settings.holds_per_person:
                raise TooManyHolds()
            await self._times.keep(tx, hold, stored.schedule.blocked(slot), now)
        return hold

    async def show_hold(self, principal: Principal, hold_id: UUID) -> Hold:
        """Raises NotFound (also when it has run out), Forbidden."""
        async with self._database.reading() as tx:
            found = await self._times.hold(tx, hold_id, self._clock.now())
        if found is None:
            raise NotFound()
        await self._may_book(principal, found.patient_id)
        return found

    async def release(self, principal: Principal, hold_id: UUID) -> None:
        """Give a hold back; one that has run out is gone already. Raises NotFound, Forbidden."""
        found = await self.show_hold(principal, hold_id)
        if found.kind != "hold":
            raise NotFound()
        async with self._free_times.changing(found.practitioner_id), self._database.transaction() as tx:
            await self._times.release(tx, hold_id)

    # Parts

    @staticmethod
    def draft(
        principal: Principal,
        profile: Practitioner,
        patient_id: UUID,
        made_id: UUID,
        slot: Slot,
        schedule: Schedule,
        secret: bytes | None,
        now: datetime,
    ) -> Appointment:
        """The appointment as it will be written."""
        blocked = schedule.blocked(slot)
        return Appointment(
            id=made_id,
            practitioner_id=profile.id,
            patient_id=patient_id,
            status="booked",
            kind="video",
            specialty=profile.specialties[0] if profile.specialties else "",
            start=slot.start,
            end=slot.end,
            blocked_from=blocked.start,
            blocked_until=blocked.end,
            time_zone=schedule.time_zone,
            local_date=local_day(schedule.time_zone, slot.start),
            reason=secret,
            fee_minor=profile.fee_minor,
            currency=profile.currency,
            booked_by=principal.person_id,
            booked_role=principal.role,
            created_at=now,
            version=1,
            location=slot.location,
        )

    async def _place(self, made: Appointment, version: int, wanted: Request) -> bool:
        action = "appointment.overlapped" if made.overlap else "appointment.booked"
        placing = Placing(made, version, booked(made), action, wanted.overlap_reason)
        answer = await self._placings.ask(placing)
        if answer == "taken":
            raise SlotTaken()
        return answer == "booked"

    async def _place_all(self, placings: Sequence[Placing]) -> Sequence[Answer | Exception]:
        """What people book at the same moment: one commit. If one of them spoils it, each by itself."""
        practitioners = {each.appointment.practitioner_id for each in placings}
        async with self._free_times.changing(*practitioners):
            try:
                async with self._database.at_once() as tx:
                    return await self._repository.place_all(tx, placings)
            except SPOILT:
                return [await self._place_one(each) for each in placings]

    async def _place_one(self, placing: Placing) -> Answer | Exception:
        try:
            async with self._database.at_once() as tx:
                return "booked" if await self._repository.place(tx, placing) else "changed"
        except Exception as error:
            return error

    async def _profiles_of(self, ids: Sequence[UUID]) -> Sequence[Practitioner | None]:
        found = await self._practitioners.get(list(dict.fromkeys(ids)))
        return [found.get(each) for each in ids]

    async def _offered(
        self, profile: Practitioner, wanted: Request, now: datetime, *, fresh: bool
    ) -> tuple[StoredSchedule, Slot]:
        """The slot at that start. A refusal is never said of a schedule that may be old. Raises SlotNotOffered."""
        stored = await self._free_times.schedule(profile.id, fresh=fresh)
        if stored is not None:
            if wanted.overlap_reason is not None:
                slot = _any_time(stored.schedule, wanted.start, now)
            else:
                slot = self._free_times.offered(stored, wanted.start, now)
            if slot is not None and licensed(stored.schedule, profile, slot.start):
                return stored, slot
        if not fresh:
            return await self._offered(profile, wanted, now, fresh=True)
        raise SlotNotOffered("This time has passed" if wanted.start <= now else None)

    async def _may_book(self, principal: Principal, patient_id: UUID) -> list[Relation]:
        standing = await self._standing.to_patient(principal, patient_id)
        self._policy.require(principal, "appointment.book", standing)
        return standing

    async def _bookable(self, practitioner_id: UUID) -> Practitioner:
        profile = await self._profiles.ask(practitioner_id)
        if profile is None or not profile.published or not profile.licence_verified:
            raise SlotNotOffered("This practitioner can't be booked")
        return profile

    async def _people_of(self, principal: Principal, profile: Practitioner, patient_id: UUID) -> dict[UUID, str]:
        """Their names. Who books for themselves is known already."""
        if profile.id == patient_id:
            raise InvalidInput.of("practitioner_id", "Nobody is their own patient")
        if principal.person_id == patient_id and principal.name:
            return {profile.id: profile.name, patient_id: principal.name}
        names = await self._reader.names([profile.id, patient_id])
        if patient_id not in names:
            raise InvalidInput.of("patient_id", "There is no such person")
        return names


def booked(made: Appointment) -> AppointmentBooked:
    """The fact of a booking."""
    return AppointmentBooked(
        **about(made), specialty=made.specialty, fee_minor=made.fee_minor, currency=made.currency, kind=made.kind
    )


def licensed(schedule: Schedule, profile: Practitioner, start: datetime) -> bool:
    """Whether the practitioner's licence still holds on that local day."""
    last = profile.licence_expires_on
    return last is None or local_day(schedule.time_zone, start) <= last


def _any_time(schedule: Schedule, start: datetime, now: datetime) -> Slot | None:
    """A slot's length from any moment that is not over, within reach."""
    if start < now - timedelta(minutes=1) or start > now + timedelta(days=schedule.horizon_days + 2):
        return None
    return Slot(start, start + schedule.slot)


def _series(
    schedule: Schedule, wall: datetime, every: Every, count: int, now: datetime, licence_ends: date | None
) -> tuple[list[Slot], list[dict[str, str | None]]]:
    """The slots of a series, and the dates that have none."""
    slots: list[Slot] = []
    conflicts: list[dict[str, str | None]] = []
    for each in repeated(wall.date(), every, count):
        slot = slot_at(schedule, each.day, wall) if each.exists else None
        if slot is None or not each.exists:
            conflicts.append(_conflict(each.day, None, SlotNotOffered.code if each.exists else "no_such_day"))
        elif offered(schedule, slot.start, now) is None or (licence_ends is not None and each.day > licence_ends):
            conflicts.append(_conflict(each.day, slot.start, SlotNotOffered.code))
        else:
            slots.append(slot)
    return slots, conflicts


def _conflict(day: date, start: datetime | None, code: str) -> dict[str, str | None]:
    return {"date": day.isoformat(), "start": None if start is None else rfc3339(start), "code": code}


async def place_in(tx: Transaction, repository: Repository, made: Appointment) -> None:
    """Write an appointment at a time that no schedule need offer. Raises SlotTaken."""
    await repository.place(tx, Placing(made, None, booked(made)))
