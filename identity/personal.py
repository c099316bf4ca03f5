"""What identity knows about a person, and how it forgets them: names and addresses are replaced, the account closed."""

from __future__ import annotations

from uuid import UUID

from core.clock import Clock
from core.database import Database
from identity.proxies import Proxies
from identity.sessions import Sessions

ERASED_NAME = "Erased person"


class Personal:
    def __init__(self, database: Database, sessions: Sessions, proxies: Proxies, clock: Clock) -> None:
        self._database = database
        self._sessions = sessions
        self._proxies = proxies
        self._clock = clock

    async def erase(self, person_id: UUID) -> dict[str, int]:
        """Nothing that is left tells who it was; nobody signs in with it."""
        gone = f"erased-{person_id.hex}@erased.invalid"
        async with self._database.transaction() as tx:
            await self._proxies.end_all(tx, person_id)
            # Of those who acted for the person nothing stays; those the person acted for keep who it was, by id.
            acted = await tx.execute("DELETE FROM proxies WHERE patient_id = $1", person_id)
            asked = "DELETE FROM proxy_invitations i USING people p WHERE p.id = $1 AND i.email_key = p.email_key"
            await tx.execute(asked, person_id)
            await tx.execute("DELETE FROM proxy_invitations WHERE patient_id = $1", person_id)
            # Whatever else is kept by person: second factors, links, verifications.
            tables = await tx.fetch(
                "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t USING"
                " (table_schema, table_name) WHERE c.table_schema = 'identity' AND c.column_name = 'person_id'"
                " AND t.table_type = 'BASE TABLE' ORDER BY c.table_name"
            )
            removed = 0
            for row in tables:
                statement = f'DELETE FROM "{row["table_name"]}" WHERE person_id = $1'  # noqa: S608  # a catalogue's name
                done = await tx.execute(statement, person_id)
                removed += _number(done)
            care = await tx.execute("DELETE FROM care_relations WHERE patient_id = $1", person_id)
            await tx.execute(
                "UPDATE people SET email = $2, email_key = $2, name = $3, phone = NULL, birth_date = NULL,"
                " password_hash = '', verified_at = NULL, time_zone = 'UTC',"
                " deactivated_at = coalesce(deactivated_at, $4), access_changed_at = $4 WHERE id = $1",
                person_id,
                gone,
                ERASED_NAME,
                self._clock.now(),
            )
        for session in await self._sessions.of_person(person_id):
            await self._sessions.end(session)
        return {"account": 1, "rows": removed, "care_relations": _number(care), "proxies": _number(acted)}


def _number(done: str) -> int:
    """Of rows, as PostgreSQL tells it after a statement."""
    return int(done.rpartition(" ")[2])
