"""The SQL of appointments. Each method runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
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


# The parameters of place_appointment(), in their order.
_PLACING = (
    *("integer", "timestamptz", "uuid", "text", "jsonb", "uuid", "text", "text"),
    *("uuid", "uuid", "uuid", "text", "text", "timestamptz", "timestamptz", "timestamptz", "timestamptz"),
    *("text", "date", "bytea", "bigint", "text", "uuid", "text", "text", "boolean", "uuid"),
)
_NAMES = [f"p{number}" for number in range(1, len(_PLACING) + 1)]
_PLACE = (
    f"SELECT place_appointment({', '.join(_NAMES)}) AS answer FROM unnest("
    f"{', '.join(f'${number}::{kind}[]' for number, kind in enumerate(_PLACING, 1))}) AS given({', '.join(_NAMES)})"
)


@dataclass(frozen=True, slots=True)
class Placing:
    """An appointment to be written, with its fact and its audit row's action and reason.

    ``version`` is the schedule's from which the slot was computed; None asks for none.
    """

    appointment: Appointment
    version: int | None
    fact: Fact
    action: str = "appointment.booked"
    reason: str | None = None


Answer = Literal["booked", "taken", "changed"]


class Repository:
    async def place(self, tx: Transaction, each: Placing) -> bool:
        """Take the time, write the appointment, its fact and its audit row.

        False when the schedule has another version now. Raises SlotTaken.
        """
        try:
            (answer,) = await self.place_all(tx, [each])
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            raise SlotTaken() from None
        if answer == "taken":
            raise SlotTaken()
        return answer == "booked"

    async def place_all(self, tx: Transaction, placings: Sequence[Placing]) -> list[Answer]:
        """As ``place`` for each, in one statement; the answers in the order of ``placings``.

        The constraint's own errors come through, and then none was written.
        """
        # Every caller takes the queues of its practitioners in the same order, so none waits in a circle.
        order = sorted(range(len(placings)), key=lambda place: placings[place].appointment.practitioner_id)
        rows = [_placing(tx, placings[place]) for place in order]
        found = await tx.fetch(_PLACE, *(list(column) for column in zip(*rows, strict=True)))
        answers: dict[int, Answer] = {place: row["answer"] for place, row in zip(order, found, strict=True)}
        return [answers[place] for place in range(len(placings))]

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


def _placing(tx: Transaction, placing: Placing) -> tuple[Any, ...]:
    each = placing.appointment
    audit_id = tx.audit_id(
        placing.action,
        actor_id=each.booked_by,
        actor_role=each.booked_role,
        resource="appointment",
        resource_id=str(each.id),
        patient_id=each.patient_id,
        reason=placing.reason,
        details={},
    )
    return (
        placing.version,
        each.created_at,
        uuid7(),
        placing.fact.name,
        encode_fact(placing.fact),
        audit_id,
        placing.action,
        placing.reason,
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
