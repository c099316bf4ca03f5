"""Consents: given and withdrawn by the person themselves, each time with the text they saw as evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from compliance.consent_texts import KINDS, Kind, newest, text_of
from compliance.events import ConsentGiven, ConsentWithdrawn
from core.clock import Clock
from core.database import Database, Row, Transaction
from core.errors import ConsentMissing, ConsentTextChanged, InvalidInput
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import Principal
from core.security.proxies import Authority, Nobody, to_patient


@dataclass(frozen=True, slots=True)
class Consent:
    id: UUID
    person_id: UUID
    kind: Kind
    given: bool
    version: int
    language: str
    text_digest: bytes
    said_by: UUID
    said_as: str
    how: str
    said_at: datetime

    @property
    def stands(self) -> bool:
        """Given, and to the text that is in force."""
        return self.given and self.version == newest(self.kind)


class Consents:
    """``presumed`` are the kinds that stand as long as nobody has said no; ``authority``: who speaks for a patient."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        clock: Clock,
        presumed: frozenset[str] = frozenset(),
        authority: Authority | None = None,
    ) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        self._presumed = presumed
        self._authority = authority or Nobody()

    async def of(self, principal: Principal, patient_id: UUID | None = None) -> list[Consent]:
        """One's own, or a patient's whom one acts for: all that was ever said, newest first. Raises Forbidden."""
        whose = await self._whose(principal, patient_id)
        async with self._database.reading() as tx:
            rows = await tx.fetch("SELECT * FROM consents WHERE person_id = $1 ORDER BY id DESC LIMIT 200", whose)
        return [_consent(row) for row in rows]

    async def say(
        self,
        principal: Principal,
        kind: Kind,
        *,
        given: bool,
        version: int,
        language: str,
        patient_id: UUID | None = None,
    ) -> Consent:
        """For oneself, or for a patient whom one acts for; who said it is kept with it.

        Raises Forbidden, ConsentTextChanged when it is not the version in force that was read, InvalidInput for no
        text.
        """
        whose = await self._whose(principal, patient_id)
        return await self._say(principal, whose, kind, given, version, language, "page")

    async def given_at_visit(
        self, principal: Principal, person_id: UUID, kind: Kind, *, version: int, language: str
    ) -> Consent:
        """Agreed to on the way into a visit, by the person or whoever acts for them; who may was decided there.

        Raises ConsentTextChanged, InvalidInput.
        """
        return await self._say(principal, person_id, kind, True, version, language, "visit")

    async def _say(
        self,
        principal: Principal,
        person_id: UUID,
        kind: Kind,
        given: bool,
        version: int,
        language: str,
        how: Literal["page", "visit"],
    ) -> Consent:
        text = text_of(kind, version, language)
        if text is None:
            raise InvalidInput.of("version", "there is no such text in this language")
        if given and version != newest(kind):
            raise ConsentTextChanged()
        said = Consent(
            uuid7(),
            person_id,
            kind,
            given,
            version,
            language,
            text.digest,
            principal.id,
            principal.role,
            how,
            self._clock.now(),
        )
        async with self._database.transaction() as tx:
            await _insert(tx, said)
            fact = ConsentGiven if given else ConsentWithdrawn
            await tx.publish(fact(person_id=said.person_id, kind=kind, version=version))
            await tx.audit(
                "consent.given" if given else "consent.withdrawn",
                actor_id=principal.id,
                actor_role=principal.role,
                resource="consent",
                resource_id=said.id,
                patient_id=said.person_id,
                details={"kind": kind, "version": version, "language": language, "text": text.digest.hex()},
            )
        return said

    async def _whose(self, principal: Principal, patient_id: UUID | None) -> UUID:
        if patient_id in (None, principal.id):
            self._policy.require(principal, "consent.own", ["self"])
            return principal.id
        self._policy.require(principal, "consent.for", await to_patient(principal, patient_id, self._authority))
        return patient_id

    async def require(self, person_id: UUID, kind: Kind) -> None:
        """The one check, for whoever needs a consent. Raises ConsentMissing."""
        if not await self.holds(person_id, kind):
            raise ConsentMissing()

    async def holds(self, person_id: UUID, kind: Kind) -> bool:
        """Whether a person's consent counts: their newest word is yes to the text in force, or it is presumed."""
        async with self._database.reading() as tx:
            row = await tx.fetchrow(
                "SELECT * FROM consents WHERE person_id = $1 AND kind = $2 ORDER BY id DESC LIMIT 1", person_id, kind
            )
        return kind in self._presumed if row is None else _consent(row).stands

    async def stand(self, person_ids: Iterable[UUID], kind: Kind) -> set[UUID]:
        """Those of them whose newest word is yes, to the text that is in force."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT DISTINCT ON (person_id) * FROM consents WHERE person_id = ANY($1) AND kind = $2"
                " ORDER BY person_id, id DESC",
                list(person_ids),
                kind,
            )
        return {row["person_id"] for row in rows if _consent(row).stands}

    async def who_agreed(self, kind: Kind) -> list[UUID]:
        """Everybody whose consent to ``kind`` stands."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT DISTINCT ON (person_id) * FROM consents WHERE kind = $1 ORDER BY person_id, id DESC", kind
            )
        return [row["person_id"] for row in rows if _consent(row).stands]


async def _insert(tx: Transaction, said: Consent) -> None:
    await tx.execute(
        "INSERT INTO consents (id, person_id, kind, given, version, language, text_digest, said_by, said_as, how,"
        " said_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        said.id,
        said.person_id,
        said.kind,
        said.given,
        said.version,
        said.language,
        said.text_digest,
        said.said_by,
        said.said_as,
        said.how,
        said.said_at,
    )


def _consent(row: Row) -> Consent:
    assert row["kind"] in KINDS
    return Consent(
        row["id"],
        row["person_id"],
        cast("Kind", row["kind"]),
        row["given"],
        row["version"],
        row["language"],
        row["text_digest"],
        row["said_by"],
        row["said_as"],
        row["how"],
        row["said_at"],
    )
