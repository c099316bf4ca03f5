"""Does sealing keep up? ``python -m loadtests.audit --rate 2000 --seconds 20``.

Writers, sealer and PostgreSQL are on one machine.
Transactions of 20 rows each are written at a steady rate through ``Transaction.audit`` while one sealer runs each
second, as it does in the server. Then the whole trail is verified. PostgreSQL is durable (fsync on).
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from compliance import audit_keys
from compliance.break_glass import BreakGlass
from compliance.service import Audit, verify
from core.clock import SystemClock
from core.database import Database, open_database
from core.ids import uuid7
from core.migrations import migrate
from core.security.envelope import EnvelopeVault
from core.security.master import MasterKey
from core.security.policy import Policy
from core.settings import load
from loadtests.demonstration import LoadTestError
from server.embedded import EmbeddedPostgres

ROWS = 20  # in a transaction: a list of appointments read by the desk


class Nobody:
    """No names are asked for here."""

    async def names(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        return {}

    async def is_patient(self, person_id: UUID) -> bool:
        return False


async def write(database: Database, rate: int, seconds: int) -> list[float]:
    """Rows at a steady rate; the time of each transaction in seconds."""
    loop = asyncio.get_running_loop()
    began, took = loop.time(), list[float]()

    async def one(due: float) -> None:
        await asyncio.sleep(max(0.0, due - loop.time()))
        start = time.perf_counter()
        actor = uuid7()
        async with database.transaction() as tx:
            for _ in range(ROWS):
                await tx.audit(
                    "appointment.read", actor_id=actor, actor_role="desk", resource="appointment", patient_id=uuid7()
                )
        took.append(time.perf_counter() - start)

    transactions = rate * seconds // ROWS
    await asyncio.gather(*(one(began + n * ROWS / rate) for n in range(transactions)))
    return took


async def run(rate: int, seconds: int, before: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bedside-audit-") as folder:
        secret = secrets.token_hex(16)
        postgres = EmbeddedPostgres(Path(folder), role_secret=secret)
        await postgres.start()
        try:
            await migrate(postgres.url, ["compliance"], secret)
            database = await open_database(postgres.url, "compliance", role_secret=secret, pool_size=8)
            try:
                await measure(database, secret, rate, seconds, before)
            finally:
                await database.close()
        finally:
            await postgres.stop()


async def measure(database: Database, secret: str, rate: int, seconds: int, before: int) -> None:
    key = MasterKey.generate()
    settings = load(None, {"BEDSIDE_SECURITY_MASTER_KEY": key, "BEDSIDE_DATABASE_ROLE_SECRET": secret})
    clock, policy = SystemClock(), Policy()
    vault = EnvelopeVault(database, MasterKey.parse(key), clock)
    emergency = BreakGlass(database, policy, Nobody(), vault, clock, 3600)
    audit = Audit(database, policy, Nobody(), emergency, clock, audit_keys(settings))
    if before:
        await fill(database, before)
        await audit.seal()
    turns: list[tuple[int, float]] = []
    tails: list[float] = []
    over = asyncio.Event()

    async def seal() -> None:
        while not over.is_set():
            start = time.perf_counter()
            tails.append((await audit.tail())[1])
            rows = await audit.seal()
            turns.append((rows, time.perf_counter() - start))
            await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - start)))

    sealing = asyncio.create_task(seal())
    started = time.perf_counter()
    took = sorted(await write(database, rate, seconds))
    wrote = time.perf_counter() - started
    over.set()
    await sealing
    start = time.perf_counter()
    await audit.seal()
    last = time.perf_counter() - start
    start = time.perf_counter()
    found = await verify(database, audit_keys(settings))
    checked = time.perf_counter() - start
    if not found.intact or found.unsealed:
        raise LoadTestError(f"the trail does not fit: {found}")
    sealed, spent = sum(rows for rows, _ in turns), sum(each for _, each in turns)
    print("| what | measured |\n|---|---:|")
    print(f"| rows written a second (wanted {rate}) | {len(took) * ROWS / wrote:.0f} |")
    median, late = took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000
    print(f"| a transaction of {ROWS} rows, median and 99 %, ms | {median:.1f}, {late:.1f} |")
    print(f"| sealing, ms for 1000 rows | {spent / max(sealed, 1) * 1e6:.0f} |")
    print(f"| the longest turn of the sealer, ms | {max(each for _, each in turns) * 1000:.0f} |")
    print(f"| the oldest row without a seal, s at most | {max(tails):.2f} |")
    print(f"| what was left when the writers ended, sealed within, ms | {last * 1000:.0f} |")
    print(f"| verifying, rows a second ({found.sealed} rows) | {found.sealed / checked:.0f} |")


async def fill(database: Database, rows: int) -> None:
    """Rows that were there before."""
    for _ in range(rows // 1000):
        async with database.transaction() as tx:
            for _ in range(1000):
                await tx.audit("record.read", actor_id=uuid7(), actor_role="practitioner", resource="record")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=2000, help="rows a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--before", type=int, default=0, help="rows that are in the trail already")
    given = parser.parse_args()
    asyncio.run(run(given.rate, given.seconds, given.before))


if __name__ == "__main__":
    main()
