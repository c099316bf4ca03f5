"""One run of the media benchmark: a fresh server, fresh peers, a steady interval, the kernel's accounting."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.media_cores import Cores
from loadtests.media_crowd import Crowd
from loadtests.media_figures import Result, percentile
from loadtests.media_peers import PACKETS_S
from loadtests.media_servers import BedsideServer, JanusServer, MediaServer, cpu_seconds, resident_bytes

ADDRESS = "10.255.0.1"
WARM_UP_S = 2.0  # first key frames, MIDs acknowledged
LOOK_S, LOOKS = 0.5, 6  # until all pictures come: a new receiver is thought narrow until feedback says more
COMPLETE = 0.03  # of what was published may lack then, where the network loses some
MENDING_S = 0.6  # what was lost at the end of the interval may still be mended
AHEAD_S = 0.3  # for every process to hear of the interval before it begins


@dataclass(frozen=True)
class Place:
    """What all runs share."""

    cores: Cores
    library: Path
    path: str | None
    janus_event_loops: int = 0
    address: str = ADDRESS
    rids: tuple[str, ...] = ()
    """Of the cameras' encodings, smallest first; none: one encoding."""

    @asynccontextmanager
    async def run(self, name: str, loss: float, seed: int) -> AsyncIterator[tuple[MediaServer, Crowd]]:
        """A fresh server and fresh peers."""
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            server: MediaServer
            if name == "bedside":
                server = BedsideServer(Path(folder), self.address, self.cores.server, self.path)
            else:
                server = JanusServer(Path(folder), self.address, self.cores.server, self.janus_event_loops)
            crowd = Crowd(len(self.cores.peers), self.library, self.address, loss, seed, self.rids)
            try:
                await server.start()
                yield server, crowd
            finally:
                await crowd.close()
                await server.stop()


async def interval(server: MediaServer, crowd: Crowd, calls: int, people: int, seconds: float, loss: float) -> Result:
    """Measure what runs now for so long. Memory and set-up are the caller's to fill in."""
    begin = time.time() + AHEAD_S
    end = begin + seconds
    await crowd.all("measure", begin, end)
    await asyncio.sleep(begin - time.time())
    before, theirs = cpu_seconds(server.pid), [cpu_seconds(pid) for pid in crowd.pids]
    await asyncio.sleep(end - time.time())
    spent = cpu_seconds(server.pid) - before
    busiest = max(cpu_seconds(pid) - former for pid, former in zip(crowd.pids, theirs, strict=True))
    await asyncio.sleep(MENDING_S)
    figures = await crowd.figures()
    return Result(
        server.name,
        calls,
        people,
        loss,
        cpu_us=spent * 1e6 / max(1, figures["datagrams"]),
        core_share=spent / seconds,
        packets_in_s=figures["published"] / seconds,
        packets_out_s=figures["datagrams"] / seconds,
        loss=1 - figures["received"] / max(1, figures["sent"] * (people - 1)),
        sound_loss=1 - figures["received_sound"] / max(1, figures["sent_sound"] * (people - 1)),
        p50_ms=percentile(figures["latencies"], 0.5) * 1000,
        p99_ms=percentile(figures["latencies"], 0.99) * 1000,
        memory_kb=0.0,
        setup_ms=0.0,
        lateness_p99_ms=percentile(figures["lateness"], 0.99) * 1000,
        peers_core_share=busiest / seconds,
        retransmitted=figures["retransmitted"],
        feedback=figures["feedback"],
        nacks=figures["nacks"],
        unsent=figures["unsent"],
        overflowed=figures["overflowed"],
        sent_share=figures["sent"] / (seconds * calls * people * PACKETS_S),
        agreed={direction: sorted(found) for direction, found in crowd.agreed.items()},
    )


async def measure(place: Place, name: str, calls: int, people: int, seconds: float, loss: float, seed: int) -> Result:
    """One run against a fresh server."""
    async with place.run(name, loss, seed) as (server, crowd):
        idle_memory, idle_cpu = resident_bytes(server.pid), cpu_seconds(server.pid)
        for call in range(calls):
            await server.call(crowd, list(range(call * people, (call + 1) * people)))
        await server.settled()
        await crowd.connected(2 * calls * people)
        setup = cpu_seconds(server.pid) - idle_cpu
        await crowd.all("media")
        await asyncio.sleep(WARM_UP_S)
        for _ in range(LOOKS):
            if (await interval(server, crowd, calls, people, LOOK_S, loss)).loss < COMPLETE:
                break
        result = await interval(server, crowd, calls, people, seconds, loss)
        result.memory_kb = (resident_bytes(server.pid) - idle_memory) / 1024 / (calls * people)
        result.setup_ms = setup * 1000 / (calls * people)
    return result
