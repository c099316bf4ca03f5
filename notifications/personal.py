"""How notifications forget a person."""

from __future__ import annotations

from uuid import UUID

from core.database import Database


class Personal:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, person_id: UUID) -> dict[str, int]:
        """Notices, their deliveries, and reminders that were planned."""
        async with self._database.transaction() as tx:
            deliveries = await tx.execute("DELETE FROM deliveries WHERE person_id = $1", person_id)
            notices = await tx.execute("DELETE FROM notices WHERE person_id = $1", person_id)
            await tx.execute("DELETE FROM reminders WHERE person_id = $1", person_id)
        return {"notices": int(notices.rpartition(" ")[2]), "deliveries": int(deliveries.rpartition(" ")[2])}
