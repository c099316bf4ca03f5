"""Does a server's memory grow with people who come and go?"""

from __future__ import annotations

import asyncio
import statistics

from loadtests.media_runs import Place
from loadtests.media_servers import resident_bytes

PEOPLE = 2
WARM_UP = 50  # joins: pools, caches and the allocator's arenas find their size
SAMPLE_EVERY = 10  # joins
GROWTH_KB = 8.0  # a join, that is called none: RSS counts pages, and 150 joins of it are one MB


async def growth(place: Place, names: list[str], joins: int) -> str:
    """A table: memory after the warm-up and at the end, and the slope between."""
    lines = [
        f"{joins} joins and leaves, {PEOPLE} people a call, half a second of media; the first {WARM_UP} warm up.\n",
        "| server | idle MB | after warm-up MB | at the end MB | growth KB/join | grows |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        idle, samples = await _run(place, name, joins)
        steady = [(count, memory) for count, memory in samples if count >= WARM_UP]
        slope = statistics.linear_regression(*zip(*steady, strict=True)).slope / 1024
        figures = " | ".join(f"{memory / 1e6:.1f}" for memory in (idle, steady[0][1], steady[-1][1]))
        lines.append(f"| {name} | {figures} | {slope:.2f} | {'yes' if slope > GROWTH_KB else 'no'} |")
    return "\n".join(lines)


async def _run(place: Place, name: str, joins: int) -> tuple[int, list[tuple[int, int]]]:
    """Memory before, and (joins so far, memory) while nobody is there."""
    samples = []
    async with place.run(name, 0.0, 1) as (server, crowd):
        idle = resident_bytes(server.pid)
        for first in range(0, joins, PEOPLE):
            persons = list(range(first, first + PEOPLE))
            await server.call(crowd, persons)
            await server.settled()
            await crowd.connected(2 * PEOPLE)
            await crowd.all("burst")
            await asyncio.sleep(0.05)
            await server.leave(persons)
            await crowd.forget(persons)
            done = first + PEOPLE
            if done % SAMPLE_EVERY == 0:
                samples.append((done, resident_bytes(server.pid)))
    return idle, samples
