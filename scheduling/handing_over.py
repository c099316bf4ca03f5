"""Handing a visit to a colleague: the appointment and all that goes with it becomes theirs."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from core.clock import Clock
from core.database import Database
from core.errors import NotFound
from core.security.policy import Policy
from core.security.principal import Principal
from scheduling.access import Standing
from scheduling.errors import NotPossible
from scheduling.events import AppointmentTransferred
from scheduling.free_times import FreeTimes
from scheduling.lifecycle import OPEN
from scheduling.models import Appointment
from scheduling.ports import Practitioner, Practitioners
from scheduling.repository import Repository
from scheduling.trail import about, audit


class HandingOver:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        free_times: FreeTimes,
        clock: Clock,
        policy: Policy,
        standing: Standing,
        practitioners: Practitioners,
    ) -> None:
        self._database = database
        self._repository = repository
        self._free_times = free_times
        self._clock = clock
        self._policy = policy
        self._standing = standing
        self._practitioners = practitioners

    async def transfer(self, principal: Principal, appointment_id: UUID, to: UUID) -> tuple[Appointment, Practitioner]:
        """Give an open appointment to a colleague, on top of what they have at that time.

        Time, fee and invoice stay. Raises NotFound, Forbidden, NotPossible.
        """
        async with self._database.reading() as tx:
            found = await self._repository.get(tx, appointment_id)
        if found is None:
            raise NotFound()
        self._policy.require(principal, "appointment.hand_over", await self._standing.to(principal, found))
        now = self._clock.now()
        profile = (await self._practitioners.get([to])).get(to)
        if profile is None or not profile.licence_verified:
            raise NotPossible("This colleague can't take visits")
        if profile.licence_expires_on is not None and now.date() > profile.licence_expires_on:
            raise NotPossible("This colleague's licence has ended")
        async with self._free_times.changing(found.practitioner_id, to), self._database.transaction() as tx:
            found = await self._repository.get(tx, appointment_id, lock=True)
            assert found is not None, "appointments are kept"
            self._policy.require(principal, "appointment.hand_over", await self._standing.to(principal, found))
            if found.status not in OPEN:
                raise NotPossible("This visit is over")
            if to in (found.practitioner_id, found.patient_id):
                raise NotPossible("Choose a colleague")
            day = found.start.astimezone(ZoneInfo(profile.time_zone)).date()
            moved = await self._repository.hand_over(tx, found, to, profile.time_zone, day, now)
            await tx.publish(AppointmentTransferred(**about(moved), previous_practitioner_id=found.practitioner_id))
            await audit(tx, principal, "appointment.transferred", moved)
        return moved, profile
