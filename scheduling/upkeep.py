"""What is done by the clock: outdated appointments, holds and queues are closed, ending licences are told.

Every job looks at what is due, not at when it ran last, so a missed run is made up for by the next one; rows are
locked while they are decided, so two workers never do it twice.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from core.clock import Clock
from core.database import Database
from core.security.principal import SYSTEM
from core.settings import Settings
from scheduling.availability import local_day
from scheduling.events import LicenceEnding
from scheduling.free_times import FreeTimes
from scheduling.lifecycle import Status, after_visit
from scheduling.models import Appointment
from scheduling.ports import Consultations, Practitioners
from scheduling.queue_repository import QueueRepository
from scheduling.repository import Repository
from scheduling.service import Appointments
from scheduling.time_repository import TimeRepository

BATCH = 100
# A licence's end is told so many days before; the last time on its last day.
TOLD_BEFORE = (30, 7, 0)


class Upkeep:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        times: TimeRepository,
        queues: QueueRepository,
        free_times: FreeTimes,
        clock: Clock,
        settings: Settings,
        appointments: Appointments,
        practitioners: Practitioners,
        consultations: Consultations,
    ) -> None:
        self._database = database
        self._repository = repository
        self._times = times
        self._queues = queues
        self._free_times = free_times
        self._clock = clock
        self._settings = settings
        self._appointments = appointments
        self._practitioners = practitioners
        self._consultations = consultations

    async def decide_ended(self) -> int:
        """Visits whose window has closed: who was there decides. Returns how many were decided."""
        decided = 0
        skip: set[UUID] = set()
        while True:
            before = self._clock.now() - timedelta(seconds=self._settings.visit.closes_after_s)
            async with self._database.reading() as tx:
                over = await self._repository.ended(tx, before, BATCH + len(skip))
            fresh = [each for each in over if each.id not in skip]
            if not fresh:
                return decided
            attendance = await self._consultations.attendance([each.id for each in fresh])
            for each in fresh:
                seen = attendance.get(each.id)
                to = after_visit(
                    each.status,
                    patient_waited=bool(seen and seen.patient_waited),
                    practitioner_joined=bool(seen and seen.practitioner_joined),
                    met=bool(seen and seen.met),
                )
                if to is not None and await self._close(each, to):
                    decided += 1
                else:
                    skip.add(each.id)

    async def clean_up(self) -> None:
        """Forget holds that have run out; close waits whose days are over."""
        async with self._database.transaction() as tx:
            now = self._clock.now()
            await self._times.forget_expired(tx, now)
            # A date is over everywhere two days later.
            await self._queues.close_entries(tx, (now - timedelta(days=1)).date(), now)
            waited = timedelta(seconds=self._settings.scheduling.drop_in_s)
            await self._queues.close_drop_ins(tx, now - waited, now)

    async def tell_licences(self) -> int:
        """Each practitioner's end of licence is told once a stage. No slots are offered after it anyway."""
        now, told = self._clock.now(), 0
        ending = await self._practitioners.licences_until(now.date() + timedelta(days=max(TOLD_BEFORE) + 1))
        for each in ending:
            assert each.licence_expires_on is not None, "they were asked for by it"
            left = (each.licence_expires_on - local_day(each.time_zone, now)).days
            stage = min((days for days in TOLD_BEFORE if left <= days), default=None)
            if stage is None:
                continue
            async with self._database.transaction() as tx:
                if await self._queues.tell_licence(tx, each.id, each.licence_expires_on, stage, now):
                    await tx.publish(
                        LicenceEnding(
                            practitioner_id=each.id,
                            expires_on=each.licence_expires_on,
                            days_before=stage,
                            appointments_after=await self._queues.open_after(tx, each.id, each.licence_expires_on),
                        )
                    )
                    told += 1
        return told

    async def _close(self, each: Appointment, to: Status) -> bool:
        """False when somebody else has changed it meanwhile."""
        async with self._free_times.changing(each.practitioner_id), self._database.transaction() as tx:
            found = await self._repository.get(tx, each.id, lock=True)
            if found is None or found.version != each.version:
                return False
            await self._appointments.record(tx, SYSTEM, found, to, self._clock.now())
        return True
