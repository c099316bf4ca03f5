"""How evenly rooms spread: calls come one after another to several signaling processes and two media workers.

    python -m loadtests.media_spread                    # 40 calls of two to six people, two workers
    python -m loadtests.media_spread --calls 80 --every 0.05

Workers, registry and choice are the product's; calls are synthetic, in a network namespace of their own as in
``loadtests.media_bench``; a call's media begins as soon as its people are connected. The last line says whether the
workers' processor time is within 20 % of each other; if not, it ends with exit code 1. (People and forwarded
packets can't both be: a call of six forwards fifteen times as much as a pair.)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from core.clock import SystemClock
from core.ids import uuid7
from loadtests import media_cores, media_native
from loadtests.media_bench import enter_namespace
from loadtests.media_crowd import Crowd
from loadtests.media_runs import ADDRESS
from loadtests.media_servers import BedsideServer, cpu_seconds
from server.embedded import EmbeddedValkey
from signaling.media_client import MediaClients, WorkerKey
from signaling.store import Store
from signaling.workers import Workers

WORKERS, PROCESSES = 2, 2
WITHIN = 0.2
# Most visits are of two; now and then somebody interprets, or a family is there.
SIZES = (2, 2, 3, 2, 2, 2, 4, 2, 2, 6)
SETTLED_S = 5.0  # figures of full seconds, written and read again
MEASURED_S = 8.0
PICTURES = 5.0  # a second, of each: the peers share a core, and are to keep up with forty calls


async def _nothing(key: WorkerKey, name: str, params: dict[str, Any]) -> None:
    """Events of the workers, which here are the benchmark's servers' to hear."""


def apart(figures: list[float]) -> float:
    """How far the smaller is from the larger, as a share of the larger."""
    return 1 - min(figures) / max(figures) if max(figures) else 0.0


async def spread(calls: int, every_s: float, seed: int, cores: media_cores.Cores, library: Path) -> bool:
    """One run; prints its table. True if it is even."""
    secret = secrets.token_hex(16)
    sizes = [SIZES[call % len(SIZES)] for call in range(calls)]
    random.Random(seed).shuffle(sizes)
    with tempfile.TemporaryDirectory(prefix="spread-") as folder:
        valkey = EmbeddedValkey(Path(folder))
        await valkey.start()
        servers = [
            BedsideServer(Path(folder), ADDRESS, cores.server, valkey=valkey, secret=secret) for _ in range(WORKERS)
        ]
        crowd = Crowd(len(cores.peers), library, ADDRESS, 0.0, 1)
        redis: Redis = Redis.from_url(valkey.url)
        clients = [MediaClients(secret.encode(), _nothing, lambda key: None) for _ in range(PROCESSES)]
        choosers = [Workers(Store(redis), each, SystemClock()) for each in clients]
        working = [asyncio.create_task(_look(choosers)), asyncio.create_task(_begin(crowd))]
        try:
            for server in servers:
                await server.start()
            for chooser in choosers:
                await chooser.look()
            await crowd.all("pace", 1 / PICTURES)
            by_id = {server.entry["id"]: server for server in servers}
            person = 0
            for call in range(calls):
                persons, person = list(range(person, person + sizes[call])), person + sizes[call]
                visit = str(uuid7())
                room = await choosers[call % PROCESSES].settled(visit)
                assert room.key is not None
                server = by_id[room.key.id]
                await server.call(crowd, persons, visit)
                await asyncio.sleep(every_s)
            for server in servers:
                await server.settled()
            await crowd.connected(2 * person)
            await asyncio.sleep(SETTLED_S)
            before = [cpu_seconds(server.pid) for server in servers]
            await asyncio.sleep(MEASURED_S)
            spent = [
                (cpu_seconds(server.pid) - former) / MEASURED_S for server, former in zip(servers, before, strict=True)
            ]
            rows = await redis.mget([f"media:worker:{each}" for each in by_id])
            entries = [json.loads(row) for row in rows if row is not None]
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            for each in clients:
                await each.stop()
            await crowd.close()
            for server in servers:
                await server.stop()
            await redis.aclose()
            await valkey.stop()
    print("\n| worker | rooms | people | packets/s | CPU of a core |\n|---|---|---|---|---|")
    for each, share in zip(entries, spent, strict=True):
        print(f"| {each['id']} | {each['rooms']} | {each['participants']} | {each['packets']} | {share:.2f} |")
    people = apart([each["participants"] for each in entries])
    packets = apart([each["packets"] for each in entries])
    work = apart(spent)
    print(f"\npeople {people:.0%} apart, packets {packets:.0%} apart")
    print(f"processor time {work:.0%} apart: {'within' if work <= WITHIN else 'NOT within'} {WITHIN:.0%}")
    return work <= WITHIN


async def _look(choosers: list[Workers]) -> None:
    while True:
        for each in choosers:
            await each.look()
        await asyncio.sleep(0.5)


async def _begin(crowd: Crowd) -> None:
    """Media of everybody who is connected: workers tell what they forward, and rooms go by that."""
    while True:
        await crowd.all("media")
        await asyncio.sleep(0.25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--every", type=float, default=0.25, help="seconds between two calls")
    parser.add_argument("--seed", type=int, default=1, help="of the order of calls")
    options = parser.parse_args()
    enter_namespace("loadtests.media_spread")
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        try:
            library = media_native.build(Path(folder))
        except media_native.NoCompilerError as error:
            raise SystemExit(f"media_spread: {error}") from None
        even = asyncio.run(spread(options.calls, options.every, options.seed, media_cores.split(), library))
    sys.exit(0 if even else 1)


if __name__ == "__main__":
    main()
