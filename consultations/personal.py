"""What visits leave of a person in files, and how it is forgotten. What is encrypted goes with the person's key."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from core.context import Context


@dataclass(frozen=True, slots=True)
class SentFile:
    id: UUID
    consultation_id: UUID
    stored_id: UUID


class Personal:
    def __init__(self, context: Context) -> None:
        self._database = context.database("consultations")
        self._files = context.files

    async def files(self, patient_id: UUID) -> list[SentFile]:
        """Those that were sent to all in the patient's visits."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT f.id, f.consultation_id, f.stored_id FROM chat_files f JOIN consultations c"
                " ON c.id = f.consultation_id WHERE c.patient_id = $1 ORDER BY f.id",
                patient_id,
            )
        return [SentFile(*row.values()) for row in rows]

    async def erase(self, person_id: UUID, keep: bool) -> dict[str, int]:
        """Removes the files from the store, and from the list of interpreters."""
        async with self._database.transaction() as tx:
            await tx.execute("UPDATE interpreters SET on_duty = false WHERE person_id = $1", person_id)
        if keep:
            return {"files": 0}
        found = await self.files(person_id)
        for each in found:
            await self._files.delete(each.stored_id)
        return {"files": len(found)}
