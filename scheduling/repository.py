"""All SQL of scheduling. Each method runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Row, Transaction
from scheduling.availability import DayException, Hours, Interval, Schedule, WeeklyRule
from scheduling.errors import SlotTaken
from scheduling.lifecycle import Status
from scheduling.models import Appointment, BusyTimes, Filter, StoredSchedule

_COLUMNS = (
    "id, practitioner_id, patient_id, status, kind, specialty, starts_at, ends_at, blocked_until, time_zone, "
    "local_date, reason, fee_minor, currency, booked_by, booked_role, created_at, version"
)
_HOLDS_TIME = "status IN ('booked', 'arrived', 'checked-in')"


class Repository:
    async def schedule(self, tx: Transaction, practitioner_id: UUID) -> StoredSchedule | None:
        row = await tx.fetchrow("SELECT * FROM schedules WHERE practitioner_id = $1", practitioner_id)
        return None if row is None else _schedule(row)

    async def schedules(self, tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, StoredSchedule]:
        rows = await tx.fetch("SELECT * FROM schedules WHERE practitioner_id = ANY($1)", list(ids))
        return {row["practitioner_id"]: _schedule(row) for row in rows}

    async def time_zones(self, tx: Transaction) -> list[str]:
        """Zones that appointments are kept in."""
        rows = await tx.fetch("SELECT DISTINCT time_zone FROM schedules")
        return [row["time_zone"] for row in rows]

    async def save_schedule(
        self, tx: Transaction, practitioner_id: UUID, schedule: Schedule, version: int, now: datetime, by: UUID | None
    ) -> int | None:
        """Replace version ``version`` (0: there is none yet); the new version, or None when it has moved on."""
        content = _content(schedule)
        values = (
            practitioner_id,
            schedule.time_zone,
            schedule.slot_minutes,
            schedule.buffer_minutes,
            schedule.notice_minutes,
            schedule.horizon_days,
            content["rules"],
            content["exceptions"],
            now,
            by,
        )
        if version == 0:
            saved = await tx.fetchval(
                "INSERT INTO schedules (practitioner_id, time_zone, slot_minutes, buffer_minutes, notice_minutes, "
                "horizon_days, rules, exceptions, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                "$10) ON CONFLICT DO NOTHING RETURNING version",
                *values,
            )
        else:
            saved = await tx.fetchval(
                "UPDATE schedules SET time_zone = $2, slot_minutes = $3, buffer_minutes = $4, notice_minutes = $5, "
                "horizon_days = $6, rules = $7, exceptions = $8, updated_at = $9, updated_by = $10, "
                "version = version + 1 WHERE practitioner_id = $1 AND version = $11 RETURNING version",
                *values,
                version,
            )
        if saved is None:
            return None
        await tx.execute(
            "INSERT INTO schedule_versions (practitioner_id, version, content, updated_at, updated_by) "
            "VALUES ($1, $2, $3, $4, $5)",
            practitioner_id,
            saved,
            content,
            now,
            by,
        )
        return int(saved)

    async def busy(self, tx: Transaction, ids: Sequence[UUID], since: datetime, until: datetime) -> BusyTimes:
        """Taken times, buffers included, that touch the stretch; one query however many practitioners."""
        found: BusyTimes = {}
        rows = await tx.fetch(
            "SELECT practitioner_id, starts_at, blocked_until FROM appointments WHERE practitioner_id = ANY($1) "
            f"AND {_HOLDS_TIME} AND tstzrange(starts_at, blocked_until) && tstzrange($2, $3)",
            list(ids),
            since,
            until,
        )
        for row in rows:
            found.setdefault(row["practitioner_id"], []).append(Interval(row["starts_at"], row["blocked_until"]))
        return found

    async def queue_for_time_of(self, tx: Transaction, practitioner_id: UUID) -> None:
        """Let one booking at a time through for a practitioner, until the transaction ends.

        Without it, simultaneous inserts of one slot wait for each other in the exclusion check until PostgreSQL's
        deadlock detection steps in a second later. The constraint alone still decides who wins.
        """
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"time of {practitioner_id}")

    async def insert(self, tx: Transaction, each: Appointment) -> None:
        """Raises SlotTaken."""
        try:
            await tx.execute(
                f"INSERT INTO appointments ({_COLUMNS}, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
                "$11, $12, $13, $14, $15, $16, $17, $18, $17)",
                each.id,
                each.practitioner_id,
                each.patient_id,
                each.status,
                each.kind,
                each.specialty,
                each.start,
                each.end,
                each.blocked_until,
                each.time_zone,
                each.local_date,
                each.reason,
                each.fee_minor,
                each.currency,
                each.booked_by,
                each.booked_role,
                each.created_at,
                each.version,
            )
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            raise SlotTaken() from None

    async def get(self, tx: Transaction, appointment_id: UUID, *, lock: bool = False) -> Appointment | None:
        suffix = " FOR UPDATE" if lock else ""
        row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM appointments WHERE id = $1{suffix}", appointment_id)
        return None if row is None else _appointment(row)

    async def set_status(self, tx: Transaction, appointment_id: UUID, status: Status, now: datetime) -> Appointment:
        row = await tx.fetchrow(
            "UPDATE appointments SET status = $2, updated_at = $3, version = version + 1 WHERE id = $1 "
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
        self, tx: Transaction, appointment_id: UUID, slot: Interval, blocked_until: datetime, day: date, now: datetime
    ) -> Appointment:
        """Raises SlotTaken."""
        try:
            row = await tx.fetchrow(
                "UPDATE appointments SET starts_at = $2, ends_at = $3, blocked_until = $4, local_date = $5, "
                f"updated_at = $6, version = version + 1 WHERE id = $1 RETURNING {_COLUMNS}",
                appointment_id,
                slot.start,
                slot.end,
                blocked_until,
                day,
                now,
            )
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            raise SlotTaken() from None
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

    async def unarrived(self, tx: Transaction, ended_before: datetime, limit: int) -> list[Appointment]:
        """Booked, over, and nobody came; locked, leaving out what somebody else is changing."""
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM appointments WHERE status = 'booked' AND ends_at < $1 ORDER BY ends_at LIMIT $2 "
            "FOR UPDATE SKIP LOCKED",
            ended_before,
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
    )


def _content(schedule: Schedule) -> dict[str, Any]:
    return {
        "time_zone": schedule.time_zone,
        "slot_minutes": schedule.slot_minutes,
        "buffer_minutes": schedule.buffer_minutes,
        "notice_minutes": schedule.notice_minutes,
        "horizon_days": schedule.horizon_days,
        "rules": [
            {"weekday": rule.weekday, "start": rule.hours.start, "end": rule.hours.end} for rule in schedule.rules
        ],
        "exceptions": [
            {
                "day": each.day.isoformat(),
                "closed": each.closed,
                "start": each.hours.start if each.hours else None,
                "end": each.hours.end if each.hours else None,
            }
            for each in schedule.exceptions
        ],
    }


def _schedule(row: Row) -> StoredSchedule:
    return StoredSchedule(
        practitioner_id=row["practitioner_id"],
        version=row["version"],
        schedule=Schedule(
            time_zone=row["time_zone"],
            slot_minutes=row["slot_minutes"],
            buffer_minutes=row["buffer_minutes"],
            notice_minutes=row["notice_minutes"],
            horizon_days=row["horizon_days"],
            rules=tuple(WeeklyRule(each["weekday"], Hours(each["start"], each["end"])) for each in row["rules"]),
            exceptions=tuple(
                DayException(
                    date.fromisoformat(each["day"]),
                    each["closed"],
                    Hours(each["start"], each["end"]) if each["start"] is not None else None,
                )
                for each in row["exceptions"]
            ),
        ),
    )
