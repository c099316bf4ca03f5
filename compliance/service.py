"""The audit trail: reading it, sealing it, proving it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from compliance import chain, repository
from compliance.archives import is_signed as is_cut_signed
from compliance.break_glass import BreakGlass
from compliance.chain import START, AuditRow, Broken
from compliance.checkpoints import Checkpoint, Signer, is_signed, to_json
from compliance.ports import People
from core.audit_rows import is_genuine
from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput
from core.security.policy import Policy
from core.security.principal import Principal

log = structlog.get_logger()

BATCH = 2000  # rows a transaction; a seal costs some 10 µs
# No transaction runs this long (a statement ends after 30 s), so an older row can't appear any more.
LATE_COMMIT = timedelta(minutes=10)
# Looking so far back each second would cost more than the sealing: once a minute is enough for the rare late row.
LOOK_BACK_EVERY_S = 60.0
RECENT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Keys:
    """``chain`` makes the digests, ``rows`` the rows' ids; the signer's public key is for everybody."""

    chain: bytes
    rows: bytes
    signer: Signer


@dataclass(frozen=True, slots=True)
class Entry:
    row: AuditRow
    actor_name: str | None
    reason: str | None  # of an emergency access it is kept encrypted elsewhere


@dataclass(frozen=True, slots=True)
class Verification:
    """``broken`` is the first row that does not fit its seal; ``unsealed`` rows are proved by nothing yet."""

    sealed: int
    archived: int  # of those, whose rows are in archives
    broken: Broken | None
    unsealed: int
    first_unsealed: int | None
    head: str  # hexadecimal; compare it with one noted elsewhere to notice a trail cut off at its end

    @property
    def intact(self) -> bool:
        return self.broken is None


class Audit:
    def __init__(
        self, database: Database, policy: Policy, people: People, emergency: BreakGlass, clock: Clock, keys: Keys
    ) -> None:
        self._database = database
        self._policy = policy
        self._people = people
        self._emergency = emergency
        self._clock = clock
        self._keys = keys
        self._looked_back_at: float | None = None
        self._sealed_at = float("-inf")

    async def search(
        self,
        principal: Principal,
        *,
        patient_id: UUID | None,
        actor_id: UUID | None,
        action: str | None,
        since: datetime | None,
        until: datetime | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[Entry], str | None]:
        """For auditors; that they looked is audited too. Raises Forbidden, InvalidInput."""
        self._policy.require(principal, "audit.search")
        before = _read_cursor(cursor)
        async with self._database.transaction() as tx:
            rows = await repository.search(
                tx,
                patient_id=patient_id,
                actor_id=actor_id,
                action=action,
                not_actor_id=None,
                since=since,
                until=until,
                before=before,
                limit=limit + 1,
            )
            await tx.audit(
                "audit.searched",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="audit",
                patient_id=patient_id,
                details={"actor_id": str(actor_id)} if actor_id else None,
            )
        return await self._page(rows, limit)

    async def record_accesses(
        self, principal: Principal, *, cursor: str | None, limit: int
    ) -> tuple[list[Entry], str | None]:
        """What others did with the data of the person who asks."""
        before = _read_cursor(cursor)
        async with self._database.reading() as tx:
            rows = await repository.search(
                tx,
                patient_id=principal.id,
                actor_id=None,
                action=None,
                not_actor_id=principal.id,
                since=None,
                until=None,
                before=before,
                limit=limit + 1,
            )
        return await self._page(rows, limit)

    async def _page(self, rows: list[AuditRow], limit: int) -> tuple[list[Entry], str | None]:
        more, rows = len(rows) > limit, rows[:limit]
        names = await self._people.names(sorted({row.actor_id for row in rows if row.actor_id is not None}))
        reasons = await self._emergency.reasons(each for row in rows if (each := emergency_of(row)) is not None)
        entries = [
            Entry(
                row,
                names.get(row.actor_id) if row.actor_id else None,
                row.reason or reasons.get(emergency_of(row) or row.id),
            )
            for row in rows
        ]
        return entries, str(rows[-1].seq) if more else None

    async def seal(self) -> int:
        """Seal what is new; the number of rows. Runs each second, in one process at a time."""
        now = self._clock.monotonic()
        back: timedelta | None
        if self._looked_back_at is None:
            back = None  # the first time all rows are looked at: nothing stays open after a stop, however long it was
        elif now - self._looked_back_at >= LOOK_BACK_EVERY_S:
            back = LATE_COMMIT
        else:
            back = RECENT + timedelta(seconds=now - self._sealed_at)
        total = 0
        while True:
            async with self._database.transaction() as tx:
                await repository.lock_chain(tx)
                rows = await repository.unsealed(tx, back, BATCH)
                if rows:
                    position, before = await repository.head(tx)
                    sealed = await asyncio.to_thread(chain.seal, self._keys.chain, before, position, rows)
                    made_at = self._clock.now()
                    await repository.append(tx, sealed, made_at)
                    last, _, digest = sealed[-1]
                    await repository.add_checkpoint(tx, self._keys.signer.sign(last, digest, made_at))
                    total += len(rows)
                    # The head goes where the database's owner does not reach: into the log.
                    log.info("audit sealed", position=sealed[-1][0], head=sealed[-1][2].hex())
            if len(rows) < BATCH:
                if back is None or back >= LATE_COMMIT:
                    self._looked_back_at = now
                self._sealed_at = now
                return total

    async def tail(self) -> tuple[int, float]:
        """How many recent rows have no seal yet, and the age of the oldest in seconds: the proof's open end."""
        async with self._database.reading() as tx:
            return await repository.unsealed_tail(tx, LATE_COMMIT)

    async def verify(self) -> Verification:
        return await verify(self._database, self._keys)

    async def checkpoint(self, principal: Principal) -> dict[str, Any] | None:
        """The newest signed checkpoint, to be kept elsewhere; None before the first. Raises Forbidden."""
        self._policy.require(principal, "audit.search")
        async with self._database.reading() as tx:
            newest = await repository.newest_checkpoint(tx)
        return None if newest is None else to_json(newest, self._keys.signer.public)


def emergency_of(row: AuditRow) -> UUID | None:
    """The emergency access that a row is about, or under which it was done."""
    text = row.resource_id if row.resource == "break_glass" else row.details.get("break_glass")
    return UUID(text) if isinstance(text, str) else None


async def verify(database: Database, keys: Keys, kept: Checkpoint | None = None) -> Verification:
    """Walk the whole chain and name the first row that does not fit.

    ``kept`` is a checkpoint from elsewhere: a trail that does not reach it was cut or replaced.
    """
    public = keys.signer.public
    async with database.reading() as tx:
        before, archived, broken = await _after_the_cuts(tx, public)
        past = kept if kept is not None and kept.position <= archived else None
        if broken is None and past is not None and await repository.digest_at(tx, past.position) != past.digest:
            broken = Broken(0, past.position, "checkpoint")
    position, signed = archived + 1, archived
    while broken is None:
        async with database.reading() as tx:
            links = await repository.links(tx, position - 1, BATCH)
            points = await repository.checkpoints(tx, position - 1, position - 1 + len(links))
        start = position
        before, position, broken = await asyncio.to_thread(chain.check, keys.chain, keys.rows, before, position, links)
        sound = {each.position: each for each in links[: position - start]}
        for at, point in sorted(points.items()):
            if broken is None and at in sound:
                if sound[at].digest != point.digest or not is_signed(public, point):
                    broken = Broken(sound[at].audit_seq, at, "checkpoint")
                signed = at
        if (
            broken is None
            and kept is not None
            and kept.position in sound
            and sound[kept.position].digest != kept.digest
        ):
            broken = Broken(sound[kept.position].audit_seq, kept.position, "checkpoint")
        if len(links) < BATCH:
            break
    if broken is None and signed != position - 1:
        broken = Broken(0, position - 1, "checkpoint")  # every sealing leaves one at its end
    if broken is None and kept is not None and (not is_signed(public, kept) or kept.position > position - 1):
        broken = Broken(0, kept.position, "cut" if is_signed(public, kept) else "checkpoint")
    if broken is None:
        broken = await _inserted(database, keys, position)
    async with database.reading() as tx:
        unsealed, first = await repository.count_unsealed(tx)
    return Verification(position - 1, archived, broken, unsealed, first, before.hex())


async def _after_the_cuts(tx: Transaction, public: bytes) -> tuple[bytes, int, Broken | None]:
    """Where the rows that are still here begin: the digest before them, how many links lie before, what is wrong."""
    before, archived = START, 0
    for cut in await repository.cuts(tx):
        sound = cut.first_position == archived + 1 and is_cut_signed(public, cut)
        if not sound or await repository.digest_at(tx, cut.position) != cut.digest:
            return before, archived, Broken(0, cut.position, "cut")
        before, archived = cut.digest, cut.position
    return before, archived, None


async def _inserted(database: Database, keys: Keys, position: int) -> Broken | None:
    """A row of the open end that the program did not write."""
    last = 0
    while True:
        async with database.transaction() as tx:
            rows = await repository.unsealed_after(tx, last, BATCH)
        for row in rows:
            if not is_genuine(keys.rows, row.id, chain.content(row)):
                return Broken(row.seq, position, "inserted")
        if len(rows) < BATCH:
            return None
        last = rows[-1].seq


def _read_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidInput.of("cursor", "is not one of ours")
    return int(cursor)
