"""Random SIGKILLs of every part while people book: nothing answered is lost, nothing is done twice.

``pytest tests/server/test_server_random_kills.py --kills 200`` for a long run; 20 by default. Parts: the process that
answers, two workers (of which one relays facts), PostgreSQL, Valkey.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import asyncpg
import pytest

from core.clock import rfc3339
from loadtests.practice_house import House

pytestmark = pytest.mark.integration

BOOKERS = 4
BACK_S = 60.0
# Kills come at any moment: after so many answers, at most, since the last part was back.
MOST_BETWEEN = 25


@dataclass
class Book:
    """Everybody who books: the next free slot, and what was answered."""

    house: House
    tokens: list[str]
    next: int = 0
    answered: dict[str, tuple[str, str]] = field(default_factory=dict)
    other: Counter[str] = field(default_factory=Counter)
    stopped: bool = False

    async def go_on(self, session: aiohttp.ClientSession) -> None:
        url = f"http://127.0.0.1:{self.house.ports[0]}/api/v1/appointments"
        while not self.stopped:
            number, self.next = self.next, self.next + 1
            practitioner, start = self.house.slot(number)
            body = {"practitioner_id": str(practitioner), "start": rfc3339(start), "reason": "Cough"}
            headers = {"Authorization": f"Bearer {self.tokens[number % len(self.tokens)]}"}
            try:
                async with session.post(url, json=body, headers=headers) as answer:
                    if answer.status == 201:
                        self.answered[(await answer.json())["id"]] = (str(practitioner), rfc3339(start))
                        continue
                    code = (await answer.json())["code"]
                    assert answer.status == 503, (answer.status, code)
                    self.other[code] += 1
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                self.other[type(error).__name__] += 1  # nothing was promised
            await asyncio.sleep(0.02)  # do not spin while a part is away

    async def more(self, count: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.answered) + count
        async with asyncio.timeout(BACK_S):
            while len(self.answered) < wanted:
                await asyncio.sleep(0.01)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House(50, 20, workers=2) as made:
        yield made


async def kill(house: House, part: str) -> None:
    """SIGKILL, and start it again."""
    if part == "PostgreSQL":
        assert house.postgres.pid is not None
        os.kill(house.postgres.pid, signal.SIGKILL)
        await house.postgres.start()
    elif part == "Valkey":
        assert house.valkey.pid is not None
        os.kill(house.valkey.pid, signal.SIGKILL)
        await house.valkey.start()
    else:
        number = {"server": 0, "worker": 1, "other worker": 2}[part]
        os.kill(house.pids[number], signal.SIGKILL)
        house.start_again(number)


@pytest.mark.timeout(3600)
async def test_no_kill_loses_or_doubles_a_booking(house: House, request: pytest.FixtureRequest) -> None:
    kills = int(request.config.getoption("--kills"))
    chance = random.Random()
    parts = ["server", "worker", "other worker", "PostgreSQL", "Valkey"]
    # Every part has its turn, in an order of chance.
    plan = [parts[number % len(parts)] for number in range(kills)]
    chance.shuffle(plan)
    book = Book(house, await house.sign_in())
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        bookers = [asyncio.create_task(book.go_on(session)) for _ in range(BOOKERS)]
        try:
            for part in plan:
                await book.more(chance.randint(1, MOST_BETWEEN))
                await kill(house, part)
            await book.more(MOST_BETWEEN)
        finally:
            book.stopped = True
            done = await asyncio.gather(*bookers, return_exceptions=True)
        assert done == [None] * BOOKERS, done
    await all_handled(house)
    stored = await check(house, book)
    each = ", ".join(f"{part} {count}" for part, count in sorted(Counter(plan).items()))
    other = ", ".join(f"{count} {name}" for name, count in book.other.most_common())
    print(
        f"random kills: {kills} ({each}): {len(book.answered)} bookings answered, {stored} stored; "
        f"0 lost, 0 doubled, 0 facts without or with double effect; not answered with a booking: {other}"
    )


async def all_handled(house: House) -> None:
    async with asyncio.timeout(120):
        while (await house.outstanding())[0]:
            await asyncio.sleep(0.2)


async def check(house: House, book: Book) -> int:
    """Against the database: what was answered is there, once, and each of its facts had its effects once.

    How many bookings are there: those too whose answer was lost with the process.
    """
    connection = await asyncpg.connect(house.postgres.url)
    try:
        rows = await connection.fetch(
            "SELECT a.id::text, a.practitioner_id::text, a.starts_at, "
            "(SELECT count(*) FROM core.outbox o WHERE o.order_key = a.id AND o.name = 'appointment.booked') AS facts, "
            "(SELECT count(*) FROM scheduling.occupied t WHERE t.id = a.id) AS times, "
            "(SELECT count(*) FROM core.audit_log l WHERE l.resource_id = a.id::text "
            "AND l.action = 'appointment.booked') AS audits, "
            "(SELECT count(*) FROM identity.care_relations c WHERE c.appointment_id = a.id) AS care, "
            "(SELECT count(*) FROM billing.invoices i WHERE i.appointment_id = a.id) AS invoices, "
            "(SELECT count(*) FROM notifications.notices n WHERE n.appointment_id = a.id) AS notices, "
            "(SELECT count(*) FROM analytics.visits v WHERE v.appointment_id = a.id) AS visits "
            "FROM scheduling.appointments a"
        )
        troubled = await connection.fetchval(
            "SELECT (SELECT count(*) FROM core.parked_facts) + (SELECT count(*) FROM core.dead_facts)"
        )
    finally:
        await connection.close()
    stored = {row["id"]: (row["practitioner_id"], rfc3339(row["starts_at"])) for row in rows}
    lost = {key: value for key, value in book.answered.items() if stored.get(key) != value}
    assert not lost, f"answered and lost: {lost}"
    assert max(Counter(stored.values()).values()) == 1, "a slot was given twice"
    once = ("facts", "times", "audits", "care", "invoices", "visits")
    wrong = [dict(row) for row in rows if any(row[name] != 1 for name in once) or row["notices"] != 2]
    assert not wrong, json.dumps(wrong[:3], default=str)
    assert troubled == 0
    return len(rows)
