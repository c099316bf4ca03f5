"""What records hold of a person that the law may keep. The content itself goes with the person's key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from core.database import Database


class Personal:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def held(self, patient_id: UUID) -> tuple[int, datetime | None]:
        """How many entries and prescriptions there are, and the newest one's moment."""
        async with self._database.reading() as tx:
            row = await tx.fetchrow(
                "SELECT count(*) AS number, max(at) AS newest FROM (SELECT recorded_at AS at FROM entries"
                " WHERE patient_id = $1 UNION ALL SELECT issued_at FROM prescriptions WHERE patient_id = $1) AS kept",
                patient_id,
            )
        assert row is not None
        return row["number"], row["newest"]
