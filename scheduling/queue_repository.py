"""The SQL of the waitlist, of drop-ins and of told licences. Each method runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Row, Transaction
from scheduling.errors import AlreadyWaiting
from scheduling.models import DropIn, Hold, WaitlistEntry, WaitStatus

_ENTRY = "id, patient_id, practitioner_id, specialty, first_day, last_day, status, offer_id, created_at"
_DROP_IN = "id, patient_id, specialty, reason, status, appointment_id, created_at"


class QueueRepository:
    # Waitlist

    async def add_entry(self, tx: Transaction, each: WaitlistEntry, by: UUID | None) -> None:
        """Raises AlreadyWaiting when the patient waits for the same already."""
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"waits of {each.patient_id}")
        known = await tx.fetchval(
            "SELECT true FROM waitlist WHERE patient_id = $1 AND status IN ('waiting', 'offered') "
            "AND practitioner_id IS NOT DISTINCT FROM $2 AND specialty IS NOT DISTINCT FROM $3 "
            "AND first_day <= $5 AND last_day >= $4 LIMIT 1",
            each.patient_id,
            each.practitioner_id,
            each.specialty,
            each.first_day,
            each.last_day,
        )
        if known:
            raise AlreadyWaiting()
        await tx.execute(
            "INSERT INTO waitlist (id, patient_id, practitioner_id, specialty, first_day, last_day, created_by, "
            "created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            each.id,
            each.patient_id,
            each.practitioner_id,
            each.specialty,
            each.first_day,
            each.last_day,
            by,
            each.created_at,
        )

    async def entry(self, tx: Transaction, entry_id: UUID, *, lock: bool = False) -> WaitlistEntry | None:
        suffix = " FOR UPDATE" if lock else ""
        row = await tx.fetchrow(f"SELECT {_ENTRY} FROM waitlist WHERE id = $1{suffix}", entry_id)
        return None if row is None else WaitlistEntry(*row.values())

    async def entries(
        self,
        tx: Transaction,
        *,
        patient_id: UUID | None,
        practitioner_id: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> list[WaitlistEntry]:
        """Those that still wait or have been offered something, and one's past ones; oldest first."""
        rows = await tx.fetch(
            f"SELECT {_ENTRY} FROM waitlist WHERE ($1::uuid IS NULL OR patient_id = $1) "
            "AND ($2::uuid IS NULL OR practitioner_id = $2) AND ($1 IS NOT NULL OR status IN ('waiting', 'offered')) "
            "AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4",
            patient_id,
            practitioner_id,
            after,
            limit,
        )
        return [WaitlistEntry(*row.values()) for row in rows]

    async def first_match(
        self,
        tx: Transaction,
        practitioner_id: UUID,
        specialties: Sequence[str],
        day: date,
        start: datetime,
    ) -> WaitlistEntry | None:
        """Who has waited longest for such a time and was not offered it before; locked."""
        row = await tx.fetchrow(
            f"SELECT {_ENTRY} FROM waitlist w WHERE status = 'waiting' AND $3 BETWEEN first_day AND last_day "
            "AND (practitioner_id = $1 OR specialty = ANY($2)) AND patient_id <> $1 "
            "AND NOT EXISTS (SELECT FROM waitlist_offers o WHERE o.entry_id = w.id AND o.practitioner_id = $1 "
            "AND o.starts_at = $4) ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED",
            practitioner_id,
            list(specialties),
            day,
            start,
        )
        return None if row is None else WaitlistEntry(*row.values())

    async def offer(self, tx: Transaction, entry_id: UUID, offer: Hold, now: datetime) -> None:
        await tx.execute(
            "UPDATE waitlist SET status = 'offered', offer_id = $2, updated_at = $3 WHERE id = $1",
            entry_id,
            offer.id,
            now,
        )
        await tx.execute(
            "INSERT INTO waitlist_offers (entry_id, practitioner_id, starts_at, ends_at, offered_at, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            entry_id,
            offer.practitioner_id,
            offer.start,
            offer.end,
            now,
            offer.expires_at,
        )

    async def set_entry(self, tx: Transaction, entry_id: UUID, status: WaitStatus, now: datetime) -> WaitlistEntry:
        """Any status but ``offered``; the offer is taken off."""
        row = await tx.fetchrow(
            f"UPDATE waitlist SET status = $2, offer_id = NULL, updated_at = $3 WHERE id = $1 RETURNING {_ENTRY}",
            entry_id,
            status,
            now,
        )
        assert row is not None
        return WaitlistEntry(*row.values())

    async def lapsed_offers(
        self, tx: Transaction, now: datetime, limit: int
    ) -> list[tuple[WaitlistEntry, Hold | None]]:
        """Offers that have run out, or whose time is gone (its patient booked it by another way); locked."""
        rows = await tx.fetch(
            f"SELECT {', '.join('w.' + name for name in _ENTRY.split(', '))}, o.practitioner_id AS with_whom, "
            "o.slot_starts_at, o.slot_ends_at, o.expires_at FROM waitlist w LEFT JOIN occupied o ON o.id = w.offer_id "
            "WHERE w.status = 'offered' AND (o.id IS NULL OR o.expires_at <= $1) ORDER BY w.id LIMIT $2 "
            "FOR UPDATE OF w SKIP LOCKED",
            now,
            limit,
        )
        return [(WaitlistEntry(*list(row.values())[:9]), _lapsed(row)) for row in rows]

    async def booked_meanwhile(self, tx: Transaction, entry: WaitlistEntry) -> bool:
        """Whether the patient has booked what was offered, by the ordinary way."""
        found = await tx.fetchval(
            "SELECT EXISTS (SELECT FROM waitlist_offers o JOIN appointments a ON a.practitioner_id = o.practitioner_id "
            "AND a.starts_at = o.starts_at AND a.patient_id = $2 AND a.created_at >= o.offered_at "
            "WHERE o.entry_id = $1)",
            entry.id,
            entry.patient_id,
        )
        return bool(found)

    async def close_entries(self, tx: Transaction, before: date, now: datetime) -> int:
        """Entries whose last day is over in every zone."""
        done = await tx.execute(
            "UPDATE waitlist SET status = 'over', updated_at = $2 WHERE status = 'waiting' AND last_day < $1",
            before,
            now,
        )
        return int(done.split()[-1])

    # Drop-ins

    async def add_drop_in(self, tx: Transaction, each: DropIn, by: UUID | None) -> None:
        """Raises AlreadyWaiting."""
        try:
            await tx.execute(
                "INSERT INTO drop_ins (id, patient_id, specialty, reason, created_by, created_at, updated_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $6)",
                each.id,
                each.patient_id,
                each.specialty,
                each.reason,
                by,
                each.created_at,
            )
        except asyncpg.UniqueViolationError:
            raise AlreadyWaiting() from None

    async def drop_in(self, tx: Transaction, drop_in_id: UUID, *, lock: bool = False) -> DropIn | None:
        suffix = " FOR UPDATE" if lock else ""
        row = await tx.fetchrow(f"SELECT {_DROP_IN} FROM drop_ins WHERE id = $1{suffix}", drop_in_id)
        return None if row is None else DropIn(*row.values())

    async def drop_ins(
        self, tx: Transaction, *, patient_id: UUID | None, specialties: Sequence[str] | None, limit: int
    ) -> list[DropIn]:
        """Those that wait, in line."""
        conditions, values = ["status = 'waiting'"], list[Any]()
        if patient_id is not None:
            values.append(patient_id)
            conditions.append(f"patient_id = ${len(values)}")
        if specialties is not None:
            values.append(list(specialties))
            conditions.append(f"specialty = ANY(${len(values)})")
        values.append(limit)
        rows = await tx.fetch(
            f"SELECT {_DROP_IN} FROM drop_ins WHERE {' AND '.join(conditions)} ORDER BY created_at, id "
            f"LIMIT ${len(values)}",
            *values,
        )
        return [DropIn(*row.values()) for row in rows]

    async def position(self, tx: Transaction, each: DropIn) -> int:
        """1 for the next one of the specialty."""
        found: int = await tx.fetchval(
            "SELECT count(*) FROM drop_ins WHERE status = 'waiting' AND specialty = $1 "
            "AND (created_at, id) <= ($2, $3)",
            each.specialty,
            each.created_at,
            each.id,
        )
        return found

    async def line(self, tx: Transaction, specialty: str) -> list[UUID]:
        rows = await tx.fetch(
            "SELECT id FROM drop_ins WHERE status = 'waiting' AND specialty = $1 ORDER BY created_at, id", specialty
        )
        return [row[0] for row in rows]

    async def takes(self, tx: Transaction, specialty: str, since: datetime) -> list[float]:
        """When the last of this line were taken, in Unix seconds, newest first."""
        rows = await tx.fetch(
            "SELECT extract(epoch FROM updated_at)::float8 FROM drop_ins WHERE status = 'taken' AND specialty = $1 "
            "AND updated_at > $2 ORDER BY updated_at DESC LIMIT 40",
            specialty,
            since,
        )
        return [row[0] for row in rows]

    async def next_drop_in(self, tx: Transaction, specialties: Sequence[str], not_this: UUID) -> DropIn | None:
        """Who has waited longest; locked, leaving out those whom a colleague is taking at this moment."""
        row = await tx.fetchrow(
            f"SELECT {_DROP_IN} FROM drop_ins WHERE status = 'waiting' AND specialty = ANY($1) AND patient_id <> $2 "
            "ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED",
            list(specialties),
            not_this,
        )
        return None if row is None else DropIn(*row.values())

    async def set_drop_in(
        self, tx: Transaction, drop_in_id: UUID, status: str, appointment_id: UUID | None, now: datetime
    ) -> DropIn:
        row = await tx.fetchrow(
            f"UPDATE drop_ins SET status = $2, appointment_id = $3, updated_at = $4 WHERE id = $1 RETURNING {_DROP_IN}",
            drop_in_id,
            status,
            appointment_id,
            now,
        )
        assert row is not None
        return DropIn(*row.values())

    async def close_drop_ins(self, tx: Transaction, before: datetime, now: datetime) -> int:
        """Those that have waited since before then."""
        done = await tx.execute(
            "UPDATE drop_ins SET status = 'over', updated_at = $2 WHERE status = 'waiting' AND created_at < $1",
            before,
            now,
        )
        return int(done.split()[-1])

    # Licences

    async def tell_licence(
        self, tx: Transaction, practitioner_id: UUID, expires_on: date, days_before: int, now: datetime
    ) -> bool:
        """True once for each practitioner, day and stage."""
        found = await tx.fetchval(
            "INSERT INTO licence_notices (practitioner_id, expires_on, days_before, told_at) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT DO NOTHING RETURNING true",
            practitioner_id,
            expires_on,
            days_before,
            now,
        )
        return bool(found)

    async def open_after(self, tx: Transaction, practitioner_id: UUID, day: date) -> int:
        """Appointments still standing on later local days."""
        found: int = await tx.fetchval(
            "SELECT count(*) FROM appointments WHERE practitioner_id = $1 AND local_date > $2 AND status = 'booked'",
            practitioner_id,
            day,
        )
        return found


def _lapsed(row: Row) -> Hold | None:
    if row["with_whom"] is None:
        return None
    return Hold(
        id=row["offer_id"],
        practitioner_id=row["with_whom"],
        patient_id=row["patient_id"],
        start=row["slot_starts_at"],
        end=row["slot_ends_at"],
        expires_at=row["expires_at"],
        kind="offer",
    )
