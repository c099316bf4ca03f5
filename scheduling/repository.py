"""The SQL of appointments. Each method runs in the caller's transaction."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Row, Transaction
from core.events import Fact, encode_fact
from core.ids import uuid7
from scheduling.availability import Interval, Slot
from scheduling.errors import SlotTaken
from scheduling.lifecycle import OPEN, Status
from scheduling.models import Appointment, Filter

_COLUMNS = (
    "id, practitioner_id, patient_id, status, kind, specialty, starts_at, ends_at, blocked_from, blocked_until, "
    "time_zone, local_date, reason, fee_minor, currency, booked_by, booked_role, created_at, version, location, "
    "overlap, series_id"
)


class Repository:
    async def place(
        self,
        tx: Transaction,
        each: Appointment,
        *,
        version: int | None,
        fact: Fact,
        action: str = "appointment.booked",
        reason: str | None = None,
    ) -> bool:
        """Take the time, write the appointment, its fact and its audit row: one statement, whole or not at all.

        False when the schedule is no longer of ``version`` (None asks for none). Raises SlotTaken.
        """
        try:
            answer = await tx.fetchval(
                f"SELECT place_appointment({', '.join(f'${n}' for n in range(1, 28))})",
                version,
                each.created_at,
                uuid7(),
                fact.name,
                encode_fact(fact),
                tx.audit_id(
                    action,
                    actor_id=each.booked_by,
                    actor_role=each.booked_role,
                    resource="appointment",
                    resource_id=str(each.id),
                    patient_id=each.patient_id,
                    reason=reason,
                    details={},
                ),
                action,
                reason,
                each.id,
                each.practitioner_id,
                each.patient_id,
                each.kind,
                each.specialty,
                each.start,
                each.end,
                each.blocked_from,
                each.blocked_until,
                each.time_zone,
                each.local_date,
                each.reason,
                each.fee_minor,
                each.currency,
                each.booked_by,
                each.booked_role,
                each.location,
                each.overlap,
                each.series_id,
            )
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            raise SlotTaken() from None
        if answer == "taken":
            raise SlotTaken()
        return bool(answer == "booked")

    async def get(self, tx: Transaction, appointment_id: UUID, *, lock: bool = False) -> Appointment | None:
        suffix = " FOR UPDATE" if lock else ""
        row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM appointments WHERE id = $1{suffix}", appointment_id)
        return None if row is None else _appointment(row)

    async def set_status(self, tx: Transaction, appointment_id: UUID, status: Status, now: datetime) -> Appointment:
        """Change it; an appointment that is not open any more gives its time back."""
        freed = "" if status in OPEN else "WITH freed AS (DELETE FROM occupied WHERE id = $1) "
        row = await tx.fetchrow(
            f"{freed}UPDATE appointments SET status = $2, updated_at = $3, version = version + 1 WHERE id = $1 "
            f"RETURNING {_COLUMNS}",
            appointment_id,
            status,
            now,
        )
        assert row is not None
        return _appointment(row)

    async def set_reason(
        self, tx: Transaction, appointment_id: UUID, reason: bytes | None, now: datetime
    ) -> Appointment:
        row = await tx.fetchrow(
            "UPDATE appointments SET reason = $2, updated_at = $3, version = version + 1 WHERE id = $1 "
            f"RETURNING {_COLUMNS}",
            appointment_id,
            reason,
            now,
        )
        assert row is not None
        return _appointment(row)

    async def move(
        self, tx: Transaction, found: Appointment, slot: Slot, blocked: Interval, day: date, now: datetime
    ) -> Appointment:
        """To another time, which it has alone. Raises SlotTaken."""
        try:
            taken = await tx.fetchval(
                "SELECT take_time($1, $2, $3, $4, 'appointment', true, $5, NULL, NULL, NULL, $6)",
                found.id,
                found.practitioner_id,
                blocked.start,
                blocked.end,
                found.patient_id,
                now,
            )
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            raise SlotTaken() from None
        if not taken:
            raise SlotTaken()
        row = await tx.fetchrow(
            "UPDATE appointments SET starts_at = $2, ends_at = $3, blocked_from = $4, blocked_until = $5, "
            "local_date = $6, location = $7, overlap = false, updated_at = $8, version = version + 1 WHERE id = $1 "
            f"RETURNING {_COLUMNS}",
            found.id,
            slot.start,
            slot.end,
            blocked.start,
            blocked.end,
            day,
            slot.location,
            now,
        )
        assert row is not None
        return _appointment(row)

    async def hand_over(
        self, tx: Transaction, found: Appointment, to: UUID, time_zone: str, day: date, now: datetime
    ) -> Appointment:
        """To another practitioner at the same time, which need not be free: it lies on top."""
        await tx.fetchval(
            "SELECT take_time($1, $2, $3, $4, 'appointment', false, $5, NULL, NULL, NULL, $6)",
            found.id,
            to,
            found.blocked_from,
            found.blocked_until,
            found.patient_id,
            now,
        )
        row = await tx.fetchrow(
            "UPDATE appointments SET practitioner_id = $2, time_zone = $3, local_date = $4, overlap = true, "
            f"updated_at = $5, version = version + 1 WHERE id = $1 RETURNING {_COLUMNS}",
            found.id,
            to,
            time_zone,
            day,
            now,
        )
        assert row is not None
        return _appointment(row)

    async def search(self, tx: Transaction, wanted: Filter) -> list[Appointment]:
        """By start, then id; ``limit`` rows after the cursor."""
        conditions: list[str] = []
        values: list[Any] = []

        def where(condition: str, *given: Any) -> None:
            for value in given:
                values.append(value)
                condition = condition.replace("?", f"${len(values)}", 1)
            conditions.append(condition)

        if wanted.practitioner_id is not None:
            where("practitioner_id = ?", wanted.practitioner_id)
        if wanted.patient_id is not None:
            where("patient_id = ?", wanted.patient_id)
        if wanted.since is not None:
            where("starts_at >= ?", wanted.since)
        if wanted.until is not None:
            where("starts_at < ?", wanted.until)
        if wanted.day is not None:
            where("local_date = ?", wanted.day)
        if wanted.days:
            zones, dates = [zone for zone, _ in wanted.days], [day for _, day in wanted.days]
            where("(time_zone, local_date) IN (SELECT * FROM unnest(?::text[], ?::date[]))", zones, dates)
        if wanted.statuses:
            where("status = ANY(?)", list(wanted.statuses))
        if wanted.after is not None:
            where("(starts_at, id) > (?, ?)", *wanted.after)
        values.append(wanted.limit)
        sql = (
            f"SELECT {_COLUMNS} FROM appointments WHERE {' AND '.join(conditions) or 'true'} "
            f"ORDER BY starts_at, id LIMIT ${len(values)}"
        )
        return [_appointment(row) for row in await tx.fetch(sql, *values)]

    async def open_between(self, tx: Transaction, patient_id: UUID, practitioner_id: UUID) -> list[Appointment]:
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM appointments WHERE patient_id = $1 AND practitioner_id = $2 "
            "AND status IN ('booked', 'arrived', 'checked-in') ORDER BY starts_at",
            patient_id,
            practitioner_id,
        )
        return [_appointment(row) for row in rows]

    async def ended(self, tx: Transaction, ended_before: datetime, limit: int) -> list[Appointment]:
        """Still open though over, oldest first. Who is checked in may wait for the practitioner's word for ever."""
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM appointments WHERE status IN ('booked', 'arrived', 'checked-in') "
            "AND ends_at < $1 AND (status <> 'checked-in' OR ends_at > $2) ORDER BY ends_at, id LIMIT $3",
            ended_before,
            ended_before - timedelta(days=2),
            limit,
        )
        return [_appointment(row) for row in rows]

    async def related(self, tx: Transaction, practitioner_id: UUID, patient_id: UUID) -> bool:
        """True when the two have an appointment together that was not called off or entered in error."""
        found = await tx.fetchval(
            "SELECT EXISTS (SELECT FROM appointments WHERE practitioner_id = $1 AND patient_id = $2 "
            "AND status IN ('booked', 'arrived', 'checked-in', 'fulfilled', 'noshow'))",
            practitioner_id,
            patient_id,
        )
        return bool(found)


def _appointment(row: Row) -> Appointment:
    return Appointment(
        id=row["id"],
        practitioner_id=row["practitioner_id"],
        patient_id=row["patient_id"],
        status=row["status"],
        kind=row["kind"],
        specialty=row["specialty"],
        start=row["starts_at"],
        end=row["ends_at"],
        blocked_from=row["blocked_from"],
        blocked_until=row["blocked_until"],
        time_zone=row["time_zone"],
        local_date=row["local_date"],
        reason=row["reason"],
        fee_minor=row["fee_minor"],
        currency=row["currency"],
        booked_by=row["booked_by"],
        booked_role=row["booked_role"],
        created_at=row["created_at"],
        version=row["version"],
        location=row["location"],
        overlap=row["overlap"],
        series_id=row["series_id"],
    )
