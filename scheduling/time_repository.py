"""The SQL of practitioners' time: schedules, and what is spoken for. Each method runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Row, Transaction
from scheduling.availability import DayException, Hours, Interval, Schedule, WeeklyRule
from scheduling.errors import SlotTaken
from scheduling.models import Busy, BusyTimes, Hold, StoredSchedule


class TimeRepository:
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
        content = schedule_content(schedule)
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
            schedule.buffer_before_minutes,
        )
        if version == 0:
            saved = await tx.fetchval(
                "INSERT INTO schedules (practitioner_id, time_zone, slot_minutes, buffer_minutes, notice_minutes, "
                "horizon_days, rules, exceptions, updated_at, updated_by, buffer_before_minutes) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING version",
                *values,
            )
        else:
            saved = await tx.fetchval(
                "UPDATE schedules SET time_zone = $2, slot_minutes = $3, buffer_minutes = $4, notice_minutes = $5, "
                "horizon_days = $6, rules = $7, exceptions = $8, updated_at = $9, updated_by = $10, "
                "buffer_before_minutes = $11, version = version + 1 "
                "WHERE practitioner_id = $1 AND version = $12 RETURNING version",
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

    async def busy(
        self, tx: Transaction, ids: Sequence[UUID], since: datetime, until: datetime, now: datetime
    ) -> BusyTimes:
        """Times spoken for, buffers included, that touch the stretch; one query however many practitioners."""
        found: BusyTimes = {}
        rows = await tx.fetch(
            "SELECT practitioner_id, starts_at, ends_at, expires_at FROM occupied WHERE practitioner_id = ANY($1) "
            "AND ends_at > $2 AND starts_at < $3 AND (expires_at IS NULL OR expires_at > $4)",
            list(ids),
            since,
            until,
            now,
        )
        for practitioner_id, starts_at, ends_at, expires_at in rows:
            found.setdefault(practitioner_id, []).append(Busy(starts_at, ends_at, expires_at))
        return found

    async def keep(self, tx: Transaction, hold: Hold, blocked: Interval, now: datetime) -> None:
        """Take the time of a hold or an offer. Raises SlotTaken."""
        try:
            taken = await tx.fetchval(
                "SELECT take_time($1, $2, $3, $4, $5, true, $6, $7, $8, $9, $10)",
                hold.id,
                hold.practitioner_id,
                blocked.start,
                blocked.end,
                hold.kind,
                hold.patient_id,
                hold.start,
                hold.end,
                hold.expires_at,
                now,
            )
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            raise SlotTaken() from None
        if not taken:
            raise SlotTaken()

    async def hold(self, tx: Transaction, hold_id: UUID, now: datetime) -> Hold | None:
        """A hold or an offer that still stands."""
        row = await tx.fetchrow(
            "SELECT * FROM occupied WHERE id = $1 AND kind IN ('hold', 'offer') AND expires_at > $2", hold_id, now
        )
        return None if row is None else _hold(row)

    async def holds_of(self, tx: Transaction, patient_id: UUID, now: datetime) -> list[Hold]:
        """The patient's holds that still stand; no offers. Others who ask for the same person wait their turn."""
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"holds of {patient_id}")
        rows = await tx.fetch(
            "SELECT * FROM occupied WHERE patient_id = $1 AND kind = 'hold' AND expires_at > $2", patient_id, now
        )
        return [_hold(row) for row in rows]

    async def release(self, tx: Transaction, occupied_id: UUID) -> UUID | None:
        """Give the time back; whose it was."""
        found: UUID | None = await tx.fetchval(
            "DELETE FROM occupied WHERE id = $1 RETURNING practitioner_id", occupied_id
        )
        return found

    async def forget_expired(self, tx: Transaction, now: datetime) -> int:
        """Remove holds that have run out. Offers are removed with their waitlist entry's turn."""
        done = await tx.execute("DELETE FROM occupied WHERE kind = 'hold' AND expires_at <= $1", now)
        return int(done.split()[-1])


def _hold(row: Row) -> Hold:
    return Hold(
        id=row["id"],
        practitioner_id=row["practitioner_id"],
        patient_id=row["patient_id"],
        start=row["slot_starts_at"],
        end=row["slot_ends_at"],
        expires_at=row["expires_at"],
        kind=row["kind"],
    )


def schedule_content(schedule: Schedule) -> dict[str, Any]:
    """As JSON values; the other way is ``schedule_of``."""
    return {
        "time_zone": schedule.time_zone,
        "slot_minutes": schedule.slot_minutes,
        "buffer_before_minutes": schedule.buffer_before_minutes,
        "buffer_minutes": schedule.buffer_minutes,
        "notice_minutes": schedule.notice_minutes,
        "horizon_days": schedule.horizon_days,
        "rules": [
            {
                "weekday": rule.weekday,
                "start": rule.hours.start,
                "end": rule.hours.end,
                "location": rule.hours.location,
            }
            for rule in schedule.rules
        ],
        "exceptions": [
            {
                "day": each.day.isoformat(),
                "closed": each.closed,
                "start": each.hours.start if each.hours else None,
                "end": each.hours.end if each.hours else None,
                "location": each.hours.location if each.hours else "",
            }
            for each in schedule.exceptions
        ],
    }


def schedule_of(content: Mapping[str, Any]) -> Schedule:
    """A schedule out of its JSON values or its row."""
    return Schedule(
        time_zone=content["time_zone"],
        slot_minutes=content["slot_minutes"],
        buffer_minutes=content["buffer_minutes"],
        notice_minutes=content["notice_minutes"],
        horizon_days=content["horizon_days"],
        rules=tuple(WeeklyRule(each["weekday"], _hours(each)) for each in content["rules"]),
        exceptions=tuple(
            DayException(
                date.fromisoformat(each["day"]),
                each["closed"],
                _hours(each) if each["start"] is not None else None,
            )
            for each in content["exceptions"]
        ),
        buffer_before_minutes=content["buffer_before_minutes"],
    )


def _schedule(row: Row) -> StoredSchedule:
    return StoredSchedule(row["practitioner_id"], schedule_of(dict(row)), row["version"])


def _hours(content: Mapping[str, Any]) -> Hours:
    return Hours(content["start"], content["end"], content.get("location", ""))
