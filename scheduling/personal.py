"""What scheduling knows about a person in clear, and how it forgets them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import Database


class Personal:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def visits_ahead(self, person_id: UUID, now: datetime) -> int:
        """Open appointments that are not over, as patient or practitioner."""
        async with self._database.reading() as tx:
            number: int = await tx.fetchval(
                "SELECT count(*) FROM appointments WHERE (patient_id = $1 OR practitioner_id = $1)"
                " AND status IN ('booked', 'arrived', 'checked-in') AND ends_at > $2",
                person_id,
                now,
            )
        return number

    async def appointments(self, person_id: UUID) -> list[UUID]:
        """All of a patient, oldest first."""
        async with self._database.reading() as tx:
            rows = await tx.fetch("SELECT id FROM appointments WHERE patient_id = $1 ORDER BY starts_at", person_id)
        return [row["id"] for row in rows]

    async def facts(self, patients: list[UUID], after: UUID | None, limit: int) -> list[dict[str, Any]]:
        """Of these patients' appointments, what is neither encrypted nor a name; by id."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT id, patient_id, specialty, kind, status, starts_at, ends_at FROM appointments"
                " WHERE patient_id = ANY($1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
                patients,
                after,
                limit,
            )
        return [dict(row) for row in rows]

    async def erase(self, person_id: UUID, keep_reasons: bool) -> dict[str, int]:
        """Times of appointments stay, for those who worked; who it was can't be told from them any more."""
        async with self._database.transaction() as tx:
            feeds = await tx.execute("DELETE FROM calendar_feeds WHERE person_id = $1", person_id)
            await tx.execute(
                "DELETE FROM waitlist_offers WHERE entry_id IN (SELECT id FROM waitlist WHERE patient_id = $1)",
                person_id,
            )
            lines = await tx.execute("DELETE FROM waitlist WHERE patient_id = $1 AND status <> 'offered'", person_id)
            drop_ins = await tx.execute("DELETE FROM drop_ins WHERE patient_id = $1 AND status <> 'taken'", person_id)
            reasons = "UPDATE 0"
            if not keep_reasons:
                reasons = await tx.execute(
                    "UPDATE appointments SET reason = NULL WHERE patient_id = $1 AND reason IS NOT NULL", person_id
                )
                await tx.execute("UPDATE drop_ins SET reason = NULL WHERE patient_id = $1", person_id)
        names = ("calendar_feeds", "waitlist", "drop_ins", "reasons")
        done = (feeds, lines, drop_ins, reasons)
        return {name: int(tag.rpartition(" ")[2]) for name, tag in zip(names, done, strict=True)}
