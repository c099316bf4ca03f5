"""Nobody is let in without the patient's consent to care by video."""

from __future__ import annotations

from uuid import UUID

from core.errors import ConsentMissing
from signaling.ports import Visits
from signaling.presence import Person
from signaling.store import Store


class Consents:
    """What is known here came with the connection; only a no is asked about again, so that a yes costs nothing."""

    def __init__(self, store: Store, visits: Visits) -> None:
        self._store = store
        self._visits = visits

    async def require(self, person: Person) -> None:
        """Raises ConsentMissing."""
        if person.role != "patient" or person.consented:
            return
        if not await self._visits.consented(UUID(person.participant_id)):
            raise ConsentMissing()
        await self._store.set_person(person.appointment_id, person.participant_id, consented="1")
