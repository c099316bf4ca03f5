"""Booking and searching under load: ``python -m loadtests.scheduling --book``, ``--burst``, ``--one``, ``--search``.

Load generator, server, PostgreSQL and Valkey share the machine. Times count from the moment a request was due.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from datetime import UTC, datetime, timedelta

import uvloop

from core.clock import rfc3339
from loadtests.demonstration import LoadTestError
from loadtests.practice_house import SPECIALTIES, House
from loadtests.wire import Connection, Outcome, at_rate, request

PRACTITIONERS = 2000
PATIENTS = 1000
DRAIN_S = 120.0
WARM_UP = 300


def bookings(house: House, tokens: list[str], first: int, count: int) -> list[bytes]:
    """One request for each slot from the first-th on."""
    made = []
    for number in range(first, first + count):
        practitioner, start = house.slot(number)
        body = {"practitioner_id": str(practitioner), "start": rfc3339(start), "reason": "Cough since Monday"}
        headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
        made.append(request("POST", "/api/v1/appointments", headers, body))
    return made


async def drained(house: House) -> float:
    """Seconds until every fact has been handled by everybody."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() - began < DRAIN_S:
        if (await house.outstanding())[0] == 0:
            return loop.time() - began
        await asyncio.sleep(0.1)
    raise LoadTestError(f"facts were not handled within {DRAIN_S:.0f} s")


async def book(house: House, tokens: list[str], per_s: float, seconds: float, connections: int, first: int) -> int:
    """Book at a steady rate; the next free slot's number."""
    count = int(per_s * seconds)
    before, cpu = await house.counts(), house.cpu_s()
    outcome = await at_rate(address(house), bookings(house, tokens, first, count), per_s, connections)
    waiting, oldest = await house.outstanding()
    lag = await drained(house)
    print(f"book: {outcome.line()}")
    spent = ", ".join(f"{name} {(now - cpu.get(name, 0)) * 1000 / count:.2f}" for name, now in house.cpu_s().items())
    print(f"book: processor time, ms a booking, facts included: {spent}")
    print(
        f"book: at the end {waiting} deliveries of facts waited (oldest in the outbox {oldest:.1f} s); "
        f"all handled {lag:.1f} s later"
    )
    after = await house.counts()
    print("book: made " + ", ".join(f"{after[name] - before[name]} {name}" for name in after))
    _expect(outcome, 201)
    return first + count


async def one_slot(house: House, tokens: list[str], attempts: int, number: int) -> None:
    """Many attempts at one slot at the same moment."""
    practitioner, start = house.slot(number)
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, *address(house)))[1] for _ in range(attempts)]
    body = {"practitioner_id": str(practitioner), "start": rfc3339(start), "reason": "Cough since Monday"}
    raw = [
        request("POST", "/api/v1/appointments", {"Authorization": f"Bearer {tokens[n % len(tokens)]}"}, body)
        for n in range(attempts)
    ]
    began = loop.time()
    answers = await asyncio.gather(*(each.ask(raw[n]) for n, each in enumerate(connections)))
    took = loop.time() - began
    for each in connections:
        each.close()
    won = sum(1 for status, _ in answers if status == 201)
    codes = {json.loads(body).get("code") for status, body in answers if status != 201}
    print(f"one: {attempts} attempts at one slot in {took:.2f} s: {won} won, the others {codes}")
    if won != 1 or codes != {"slot_taken"}:
        raise LoadTestError("one slot, not one winner")


async def search(house: House, per_s: float, seconds: float, connections: int) -> None:
    """Searches as people make them: by specialty, day, language, name, fee, distance."""
    chance = random.Random(7)
    today = datetime.now(UTC).date()

    def one() -> bytes:
        specialty = chance.choice(SPECIALTIES)
        day = (today + timedelta(days=chance.randint(1, 89))).isoformat()
        query = chance.choice(
            (
                f"specialty={specialty}",
                f"specialty={specialty}",
                f"specialty={specialty}&date={day}",
                f"date={day}",
                f"language=wo&date={day}",
                f"name={chance.choice(('Awa', 'Doctor+1', 'Fatou'))}",
                f"specialty={specialty}&fee_max=9000&currency=XOF&insurer=axa",
                f"specialty={specialty}&lat=14.72&lon=-17.46&within_m=20000",
            )
        )
        return request("GET", f"/api/v1/providers?{query}", {})

    empty = 0

    def check(status: int, body: bytes) -> None:
        nonlocal empty
        if b'"start"' not in body:
            empty += 1

    warm = await at_rate(address(house), [one() for _ in range(WARM_UP)], per_s / 2, connections)
    print(f"search: warming up: {warm.line()}")
    outcome = await at_rate(address(house), [one() for _ in range(int(per_s * seconds))], per_s, connections, check)
    print(f"search: {outcome.line()}; {empty} without a slot")
    _expect(outcome, 200)


def address(house: House) -> tuple[str, int]:
    return "127.0.0.1", house.ports[0]


def _expect(outcome: Outcome, status: int) -> None:
    if set(outcome.statuses) != {status}:
        raise LoadTestError(f"not all answers were {status}: {dict(outcome.statuses)}")


async def run(options: argparse.Namespace) -> None:
    async with House(
        options.practitioners, options.patients, split=not options.one_process, statements=options.statements
    ) as house:
        tokens = await house.sign_in()
        print(f"load: {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, pids {house.pids}", flush=True)
        number = 0
        if options.book or options.burst or options.one:
            warm = await at_rate(address(house), bookings(house, tokens, 0, WARM_UP), 100, 16)
            print(f"book: warming up: {warm.line()}", flush=True)
            number = WARM_UP
            await drained(house)
        if options.book:
            number = await book(house, tokens, options.rate or 300, options.seconds or 60, options.connections, number)
        if options.burst:
            number = await book(house, tokens, options.rate or 800, options.seconds or 10, options.connections, number)
        if options.one:
            await one_slot(house, tokens, 1000, number)
            number += 1
        if options.search:
            await search(house, options.rate or 200, options.seconds or 60, options.connections)
        for line in await house.statements():
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--book", action="store_true", help="300 bookings a second for 60 s")
    parser.add_argument("--burst", action="store_true", help="800 bookings a second for 10 s")
    parser.add_argument("--one", action="store_true", help="1,000 simultaneous attempts at one slot")
    parser.add_argument("--search", action="store_true", help="200 searches a second for 60 s")
    parser.add_argument("--rate", type=float, help="another rate, a second")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--practitioners", type=int, default=PRACTITIONERS)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--one-process", action="store_true", help="all roles in one process, facts included")
    parser.add_argument("--statements", action="store_true", help="show which statements took the database's time")
    options = parser.parse_args()
    try:
        uvloop.run(run(options))
    except LoadTestError as error:
        sys.exit(f"load test: {error}")


if __name__ == "__main__":
    main()
