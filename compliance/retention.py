"""Old rows of the audit trail move into archives; the chain stays provable across each cut."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from compliance import archives, chain, repository
from compliance.archives import Cut
from compliance.chain import START
from compliance.service import Keys
from core.clock import Clock
from core.database import Database

log = structlog.get_logger()

EVERY_S = 3600.0
YEAR = timedelta(days=365.25)
LARGEST = 20_000  # rows of one archive


class AuditRetention:
    """``years`` 0: the trail is kept for good."""

    def __init__(self, database: Database, clock: Clock, keys: Keys, years: int, folder: Path) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._years = years
        self._folder = folder

    async def archive(self) -> int:
        """Move all that is old enough; how many rows. A part of the trail that is broken stays where it is."""
        total = 0
        if not self._years:
            return total
        while moved := await self._archive_next():
            total += moved
        return total

    async def _archive_next(self) -> int:
        """Up to a checkpoint, so that every cut lies where the chain was signed. The archive is on the disk before
        anything leaves the trail; one whose transaction failed is written anew under the same name.
        """
        now = self._clock.now()
        before = now - self._years * YEAR
        async with self._database.transaction() as tx:
            await repository.lock_chain(tx)
            last = await repository.newest_cut(tx)
            after, digest = (0, START) if last is None else (last.position, last.digest)
            until = await repository.archivable(tx, after, before, LARGEST)
            if until is None:
                return 0
            links = await repository.links(tx, after, until - after)
            end, _, broken = await asyncio.to_thread(
                chain.check, self._keys.chain, self._keys.rows, digest, after + 1, links
            )
            if broken is not None:
                log.error("audit not archived", row=broken.audit_seq, position=broken.position, what=broken.what)
                return 0
            name, archive_digest = await asyncio.to_thread(archives.write, self._folder, digest, links)
            cut = Cut(until, after + 1, end, before, name, archive_digest, now)
            cut = replace(cut, signature=archives.sign(self._keys.signer, cut))
            await repository.add_cut(tx, cut)
            await repository.remove_archived(tx, [each.audit_seq for each in links], before)
            await tx.audit(
                "audit.archived",
                actor_id=None,
                actor_role="system",
                resource="audit",
                resource_id=name,
                details={"rows": len(links), "through": until},
            )
        log.info("audit archived", archive=name, rows=len(links), through=until)
        return len(links)
