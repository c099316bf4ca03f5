"""What billing holds of a person that the law may keep. Lines and member numbers go with the person's key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from core.database import Database


class Personal:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def held(self, patient_id: UUID) -> tuple[int, datetime | None]:
        """How many invoices there are, and the newest one's moment."""
        async with self._database.reading() as tx:
            row = await tx.fetchrow(
                "SELECT count(*) AS number, max(issued_at) AS newest FROM invoices WHERE patient_id = $1", patient_id
            )
        assert row is not None
        return row["number"], row["newest"]
